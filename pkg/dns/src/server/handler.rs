//! One question after the other: what is answered at once, and what has to wait for another resolver.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use domain::base::iana::Rcode;
use kedge_client::Change;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clients::{Client, Clients, RateLimit, Verdict};
use crate::message::{
    Asked, Chain, Query, Reply, Scratch, Transport, Unanswerable, answer_alias, relay, respond,
};
use crate::metrics::Metrics;
use crate::upstream::{Cached, Resolvers};
use crate::zone::{Update, Zone};

/// Questions that wait for other resolvers at once: beyond that the answer is SERVFAIL, so that a storm costs no memory.
const MAX_WAITING: usize = 256;

/// What all sockets share.
pub struct Handler {
    metrics: Metrics,
    zone: RwLock<Zone>,
    clients: Clients,
    rate_limit: Option<RateLimit>,
    begun: Instant,
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
    pub fn new(zone: Zone, clients: Clients, resolvers: Resolvers, metrics: Metrics) -> Self {
        Self {
            metrics,
            zone: RwLock::new(zone),
            rate_limit: clients.rate_limit.map(RateLimit::new),
            clients,
            begun: Instant::now(),
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
    pub fn answer_now(
        &self,
        bytes: &[u8],
        peer: IpAddr,
        transport: Transport,
        scratch: &mut Scratch,
    ) -> Now {
        let query = match Query::parse(bytes, transport) {
            Ok(query) => query,
            // What is no question gets an error, which is no longer than it: nothing to flood others with.
            Err(Unanswerable::Reply(answer)) => return Now::Reply(answer),
            Err(Unanswerable::Drop) => return Now::Nothing,
        };
        tracing::debug!(target: "kedge_dns::queries", %peer, ?transport, name = %query.name, rtype = %query.rtype(), "asked");
        self.metrics.request(transport, peer, query.rtype());
        match self.clients.of(peer) {
            Client::Inside => {}
            Client::Stranger => {
                self.metrics.refused();
                return Now::Reply(query.error(Rcode::REFUSED));
            }
            Client::Lan if transport == Transport::Udp => match self.within_rate(peer) {
                Verdict::Send => {}
                Verdict::Truncate => return Now::Reply(query.truncated()),
                Verdict::Drop => return Now::Nothing,
            },
            Client::Lan => {}
        }
        let reply = {
            let zone = self.zone.read().unwrap_or_else(PoisonError::into_inner);
            respond(&query, &zone, scratch)
        };
        match reply {
            Reply::Written(_) => Now::Written,
            Reply::Elsewhere(chain) => self.elsewhere(&query, chain, transport),
        }
    }

    fn within_rate(&self, peer: IpAddr) -> Verdict {
        let Some(limit) = &self.rate_limit else {
            return Verdict::Send;
        };
        let verdict = limit.count(peer, self.begun.elapsed().as_secs());
        if verdict != Verdict::Send {
            self.metrics.limited();
        }
        verdict
    }

    /// A name that is not the cluster's: from memory, or by asking others.
    fn elsewhere(&self, query: &Query<'_>, chain: Chain, transport: Transport) -> Now {
        let asked = Asked::by(query, &chain);
        if self.resolvers.is_own(&asked.name) {
            return Now::Nothing;
        }
        let cached = self.resolvers.cached(&asked);
        self.metrics
            .remembered(cached != Cached::Ask, self.resolvers.remembered());
        match cached {
            Cached::Answer(answer) => Now::Reply(finished(query, &chain, Some(answer))),
            Cached::Failed => Now::Reply(finished(query, &chain, None)),
            Cached::Ask => match self.waiting.clone().try_acquire_owned() {
                Ok(place) => Now::Later(Later {
                    question: query.as_bytes().to_vec(),
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
        finished(&query, &later.chain, resolved)
    }

    /// Counts answers that go out, to questions that came together.
    pub fn answered<'a>(&self, answers: impl IntoIterator<Item = &'a [u8]>, since: Instant) {
        let took = since.elapsed();
        for answer in answers {
            self.metrics.response(answer, took);
        }
    }

    /// Follows what the resolvers are; never ends.
    pub async fn follow_resolvers(&self) {
        self.resolvers.follow().await;
    }
}

/// The answer, once others said what they know.
fn finished(query: &Query<'_>, chain: &Chain, resolved: Option<Vec<u8>>) -> Vec<u8> {
    match (chain.target(), resolved) {
        (None, Some(answer)) => relay(query, answer),
        (None, None) => query.error(Rcode::SERVFAIL),
        (Some(_), resolved) => answer_alias(query, chain, resolved.as_deref()),
    }
}
