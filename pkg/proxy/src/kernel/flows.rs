//! Stale UDP flows are deleted by a thread of its own. The kernel walks its whole table of connections to find them, 15 ms
//! where that has 262,144 buckets: rules must not wait for it.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use kedge_nftables::Error;
use kedge_nftables::conntrack::{Asked, Entry, Filter, Socket};

use crate::family::{Endpoint, Family, Protocol};
use crate::layout::{Group, Mark};
use crate::metrics::Metrics;
use crate::state::{Flow, Scope, Stale};

/// Deletes flows. What was asked for is done before it is dropped.
#[derive(Debug, Default)]
pub struct Sweeper {
    shared: Arc<Shared>,
    /// Started on first use: many never need it.
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    wanted: Mutex<Wanted>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Wanted {
    /// Everything that is to be deleted, and is not yet.
    stale: Stale,
    /// Some of it came after the present walk began.
    again: bool,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sweeper {
    /// Has flows deleted, in the network namespace of the thread that asks first. Those that pass now and are not
    /// yet in the kernel's table may be missed.
    pub fn sweep(&mut self, stale: &Stale, metrics: &Metrics) {
        {
            let mut wanted = self.shared.lock();
            wanted.stale.extend(stale.clone());
            wanted.again = true;
        }
        self.shared.changed.notify_one();
        if self.thread.is_none() {
            let (shared, metrics) = (Arc::clone(&self.shared), metrics.clone());
            let thread = std::thread::Builder::new().name("kedge-conntrack".into());
            match thread.spawn(move || run(&shared, &metrics)) {
                Ok(thread) => self.thread = Some(thread),
                Err(error) => unforgotten(&error),
            }
        }
    }

    /// Brings what is still to be deleted up to what is right: flows that begin after this are not deleted for what was
    /// true before.
    pub fn amend(&self, amend: impl FnOnce(&mut Stale)) {
        let mut wanted = self.shared.lock();
        if !wanted.stale.is_empty() {
            amend(&mut wanted.stale);
        }
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(shared: &Shared, metrics: &Metrics) {
    let mut socket = None;
    let mut said = false;
    loop {
        let mut wanted = shared.lock();
        while !wanted.again && !wanted.ended {
            wanted = shared
                .changed
                .wait(wanted)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if !wanted.again {
            return;
        }
        wanted.again = false;
        let scopes = Family::ALL.map(|family| (family, wanted.stale.scope(family)));
        drop(wanted);
        for (family, scope) in scopes {
            let begun = Instant::now();
            match walk(&mut socket, family, scope, shared) {
                Ok(deleted) if scope != Scope::Nowhere => {
                    metrics.forgot(family, deleted, begun.elapsed());
                }
                Ok(_) => {}
                Err(error) if !std::mem::replace(&mut said, true) => unforgotten(&error),
                Err(_) => {}
            }
        }
        let mut wanted = shared.lock();
        if !wanted.again {
            wanted.stale = Stale::default();
        }
    }
}

/// Deletes the stale flows of one family. Whether one is stale is looked at again before it is deleted, while nobody can
/// change what is.
fn walk(
    socket: &mut Option<Socket>,
    family: Family,
    scope: Scope,
    shared: &Shared,
) -> Result<usize, Error> {
    let destination = match scope {
        Scope::Nowhere => return Ok(0),
        Scope::One(key) => Some(SocketAddr::new(key.address, key.port)),
        Scope::Anywhere => None,
    };
    let filter = Filter {
        ipv6: Some(family == Family::V6),
        mark: None,
        asked: Some(Asked {
            protocol: Protocol::Udp.code(),
            destination,
        }),
    };
    let socket = match socket {
        Some(socket) => socket,
        none => none.insert(Socket::open()?),
    };
    let is_stale = |entry: &Entry, wanted: &Wanted| {
        udp_flow(family, entry).is_some_and(|flow| wanted.stale.contains(&flow))
    };
    let mut entries = socket.entries(filter, |entry| is_stale(entry, &shared.lock()))?;
    let wanted = shared.lock();
    entries.retain(|entry| is_stale(entry, &wanted));
    socket.delete_all(&entries)
}

fn unforgotten(error: &dyn std::fmt::Display) {
    tracing::warn!(
        "flows to endpoints that are gone cannot be forgotten, clients must reconnect by themselves: {error}"
    );
}

fn udp_flow(family: Family, entry: &Entry) -> Option<Flow> {
    if entry.original.protocol != Protocol::Udp.code() {
        return None;
    }
    Some(Flow {
        asked: Endpoint {
            address: entry.original.destination,
            port: entry.original.destination_port()?,
        },
        answers: Endpoint {
            address: entry.reply.source,
            port: entry.reply.source_port()?,
        },
        group: Group {
            family,
            id: Mark(entry.mark).group_id(),
        },
    })
}
