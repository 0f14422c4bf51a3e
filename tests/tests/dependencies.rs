//! What `deny.toml` says of dependencies, held against all that is built here: licences, where a crate comes from,
//! and those that are not wanted. `cargo deny check` does the same and looks for advisories too, which takes a network.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::Command;

use serde_json::Value;
use spdx::{Expression, Licensee};

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Every package of the workspace's graph on this platform, with all features.
fn packages() -> Vec<Value> {
    let out = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--locked",
            "--offline",
            "--all-features",
            "--format-version=1",
            "--filter-platform",
            "host-tuple",
        ])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let mut metadata: Value = serde_json::from_slice(&out.stdout).unwrap();
    match metadata["packages"].take() {
        Value::Array(packages) => packages,
        other => panic!("{other}"),
    }
}

fn rules() -> toml::Table {
    include_str!("../../deny.toml").parse().unwrap()
}

fn licences(rules: &toml::Table) -> Vec<Licensee> {
    let allowed = rules["licenses"]["allow"].as_array().unwrap().iter();
    allowed
        .map(|text| Licensee::parse(text.as_str().unwrap()).unwrap())
        .collect()
}

/// Whether one may use what has this licence; texts of old, as `MIT/Apache-2.0`, too.
fn may_use(licence: &str, allowed: &[Licensee]) -> bool {
    let expression = Expression::parse_mode(licence, spdx::ParseMode::LAX).unwrap();
    expression.evaluate(|asked| allowed.iter().any(|one| one.satisfies(asked)))
}

#[test]
fn every_dependency_is_one_that_may_be() {
    let rules = rules();
    let allowed = licences(&rules);
    let banned: Vec<&str> = rules["bans"]["deny"]
        .as_array()
        .unwrap()
        .iter()
        .map(|ban| ban["crate"].as_str().unwrap())
        .collect();
    let packages = packages();
    let (mut ours, mut theirs) = (0, 0);
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        assert!(!banned.contains(&name), "{name} is not wanted: deny.toml");
        let Some(source) = package["source"].as_str() else {
            ours += 1;
            continue;
        };
        theirs += 1;
        assert_eq!(source, CRATES_IO, "{name} comes from elsewhere");
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(
            may_use(licence, &allowed),
            "{name} has the licence {licence:?}"
        );
    }
    assert!(ours > 10 && theirs > 100, "{ours} {theirs}");
}

#[test]
fn licences_are_read_as_they_are_meant() {
    let allowed = licences(&rules());
    for (licence, may) in [
        ("MIT", true),
        ("MIT OR GPL-3.0-only", true),
        ("MIT/Apache-2.0", true),
        ("MIT AND Unicode-3.0", true),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("GPL-2.0-only", false),
        ("MIT AND GPL-3.0-or-later", false),
        ("AGPL-3.0", false),
        ("MPL-2.0", false),
    ] {
        assert_eq!(may_use(licence, &allowed), may, "{licence}");
    }
}
