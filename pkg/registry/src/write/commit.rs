//! From an object to a transaction: the object, and the claims that it gains and loses.

use std::sync::Arc;

use jiff::Timestamp;
use kedge_machinery::{Object, Status, time};
use kedge_store::{CommitError, Condition, Encoded, Entry, Snapshot, Transaction, Write};

use crate::allocate::claims::{ip_address, port_holder};
use crate::allocate::{Claim, ranges};
use crate::registry::{Registry, failed, random};
use crate::request::Target;
use crate::stored;

/// What became of a commit.
pub(super) enum Outcome {
    /// The entry of the object as it is now (of a deleted one, its last state).
    Done(Arc<Entry>),
    /// Another one stands where the object was to be made.
    Exists,
    /// Something changed meanwhile: look again.
    Raced,
}

/// What is to become of the object.
pub(super) enum Step<'a> {
    Create(Object),
    /// From the object of a revision to another.
    Update(u64, &'a Object, Object),
    /// From the object of a revision to nothing; the last state is told to watchers.
    Delete(u64, &'a Object, Object),
}

/// A transaction that takes the step, with the claims that come and go with it. The object is its first write, and
/// its condition the first.
pub(super) fn transaction(
    target: &Target,
    step: Step<'_>,
    snapshot: &Snapshot,
    now: Timestamp,
) -> Result<Transaction, Status> {
    let (strategy, key) = (target.strategy(), target.key());
    let (old, new) = match &step {
        Step::Create(new) => (None, Some(new)),
        Step::Update(_, old, new) => (Some(*old), Some(new)),
        Step::Delete(_, old, _) => (Some(*old), None),
    };
    let before = old.map(|old| strategy.claims(old)).unwrap_or_default();
    let after = new.map(|new| strategy.claims(new)).unwrap_or_default();
    let mut transaction = Transaction::default();
    for claim in after.difference(&before) {
        let Some(service) = new else { break };
        transaction
            .conditions
            .push(Condition::Absent { key: claim.key() });
        if let Claim::Address(address) = claim {
            let ready = ranges::still_ready(snapshot, *address);
            transaction.conditions.extend(ready);
        }
        let value = claimed(*claim, service, now);
        transaction.writes.push(Write::Put {
            key: claim.key(),
            value,
        });
    }
    let mut gone: Vec<String> = before.difference(&after).map(|claim| claim.key()).collect();
    if let Step::Delete(_, old, _) = &step {
        gone.extend(strategy.companions(old));
    }
    for key in gone {
        let Some(entry) = snapshot.get(&key) else {
            continue;
        };
        let last = if entry.is_object() {
            Encoded::object(&stored::parse(&entry)?.into_value())
        } else {
            Encoded::plain(Vec::new())
        };
        transaction.writes.push(Write::Delete { key, last });
    }
    let (condition, write) = match step {
        Step::Create(new) => (
            Condition::Absent { key: key.clone() },
            Write::Put {
                key,
                value: stored::encode(&target.kind, new),
            },
        ),
        Step::Update(revision, _, new) => (
            Condition::Revision {
                key: key.clone(),
                revision,
            },
            Write::Put {
                key,
                value: stored::encode(&target.kind, new),
            },
        ),
        Step::Delete(revision, _, last) => (
            Condition::Revision {
                key: key.clone(),
                revision,
            },
            Write::Delete {
                key,
                last: stored::encode(&target.kind, last),
            },
        ),
    };
    transaction.conditions.insert(0, condition);
    transaction.writes.insert(0, write);
    Ok(transaction)
}

fn claimed(claim: Claim, service: &Object, now: Timestamp) -> Encoded {
    match claim {
        Claim::Address(address) => {
            let uid = uuid::Uuid::from_u128(random()).to_string();
            Encoded::object(&ip_address(address, service, &uid, &time::rfc3339(now)))
        }
        Claim::Port(_) => Encoded::plain(port_holder(service)),
    }
}

impl Registry {
    /// Commits; `creating` tells what an object in the way means.
    pub(super) async fn commit(
        &self,
        transaction: Transaction,
        creating: bool,
    ) -> Result<Outcome, Status> {
        match self.store().commit(transaction).await {
            Ok(committed) => {
                let first = committed.entries.into_iter().next();
                first
                    .map(Outcome::Done)
                    .ok_or_else(|| Status::internal("a write left nothing"))
            }
            Err(CommitError::Condition { index: 0, .. }) if creating => Ok(Outcome::Exists),
            Err(CommitError::Condition { .. }) => Ok(Outcome::Raced),
            Err(error) => Err(failed(&error)),
        }
    }
}
