//! A kernel in memory, as strict as the real one: adding what is there or removing what is not
//! refuses the whole transaction.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use ipnet::IpNet;
use kedge_nftables::Error;

use super::{Contents, Kernel, Repair, Snapshot, Transaction};
use crate::family::{Endpoint, Family};
use crate::layout::{Group, Key, Value, fixed_elements};
use crate::state::{Flow, Stale};

/// What the kernel does instead of what it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Refuses with this errno.
    Refuse(i32),
    /// Carries the transaction out, but its answer is lost.
    LoseAnswer,
}

/// A handle on a kernel; clones are the same kernel.
#[derive(Debug, Clone, Default)]
pub struct FakeKernel(Arc<Mutex<Inside>>);

#[derive(Debug, Default)]
pub struct Inside {
    pub tables: [Option<Table>; 2],
    pub generation: u32,
    pub flows: Vec<Flow>,
    pub clients: Vec<(Group, Endpoint)>,
    /// What becomes of the next commits and reads, in order.
    pub faults: VecDeque<Fault>,
    /// Elements in each commit that was carried out.
    pub commits: Vec<usize>,
    pub reads: usize,
    /// How often all flows were looked through.
    pub looks: usize,
    /// Flows are not deleted before [`Inside::sweep`].
    pub slow: bool,
    stale: Stale,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    pub elements: HashMap<Key, Value>,
    pub learn: BTreeSet<u32>,
    pub broken_rules: bool,
}

impl FakeKernel {
    pub fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap()
    }

    /// The elements of both tables.
    pub fn elements(&self) -> HashMap<Key, Value> {
        let inside = self.lock();
        let tables = inside.tables.iter().flatten();
        tables.flat_map(|table| table.elements.clone()).collect()
    }
}

impl Inside {
    /// Deletes the flows that are to be deleted.
    pub fn sweep(&mut self) {
        self.looks += 1;
        let stale = std::mem::take(&mut self.stale);
        self.flows.retain(|flow| !stale.contains(flow));
    }

    /// Whoever had it carry something out has been killed: what was to be done after that is not.
    pub fn killed(&mut self) {
        self.stale = Stale::default();
        self.slow = false;
        self.faults.clear();
    }

    fn fault(&mut self) -> Result<bool, Error> {
        match self.faults.pop_front() {
            None => Ok(false),
            Some(Fault::Refuse(errno)) => Err(refused(errno)),
            Some(Fault::LoseAnswer) => Ok(true),
        }
    }

    fn carry_out(&mut self, transaction: &Transaction) -> Result<(), Error> {
        if transaction
            .generation
            .is_some_and(|generation| generation != self.generation)
        {
            return Err(Error::GenerationChanged(self.generation));
        }
        let mut tables = self.tables.clone();
        for (table, repair) in tables.iter_mut().zip(&transaction.repair) {
            match (repair, &mut *table) {
                (Repair::None, _) => {}
                (Repair::Make, None) | (Repair::Replace(_), Some(_)) => {
                    *table = Some(Table::default())
                }
                (Repair::Rules(_), Some(table)) => table.broken_rules = false,
                (Repair::Make, Some(_)) => return Err(refused(libc::EEXIST)),
                (_, None) => return Err(refused(libc::ENOENT)),
            }
        }
        fn at_most_once(elements: &[(Key, Value)]) -> Result<&[(Key, Value)], Error> {
            let keys: HashSet<&Key> = elements.iter().map(|(key, _)| key).collect();
            if keys.len() == elements.len() {
                Ok(elements)
            } else {
                Err(refused(libc::EINVAL))
            }
        }
        for (family, seconds) in &transaction.learn {
            if !table(&mut tables, *family)?.learn.insert(*seconds) {
                return Err(refused(libc::EEXIST));
            }
        }
        for (key, _) in at_most_once(&transaction.remove)? {
            table(&mut tables, key.family())?
                .elements
                .remove(key)
                .ok_or(refused(libc::ENOENT))?;
        }
        for (key, value) in at_most_once(&transaction.add)? {
            let table = table(&mut tables, key.family())?;
            if let Value::Learn(seconds) = value
                && !table.learn.contains(seconds)
            {
                return Err(refused(libc::ENOENT));
            }
            if table.elements.insert(*key, *value).is_some() {
                return Err(refused(libc::EEXIST));
            }
        }
        for (family, seconds) in &transaction.unlearn {
            let table = table(&mut tables, *family)?;
            if !table.learn.remove(seconds) {
                return Err(refused(libc::ENOENT));
            }
            if table
                .elements
                .values()
                .any(|value| *value == Value::Learn(*seconds))
            {
                return Err(refused(libc::EBUSY));
            }
        }
        self.tables = tables;
        self.generation += 1;
        self.commits.push(transaction.len());
        Ok(())
    }
}

fn table(tables: &mut [Option<Table>; 2], family: Family) -> Result<&mut Table, Error> {
    tables[family as usize]
        .as_mut()
        .ok_or(refused(libc::ENOENT))
}

impl Kernel for FakeKernel {
    fn read(&mut self) -> Result<Snapshot, Error> {
        let mut inside = self.lock();
        inside.reads += 1;
        let tables = inside.tables.each_ref().map(|table| match table {
            None => Contents {
                repair: Repair::Make,
                ..Contents::default()
            },
            Some(table) => Contents {
                repair: if table.broken_rules {
                    Repair::Rules(vec!["services".into()])
                } else {
                    Repair::None
                },
                elements: table.elements.clone(),
                learn: table.learn.clone(),
            },
        });
        Ok(Snapshot {
            tables,
            generation: inside.generation,
        })
    }

    fn generation(&mut self) -> Result<u32, Error> {
        Ok(self.lock().generation)
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<u32, Error> {
        let mut inside = self.lock();
        let lost = inside.fault()?;
        inside.carry_out(transaction)?;
        if lost {
            Err(Error::AnswerLost)
        } else {
            Ok(inside.generation)
        }
    }

    fn set_service_cidrs(&mut self, _: &[IpNet]) {
        let mut inside = self.lock();
        let tables = inside.tables.iter_mut().flatten();
        tables.for_each(|table| table.broken_rules = true);
    }

    fn forget_flows(&mut self, stale: &Stale) {
        let mut inside = self.lock();
        inside.stale.extend(stale.clone());
        if !inside.slow {
            inside.sweep();
        }
    }

    fn amend_flows(&mut self, amend: &mut dyn FnMut(&mut Stale)) {
        amend(&mut self.lock().stale);
    }

    fn forget_clients(
        &mut self,
        learnt: &HashMap<Group, HashSet<Endpoint>>,
    ) -> Result<usize, Error> {
        let mut inside = self.lock();
        let before = inside.clients.len();
        inside.clients.retain(|(group, endpoint)| {
            learnt
                .get(group)
                .is_none_or(|endpoints| endpoints.contains(endpoint))
        });
        Ok(before - inside.clients.len())
    }
}

/// A refusal with an errno.
pub fn refused(errno: i32) -> Error {
    Error::Transaction {
        source: std::io::Error::from_raw_os_error(errno),
        message: None,
    }
}

/// Number of elements of two tables without any Service.
pub fn fixed_count() -> usize {
    Family::ALL
        .into_iter()
        .map(|family| fixed_elements(family).count())
        .sum()
}
