//! Prints what `k8s-openapi` knows of the served kinds as JSON: input of `scripts/api-definitions`.

fn main() {
    println!(
        "{}",
        include_str!(concat!(env!("OUT_DIR"), "/schemas.json"))
    );
}
