//! Verdicts.

use std::fmt;

use crate::error::Error;
use crate::uapi::nf_tables as nft;
use crate::uapi::nfnetlink::{NF_ACCEPT, NF_DROP};
use crate::wire::{Attribute, Writer};

/// What becomes of a packet, or where its evaluation goes on.
///
/// `N` is how a chain's name is held: `String`, or `&str` while a dump is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict<N = String> {
    /// Ends the evaluation of the base chain; the packet goes on.
    Accept,
    /// Ends every evaluation; the packet is gone.
    Drop,
    /// Goes on with the next rule.
    Continue,
    /// Ends this rule, goes on with the next.
    Break,
    /// Goes back to the rule after the jump.
    Return,
    /// Goes to another chain, and comes back at its end.
    Jump(N),
    /// Goes to another chain, and does not come back to this one.
    Goto(N),
    /// A code without a name here (`queue`, `stolen`).
    Other(i32),
}

impl Verdict {
    /// `jump CHAIN`
    pub fn jump(chain: impl Into<String>) -> Self {
        Self::Jump(chain.into())
    }

    /// `goto CHAIN`
    pub fn goto(chain: impl Into<String>) -> Self {
        Self::Goto(chain.into())
    }

    /// The same, with a borrowed name.
    #[must_use]
    pub fn as_deref(&self) -> Verdict<&str> {
        self.map_ref(String::as_str)
    }
}

impl Verdict<&str> {
    /// The same, with a name of its own.
    #[must_use]
    pub fn to_owned(&self) -> Verdict {
        self.map_ref(|name| (*name).to_owned())
    }

    pub(crate) fn encode(self, kind: u16, w: &mut Writer) {
        let (code, chain) = match self {
            Self::Accept => (NF_ACCEPT, None),
            Self::Drop => (NF_DROP, None),
            Self::Continue => (nft::NFT_CONTINUE, None),
            Self::Break => (nft::NFT_BREAK, None),
            Self::Return => (nft::NFT_RETURN, None),
            Self::Jump(chain) => (nft::NFT_JUMP, Some(chain)),
            Self::Goto(chain) => (nft::NFT_GOTO, Some(chain)),
            Self::Other(code) => (code, None),
        };
        w.nested(kind, |w| {
            w.nested(nft::NFTA_DATA_VERDICT, |w| {
                w.bytes(nft::NFTA_VERDICT_CODE, &code.to_be_bytes());
                if let Some(chain) = chain {
                    w.string(nft::NFTA_VERDICT_CHAIN, chain);
                }
            });
        });
    }
}

impl<'a> Verdict<&'a str> {
    /// Reads the content of `NFTA_DATA_VERDICT`.
    pub(crate) fn decode(attribute: Attribute<'a>) -> Result<Self, Error> {
        let mut code = None;
        let mut chain = "";
        for part in attribute.nested() {
            let part = part?;
            match part.kind {
                nft::NFTA_VERDICT_CODE => code = Some(part.be32()? as i32),
                nft::NFTA_VERDICT_CHAIN => chain = part.str()?,
                _ => {}
            }
        }
        let code = code.ok_or(Error::Missing("NFTA_VERDICT_CODE"))?;
        Ok(match code {
            NF_ACCEPT => Self::Accept,
            NF_DROP => Self::Drop,
            nft::NFT_CONTINUE => Self::Continue,
            nft::NFT_BREAK => Self::Break,
            nft::NFT_RETURN => Self::Return,
            nft::NFT_JUMP => Self::Jump(chain),
            nft::NFT_GOTO => Self::Goto(chain),
            code => Self::Other(code),
        })
    }
}

impl<N> Verdict<N> {
    fn map_ref<'a, M>(&'a self, name: impl Fn(&'a N) -> M) -> Verdict<M> {
        match self {
            Self::Accept => Verdict::Accept,
            Self::Drop => Verdict::Drop,
            Self::Continue => Verdict::Continue,
            Self::Break => Verdict::Break,
            Self::Return => Verdict::Return,
            Self::Jump(chain) => Verdict::Jump(name(chain)),
            Self::Goto(chain) => Verdict::Goto(name(chain)),
            Self::Other(code) => Verdict::Other(*code),
        }
    }
}

impl<N: fmt::Display> fmt::Display for Verdict<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept => f.write_str("accept"),
            Self::Drop => f.write_str("drop"),
            Self::Continue => f.write_str("continue"),
            Self::Break => f.write_str("break"),
            Self::Return => f.write_str("return"),
            Self::Jump(chain) => write!(f, "jump {chain}"),
            Self::Goto(chain) => write!(f, "goto {chain}"),
            Self::Other(code) => write!(f, "verdict {code}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::wire::Attributes;

    #[rstest]
    #[case(Verdict::Accept)]
    #[case(Verdict::Drop)]
    #[case(Verdict::Continue)]
    #[case(Verdict::Break)]
    #[case(Verdict::Return)]
    #[case(Verdict::jump("services"))]
    #[case(Verdict::goto("n3"))]
    #[case(Verdict::Other(3))]
    fn every_verdict_comes_back(#[case] verdict: Verdict) {
        let mut w = Writer::default();
        verdict.as_deref().encode(2, &mut w);
        let data = Attributes::new(w.as_bytes()).next().unwrap().unwrap();
        let inner = data.child(nft::NFTA_DATA_VERDICT).unwrap().unwrap();
        assert_eq!(Verdict::decode(inner).unwrap().to_owned(), verdict);
    }

    #[test]
    fn a_goto_is_laid_out_as_the_kernel_reads_it() {
        let mut w = Writer::default();
        Verdict::Goto("n3").encode(2, &mut w);
        let le = |n: u16| n.to_ne_bytes();
        let mut want = Vec::new();
        want.extend_from_slice(&[le(24), le(0x8002), le(20), le(0x8002), le(8), le(1)].concat());
        want.extend_from_slice(&[0xff, 0xff, 0xff, 0xfc]);
        want.extend_from_slice(&[le(7), le(2)].concat());
        want.extend_from_slice(b"n3\0\0");
        assert_eq!(w.as_bytes(), want);
    }
}
