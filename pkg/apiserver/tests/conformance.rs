//! The recorded conversations of `tests/conformance`, replayed against this server.
//!
//! Every step that differs is printed; [`PASSING`] may only rise.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod replay;
mod support;

use std::fmt::Write;

/// Steps that answer as kube-apiserver does.
const PASSING: usize = 226;

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_those_of_kube_apiserver() {
    let mut lab = support::Lab::start().await;
    let cases = replay::cases();
    let (mut passed, mut all, mut report) = (0, 0, String::new());
    for (number, case) in cases.iter().enumerate() {
        for (index, difference) in replay::run(&lab.admin, case, number)
            .await
            .into_iter()
            .enumerate()
        {
            all += 1;
            match difference.first() {
                None => passed += 1,
                Some(first) => {
                    let step = &case.steps[index];
                    let _ = writeln!(
                        report,
                        "{} step {index} {} {}: {} differ; {first}",
                        case.name,
                        step.verb,
                        step.path,
                        difference.len()
                    );
                }
            }
        }
    }
    lab.stop().await;
    println!("{report}{passed} of {all}");
    assert!(
        passed >= PASSING,
        "{passed} of {all} steps answer as recorded, {PASSING} did before:\n{report}"
    );
}
