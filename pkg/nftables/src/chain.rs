//! Chains.

use crate::bits::codes;
use crate::error::Error;
use crate::uapi::nf_tables as nft;
use crate::uapi::nfnetlink as nf;
use crate::userdata;
use crate::wire::{Attribute, Attributes, Writer};

codes! {
    /// Where a base chain is hooked in (`enum nf_inet_hooks`).
    Hook: u32 {
        /// Before routing, for packets from outside.
        Prerouting = nf::NF_INET_PRE_ROUTING;
        /// After routing, for packets to this machine.
        Input = nf::NF_INET_LOCAL_IN;
        /// After routing, for packets to other machines.
        Forward = nf::NF_INET_FORWARD;
        /// For packets of this machine.
        Output = nf::NF_INET_LOCAL_OUT;
        /// Just before a packet leaves.
        Postrouting = nf::NF_INET_POST_ROUTING;
        /// Before everything, on one device.
        Ingress = nf::NF_INET_INGRESS;
    }
}

codes! {
    /// What becomes of a packet at the end of a base chain.
    Policy: u32 {
        /// It is dropped.
        Drop = nf::NF_DROP as u32;
        /// It goes on.
        Accept = nf::NF_ACCEPT as u32;
    }
}

/// Type of a base chain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ChainType {
    /// `filter`
    Filter,
    /// `nat`: sees the first packet of a connection only.
    Nat,
    /// `route`: a changed packet is routed again.
    Route,
    /// A type without a name here.
    Other(String),
}

impl ChainType {
    fn name(&self) -> &str {
        match self {
            Self::Filter => "filter",
            Self::Nat => "nat",
            Self::Route => "route",
            Self::Other(name) => name,
        }
    }

    fn from_name(name: String) -> Self {
        match name.as_str() {
            "filter" => Self::Filter,
            "nat" => Self::Nat,
            "route" => Self::Route,
            _ => Self::Other(name),
        }
    }
}

/// How a base chain is hooked in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Base {
    /// The type.
    pub kind: ChainType,
    /// The hook.
    pub hook: Hook,
    /// Lower is earlier. `nft` calls -300 `raw`, -150 `mangle`, -100 `dstnat` (in prerouting), 0
    /// `filter`, 100 `srcnat`.
    pub priority: i32,
    /// What happens at the chain's end.
    pub policy: Policy,
    /// The device of an ingress hook.
    pub device: Option<String>,
}

/// A chain of one table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Chain {
    /// The name.
    pub name: String,
    /// Set for a base chain; a regular chain is reached by jumps.
    pub base: Option<Base>,
    /// A comment, as `nft` shows it.
    pub comment: Option<String>,
}

impl Chain {
    /// A regular chain.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            base: None,
            comment: None,
        }
    }

    /// A base chain with policy accept.
    pub fn base(name: impl Into<String>, kind: ChainType, hook: Hook, priority: i32) -> Self {
        Self {
            name: name.into(),
            base: Some(Base {
                kind,
                hook,
                priority,
                policy: Policy::Accept,
                device: None,
            }),
            comment: None,
        }
    }

    pub(crate) fn encode(&self, table: &str, w: &mut Writer) {
        w.string(nft::NFTA_CHAIN_TABLE, table);
        w.string(nft::NFTA_CHAIN_NAME, &self.name);
        if let Some(base) = &self.base {
            w.nested(nft::NFTA_CHAIN_HOOK, |w| {
                w.be32(nft::NFTA_HOOK_HOOKNUM, base.hook.code());
                w.bytes(nft::NFTA_HOOK_PRIORITY, &base.priority.to_be_bytes());
                if let Some(device) = &base.device {
                    w.string(nft::NFTA_HOOK_DEV, device);
                }
            });
            w.be32(nft::NFTA_CHAIN_POLICY, base.policy.code());
            w.string(nft::NFTA_CHAIN_TYPE, base.kind.name());
        }
        if let Some(comment) = &self.comment {
            let data = userdata::comment(userdata::CHAIN_COMMENT, comment);
            w.bytes(nft::NFTA_CHAIN_USERDATA, &data);
        }
    }

    pub(crate) fn decode(attributes: Attributes<'_>) -> Result<Self, Error> {
        let mut chain = Self::new("");
        let mut kind = None;
        let mut policy = Policy::Accept;
        let mut hook = None;
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                nft::NFTA_CHAIN_NAME => chain.name = attribute.text(),
                nft::NFTA_CHAIN_HOOK => hook = Some(decode_hook(attribute)?),
                nft::NFTA_CHAIN_POLICY => policy = Policy::from_code(attribute.be32()?),
                nft::NFTA_CHAIN_TYPE => kind = Some(ChainType::from_name(attribute.text())),
                nft::NFTA_CHAIN_USERDATA => {
                    chain.comment =
                        userdata::find_comment(userdata::CHAIN_COMMENT, attribute.value);
                }
                _ => {}
            }
        }
        if let Some((hook, priority, device)) = hook {
            chain.base = Some(Base {
                kind: kind.ok_or(Error::Missing("NFTA_CHAIN_TYPE"))?,
                hook,
                priority,
                policy,
                device,
            });
        }
        Ok(chain)
    }
}

fn decode_hook(attribute: Attribute<'_>) -> Result<(Hook, i32, Option<String>), Error> {
    let (mut hook, mut priority, mut device) = (None, 0, None);
    for part in attribute.nested() {
        let part = part?;
        match part.kind {
            nft::NFTA_HOOK_HOOKNUM => hook = Some(Hook::from_code(part.be32()?)),
            nft::NFTA_HOOK_PRIORITY => priority = part.be32()? as i32,
            nft::NFTA_HOOK_DEV => device = Some(part.text()),
            _ => {}
        }
    }
    let hook = hook.ok_or(Error::Missing("NFTA_HOOK_HOOKNUM"))?;
    Ok((hook, priority, device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_chain_comes_back() {
        let mut chain = Chain::base("pre", ChainType::Nat, Hook::Prerouting, -100);
        chain.comment = Some("first of all".to_owned());
        let mut w = Writer::default();
        chain.encode("kedge", &mut w);
        assert_eq!(Chain::decode(Attributes::new(w.as_bytes())).unwrap(), chain);
    }

    #[test]
    fn an_ingress_chain_keeps_its_device() {
        let mut chain = Chain::base("in", ChainType::Other("x".into()), Hook::Ingress, 7);
        if let Some(base) = &mut chain.base {
            base.device = Some("eth0".to_owned());
            base.policy = Policy::Drop;
        }
        let mut w = Writer::default();
        chain.encode("t", &mut w);
        assert_eq!(Chain::decode(Attributes::new(w.as_bytes())).unwrap(), chain);
    }

    #[test]
    fn a_regular_chain_has_no_hook() {
        let mut w = Writer::default();
        Chain::new("n3").encode("kedge", &mut w);
        let back = Chain::decode(Attributes::new(w.as_bytes())).unwrap();
        assert_eq!(back, Chain::new("n3"));
    }
}
