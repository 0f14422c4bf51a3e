//! How kedge's own entries are told from everybody else's, by fields that the kernel keeps and shows.
//!
//! - An address has the metric [`METRIC`]. The kernel keeps an address' metric since 4.18 and uses it for
//!   the route to the address' subnet alone, which a /32 and a /128 do not have: it changes nothing.
//!   It has the protocol [`PROTOCOL`] as well, which kernels before 5.18 ignore.
//! - A route and a rule have the protocol [`PROTOCOL`].
//! - A link has the group [`GROUP`].

/// The metric of an address that kedge made, and of the route that ends what no Service claims: `kedg`.
pub const METRIC: u32 = u32::from_be_bytes(*b"kedg");

/// `IFLA_GROUP` of a link that kedge made; everybody else's are in group 0 unless somebody sorts them.
pub const GROUP: u32 = METRIC;

/// The link for the DNS address, and its other end where it is one of a pair.
pub const DNS_LINK: &str = "kedge-dns";
pub const DNS_LINK_END: &str = "kedge-dns-end";

/// `IFA_PROTO`, `RTA_PROTOCOL` and `FRA_PROTOCOL` of what kedge made. The kernel's `rtnetlink.h` leaves the numbers
/// from 5 on to user space; this one is in nobody's list there.
pub const PROTOCOL: u8 = 75;

/// The routing table for packets that this machine itself sends to Services: `ke`.
pub const TABLE: u32 = u16::from_be_bytes(*b"ke") as u32;

/// Where the rule for [`TABLE`] stands: behind the rules of overlay networks (5000 to 6000), before those that
/// send the rest through a tunnel (32764 and 32765) and the main table (32766).
pub const RULE_PRIORITY: u32 = 32_000;
