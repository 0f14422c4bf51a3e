//! A short run of every target, from the recorded bodies and a fixed seed. `scripts/fuzz` runs them for longer.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use kedge_fuzz::engine::{Until, input, run};
use kedge_fuzz::targets::{ALL, Target};

const SEED: u64 = 20_260_101;
const RUNS: u64 = 1500;

fn check(name: &str) {
    let target = ALL.iter().find(|target| target.name == name).unwrap();
    if let Err(finding) = run(target, SEED, Until::Runs(RUNS)) {
        let text = String::from_utf8_lossy(&finding.input).into_owned();
        panic!(
            "{name}, input {}: {}\n{text:?}",
            finding.number, finding.why
        );
    }
}

macro_rules! targets {
    ($($test:ident $name:literal),* $(,)?) => {
        $(#[test] fn $test() { check($name); })*
        const TESTED: &[&str] = &[$($name),*];
    };
}

targets! {
    json_patch "json-patch", merge_patch "merge-patch", strategic "strategic-merge-patch", apply "apply",
    fields "fields-v1", protobuf "protobuf", json_body "json-body", yaml_body "yaml-body", selector "selector",
    token "continue", quantity "quantity", request "request", dns_question "dns-question", dns_answer "dns-answer",
}

#[test]
fn every_target_is_run_and_has_seeds() {
    let names: Vec<_> = ALL.iter().map(|target| target.name).collect();
    assert_eq!(names, TESTED);
    for target in ALL {
        assert!((target.seeds)().len() > 1, "{}", target.name);
    }
}

#[test]
fn a_target_that_does_not_hold_is_found_and_found_again() {
    let fragile = Target {
        name: "fragile",
        seeds: || vec![b"{\"a\":1}".to_vec(), b"{}".to_vec()],
        run: |input| assert!(!input.contains(&b'!'), "an exclamation"),
    };
    let first = run(&fragile, SEED, Until::Runs(100_000)).unwrap_err();
    assert_eq!(first.why, "an exclamation");
    assert_eq!(input(&(fragile.seeds)(), SEED, first.number), first.input);
}
