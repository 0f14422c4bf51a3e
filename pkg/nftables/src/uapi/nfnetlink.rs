//! Constants of `linux/netfilter/nfnetlink.h`, `linux/netlink.h` and `linux/netfilter.h`.

/// `nfgenmsg.version`.
pub const NFNETLINK_V0: u8 = 0;

// Subsystems: the high byte of `nlmsg_type`.
pub const NFNL_SUBSYS_CTNETLINK: u16 = 1;
pub const NFNL_SUBSYS_NFTABLES: u16 = 10;

// Messages that bound a transaction.
pub const NFNL_MSG_BATCH_BEGIN: u16 = 0x10;
pub const NFNL_MSG_BATCH_END: u16 = 0x11;

// enum nfnl_batch_attributes
pub const NFNL_BATCH_GENID: u16 = 1;

// enum nfnetlink_groups
pub const NFNLGRP_NFTABLES: u32 = 7;

// enum nlmsgerr_attrs (linux/netlink.h): what follows an error when NETLINK_EXT_ACK is on.
pub const NLMSGERR_ATTR_MSG: u16 = 1;
pub const NLMSGERR_ATTR_OFFS: u16 = 2;

// Attribute header (linux/netlink.h).
pub const NLA_F_NESTED: u16 = 0x8000;
pub const NLA_TYPE_MASK: u16 = 0x3fff;
pub const NLA_HDRLEN: usize = 4;
pub const NLA_ALIGNTO: usize = 4;

/// Size of `struct nlmsghdr`.
pub const NLMSG_HDRLEN: usize = 16;
/// Size of `struct nfgenmsg`.
pub const NFGENMSG_LEN: usize = 4;

// Netfilter's verdicts (linux/netfilter.h).
pub const NF_DROP: i32 = 0;
pub const NF_ACCEPT: i32 = 1;

// enum nf_inet_hooks
pub const NF_INET_PRE_ROUTING: u32 = 0;
pub const NF_INET_LOCAL_IN: u32 = 1;
pub const NF_INET_FORWARD: u32 = 2;
pub const NF_INET_LOCAL_OUT: u32 = 3;
pub const NF_INET_POST_ROUTING: u32 = 4;
pub const NF_INET_INGRESS: u32 = 5;

// NFPROTO_*
pub const NFPROTO_UNSPEC: u8 = 0;
pub const NFPROTO_INET: u8 = 1;
pub const NFPROTO_IPV4: u8 = 2;
pub const NFPROTO_ARP: u8 = 3;
pub const NFPROTO_NETDEV: u8 = 5;
pub const NFPROTO_BRIDGE: u8 = 7;
pub const NFPROTO_IPV6: u8 = 10;

// NF_NAT_RANGE_* (linux/netfilter/nf_nat.h)
pub const NF_NAT_RANGE_MAP_IPS: u32 = 0x01;
pub const NF_NAT_RANGE_PROTO_SPECIFIED: u32 = 0x02;
pub const NF_NAT_RANGE_PROTO_RANDOM: u32 = 0x04;
pub const NF_NAT_RANGE_PERSISTENT: u32 = 0x08;
pub const NF_NAT_RANGE_PROTO_RANDOM_FULLY: u32 = 0x10;
