//! Network namespaces for tests.
#![allow(unsafe_code)]

use std::thread;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Runs `test` in a thread that has a network namespace of its own, with `lo` up. The namespace
/// goes when the thread and its sockets have gone.
pub fn in_namespace<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = thread::spawn(|| {
        // SAFETY: NEWNET leaves the table of file descriptors alone, which is what `unshare` is
        // unsafe for.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.expect("network namespaces need root");
        raise_loopback();
        test()
    });
    match thread.join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// RTM_NEWLINK for link 1: sets IFF_UP.
fn raise_loopback() {
    const RTM_NEWLINK: u16 = 16;
    const NLM_F_REQUEST_ACK: u16 = 5;
    const IFF_UP: u32 = 1;
    let mut message = Vec::new();
    message.extend_from_slice(&32u32.to_ne_bytes());
    message.extend_from_slice(&RTM_NEWLINK.to_ne_bytes());
    message.extend_from_slice(&NLM_F_REQUEST_ACK.to_ne_bytes());
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(&1u32.to_ne_bytes());
    message.extend_from_slice(&IFF_UP.to_ne_bytes());
    message.extend_from_slice(&IFF_UP.to_ne_bytes());
    let socket = Socket::new(NETLINK_ROUTE).unwrap();
    socket.send_to(&message, &SocketAddr::new(0, 0), 0).unwrap();
    let (answer, _) = socket.recv_from_full().unwrap();
    assert_eq!(answer[16..20], [0; 4], "lo could not be set up");
}
