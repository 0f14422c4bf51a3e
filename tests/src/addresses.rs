//! Waiting for an address to leave a network namespace, by the kernel's word of it.

use std::net::IpAddr;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

use crate::netns::Netns;
use crate::tool::ToolError;
use crate::wait::PATIENCE;

/// `RTMGRP_IPV4_IFADDR` and `RTMGRP_IPV6_IFADDR` of `linux/rtnetlink.h`: addresses that come and go.
const ADDRESSES: u32 = 0x10 | 0x100;

/// Returns once no link has the address.
///
/// # Errors
/// It stays: with what the links have.
pub fn until_gone(netns: &Netns, address: IpAddr) -> Result<(), ToolError> {
    let other = |error: Errno| ToolError::Other(format!("cannot follow addresses: {error}"));
    let socket = netns.enter(|| {
        let flags = SocketFlags::CLOEXEC;
        // `NETLINK_ROUTE` is protocol 0, that of no choice.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, ADDRESSES))?;
        Ok(socket)
    })?;
    let socket = socket.map_err(other)?;
    let mine = format!(" {address}/");
    loop {
        let shown = netns.ip("-o addr show")?;
        if !shown.contains(&mine) {
            return Ok(());
        }
        let mut events = [PollFd::new(&socket, PollFlags::IN)];
        if poll(&mut events, Some(&PATIENCE)).map_err(other)? == 0 {
            return Err(ToolError::Other(format!("{address} stays: {shown}")));
        }
        let mut message = [0; 4096];
        recv(&socket, &mut message, RecvFlags::empty()).map_err(other)?;
    }
}
