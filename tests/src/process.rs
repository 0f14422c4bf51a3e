//! What a process costs, by the kernel's own accounting (`proc(5)`).

use std::io::{Error, ErrorKind, Result};
use std::time::Duration;

/// A reading of `/proc/PID`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Resident memory now and at its most, in kB.
    pub rss: u64,
    pub peak: u64,
    /// Bytes caused to be sent to the disk, and bytes passed to write calls of any kind.
    pub disk: u64,
    pub written: u64,
    /// Ticks of the clock (usually 10 ms) spent on a CPU.
    pub ticks: u64,
    /// Times that a thread gave up the CPU by itself: how often something woke it.
    pub wakeups: u64,
}

/// Reads the cost of a process.
///
/// # Errors
/// There is no such process, or it is another's.
pub fn cost(pid: u32) -> Result<Cost> {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}"));
    let (status, io, stat) = (read("status")?, read("io")?, read("stat")?);
    let wakeups = std::fs::read_dir(format!("/proc/{pid}/task"))?
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok())
        .filter_map(|status| field(&status, "voluntary_ctxt_switches:").ok())
        .sum();
    // The name in brackets may hold anything: the fields count from behind it.
    let times = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest)
        .unwrap_or_default();
    let tick = |n: usize| {
        times
            .split_whitespace()
            .nth(n)
            .and_then(|word| word.parse::<u64>().ok())
    };
    Ok(Cost {
        rss: field(&status, "VmRSS:")?,
        peak: field(&status, "VmHWM:")?,
        disk: field(&io, "write_bytes:")?,
        written: field(&io, "wchar:")?,
        ticks: tick(11)
            .zip(tick(12))
            .map(|(user, system)| user + system)
            .ok_or(ErrorKind::InvalidData)?,
        wakeups,
    })
}

fn field(text: &str, name: &str) -> Result<u64> {
    text.lines()
        .find_map(|line| {
            line.strip_prefix(name)?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .ok_or_else(|| Error::new(ErrorKind::InvalidData, format!("no {name} in /proc")))
}

/// What a process cost between two readings that are `span` apart.
///
/// # Errors
/// As [`cost`].
pub fn over(pid: u32, span: Duration) -> Result<(Cost, Cost)> {
    let before = cost(pid)?;
    std::thread::sleep(span);
    Ok((before, cost(pid)?))
}
