//! Transactions: operations that happen together, or not at all.

use netlink_packet_core::{NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REPLACE, NLM_F_REQUEST};

use crate::chain::Chain;
use crate::element::ElementRef;
use crate::error::Error;
use crate::operation::Operation;
use crate::rule::Rule;
use crate::set::{Set, SetFlags, SetRef};
use crate::table::Table;
use crate::uapi::nf_tables as nft;
use crate::uapi::nfnetlink as nf;
use crate::wire::{Message, Messages, Writer};

/// Operations that [`Socket::commit`](crate::Socket::commit) carries out as one transaction, in
/// this order.
///
/// Each method appends; nothing is checked here but the length of attributes, at commit. "Add"
/// means what it means to `nft`: what is there already is left as it is if it is the same, and
/// refused if it is not.
///
/// Of one key, in one transaction: delete then add replaces the element; add then delete, or an add
/// with other data while the old element stands, is refused with `EEXIST`.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    writer: Writer,
    /// Where the last message starts: it alone asks for an acknowledgement.
    last: usize,
    count: u32,
    generation: Option<u32>,
}

impl Batch {
    /// A batch without operations.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with room for `bytes`; an element of 12 bytes with data of 8 takes 40.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            writer: Writer::with_capacity(bytes),
            ..Self::default()
        }
    }

    /// Whether there is no operation.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Number of operations, which is that of messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Size of the messages in bytes.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.writer.len()
    }

    /// Lets the transaction happen only while the ruleset is of this generation; otherwise it is
    /// refused with [`Error::GenerationChanged`].
    pub fn at_generation(&mut self, generation: u32) {
        self.generation = Some(generation);
    }

    /// Adds a table.
    pub fn add_table(&mut self, table: &Table) {
        self.push(nft::NFT_MSG_NEWTABLE, NLM_F_CREATE, table, |w| {
            table.encode(w)
        });
    }

    /// Deletes a table and all that is in it.
    pub fn delete_table(&mut self, table: &Table) {
        self.named(nft::NFT_MSG_DELTABLE, table, None);
    }

    /// Deletes a table if it is there, on kernels from 6.3 on.
    pub fn destroy_table(&mut self, table: &Table) {
        self.named(nft::NFT_MSG_DESTROYTABLE, table, None);
    }

    /// Deletes a table if it is there, on any kernel: adds it first.
    pub fn remove_table(&mut self, table: &Table) {
        self.add_table(&Table::new(table.family, table.name.clone()));
        self.delete_table(table);
    }

    /// Deletes the rules of every chain of a table. Sets and chains stay.
    pub fn flush_table(&mut self, table: &Table) {
        self.named(nft::NFT_MSG_DELRULE, table, None);
    }

    /// Adds a chain.
    pub fn add_chain(&mut self, table: &Table, chain: &Chain) {
        self.push(nft::NFT_MSG_NEWCHAIN, NLM_F_CREATE, table, |w| {
            chain.encode(&table.name, w);
        });
    }

    /// Deletes a chain that has no rules and that nothing jumps to.
    pub fn delete_chain(&mut self, table: &Table, chain: &str) {
        self.named(
            nft::NFT_MSG_DELCHAIN,
            table,
            Some((nft::NFTA_CHAIN_NAME, chain)),
        );
    }

    /// The same if it is there, on kernels from 6.3 on.
    pub fn destroy_chain(&mut self, table: &Table, chain: &str) {
        self.named(
            nft::NFT_MSG_DESTROYCHAIN,
            table,
            Some((nft::NFTA_CHAIN_NAME, chain)),
        );
    }

    /// Deletes the rules of a chain.
    pub fn flush_chain(&mut self, table: &Table, chain: &str) {
        self.named(
            nft::NFT_MSG_DELRULE,
            table,
            Some((nft::NFTA_RULE_CHAIN, chain)),
        );
    }

    /// Adds a set or map. Returns what rules and elements of this batch name it by, which for a set
    /// with a name is its name.
    pub fn add_set(&mut self, table: &Table, set: &Set) -> SetRef {
        // Identifies the set within the transaction; the kernel wants one of every set.
        let id = self.count + 1;
        self.push(nft::NFT_MSG_NEWSET, NLM_F_CREATE, table, |w| {
            set.encode(&table.name, id, w);
        });
        if set.flags.contains(SetFlags::ANONYMOUS) {
            SetRef::Anonymous(id)
        } else {
            SetRef::from(set)
        }
    }

    /// Deletes a set that no rule uses.
    pub fn delete_set(&mut self, table: &Table, set: &str) {
        self.named(nft::NFT_MSG_DELSET, table, Some((nft::NFTA_SET_NAME, set)));
    }

    /// The same if it is there, on kernels from 6.3 on.
    pub fn destroy_set(&mut self, table: &Table, set: &str) {
        self.named(
            nft::NFT_MSG_DESTROYSET,
            table,
            Some((nft::NFTA_SET_NAME, set)),
        );
    }

    /// Deletes the elements of a set.
    pub fn flush_set(&mut self, table: &Table, set: &str) {
        self.named(
            nft::NFT_MSG_DELSETELEM,
            table,
            Some((nft::NFTA_SET_ELEM_LIST_SET, set)),
        );
    }

    /// Adds elements to a set, in as many messages as they take. No message if there are none.
    pub fn add_elements<'a, E>(&mut self, table: &Table, set: impl Into<SetRef>, elements: E)
    where
        E: IntoIterator,
        E::Item: Into<ElementRef<'a>>,
    {
        self.elements(
            nft::NFT_MSG_NEWSETELEM,
            NLM_F_CREATE,
            table,
            &set.into(),
            elements,
        );
    }

    /// Deletes elements by their keys. One that is not there aborts the transaction.
    pub fn delete_elements<'a, E>(&mut self, table: &Table, set: impl Into<SetRef>, elements: E)
    where
        E: IntoIterator,
        E::Item: Into<ElementRef<'a>>,
    {
        self.elements(nft::NFT_MSG_DELSETELEM, 0, table, &set.into(), elements);
    }

    /// Deletes those of the elements that are there, on kernels from 6.3 on.
    pub fn destroy_elements<'a, E>(&mut self, table: &Table, set: impl Into<SetRef>, elements: E)
    where
        E: IntoIterator,
        E::Item: Into<ElementRef<'a>>,
    {
        self.elements(nft::NFT_MSG_DESTROYSETELEM, 0, table, &set.into(), elements);
    }

    /// Adds a rule at the end of a chain.
    pub fn add_rule(&mut self, table: &Table, chain: &str, rule: &Rule) {
        self.rule(NLM_F_CREATE | NLM_F_APPEND, table, chain, None, rule);
    }

    /// Adds a rule at the beginning of a chain.
    pub fn insert_rule(&mut self, table: &Table, chain: &str, rule: &Rule) {
        self.rule(NLM_F_CREATE, table, chain, None, rule);
    }

    /// Adds a rule after the rule with this handle.
    pub fn add_rule_after(&mut self, table: &Table, chain: &str, handle: u64, rule: &Rule) {
        let position = Some((nft::NFTA_RULE_POSITION, handle));
        self.rule(NLM_F_CREATE | NLM_F_APPEND, table, chain, position, rule);
    }

    /// Adds a rule before the rule with this handle.
    pub fn insert_rule_before(&mut self, table: &Table, chain: &str, handle: u64, rule: &Rule) {
        let position = Some((nft::NFTA_RULE_POSITION, handle));
        self.rule(NLM_F_CREATE, table, chain, position, rule);
    }

    /// Puts a rule in the place of the rule with this handle.
    pub fn replace_rule(&mut self, table: &Table, chain: &str, handle: u64, rule: &Rule) {
        let position = Some((nft::NFTA_RULE_HANDLE, handle));
        self.rule(NLM_F_REPLACE, table, chain, position, rule);
    }

    /// Deletes the rule with this handle.
    pub fn delete_rule(&mut self, table: &Table, chain: &str, handle: u64) {
        self.push(nft::NFT_MSG_DELRULE, 0, table, |w| {
            w.string(nft::NFTA_RULE_TABLE, &table.name);
            w.string(nft::NFTA_RULE_CHAIN, chain);
            w.be64(nft::NFTA_RULE_HANDLE, handle);
        });
    }

    fn rule(
        &mut self,
        flags: u16,
        table: &Table,
        chain: &str,
        position: Option<(u16, u64)>,
        rule: &Rule,
    ) {
        self.push(nft::NFT_MSG_NEWRULE, flags, table, |w| {
            w.string(nft::NFTA_RULE_TABLE, &table.name);
            w.string(nft::NFTA_RULE_CHAIN, chain);
            if let Some((kind, handle)) = position {
                w.be64(kind, handle);
            }
            rule.encode(w);
        });
    }

    /// A message that consists of the table's name and one more. The table's is attribute 1 of
    /// every object.
    fn named(&mut self, kind: u16, table: &Table, name: Option<(u16, &str)>) {
        self.push(kind, 0, table, |w| {
            w.string(nft::NFTA_TABLE_NAME, &table.name);
            if let Some((kind, name)) = name {
                w.string(kind, name);
            }
        });
    }

    fn elements<'a, E>(&mut self, kind: u16, flags: u16, table: &Table, set: &SetRef, elements: E)
    where
        E: IntoIterator,
        E::Item: Into<ElementRef<'a>>,
    {
        let key_only = kind != nft::NFT_MSG_NEWSETELEM;
        let mut elements = elements.into_iter().map(Into::into);
        let mut next: Option<ElementRef<'a>> = elements.next();
        while next.is_some() {
            self.push(kind, flags, table, |w| {
                w.string(nft::NFTA_SET_ELEM_LIST_TABLE, &table.name);
                set.encode(
                    nft::NFTA_SET_ELEM_LIST_SET,
                    nft::NFTA_SET_ELEM_LIST_SET_ID,
                    w,
                );
                let list = w.begin_nested(nft::NFTA_SET_ELEM_LIST_ELEMENTS);
                let first = w.len();
                while let Some(element) = next {
                    let start = w.len();
                    element.encode(key_only, w);
                    if w.len() - list > usize::from(u16::MAX) && start > first {
                        w.truncate(start);
                        break;
                    }
                    next = elements.next();
                }
                w.end_nested(list);
            });
        }
    }

    fn push(&mut self, kind: u16, flags: u16, table: &Table, body: impl FnOnce(&mut Writer)) {
        if !self.is_empty() {
            self.writer.change_flags(self.last, 0, NLM_F_ACK);
        }
        self.last = self.writer.len();
        self.count += 1;
        self.writer.message(
            (nf::NFNL_SUBSYS_NFTABLES << 8) | kind,
            NLM_F_REQUEST | NLM_F_ACK | flags,
            self.count,
            table.family.code(),
            0,
            body,
        );
    }

    /// The messages of the operations.
    pub(crate) fn messages(&self) -> &[u8] {
        self.writer.as_bytes()
    }

    /// The message that begins the transaction.
    pub(crate) fn begin(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(28);
        w.message(
            nf::NFNL_MSG_BATCH_BEGIN,
            NLM_F_REQUEST,
            0,
            0,
            nf::NFNL_SUBSYS_NFTABLES,
            |w| {
                if let Some(generation) = self.generation {
                    w.be32(nf::NFNL_BATCH_GENID, generation);
                }
            },
        );
        w.into_bytes()
    }

    /// The message that ends the transaction.
    pub(crate) fn end(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(20);
        let sequence = self.count + 1;
        w.message(
            nf::NFNL_MSG_BATCH_END,
            NLM_F_REQUEST,
            sequence,
            0,
            nf::NFNL_SUBSYS_NFTABLES,
            |_| {},
        );
        w.into_bytes()
    }

    /// The generation that it is for.
    pub(crate) fn generation(&self) -> Option<u32> {
        self.generation
    }

    /// Sequence number of the last operation; that of the first is 1, of the beginning 0.
    pub(crate) fn last_sequence(&self) -> u32 {
        self.count
    }

    /// Whether every attribute's length could be written.
    pub(crate) fn ensure_sendable(&self) -> Result<(), Error> {
        let Some((attribute, position)) = self.writer.oversized() else {
            return Ok(());
        };
        let mut end = 0;
        let operation = Messages::new(self.messages())
            .map_while(Result::ok)
            .find(|message| {
                end += message.len();
                position < end
            })
            .and_then(|message| Operation::of(&message).ok().flatten());
        Err(Error::Oversized {
            attribute,
            operation: operation.map_or_else(String::new, |operation| operation.to_string()),
        })
    }

    /// The operations, as they are in the batch.
    ///
    /// # Errors
    /// Each item may be an error if an attribute was too long.
    pub fn operations(&self) -> impl Iterator<Item = Result<Operation, Error>> {
        Messages::new(self.messages()).map(|message: Result<Message<'_>, Error>| {
            Operation::of(&message?)?.ok_or(Error::Missing("operation"))
        })
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::NLM_F_ACK;
    use proptest::prelude::*;

    use super::*;
    use crate::element::Element;
    use crate::family::Family;
    use crate::operation::element_at;
    use crate::value::Value;

    fn table() -> Table {
        Table::new(Family::Ip, "kedge")
    }

    fn messages(batch: &Batch) -> Vec<Message<'_>> {
        Messages::new(batch.messages())
            .collect::<Result<_, _>>()
            .unwrap()
    }

    /// The list of elements of one message.
    fn list<'a>(message: &Message<'a>) -> crate::wire::Attribute<'a> {
        message
            .attributes()
            .unwrap()
            .map(Result::unwrap)
            .find(|a| a.kind == nft::NFTA_SET_ELEM_LIST_ELEMENTS)
            .unwrap()
    }

    fn elements<'a>(message: &Message<'a>) -> Vec<ElementRef<'a>> {
        list(message)
            .nested()
            .map(|e| ElementRef::decode(e.unwrap()).unwrap())
            .collect()
    }

    #[test]
    fn beginning_and_end_are_laid_out_as_the_kernel_reads_them() {
        let mut batch = Batch::new();
        batch.add_table(&table());
        let n = |n: u16| n.to_ne_bytes();
        let w = |n: u32| n.to_ne_bytes();
        let begin = [&w(20)[..], &n(0x10), &n(1), &w(0), &w(0), &[0, 0, 0, 10]].concat();
        assert_eq!(batch.begin(), begin);
        let end = [&w(20)[..], &n(0x11), &n(1), &w(2), &w(0), &[0, 0, 0, 10]].concat();
        assert_eq!(batch.end(), end);
        batch.at_generation(0x0102);
        let begin = [
            &w(28)[..],
            &n(0x10),
            &n(1),
            &w(0),
            &w(0),
            &[0, 0, 0, 10],
            &n(8),
            &n(1),
            &[0, 0, 1, 2],
        ];
        assert_eq!(batch.begin(), begin.concat());
    }

    #[test]
    fn only_the_last_operation_asks_for_an_acknowledgement() {
        let mut batch = Batch::new();
        batch.add_table(&table());
        batch.add_chain(&table(), &Chain::new("a"));
        batch.flush_chain(&table(), "a");
        let acks: Vec<bool> = messages(&batch)
            .iter()
            .map(|m| m.header.flags & NLM_F_ACK != 0)
            .collect();
        assert_eq!(acks, [false, false, true]);
        let sequences: Vec<u32> = messages(&batch).iter().map(|m| m.header.sequence).collect();
        assert_eq!(sequences, [1, 2, 3]);
    }

    #[test]
    fn operations_say_what_they_are() {
        let mut batch = Batch::new();
        let table = table();
        batch.remove_table(&table);
        batch.add_set(&table, &Set::set("s", crate::DataType::Mark));
        batch.flush_set(&table, "s");
        batch.destroy_elements(&table, "s", &[Element::new(Value::host(1))]);
        batch.delete_rule(&table, "c", 7);
        batch.destroy_chain(&table, "c");
        let said: Vec<String> = batch.operations().map(|o| o.unwrap().to_string()).collect();
        assert_eq!(
            said,
            [
                "add table ip kedge",
                "delete table ip kedge",
                "add set ip kedge s",
                "delete elements of set ip kedge s",
                "destroy elements of set ip kedge s",
                "delete rule in chain ip kedge c",
                "destroy chain ip kedge c",
            ]
        );
    }

    #[test]
    fn no_elements_are_no_operation() {
        let mut batch = Batch::new();
        batch.add_elements(&table(), "s", &[] as &[Element]);
        assert!(batch.is_empty());
    }

    #[test]
    fn the_element_of_an_offset_is_found() {
        let all = [1, 2, 3].map(|n| Element::value(Value::host(n), Value::host(n)));
        let mut batch = Batch::new();
        batch.add_elements(&table(), "s", &all);
        let message = messages(&batch)[0];
        let start = list(&message).value.as_ptr() as usize - message.bytes.as_ptr() as usize;
        let size = list(&message).value.len() / 3;
        assert_eq!(element_at(&message, start), Some(all[0].clone()));
        assert_eq!(element_at(&message, start + size), Some(all[1].clone()));
        assert_eq!(
            element_at(&message, start + 3 * size - 1),
            Some(all[2].clone())
        );
        assert_eq!(element_at(&message, start + 3 * size), None);
        assert_eq!(element_at(&message, 0), None);
    }

    proptest! {
        #[test]
        fn many_elements_are_split_into_messages_that_fit(lens in proptest::collection::vec(1usize..65, 1..4000)) {
            let sent: Vec<Element> = lens
                .iter()
                .enumerate()
                .map(|(n, len)| Element::value(Value::host(n as u32), &vec![n as u8; *len][..]))
                .collect();
            let mut batch = Batch::new();
            batch.add_elements(&table(), "s", &sent);
            prop_assert!(batch.ensure_sendable().is_ok());
            let messages = messages(&batch);
            let read: Vec<Element> = messages.iter().flat_map(|m| elements(m)).map(|e| e.to_owned()).collect();
            prop_assert_eq!(read, sent);
            // Every list but the last is as full as it can be.
            for message in &messages[..messages.len() - 1] {
                prop_assert!(list(message).value.len() > 65_535 - 4 - 100);
            }
        }
    }
}
