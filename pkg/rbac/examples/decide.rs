//! How long a decision takes: `cargo run --release -p kedge-rbac --example decide`.

use std::time::Instant;

use kedge_rbac::{Policy, Request, Resource, Who, defaults};
use serde_json::json;

/// Bindings of namespaces beside the default ones.
const BINDINGS: usize = 1000;
const ROUNDS: u32 = 1_000_000;

fn main() {
    let mut policy = Policy::default();
    for one in defaults::all() {
        let json = one.object.to_string().into();
        policy.put(one.resource, one.namespace, one.name, json);
    }
    for number in 0..BINDINGS {
        let binding = json!({
            "roleRef": {"kind": "ClusterRole", "name": "system:aggregate-to-edit"},
            "subjects": [{"kind": "User", "name": format!("user-{number}")}],
        });
        let (namespace, name) = (format!("ns-{}", number % 50), format!("b-{number}"));
        policy.put(
            Resource::RoleBindings,
            &namespace,
            &name,
            binding.to_string().into(),
        );
    }
    let groups = ["people".to_string(), "system:authenticated".to_string()];
    let who = Who {
        name: "user-7",
        groups: &groups,
    };
    for (what, verb, namespace) in [
        ("allowed", "create", "ns-7"),
        ("refused", "create", "ns-8"),
        ("refused by all rules", "approve", "ns-7"),
    ] {
        let request = Request::Resource {
            verb,
            group: "networking.k8s.io",
            resource: "ingresses",
            subresource: "",
            namespace,
            name: "",
        };
        let begun = Instant::now();
        let mut allowed = 0_u32;
        for _ in 0..ROUNDS {
            allowed += u32::from(policy.allows(who, std::hint::black_box(&request)).is_some());
        }
        let each = begun.elapsed() / ROUNDS;
        println!("{what}: {each:?} each, {allowed} of {ROUNDS} allowed");
    }
}
