//! The C library's heap.
#![allow(unsafe_code)]

/// One heap for all threads, wherever the program is started: with one for each, what comes and goes leaves half as much
/// memory again behind, at the same speed (`docs/performance.md`). To be called while there is one thread.
#[cfg(target_env = "gnu")]
pub fn share() {
    // SAFETY: mallopt(3) changes a setting of the allocator, takes no pointers, and no other thread is there to race it.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Other C libraries have one heap anyway.
#[cfg(not(target_env = "gnu"))]
pub fn share() {}
