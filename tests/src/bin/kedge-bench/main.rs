//! What `scripts/bench idle`, `api`, `dataplane` and `dns` and `scripts/soak` run.
#![forbid(unsafe_code)]

mod api;
mod dataplane;
mod dns;
mod exchange;
mod idle;
mod load;
mod plot;
mod soak;
mod wire;

use std::process::ExitCode;

use kedge_tests::tool::ToolError;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let result = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["idle"] => idle::run(60),
        ["idle", seconds] => seconds.parse().map_or_else(|_| Err(usage()), idle::run),
        ["api"] => api::run(10_000),
        ["api", objects] => objects.parse().map_or_else(|_| Err(usage()), api::run),
        ["dns"] => dns::run(),
        ["dataplane", plots] => dataplane::run(plots.as_ref()),
        ["soak", seconds] => seconds.parse().map_or_else(|_| Err(usage()), soak::run),
        _ => Err(usage()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ToolError {
    ToolError::Other(
        "usage: kedge-bench idle [SECONDS] | api [OBJECTS] | dataplane FOLDER-OF-PLOTS | dns | soak SECONDS".into(),
    )
}

/// The bound that a figure is held to, and the figure.
fn print(what: &str, figure: &str, bound: &str) {
    println!("  {what:<58} {figure:>14}   {bound}");
}

fn other(error: impl std::fmt::Display) -> ToolError {
    ToolError::Other(error.to_string())
}
