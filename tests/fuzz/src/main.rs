//! `kedge-fuzz [SECONDS [TARGET [SEED]]]`: what `scripts/fuzz` runs.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kedge_fuzz::engine::{Finding, Until, run};
use kedge_fuzz::targets::ALL;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let word = |at: usize| words.get(at).map(String::as_str);
    let (Ok(seconds), Ok(seed)) = (
        word(0).unwrap_or("30").parse(),
        word(2).map_or_else(|| Ok(now()), str::parse),
    ) else {
        eprintln!("usage: kedge-fuzz [SECONDS [TARGET [SEED]]]");
        return ExitCode::FAILURE;
    };
    let wanted = ALL
        .iter()
        .filter(|target| word(1).is_none_or(|name| name == target.name));
    let mut code = ExitCode::SUCCESS;
    for target in wanted {
        match run(target, seed, Until::Time(Duration::from_secs(seconds))) {
            Ok(runs) => println!("{:<22} {runs:>10} inputs, seed {seed}", target.name),
            Err(finding) => {
                println!("{:<22} FAILED", target.name);
                tell(&finding, seed);
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

fn tell(finding: &Finding, seed: u64) {
    let Finding {
        target,
        number,
        input,
        why,
    } = finding;
    println!(
        "  {why}\n  input {number} of seed {seed}: {}",
        String::from_utf8_lossy(input).escape_debug()
    );
    println!("  again: scripts/fuzz 3600 {target} {seed}");
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}
