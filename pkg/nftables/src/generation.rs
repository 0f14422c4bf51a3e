//! The ruleset's generation: a number that every transaction raises by one.

use crate::error::Error;
use crate::uapi::nf_tables as nft;
use crate::wire::Message;

/// A generation of the ruleset of one network namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Generation {
    /// Its number.
    pub id: u32,
    /// Thread that made it, by the number that the initial process namespace knows it by: a
    /// process's number only if its first thread did. In the answer to a query, the thread that
    /// asks. To tell transactions apart, use ports, which are exact.
    pub pid: Option<u32>,
    /// That thread's name, of at most 15 bytes.
    pub process: Option<String>,
}

impl Generation {
    pub(crate) fn decode(message: &Message<'_>) -> Result<Self, Error> {
        let (mut id, mut pid, mut process) = (None, None, None);
        for attribute in message.attributes()? {
            let attribute = attribute?;
            match attribute.kind {
                nft::NFTA_GEN_ID => id = Some(attribute.be32()?),
                nft::NFTA_GEN_PROC_PID => pid = Some(attribute.be32()?),
                nft::NFTA_GEN_PROC_NAME => process = Some(attribute.text()),
                _ => {}
            }
        }
        Ok(Self {
            id: id.ok_or(Error::Missing("NFTA_GEN_ID"))?,
            pid,
            process,
        })
    }
}
