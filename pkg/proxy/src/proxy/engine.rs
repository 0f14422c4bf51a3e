//! The model, what is in force, and the kernel, kept in step.

mod forgetting;
mod lacking;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use kedge_client::Change;
use kedge_nftables::Error;

use self::forgetting::Forgetting;
use self::lacking::Lacking;
use super::health_check::{Answers, answers};
use super::question::{Answer, Question};
use crate::compile::HealthCheck;
use crate::config::ProxyConfig;
use crate::family::Family;
use crate::kernel::{Kernel, Repair, Snapshot, Transaction};
use crate::model::ServiceName;
use crate::round::Round;
use crate::sources::Sources;
use crate::state::{Changes, Delta, Recovered, State};

/// How often the kernel is read and written anew, one time right after the other, before that is
/// left to the next event.
const ATTEMPTS: u32 = 5;

/// Timeouts of affinity.
type Timeouts = Vec<(Family, u32)>;

/// Takes changes in and puts them into the kernel. Knows no task and no socket.
#[derive(Debug)]
pub struct Engine<K> {
    kernel: K,
    sources: Sources,
    state: State,
    /// Chains in the kernel that remember clients.
    learning: BTreeSet<(Family, u32)>,
    /// What is to be written, and forgotten once the kernel has the rules.
    pending: Delta,
    forgetting: Forgetting,
    /// Whether the kernel holds what is in force, as far as is known. If not, changes are not worth
    /// recording.
    in_step: bool,
    /// The ruleset's generation after everything was last compared; `None` when there were changes
    /// since.
    generation: Option<u32>,
    /// Whether what went wrong has been said.
    said: bool,
    started: bool,
    round: Round,
    health_checks: BTreeMap<ServiceName, HealthCheck>,
    /// Whether what load balancers hear has changed since it was last asked for.
    health_changed: bool,
    lacking: Lacking,
}

impl<K: Kernel> Engine<K> {
    pub fn new(kernel: K, config: ProxyConfig, node_addresses: Arc<[IpAddr]>) -> Self {
        Self {
            kernel,
            sources: Sources::new(config, node_addresses),
            state: State::default(),
            learning: BTreeSet::new(),
            pending: Delta::default(),
            forgetting: Forgetting::default(),
            in_step: false,
            generation: None,
            said: false,
            started: false,
            round: Round::default(),
            health_checks: BTreeMap::new(),
            health_changed: false,
            lacking: Lacking::default(),
        }
    }

    /// What came of the calls since this was last asked for.
    pub fn round(&mut self) -> Round {
        Round {
            in_step: self.in_step,
            triggers: self.sources.model.take_triggers(),
            no_local_endpoints: self.lacking.counts(),
            ..std::mem::take(&mut self.round)
        }
    }

    /// What load balancers are told of the Services' endpoints on this node, if that has changed since this was last
    /// asked for.
    pub fn health_answers(&mut self) -> Option<Answers> {
        std::mem::take(&mut self.health_changed).then(|| {
            let Sources {
                config,
                node_addresses,
                ..
            } = &self.sources;
            let open = config.node_ports.select(node_addresses);
            answers(&self.health_checks, &open.collect::<Vec<_>>())
        })
    }

    /// Whether load balancers may send traffic to this node: it is not on its way out.
    pub fn node_is_eligible(&self) -> bool {
        self.sources.model.node_is_eligible()
    }

    /// Who has what, and who is gone.
    pub fn answer(&self, question: Question) -> Answer {
        let owners = question.keys.into_iter().filter_map(|key| {
            let (name, _) = self.state.front(&key)?;
            Some((key, name.clone()))
        });
        let is_gone = |(namespace, name): &(String, String)| {
            let entry = self.sources.model.get(&ServiceName::new(namespace, name));
            entry.is_none_or(|entry| entry.service.is_none())
        };
        Answer {
            owners: owners.collect(),
            gone: question.known.into_iter().filter(is_gone).collect(),
        }
    }

    /// Takes a batch of changes in. The first is the whole state: what the kernel has from a former
    /// run is taken over, and only the difference written.
    ///
    /// # Errors
    /// The kernel could not be brought in step; the changes are kept, and [`Engine::heal`] is to be called again.
    pub fn apply(&mut self, changes: Vec<Change>) -> Result<(), Error> {
        let names = self.sources.take(changes);
        if !self.started {
            // Nobody has waited here for what was there before.
            self.sources.model.take_triggers();
            return self.start();
        }
        self.refresh(names)
    }

    /// The node has other addresses now.
    ///
    /// # Errors
    /// Those of [`Engine::apply`].
    pub fn set_node_addresses(&mut self, addresses: Arc<[IpAddr]>) -> Result<(), Error> {
        let names = self.sources.set_node_addresses(addresses);
        self.health_changed = true;
        if !self.started {
            return Ok(());
        }
        self.refresh(names)
    }

    /// Cluster IPs come from these ranges now.
    ///
    /// # Errors
    /// Those of [`Engine::apply`].
    pub fn set_service_cidrs(&mut self, cidrs: Vec<IpNet>) -> Result<(), Error> {
        let config = &mut self.sources.config;
        if config.service_cidrs == cidrs {
            return Ok(());
        }
        self.kernel.set_service_cidrs(&cidrs);
        config.service_cidrs = cidrs;
        self.heal()
    }

    /// Reads the kernel and puts right what differs.
    ///
    /// # Errors
    /// Those of [`Engine::apply`].
    pub fn heal(&mut self) -> Result<(), Error> {
        if !self.started {
            return Ok(());
        }
        self.out_of_step();
        self.synchronize(None)
    }

    /// The same, unless nobody has changed the ruleset since everything was last compared.
    ///
    /// # Errors
    /// Those of [`Engine::apply`].
    pub fn verify(&mut self) -> Result<(), Error> {
        let unchanged = self.in_step
            && self.generation.is_some()
            && self.generation == self.kernel.generation().ok();
        if unchanged { Ok(()) } else { self.heal() }
    }

    /// True if something was forgotten that packets on their way may bring back, or is kept for them: once all that are on
    /// their way now have passed, [`Engine::settle`] is to be called.
    pub fn begin_settling(&mut self) -> bool {
        let forgotten = self.forgetting.begin_settling();
        let kept = self.state.begin_settling();
        forgotten || kept
    }

    /// Forgets once more what was forgotten before [`Engine::begin_settling`], and takes out what was kept.
    ///
    /// # Errors
    /// Those of [`Engine::apply`].
    pub fn settle(&mut self) -> Result<(), Error> {
        self.forgetting.settle(&self.state, &mut self.kernel);
        self.state.end_settling(&mut self.pending.changes);
        // Out of step, it goes with the next comparison.
        if self.in_step { self.write() } else { Ok(()) }
    }

    fn start(&mut self) -> Result<(), Error> {
        // If nothing can be read, ids are given out afresh; that is no reason to wait.
        let snapshot = (0..ATTEMPTS).find_map(|_| self.kernel.read().ok());
        let mut recovered = snapshot.as_ref().map(|snapshot| {
            Recovered::new(
                snapshot
                    .tables
                    .iter()
                    .flat_map(|table| table.elements.iter()),
            )
        });
        self.started = true;
        if let Some(recovered) = &recovered {
            self.state.reserve(recovered);
        }
        self.pending.changes = Changes::ignored();
        // In order of their names, so that ids do not depend on chance.
        for name in &self.sources.names() {
            self.update(name, recovered.as_mut());
        }
        if let Some(recovered) = &recovered {
            self.state.abandon(recovered, &mut self.pending);
            let learning = self.state.learning();
            self.pending.forget.learnt.extend(learning);
        }
        drop(recovered);
        self.synchronize(snapshot)
    }

    fn update(&mut self, name: &ServiceName, recovered: Option<&mut Recovered>) {
        let mut plan = self.sources.plan(name);
        self.lacking.note(name, &plan);
        self.keep_health_check(name, plan.health_check.take());
        self.state.update(name, plan, recovered, &mut self.pending);
    }

    fn keep_health_check(&mut self, name: &ServiceName, check: Option<HealthCheck>) {
        if self.health_checks.get(name) == check.as_ref() {
            return;
        }
        self.health_changed = true;
        match check {
            Some(check) => self.health_checks.insert(name.clone(), check),
            None => self.health_checks.remove(name),
        };
    }

    fn refresh(&mut self, names: BTreeSet<ServiceName>) -> Result<(), Error> {
        for name in &names {
            self.update(name, None);
        }
        // Flows to what the rules to come lead to are not to be deleted for what was true before.
        let Self { kernel, state, .. } = &mut *self;
        kernel.amend_flows(&mut |stale| state.refresh_stale(stale));
        if self.in_step {
            self.write()
        } else {
            self.synchronize(None)
        }
    }

    /// Writes what has changed since the kernel was in step.
    fn write(&mut self) -> Result<(), Error> {
        let (learn, unlearn) = self.learning_changes();
        let transaction = Transaction {
            remove: self.pending.changes.removals().collect(),
            add: self.pending.changes.additions().collect(),
            learn,
            unlearn,
            ..Transaction::default()
        };
        if transaction.is_empty() {
            self.forget_pending();
            return Ok(());
        }
        match self.kernel.commit(&transaction) {
            Ok(_) => {
                self.generation = None;
                self.done();
                Ok(())
            }
            Err(error) => {
                self.round.failures += 1;
                self.say(&error);
                self.out_of_step();
                self.synchronize(None)
            }
        }
    }

    /// Compares everything and writes the difference, again from the reading on if something came
    /// between.
    fn synchronize(&mut self, mut snapshot: Option<Snapshot>) -> Result<(), Error> {
        self.round.full = true;
        let mut attempt = 1;
        loop {
            let result = match snapshot.take() {
                Some(snapshot) => Ok(snapshot),
                None => self.kernel.read(),
            };
            let result = result.and_then(|snapshot| self.write_difference(snapshot));
            match result {
                Ok(()) => {
                    self.done();
                    return Ok(());
                }
                Err(error) if attempt == ATTEMPTS => {
                    self.round.failures += 1;
                    self.say(&error);
                    return Err(error);
                }
                // Not worth a word by itself: the ruleset is everybody's.
                Err(Error::GenerationChanged(_) | Error::Interrupted(_)) => {}
                Err(error) => {
                    self.round.failures += 1;
                    self.say(&error);
                }
            }
            attempt += 1;
        }
    }

    fn write_difference(&mut self, snapshot: Snapshot) -> Result<(), Error> {
        let before = snapshot.generation;
        let mut transaction = Transaction {
            generation: Some(before),
            ..Transaction::default()
        };
        let mut learning = BTreeSet::new();
        for (family, table) in Family::ALL.into_iter().zip(snapshot.tables) {
            if let Repair::Replace(why) = table.repair {
                tracing::warn!("the {family} table is made anew: {why}");
            }
            let have = if table.repair.is_new() {
                HashMap::new()
            } else {
                learning.extend(table.learn.iter().map(|seconds| (family, *seconds)));
                table.elements
            };
            let (remove, add) = self.state.difference(family, have);
            self.state.passed_by(add.iter(), &mut self.pending.forget);
            transaction.remove.extend(remove);
            transaction.add.extend(add);
            transaction.repair[family as usize] = table.repair;
        }
        self.learning = learning;
        (transaction.learn, transaction.unlearn) = self.learning_changes();
        if transaction.is_empty() {
            self.generation = transaction.generation;
            return Ok(());
        }
        let elements = transaction.len();
        let after = self.kernel.commit(&transaction)?;
        self.generation = Some(after).filter(|after| *after == before.wrapping_add(1));
        tracing::info!(
            "{elements} elements written to the kernel for {} Services",
            self.state.len()
        );
        Ok(())
    }

    /// Chains to make and to delete.
    fn learning_changes(&self) -> (Timeouts, Timeouts) {
        let wanted: BTreeSet<(Family, u32)> = self.state.timeouts().collect();
        let made = wanted.difference(&self.learning).copied().collect();
        let deleted = self.learning.difference(&wanted).copied().collect();
        (made, deleted)
    }

    /// The kernel has everything.
    fn done(&mut self) {
        if self.said {
            tracing::info!("the kernel's rules are in step with the Services again");
            self.said = false;
        }
        self.in_step = true;
        self.learning = self.state.timeouts().collect();
        self.state.settle();
        self.forget_pending();
    }

    fn forget_pending(&mut self) {
        let Delta { forget, .. } = std::mem::take(&mut self.pending);
        self.forgetting.forget(forget, &mut self.kernel);
    }

    fn out_of_step(&mut self) {
        self.in_step = false;
        self.pending.changes = Changes::ignored();
    }

    fn say(&mut self, error: &Error) {
        if !std::mem::replace(&mut self.said, true) {
            tracing::warn!(
                "the kernel's rules are not in step with the Services, trying again: {error}"
            );
        }
    }
}

#[cfg(test)]
mod tests;
