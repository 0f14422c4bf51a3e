//! When which address is announced: a few times after it came, then no more.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How often: RFC 4861's MAX_NEIGHBOR_ADVERTISEMENT.
const TIMES: u8 = 3;
/// How far apart: its RetransTimer.
const GAP: Duration = Duration::from_secs(1);

/// Announcements that are due, by address and link.
#[derive(Debug, Default)]
pub(crate) struct Bursts(BTreeMap<(IpAddr, u32), Burst>);

#[derive(Debug)]
struct Burst {
    left: u8,
    due: Instant,
}

impl Bursts {
    /// Starts a burst, or starts it over.
    pub(crate) fn start(&mut self, ip: IpAddr, link: u32, now: Instant) {
        self.0.insert(
            (ip, link),
            Burst {
                left: TIMES,
                due: now,
            },
        );
    }

    /// Announces once, now, whatever is under way.
    pub(crate) fn once(&mut self, ip: IpAddr, link: u32, now: Instant) {
        let burst = self.0.entry((ip, link));
        let burst = burst.or_insert(Burst { left: 1, due: now });
        burst.due = now;
    }

    /// Forgets every burst whose address is not among those to keep.
    pub(crate) fn retain(&mut self, keep: impl Fn(IpAddr, u32) -> bool) {
        self.0.retain(|(ip, link), _| keep(*ip, *link));
    }

    /// What is to be announced now; counts it as done.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<(IpAddr, u32)> {
        let mut due = Vec::new();
        self.0.retain(|key, burst| {
            if burst.due <= now {
                due.push(*key);
                burst.left -= 1;
                burst.due = now + GAP;
            }
            burst.left > 0
        });
        due
    }

    /// When to look again; never, where nothing is left.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.values().map(|burst| burst.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip() -> IpAddr {
        [192, 168, 1, 240].into()
    }

    #[test]
    fn three_times_a_second_apart_and_then_silence() {
        let start = Instant::now();
        let mut bursts = Bursts::default();
        bursts.start(ip(), 2, start);
        let mut sent = Vec::new();
        while let Some(due) = bursts.next() {
            sent.push((due - start).as_secs());
            assert_eq!(bursts.take_due(due), [(ip(), 2)]);
            assert!(bursts.take_due(due).is_empty());
        }
        assert_eq!(sent, [0, 1, 2]);
    }

    #[test]
    fn an_address_that_went_is_announced_no_more() {
        let start = Instant::now();
        let mut bursts = Bursts::default();
        bursts.start(ip(), 2, start);
        bursts.start(ip(), 3, start);
        bursts.retain(|_, link| link == 3);
        assert_eq!(bursts.take_due(start), [(ip(), 3)]);
    }

    #[test]
    fn starting_over_gives_a_whole_burst() {
        let start = Instant::now();
        let mut bursts = Bursts::default();
        bursts.start(ip(), 2, start);
        bursts.take_due(start);
        bursts.start(ip(), 2, start);
        let mut count = 0;
        while let Some(due) = bursts.next() {
            count += bursts.take_due(due).len();
        }
        assert_eq!(count, 3);
    }
}
