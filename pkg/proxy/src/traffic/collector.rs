//! What each Service carries, in metrics.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use kedge_nftables::conntrack::{Socket, Tuple};
use prometheus_client::collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::{Row, Tally, key, look};
use crate::layout::ServiceKey;
use crate::proxy::{Asker, Question};

/// Namespace and name.
type Name = (String, String);

/// Looks at the kernel's connections when somebody asks, and adds up what they carried since the last time. A connection that
/// the kernel has forgotten in between, two minutes after a TCP connection's end, is not in it.
#[derive(Debug)]
pub(crate) struct Collector {
    asker: Asker,
    looked: Mutex<Looked>,
}

#[derive(Debug, Default)]
struct Looked {
    tally: Tally,
    totals: BTreeMap<Name, Total>,
}

/// What a Service has carried since the process began, as far as it was seen.
#[derive(Debug, Default)]
struct Total {
    /// That the kernel knows now.
    known: u64,
    connections: u64,
    packets: u64,
    bytes: u64,
    /// The kernel counts packets.
    counted: bool,
}

impl Collector {
    pub(crate) fn new(asker: Asker) -> Self {
        Self {
            asker,
            looked: Mutex::default(),
        }
    }

    /// Nothing where the kernel does not tell, or the proxy does not run.
    fn look(&self, looked: &mut Looked) -> Option<()> {
        let entries = Socket::open().and_then(|mut socket| look(&mut socket));
        let entries = entries
            .inspect_err(|error| tracing::debug!("the kernel's connections are not told: {error}"))
            .ok()?;
        let keys: HashSet<ServiceKey> = entries.iter().filter_map(|e| key(&e.original)).collect();
        let known = looked.totals.keys().cloned().collect();
        let answer = self.asker.ask(Question { keys, known })?;
        let owner = |tuple: &Tuple| Some(answer.owners.get(&key(tuple)?)?.parts());
        let rows = looked.tally.take(entries, owner);
        looked.totals.retain(|name, _| !answer.gone.contains(name));
        looked.add(rows);
        Some(())
    }
}

impl Looked {
    fn add(&mut self, rows: Vec<Row>) {
        self.totals.values_mut().for_each(|total| total.known = 0);
        for row in rows {
            let total = self.totals.entry((row.namespace, row.name)).or_default();
            total.known = row.connections;
            total.connections += row.new;
            if let Some(traffic) = row.traffic {
                total.counted = true;
                total.packets += traffic.packets;
                total.bytes += traffic.bytes;
            }
        }
    }
}

impl collector::Collector for Collector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if self.look(&mut looked).is_none() {
            return Ok(());
        }
        let labels = |(namespace, name): &Name| {
            [("namespace", namespace.clone()), ("service", name.clone())]
        };
        let mut gauge = encoder.encode_descriptor(
            "kedge_service_open_connections",
            "Connections through a Service that the kernel knows now, those that ended a short while ago among them",
            None,
            MetricType::Gauge,
        )?;
        for (name, total) in &looked.totals {
            gauge
                .encode_family(&labels(name))?
                .encode_gauge(&total.known)?;
        }
        let mut counter = |what: &str, help: &str, of: fn(&Total) -> Option<u64>| {
            let mut counter = encoder.encode_descriptor(what, help, None, MetricType::Counter)?;
            for (name, total) in &looked.totals {
                if let Some(value) = of(total) {
                    counter
                        .encode_family(&labels(name))?
                        .encode_counter::<NoLabelSet, _, u64>(&value, None)?;
                }
            }
            Ok(())
        };
        counter(
            "kedge_service_connections",
            "Connections through a Service",
            |total| Some(total.connections),
        )?;
        counter(
            "kedge_service_packets",
            "Packets of connections through a Service, both ways; where net.netfilter.nf_conntrack_acct is on",
            |total| total.counted.then_some(total.packets),
        )?;
        counter(
            "kedge_service_bytes",
            "Octets of connections through a Service, both ways; where net.netfilter.nf_conntrack_acct is on",
            |total| total.counted.then_some(total.bytes),
        )
    }
}

#[cfg(test)]
mod tests {
    use kedge_nftables::conntrack::Traffic;

    use super::*;

    #[test]
    fn what_was_carried_adds_up() {
        let row = |connections, new, traffic: Option<(u64, u64)>| Row {
            namespace: "default".into(),
            name: "web".into(),
            connections,
            new,
            traffic: traffic.map(|(packets, bytes)| Traffic { packets, bytes }),
        };
        let mut looked = Looked::default();
        looked.add(vec![row(3, 3, Some((10, 1000)))]);
        looked.add(vec![row(2, 1, Some((5, 500)))]);
        let name = ("default".to_string(), "web".to_string());
        let total = &looked.totals[&name];
        assert_eq!((total.known, total.connections), (2, 4));
        assert_eq!(
            (total.counted, total.packets, total.bytes),
            (true, 15, 1500)
        );
        looked.add(Vec::new());
        let total = &looked.totals[&name];
        assert_eq!((total.known, total.connections), (0, 4));
    }
}
