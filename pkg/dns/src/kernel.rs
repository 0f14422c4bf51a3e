//! What the kernel offers and no library wraps safely.
#![allow(unsafe_code)]

use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

/// A descriptor whose news the runtime waits for.
///
/// # Errors
/// The kernel does not tell of this kind of descriptor.
pub fn watched(descriptor: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is one open descriptor, the same for as long as it lives, and the `AsyncFd` owns it: it
    // takes it off the runtime before it closes it.
    let watched = unsafe { AsyncFd::register(descriptor) };
    Ok(watched?)
}
