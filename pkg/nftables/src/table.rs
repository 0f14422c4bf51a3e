//! Tables.

use crate::bits::bits;
use crate::error::Error;
use crate::family::Family;
use crate::uapi::nf_tables as nft;
use crate::userdata;
use crate::wire::{Message, Writer};

bits! {
    /// `enum nft_table_flags`
    TableFlags {
        /// Its chains are not evaluated.
        DORMANT = nft::NFT_TABLE_F_DORMANT;
        /// It belongs to the socket that made it, and goes with it.
        OWNER = nft::NFT_TABLE_F_OWNER;
        /// It outlives the socket that owns it (kernel 6.9).
        PERSIST = nft::NFT_TABLE_F_PERSIST;
    }
}

/// A table. Family and name are its identity; every other object is named within it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Table {
    /// The family.
    pub family: Family,
    /// The name.
    pub name: String,
    /// The flags.
    pub flags: TableFlags,
    /// A comment, as `nft` shows it.
    pub comment: Option<String>,
}

impl Table {
    /// A table without flags.
    pub fn new(family: Family, name: impl Into<String>) -> Self {
        Self {
            family,
            name: name.into(),
            flags: TableFlags::empty(),
            comment: None,
        }
    }

    /// The same with a comment.
    #[must_use]
    pub fn with_comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = Some(comment.into());
        self
    }

    pub(crate) fn encode(&self, w: &mut Writer) {
        w.string(nft::NFTA_TABLE_NAME, &self.name);
        w.be32(nft::NFTA_TABLE_FLAGS, self.flags.bits());
        if let Some(comment) = &self.comment {
            let data = userdata::comment(userdata::TABLE_COMMENT, comment);
            w.bytes(nft::NFTA_TABLE_USERDATA, &data);
        }
    }

    pub(crate) fn decode(message: &Message<'_>) -> Result<Self, Error> {
        let mut table = Self::new(Family::from_code(message.family()?), "");
        for attribute in message.attributes()? {
            let attribute = attribute?;
            match attribute.kind {
                nft::NFTA_TABLE_NAME => table.name = attribute.text(),
                nft::NFTA_TABLE_FLAGS => table.flags = TableFlags::from_bits(attribute.be32()?),
                nft::NFTA_TABLE_USERDATA => {
                    table.comment =
                        userdata::find_comment(userdata::TABLE_COMMENT, attribute.value);
                }
                _ => {}
            }
        }
        Ok(table)
    }
}
