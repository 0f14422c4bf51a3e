//! One question after the other: what is answered at once, and what has to wait for another resolver.

use std::sync::{Arc, PoisonError, RwLock};

use domain::base::iana::Rcode;
use kedge_client::Change;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::message::{
    Asked, Chain, Query, Reply, Scratch, Transport, Unanswerable, answer_alias, relay, respond,
};
use crate::upstream::Resolvers;
use crate::zone::{Update, Zone};

/// Questions that wait for other resolvers at once: beyond that the answer is SERVFAIL, so that a storm costs no memory.
const MAX_WAITING: usize = 256;

/// What all sockets share.
pub struct Handler {
    zone: RwLock<Zone>,
    resolvers: Resolvers,
    waiting: Arc<Semaphore>,
}

/// What becomes of a question at once.
pub enum Now {
    /// The answer is in the scratch.
    Written,
    Reply(Vec<u8>),
    Nothing,
    Later(Later),
}

/// A question that another resolver must help with.
pub struct Later {
    question: Vec<u8>,
    transport: Transport,
    chain: Chain,
    _place: OwnedSemaphorePermit,
}

impl Handler {
    pub fn new(zone: Zone, resolvers: Resolvers) -> Self {
        Self {
            zone: RwLock::new(zone),
            resolvers,
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
        }
    }

    /// Takes in changes of objects: read before the zone is locked, so that questions wait for no more than it takes to
    /// put them in place.
    pub fn take_in(&self, batch: Vec<Change>) {
        let updates: Vec<Update> = batch.into_iter().filter_map(Update::read).collect();
        let mut zone = self.zone.write().unwrap_or_else(PoisonError::into_inner);
        updates.into_iter().for_each(|update| zone.take(update));
    }

    /// Answers what can be answered from memory.
    pub fn answer_now(&self, bytes: &[u8], transport: Transport, scratch: &mut Scratch) -> Now {
        let query = match Query::parse(bytes, transport) {
            Ok(query) => query,
            Err(Unanswerable::Reply(answer)) => return Now::Reply(answer),
            Err(Unanswerable::Drop) => return Now::Nothing,
        };
        let reply = {
            let zone = self.zone.read().unwrap_or_else(PoisonError::into_inner);
            respond(&query, &zone, scratch)
        };
        match reply {
            Reply::Written(_) => Now::Written,
            Reply::Elsewhere(chain) => match self.waiting.clone().try_acquire_owned() {
                Ok(place) => Now::Later(Later {
                    question: bytes.to_vec(),
                    transport,
                    chain,
                    _place: place,
                }),
                Err(_) => Now::Reply(query.error(Rcode::SERVFAIL)),
            },
        }
    }

    /// Answers with the help of others; nothing where there is nothing to say.
    pub async fn answer_later(&self, later: Later) -> Vec<u8> {
        let Ok(query) = Query::parse(&later.question, later.transport) else {
            return Vec::new();
        };
        let asked = Asked::by(&query, &later.chain);
        let resolved = self.resolvers.resolve(&asked).await;
        match (later.chain.target(), resolved) {
            (None, Some(answer)) => relay(&query, answer),
            (None, None) => query.error(Rcode::SERVFAIL),
            (Some(_), resolved) => answer_alias(&query, &later.chain, resolved.as_deref()),
        }
    }
}
