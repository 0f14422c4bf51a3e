//! The right to announce an address, held by one node at a time and for a while.
//!
//! As with the Leases of Kubernetes' leader election, no node trusts another's clock: who wants the right waits until the record has not
//! changed for the whole duration by its own clock, and who holds it stops a margin before its duration is over by its own,
//! counted from before it asked for the last renewal. Clocks may show anything; only their speeds must not differ by more than the margin
//! allows.

use std::time::Duration;

/// Who holds the right, as all nodes see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Nobody since it was given back.
    pub holder: Option<String>,
    /// Another after every change.
    pub version: u64,
}

/// Where the record is.
pub trait Records {
    /// The record; `None` where it cannot be reached.
    fn read(&mut self) -> Option<Record>;

    /// Makes `holder` the holder if the record is still of that version. The record then; `None` where it is not, or
    /// where nobody can tell: it may have been changed all the same.
    fn replace(&mut self, version: u64, holder: Option<&str>) -> Option<Record>;
}

/// How long things take.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// How long the right lasts after the last renewal.
    pub duration: Duration,
    /// How long before that its holder stops. By that part of the duration clocks may differ in speed.
    pub margin: Duration,
    /// How often it is renewed.
    pub renewal: Duration,
}

/// One node's part in who holds the right to one address. Times are of its own clock, from any moment on.
#[derive(Debug, Clone)]
pub struct Contender {
    name: String,
    timing: Timing,
    /// The record as it was last seen, and since when.
    seen: Option<(Record, Duration)>,
    /// Until when this node holds it.
    until: Duration,
    renewed: Duration,
}

impl Contender {
    #[must_use]
    pub fn new(name: &str, timing: Timing) -> Self {
        Self {
            name: name.into(),
            timing,
            seen: None,
            until: Duration::ZERO,
            renewed: Duration::ZERO,
        }
    }

    /// It may announce.
    #[must_use]
    pub fn holds(&self, now: Duration) -> bool {
        now < self.until
    }

    /// Takes, renews or gives back. `wants` says whether this node is the one that is to announce.
    pub fn step(&mut self, now: Duration, wants: bool, records: &mut impl Records) {
        if wants && self.holds(now) && now < self.renewed + self.timing.renewal {
            return;
        }
        if !wants {
            // First of all it stops: whether others learn of it is another matter.
            self.until = Duration::ZERO;
        }
        let Some(record) = records.read() else {
            return;
        };
        let mine = record.holder.as_deref() == Some(&self.name);
        let since = match &self.seen {
            Some((seen, since)) if *seen == record => *since,
            _ => now,
        };
        self.seen = Some((record.clone(), since));
        let free = record.holder.is_none() || now >= since + self.timing.duration;
        match (wants, mine) {
            (true, true) => self.take(now, &record, records),
            (true, false) if free => self.take(now, &record, records),
            (false, true) => {
                records.replace(record.version, None);
            }
            _ => {
                // Somebody else has it, who waited for its end.
                self.until = Duration::ZERO;
            }
        }
    }

    fn take(&mut self, now: Duration, record: &Record, records: &mut impl Records) {
        let name = self.name.clone();
        if let Some(taken) = records.replace(record.version, Some(&name)) {
            self.seen = Some((taken, now));
            self.renewed = now;
            self.until = now + self.timing.duration.saturating_sub(self.timing.margin);
        }
    }
}
