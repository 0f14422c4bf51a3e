//! How the kernel schedules threads: sched(7).
#![allow(unsafe_code)]

use std::io;

/// This thread, and those that it will start, take the processor from nobody only because they have woken up (`SCHED_BATCH`);
/// their share of it stays the same.
///
/// # Errors
/// Those of sched_setscheduler(2): a filter of system calls may forbid it.
pub fn wait_your_turn() -> io::Result<()> {
    // SAFETY: a structure of integers, for which zeros are a value.
    let parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel reads the structure, which outlives the call; 0 is the calling thread.
    match unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &parameters) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
