//! `kedge check`: what this kernel and machine lack.

use crate::findings;

/// Prints what is found; true when the server can run.
pub async fn check() -> bool {
    let all = findings::all().await;
    for found in &all {
        println!(
            "{} {}\n     {}",
            if found.fatal { "FAIL" } else { "WARN" },
            found.what,
            found.advice
        );
    }
    let able = findings::fatal(&all).is_empty();
    match (able, all.is_empty()) {
        (true, true) => println!("ok   this machine has everything that kedge needs"),
        (true, false) => println!("ok   kedge can run here, with what the warnings say"),
        (false, _) => println!("kedge cannot run here until what FAIL names is mended"),
    }
    able
}
