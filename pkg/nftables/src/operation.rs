//! What a message does, in words: for errors and for events.

use std::fmt;

use crate::element::{Element, ElementRef};
use crate::error::Error;
use crate::family::Family;
use crate::uapi::nf_tables as nft;
use crate::uapi::nfnetlink::{NFNL_SUBSYS_NFTABLES, NLA_HDRLEN};
use crate::wire::Message;

/// What is done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// It is made, or changed.
    New,
    /// It is deleted.
    Delete,
    /// It is deleted if it is there.
    Destroy,
}

/// What something is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// A table.
    Table,
    /// A chain.
    Chain,
    /// A rule; its name here is its chain's.
    Rule,
    /// A set or map.
    Set,
    /// Elements; their name here is their set's.
    Elements,
    /// A stateful object.
    Object,
    /// A flowtable.
    Flowtable,
}

impl ObjectKind {
    /// The attribute that names it within its table. The table's own name is attribute 1 of every
    /// kind.
    const fn name_attribute(self) -> Option<u16> {
        match self {
            Self::Table => None,
            Self::Chain => Some(nft::NFTA_CHAIN_NAME),
            Self::Rule => Some(nft::NFTA_RULE_CHAIN),
            Self::Set => Some(nft::NFTA_SET_NAME),
            Self::Elements => Some(nft::NFTA_SET_ELEM_LIST_SET),
            // NFTA_OBJ_NAME and NFTA_FLOWTABLE_NAME
            Self::Object | Self::Flowtable => Some(2),
        }
    }
}

/// One operation on one object: of a transaction, or of a notification.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Operation {
    /// What is done.
    pub action: Action,
    /// What it is done to.
    pub object: ObjectKind,
    /// The table's family.
    pub family: Family,
    /// The table's name.
    pub table: String,
    /// The object's name within its table.
    pub name: Option<String>,
}

impl Operation {
    /// What a message of nf_tables does; `None` for one that changes nothing (`NEWGEN`, `TRACE`).
    ///
    /// # Errors
    /// The message is cut short.
    pub(crate) fn of(message: &Message<'_>) -> Result<Option<Self>, Error> {
        use {Action as A, ObjectKind as O};
        if message.header.kind >> 8 != NFNL_SUBSYS_NFTABLES {
            return Ok(None);
        }
        let (action, object) = match message.header.kind & 0xff {
            nft::NFT_MSG_NEWTABLE => (A::New, O::Table),
            nft::NFT_MSG_DELTABLE => (A::Delete, O::Table),
            nft::NFT_MSG_DESTROYTABLE => (A::Destroy, O::Table),
            nft::NFT_MSG_NEWCHAIN => (A::New, O::Chain),
            nft::NFT_MSG_DELCHAIN => (A::Delete, O::Chain),
            nft::NFT_MSG_DESTROYCHAIN => (A::Destroy, O::Chain),
            nft::NFT_MSG_NEWRULE => (A::New, O::Rule),
            nft::NFT_MSG_DELRULE => (A::Delete, O::Rule),
            nft::NFT_MSG_DESTROYRULE => (A::Destroy, O::Rule),
            nft::NFT_MSG_NEWSET => (A::New, O::Set),
            nft::NFT_MSG_DELSET => (A::Delete, O::Set),
            nft::NFT_MSG_DESTROYSET => (A::Destroy, O::Set),
            nft::NFT_MSG_NEWSETELEM => (A::New, O::Elements),
            nft::NFT_MSG_DELSETELEM => (A::Delete, O::Elements),
            nft::NFT_MSG_DESTROYSETELEM => (A::Destroy, O::Elements),
            nft::NFT_MSG_NEWOBJ => (A::New, O::Object),
            nft::NFT_MSG_DELOBJ => (A::Delete, O::Object),
            nft::NFT_MSG_DESTROYOBJ => (A::Destroy, O::Object),
            nft::NFT_MSG_NEWFLOWTABLE => (A::New, O::Flowtable),
            nft::NFT_MSG_DELFLOWTABLE => (A::Delete, O::Flowtable),
            nft::NFT_MSG_DESTROYFLOWTABLE => (A::Destroy, O::Flowtable),
            _ => return Ok(None),
        };
        let mut operation = Self {
            action,
            object,
            family: Family::from_code(message.family()?),
            table: String::new(),
            name: None,
        };
        // The first of each is meant: in a batch whose lengths went wrong, what follows reads as
        // anything.
        let wanted = object.name_attribute();
        let mut table = None;
        for attribute in message.attributes()?.map_while(Result::ok) {
            if attribute.kind == nft::NFTA_TABLE_NAME && table.is_none() {
                table = Some(attribute.text());
            } else if Some(attribute.kind) == wanted && operation.name.is_none() {
                operation.name = Some(attribute.text());
            }
        }
        operation.table = table.unwrap_or_default();
        Ok(Some(operation))
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.action {
            Action::New => "add",
            Action::Delete => "delete",
            Action::Destroy => "destroy",
        })?;
        let object = match self.object {
            ObjectKind::Table => "table",
            ObjectKind::Chain => "chain",
            ObjectKind::Rule => "rule in chain",
            ObjectKind::Set => "set",
            ObjectKind::Elements => "elements of set",
            ObjectKind::Object => "object",
            ObjectKind::Flowtable => "flowtable",
        };
        write!(f, " {object} {} {}", self.family, self.table)?;
        match &self.name {
            Some(name) => write!(f, " {name}"),
            None => Ok(()),
        }
    }
}

/// An operation of a transaction that the kernel refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The operation.
    pub operation: Operation,
    /// Its number in the batch, from 0. Elements are added and deleted in several operations if
    /// they are many. The kernel reports what fails at the very end, when every operation has been
    /// accepted (no memory, say), as a failure of the first.
    pub index: usize,
    /// The kernel's errno.
    pub errno: i32,
    /// The kernel's own words, where it has any.
    pub message: Option<String>,
    /// The element that it was, where the kernel says.
    pub element: Option<Element>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.operation)?;
        if let Some(element) = &self.element {
            write!(f, ", key {}", element.key)?;
        }
        write!(f, ": {}", std::io::Error::from_raw_os_error(self.errno))?;
        match &self.message {
            Some(message) => write!(f, " ({message})"),
            None => Ok(()),
        }
    }
}

/// The element of an element message that byte `offset`, counted from the message's header, lies
/// in.
pub(crate) fn element_at(message: &Message<'_>, offset: usize) -> Option<Element> {
    let attributes = message.attributes().ok()?;
    let list = attributes
        .filter_map(Result::ok)
        .find(|a| a.kind == nft::NFTA_SET_ELEM_LIST_ELEMENTS)?;
    let position = |bytes: &[u8]| bytes.as_ptr() as usize - message.bytes.as_ptr() as usize;
    list.nested()
        .filter_map(Result::ok)
        .find(|element| {
            let value = position(element.value);
            (value - NLA_HDRLEN..value + element.value.len()).contains(&offset)
        })
        .and_then(|element| ElementRef::decode(element).ok())
        .map(|element| element.to_owned())
}
