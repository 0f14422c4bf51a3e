//! Two looks at the connections, into what was carried between them.

use std::collections::{BTreeMap, HashMap};

use kedge_nftables::conntrack::{Entry, Traffic, Tuple};

/// A connection: a later one of the same tuple has another id.
type Identity = (Tuple, Option<u32>);

/// What a Service carried between two looks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    pub namespace: String,
    pub name: String,
    /// Connections that the kernel knows now, those that ended a short while ago among them.
    pub connections: u64,
    /// Those that it did not know at the look before.
    pub new: u64,
    /// What they carried since; none if the kernel does not count.
    pub traffic: Option<Traffic>,
}

/// Remembers a look.
#[derive(Debug, Default)]
pub struct Tally {
    known: HashMap<Identity, Traffic>,
}

impl Tally {
    /// Takes a look in: a row for each Service with connections, busiest first. `owner` tells whom a connection was made to, by its first
    /// packet: namespace and name.
    pub fn take<'a>(
        &mut self,
        entries: Vec<Entry>,
        owner: impl Fn(&Tuple) -> Option<(&'a str, &'a str)>,
    ) -> Vec<Row> {
        let before = std::mem::take(&mut self.known);
        let mut rows: BTreeMap<(&str, &str), Row> = BTreeMap::new();
        for entry in entries {
            let Some(service) = owner(&entry.original) else {
                continue;
            };
            let identity = (entry.original, entry.id);
            let row = rows.entry(service).or_default();
            row.connections += 1;
            let earlier = before.get(&identity);
            row.new += u64::from(earlier.is_none());
            if let Some(now) = entry.traffic {
                let then = earlier.copied().unwrap_or_default();
                let sum = row.traffic.get_or_insert_with(Traffic::default);
                sum.packets += now.packets.saturating_sub(then.packets);
                sum.bytes += now.bytes.saturating_sub(then.bytes);
            }
            self.known
                .insert(identity, entry.traffic.unwrap_or_default());
        }
        let mut rows: Vec<Row> = rows
            .into_iter()
            .map(|((namespace, name), row)| Row {
                namespace: namespace.into(),
                name: name.into(),
                ..row
            })
            .collect();
        let weight = |row: &Row| {
            (
                row.traffic.unwrap_or_default().bytes,
                row.new,
                row.connections,
            )
        };
        // Stable: equals stay in the order of their names.
        rows.sort_by_key(|row| std::cmp::Reverse(weight(row)));
        rows
    }
}

#[cfg(test)]
mod tests {
    use kedge_nftables::conntrack::{Ports, Status};

    use super::*;

    /// Port 80 is `default/web`'s.
    fn owner(tuple: &Tuple) -> Option<(&'static str, &'static str)> {
        (tuple.destination_port() == Some(80)).then_some(("default", "web"))
    }

    fn entry(id: u32, port: u16, traffic: Option<(u64, u64)>) -> Entry {
        let original = Tuple {
            source: [10, 42, 0, 9].into(),
            destination: [10, 43, 0, 1].into(),
            protocol: 6,
            ports: Ports::Ports {
                source: 1,
                destination: port,
            },
        };
        Entry {
            original,
            reply: original,
            status: Status::DST_NAT,
            mark: 0,
            id: Some(id),
            zone: 0,
            timeout: None,
            traffic: traffic.map(|(packets, bytes)| Traffic { packets, bytes }),
        }
    }

    #[test]
    fn rows_tell_what_came_since() {
        let mut tally = Tally::default();
        tally.take(vec![entry(1, 80, Some((3, 300)))], owner);
        let rows = tally.take(
            vec![
                entry(1, 80, Some((5, 500))),
                entry(2, 80, Some((1, 60))),
                entry(3, 9999, Some((7, 700))),
            ],
            owner,
        );
        let web = Row {
            namespace: "default".into(),
            name: "web".into(),
            connections: 2,
            new: 1,
            traffic: Some(Traffic {
                packets: 3,
                bytes: 260,
            }),
        };
        assert_eq!(rows, [web]);
    }

    #[test]
    fn a_kernel_that_does_not_count_shows_connections_alone() {
        let rows = Tally::default().take(vec![entry(1, 80, None)], owner);
        assert_eq!((rows[0].connections, rows[0].traffic), (1, None));
    }
}
