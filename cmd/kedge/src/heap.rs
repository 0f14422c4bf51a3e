//! The C library's heap.
#![allow(unsafe_code)]

/// Heaps that threads share: enough for the two that answer requests and the one that commits, which else wait for each other at
/// every allocation; and not one for each thread, each of which keeps what came and went (`docs/performance.md`).
#[cfg(target_env = "gnu")]
const HEAPS: libc::c_int = 3;

/// A few heaps for all threads, wherever the program is started. To be called while there is one thread.
#[cfg(target_env = "gnu")]
pub fn share() {
    // SAFETY: mallopt(3) changes a setting of the allocator, takes no pointers, and no other thread is there to race it.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, HEAPS);
    }
}

/// Other C libraries have one heap anyway.
#[cfg(not(target_env = "gnu"))]
pub fn share() {}
