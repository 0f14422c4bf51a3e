//! What this machine lacks for virtual addresses, before anything is tried in earnest.

use std::fs;
use std::io;
use std::path::Path;

use crate::packet::PacketSocket;
use crate::rtnl::Rtnl;

/// Something that the machine lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    /// What is lacking and what does not work without it.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// One thing does not work.
    Warning,
    /// The server cannot do its work.
    Fatal,
}

/// `CAP_NET_ADMIN`, by its number in the kernel's `capability.h`.
const NET_ADMIN: u32 = 12;

/// Looks without changing anything. Empty when all is well.
pub async fn probe() -> Vec<Finding> {
    let mut findings = Vec::new();
    if !has_capability(
        &fs::read_to_string("/proc/self/status").unwrap_or_default(),
        NET_ADMIN,
    ) {
        findings.push(Finding {
            severity: Severity::Fatal,
            what: "CAP_NET_ADMIN is missing: no address, route or rule can be made".into(),
            remedy:
                "run as root, or grant it (systemd: AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW)"
                    .into(),
        });
    }
    if let Err(error) = PacketSocket::open() {
        findings.push(raw_frames(&error));
    }
    findings.extend(netlink().await);
    if !Path::new("/proc/sys/net/ipv4/ip_forward").exists() {
        findings.push(Finding {
            severity: Severity::Fatal,
            what: "/proc/sys/net/ipv4/ip_forward is not there: forwarding cannot be turned on"
                .into(),
            remedy: "mount proc on /proc".into(),
        });
    }
    if !Path::new("/proc/sys/net/ipv6/conf/all/forwarding").exists() {
        findings.push(Finding {
            severity: Severity::Warning,
            what: "this kernel has IPv6 switched off: IPv6 Services carry no traffic".into(),
            remedy: "if you need them, boot without ipv6.disable=1".into(),
        });
    }
    findings
}

fn raw_frames(error: &io::Error) -> Finding {
    let remedy = match error.raw_os_error() {
        Some(libc::EAFNOSUPPORT) => "use a kernel with CONFIG_PACKET",
        _ => "run as root, or grant CAP_NET_RAW",
    };
    Finding {
        severity: Severity::Warning,
        what: format!("virtual addresses cannot be announced on the LAN: {error}"),
        remedy: remedy.into(),
    }
}

async fn netlink() -> Option<Finding> {
    let links = match Rtnl::open() {
        Ok(rtnl) => rtnl.links().await.map(|_| ()),
        Err(error) => Err(error),
    };
    links.err().map(|error| Finding {
        severity: Severity::Fatal,
        what: error.to_string(),
        remedy: "allow AF_NETLINK sockets (systemd: RestrictAddressFamilies, seccomp filters of containers)".into(),
    })
}

/// Reads the effective set out of `/proc/self/status` (`proc(5)`).
fn has_capability(status: &str, number: u32) -> bool {
    let set = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    set.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .is_some_and(|set| set >> number & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read_from_the_effective_set() {
        let status = "CapPrm:\t000001ffffffffff\nCapEff:\t0000000000001000\n";
        assert!(has_capability(status, 12));
        assert!(!has_capability(status, 13));
        assert!(!has_capability("", 12));
    }
}
