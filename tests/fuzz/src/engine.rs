//! Runs a target: its seeds as they are, then changes of them, in a thread with a stack as small as the server's.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::mutate::{Chance, mutate};
use crate::targets::Target;

/// The stack of a thread that serves requests.
const STACK: usize = 2 << 20;
/// The longest input; bodies may be longer, but what is wrong shows in these.
const LONGEST: usize = 16 << 10;
/// What one input may take: far above what any takes, far below what quadratic work on it would.
const SLOW: Duration = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 });

/// An input that a target does not hold on.
#[derive(Debug)]
pub struct Finding {
    pub target: &'static str,
    /// Which of its inputs: see [`input`].
    pub number: u64,
    pub input: Vec<u8>,
    pub why: String,
}

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    Runs(u64),
    Time(Duration),
}

/// The inputs that were tried, or the first finding.
///
/// # Errors
/// The finding.
pub fn run(target: &Target, seed: u64, until: Until) -> Result<u64, Finding> {
    let seeds = (target.seeds)();
    let work = || {
        let begun = Instant::now();
        let mut number = 0;
        loop {
            let over = match until {
                Until::Runs(runs) => number >= runs.max(seeds.len() as u64),
                Until::Time(time) => begun.elapsed() >= time,
            };
            if over {
                return Ok(number);
            }
            let input = input(&seeds, seed, number);
            let started = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(&input)));
            let why = match outcome {
                Err(panic) => Some(said(panic.as_ref())),
                Ok(()) if started.elapsed() > SLOW => {
                    Some(format!("it took {:?}", started.elapsed()))
                }
                Ok(()) => None,
            };
            if let Some(why) = why {
                return Err(Finding {
                    target: target.name,
                    number,
                    input,
                    why,
                });
            }
            number += 1;
        }
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK);
        match thread.spawn_scoped(scope, work) {
            Ok(thread) => thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(error) => std::panic::panic_any(error.to_string()),
        }
    })
}

/// One input of a run: the seeds first, then changes of them. It follows from seed and number alone.
#[must_use]
pub fn input(seeds: &[Vec<u8>], seed: u64, number: u64) -> Vec<u8> {
    if let Some(given) = usize::try_from(number).ok().and_then(|at| seeds.get(at)) {
        return given.clone();
    }
    let mut chance = Chance::new(seed ^ number.rotate_left(32));
    let mut any = || {
        seeds
            .get(chance.below(seeds.len()))
            .cloned()
            .unwrap_or_default()
    };
    let (mut input, other) = (any(), any());
    mutate(&mut chance, &mut input, &other, LONGEST);
    input
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or_default()
}
