//! The C library's heap.
#![allow(unsafe_code)]

/// Heaps that threads share: enough for the two that answer requests and the one that commits, which else wait for each other at
/// every allocation; and not one for each thread, each of which keeps what came and went (`docs/performance.md`).
#[cfg(target_env = "gnu")]
const HEAPS: libc::c_int = 3;

/// Bytes from which on a block is given back to the system when it is freed, and what may stay free at the end of a heap.
/// Without being told, the library lets both grow with the largest block it has seen, up to 32 and 64 MiB: the bytes of a long list
/// would stay with the process.
#[cfg(target_env = "gnu")]
const KEPT: libc::c_int = 128 << 10;

/// A few heaps for all threads, wherever the program is started. To be called while there is one thread.
#[cfg(target_env = "gnu")]
pub fn share() {
    // SAFETY: mallopt(3) changes a setting of the allocator, takes no pointers, and no other thread is there to race it.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, HEAPS);
        libc::mallopt(libc::M_MMAP_THRESHOLD, KEPT);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
    }
}

/// Other C libraries have one heap anyway.
#[cfg(not(target_env = "gnu"))]
pub fn share() {}
