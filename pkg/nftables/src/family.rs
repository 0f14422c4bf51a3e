//! Address families of tables.

use std::fmt;

use crate::bits::codes;
use crate::uapi::nfnetlink as nf;

codes! {
    /// Family of a table (`NFPROTO_*`), as `nft` names them.
    Family: u8 {
        /// IPv4 and IPv6 in one table.
        Inet = nf::NFPROTO_INET;
        /// IPv4.
        Ip = nf::NFPROTO_IPV4;
        /// ARP.
        Arp = nf::NFPROTO_ARP;
        /// One network device.
        Netdev = nf::NFPROTO_NETDEV;
        /// Bridged frames.
        Bridge = nf::NFPROTO_BRIDGE;
        /// IPv6.
        Ip6 = nf::NFPROTO_IPV6;
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inet => "inet",
            Self::Ip => "ip",
            Self::Arp => "arp",
            Self::Netdev => "netdev",
            Self::Bridge => "bridge",
            Self::Ip6 => "ip6",
            Self::Other(code) => return write!(f, "family {code}"),
        })
    }
}
