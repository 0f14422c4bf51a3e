//! nf_tables over netlink: transactions and dumps.

use netlink_packet_core::NLM_F_REQUEST;

use crate::batch::Batch;
use crate::chain::Chain;
use crate::commit;
use crate::connection::{Connection, refused};
use crate::element::{Element, ElementRef};
use crate::error::Error;
use crate::generation::Generation;
use crate::rule::ListedRule;
use crate::set::Set;
use crate::table::Table;
use crate::uapi::nf_tables as nft;
use crate::uapi::nfnetlink::{NFNL_SUBSYS_NFTABLES, NFPROTO_UNSPEC};
use crate::wire::{Attributes, Message, Writer};

/// How often a dump that was interrupted by a change is begun anew.
const DUMP_ATTEMPTS: u32 = 10;

/// Speaks nf_tables for one network namespace: that of the thread that opened it, wherever it is
/// used then.
///
/// Calls return as soon as the kernel has answered and never wait for anything else. How long that
/// is depends on what is asked: 20 us for a change of one element, some 10 ms for 10,000; a task of
/// an asynchronous runtime wraps large ones in `spawn_blocking`.
#[derive(Debug)]
pub struct Socket {
    connection: Connection,
    dump_attempts: u32,
}

impl Socket {
    /// Opens a socket in the network namespace of the calling thread.
    ///
    /// # Errors
    /// [`Error::Socket`]: no descriptors left, or no netfilter in this kernel (`EPROTONOSUPPORT`).
    pub fn open() -> Result<Self, Error> {
        Ok(Self {
            connection: Connection::open()?,
            dump_attempts: DUMP_ATTEMPTS,
        })
    }

    /// Sets how often a dump is tried if changes interrupt it; once at least.
    pub fn set_dump_attempts(&mut self, attempts: u32) {
        self.dump_attempts = attempts.max(1);
    }

    /// The socket's port. [`Change::port`](crate::Change::port) has it in every event of what this
    /// socket caused.
    #[must_use]
    pub fn port(&self) -> u32 {
        self.connection.port()
    }

    /// Carries out a batch as one transaction: all of it, or nothing. Returns the generation that
    /// the ruleset then has.
    ///
    /// A transaction that changes anything raises the generation by one. So if the batch was for
    /// generation `g` ([`Batch::at_generation`]), and it had something to change, and `g + 1` is
    /// returned, then nobody else has changed anything since `g`.
    ///
    /// # Errors
    /// [`Error::Rejected`] names the operations that were refused; [`Error::GenerationChanged`]
    /// asks to read the ruleset again and retry; [`Error::Transaction`] and [`Error::Socket`]
    /// concern the whole. In all of these nothing was changed. [`Error::AnswerLost`] alone leaves
    /// open whether it was.
    pub fn commit(&mut self, batch: &Batch) -> Result<u32, Error> {
        if !batch.is_empty() {
            commit::run(&mut self.connection, batch, true)?;
        }
        match self.generation() {
            Ok(generation) => Ok(generation.id),
            Err(_) => Err(Error::AnswerLost),
        }
    }

    /// Lets the kernel judge a batch without carrying it out (as `nft --check`): the transaction is
    /// sent without its end, which makes the kernel undo it. Each operation is judged by itself;
    /// what shows only in the whole, such as `masquerade` in a chain that a filter chain jumps to,
    /// is found by a commit.
    ///
    /// # Errors
    /// Those of [`Socket::commit`].
    pub fn check(&mut self, batch: &Batch) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        commit::run(&mut self.connection, batch, false)
    }

    /// Makes a batch for the present ruleset and carries it out; makes it anew, at most `attempts`
    /// times in all, if the ruleset changed meanwhile. `make` reads what it needs from the socket
    /// and may return an empty batch.
    ///
    /// # Errors
    /// Those of `make`; those of [`Socket::commit`], where [`Error::GenerationChanged`] means that
    /// no attempt came through.
    pub fn transact(
        &mut self,
        attempts: u32,
        mut make: impl FnMut(&mut Self) -> Result<Batch, Error>,
    ) -> Result<u32, Error> {
        let mut attempt = 1;
        loop {
            let generation = self.generation()?.id;
            let mut batch = make(self)?;
            batch.at_generation(generation);
            match self.commit(&batch) {
                Err(Error::GenerationChanged(_)) if attempt < attempts => attempt += 1,
                result => return result,
            }
        }
    }

    /// The present generation.
    ///
    /// # Errors
    /// [`Error::Refused`]: no permission, or no nf_tables in this kernel (`EINVAL`).
    pub fn generation(&mut self) -> Result<Generation, Error> {
        const REQUEST: &str = "read the generation";
        let sequence = self.connection.next_sequence();
        let mut w = Writer::with_capacity(20);
        w.message(
            kind(nft::NFT_MSG_GETGEN),
            NLM_F_REQUEST,
            sequence,
            NFPROTO_UNSPEC,
            0,
            |_| {},
        );
        self.connection.send(&[w.as_bytes()])?;
        let mut generation = None;
        self.connection.answers(|message| {
            if message.header.sequence == sequence {
                generation = Some(if message.is_error() {
                    Err(refused(REQUEST, message))
                } else {
                    Generation::decode(message)
                });
            }
            Ok(())
        })?;
        generation.unwrap_or(Err(Error::AnswerLost))
    }

    /// Reads with `read`, again from the start if the ruleset changed meanwhile: all that it read
    /// is of the generation that is returned.
    ///
    /// # Errors
    /// Those of `read`; [`Error::Interrupted`] if the ruleset changed in every attempt.
    pub fn consistent<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, Error>,
    ) -> Result<(u32, T), Error> {
        for _ in 0..self.dump_attempts {
            let before = self.generation()?.id;
            let value = read(self)?;
            if self.generation()?.id == before {
                return Ok((before, value));
            }
        }
        Err(Error::Interrupted("the ruleset"))
    }

    /// Every table.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Interrupted`]; so for the dumps below. What belongs to a table
    /// that is not there is [`Error::Refused`] with `ENOENT`, or nothing.
    pub fn tables(&mut self) -> Result<Vec<Table>, Error> {
        self.collect(
            "list tables",
            nft::NFT_MSG_GETTABLE,
            NFPROTO_UNSPEC,
            |_| {},
            |message, out| {
                out.push(Table::decode(message)?);
                Ok(())
            },
        )
    }

    /// The chains of a table.
    ///
    /// # Errors
    /// See [`Socket::tables`].
    pub fn chains(&mut self, table: &Table) -> Result<Vec<Chain>, Error> {
        let family = table.family.code();
        // The kernel filters chains by family alone.
        self.collect(
            "list chains",
            nft::NFT_MSG_GETCHAIN,
            family,
            |_| {},
            |message, out| {
                if is_of(message.attributes()?, nft::NFTA_CHAIN_TABLE, table)? {
                    out.push(Chain::decode(message.attributes()?)?);
                }
                Ok(())
            },
        )
    }

    /// The sets and maps of a table, without their elements.
    ///
    /// # Errors
    /// See [`Socket::tables`].
    pub fn sets(&mut self, table: &Table) -> Result<Vec<Set>, Error> {
        let filter = |w: &mut Writer| w.string(nft::NFTA_SET_TABLE, &table.name);
        let family = table.family.code();
        self.collect(
            "list sets",
            nft::NFT_MSG_GETSET,
            family,
            filter,
            |message, out| {
                out.push(Set::decode(message.attributes()?)?);
                Ok(())
            },
        )
    }

    /// The rules of a table, chain by chain, in the order of evaluation.
    ///
    /// # Errors
    /// See [`Socket::tables`].
    pub fn rules(&mut self, table: &Table) -> Result<Vec<ListedRule>, Error> {
        self.rules_where(table, None)
    }

    /// The rules of one chain, in the order of evaluation.
    ///
    /// # Errors
    /// See [`Socket::tables`].
    pub fn chain_rules(&mut self, table: &Table, chain: &str) -> Result<Vec<ListedRule>, Error> {
        self.rules_where(table, Some(chain))
    }

    fn rules_where(
        &mut self,
        table: &Table,
        chain: Option<&str>,
    ) -> Result<Vec<ListedRule>, Error> {
        let filter = |w: &mut Writer| {
            w.string(nft::NFTA_RULE_TABLE, &table.name);
            if let Some(chain) = chain {
                w.string(nft::NFTA_RULE_CHAIN, chain);
            }
        };
        let family = table.family.code();
        self.collect(
            "list rules",
            nft::NFT_MSG_GETRULE,
            family,
            filter,
            |message, out| {
                out.push(ListedRule::decode(message.attributes()?)?);
                Ok(())
            },
        )
    }

    /// The elements of a set.
    ///
    /// # Errors
    /// See [`Socket::tables`].
    pub fn elements(&mut self, table: &Table, set: &str) -> Result<Vec<Element>, Error> {
        let mut attempt = 1;
        loop {
            let mut elements = Vec::new();
            match self.each_element(table, set, |element| elements.push(element.to_owned())) {
                Err(Error::Interrupted(_)) if attempt < self.dump_attempts => attempt += 1,
                result => return result.map(|()| elements),
            }
        }
    }

    /// Hands each element of a set to `each`, without copying it. Tried once, since what `each` did
    /// is not known here.
    ///
    /// # Errors
    /// See [`Socket::tables`]; [`Error::Interrupted`] if the set changed meanwhile: forget what was
    /// handed over and begin anew.
    pub fn each_element(
        &mut self,
        table: &Table,
        set: &str,
        mut each: impl FnMut(ElementRef<'_>),
    ) -> Result<(), Error> {
        let filter = |w: &mut Writer| {
            w.string(nft::NFTA_SET_ELEM_LIST_TABLE, &table.name);
            w.string(nft::NFTA_SET_ELEM_LIST_SET, set);
        };
        let request = kind(nft::NFT_MSG_GETSETELEM);
        self.connection.dump(
            "list elements",
            request,
            table.family.code(),
            filter,
            |message| {
                for attribute in message.attributes()? {
                    let attribute = attribute?;
                    if attribute.kind == nft::NFTA_SET_ELEM_LIST_ELEMENTS {
                        for element in attribute.nested() {
                            each(ElementRef::decode(element?)?);
                        }
                    }
                }
                Ok(())
            },
        )
    }

    fn collect<T>(
        &mut self,
        request: &'static str,
        message: u16,
        family: u8,
        filter: impl Fn(&mut Writer),
        decode: impl Fn(&Message<'_>, &mut Vec<T>) -> Result<(), Error>,
    ) -> Result<Vec<T>, Error> {
        let mut attempt = 1;
        loop {
            let mut out = Vec::new();
            let result = self
                .connection
                .dump(request, kind(message), family, &filter, |message| {
                    decode(message, &mut out)
                });
            match result {
                Err(Error::Interrupted(_)) if attempt < self.dump_attempts => attempt += 1,
                result => return result.map(|()| out),
            }
        }
    }
}

/// `nlmsg_type` of a message of nf_tables.
fn kind(message: u16) -> u16 {
    (NFNL_SUBSYS_NFTABLES << 8) | message
}

fn is_of(attributes: Attributes<'_>, kind: u16, table: &Table) -> Result<bool, Error> {
    for attribute in attributes {
        let attribute = attribute?;
        if attribute.kind == kind {
            return Ok(attribute.text() == table.name);
        }
    }
    Ok(false)
}
