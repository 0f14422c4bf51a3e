//! Rows as text, once or over one another.

use std::fmt::Write;
use std::time::Duration;

use kedge_proxy::traffic::Row;

/// Cursor home, and everything below it cleared (ECMA-48).
const HOME: &str = "\x1b[H\x1b[J";
/// For kernels that do not count.
const HINT: &str =
    "packets and bytes are not counted: sysctl -w net.netfilter.nf_conntrack_acct=1\n";
/// Between columns, as kubectl has it.
const GAP: &str = "   ";

pub struct Screen {
    live: bool,
}

impl Screen {
    /// `live`: each table in the place of the one before.
    pub fn new(live: bool) -> Self {
        Self { live }
    }

    /// The text of one table: rates are of a second.
    pub fn draw(&self, rows: &[Row], period: Duration) -> String {
        let seconds = period.as_secs_f64();
        let rate = |count: u64| format!("{:.0}", count as f64 / seconds);
        let header = [
            "NAMESPACE",
            "NAME",
            "CONNECTIONS",
            "NEW/S",
            "PACKETS/S",
            "BYTES/S",
        ];
        let mut lines = vec![header.map(String::from)];
        lines.extend(rows.iter().map(|row| {
            let counted = |of: fn(&kedge_nftables::conntrack::Traffic) -> u64| {
                row.traffic.map_or_else(|| "-".into(), |t| rate(of(&t)))
            };
            [
                row.namespace.clone(),
                row.name.clone(),
                row.connections.to_string(),
                rate(row.new),
                counted(|traffic| traffic.packets),
                counted(|traffic| traffic.bytes),
            ]
        }));
        let width = |column: usize| lines.iter().map(|line| line[column].len()).max();
        let widths: Vec<usize> = (0..header.len()).map(|c| width(c).unwrap_or(0)).collect();
        let mut text = String::from(if self.live { HOME } else { "" });
        for line in &lines {
            let mut words = String::new();
            for (word, width) in line.iter().zip(&widths) {
                let _ = write!(words, "{word:width$}{GAP}");
            }
            text.push_str(words.trim_end());
            text.push('\n');
        }
        if rows.iter().any(|row| row.traffic.is_none()) {
            text.push_str(HINT);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use kedge_nftables::conntrack::Traffic;

    use super::*;

    #[test]
    fn rates_are_of_a_second() {
        let row = Row {
            namespace: "default".into(),
            name: "web".into(),
            connections: 12,
            new: 4,
            traffic: Some(Traffic {
                packets: 20,
                bytes: 3000,
            }),
        };
        let text = Screen::new(false).draw(&[row], Duration::from_secs(2));
        assert_eq!(
            text,
            "NAMESPACE   NAME   CONNECTIONS   NEW/S   PACKETS/S   BYTES/S\n\
             default     web    12            2       10          1500\n"
        );
    }

    #[test]
    fn what_is_not_counted_is_said() {
        let rows = [Row::default()];
        let text = Screen::new(true).draw(&rows, Duration::from_secs(1));
        assert!(text.starts_with(HOME) && text.ends_with(HINT), "{text}");
    }
}
