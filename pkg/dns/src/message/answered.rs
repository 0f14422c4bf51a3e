//! The answer of another resolver: what may be kept of it, and for how long.

use domain::base::Rtype;
use domain::base::iana::Rcode;
use domain::base::{Message, RecordSection};
use domain::rdata::Soa;

use crate::name::WireName;

/// Longest time that an answer is kept, in seconds: a day (RFC 8767, 4, has a week as the most).
const LONGEST: u32 = 86_400;
/// Longest time that a negative one is kept (RFC 2308, 5, has one to three hours as the most).
const LONGEST_NEGATIVE: u32 = 1800;
/// What is said of an answer whose time is over (RFC 8767, 4).
const STALE_TTL: u32 = 30;

/// An answer to one question, without what concerns only the server that gave it.
#[derive(Debug, PartialEq, Eq)]
pub struct Answered {
    bytes: Box<[u8]>,
    /// Where each record's TTL stands.
    ttls: Box<[u16]>,
    /// Seconds.
    lifetime: u32,
    rcode: Rcode,
}

impl Answered {
    /// Reads an answer; `None` for one that cannot be read to its end, or not once its numbers are others: where a name goes through a
    /// TTL or a count, nobody could read what is handed on of it.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let read = Self::walk(bytes)?;
        let mut other = read.bytes.to_vec();
        for at in &read.ttls {
            // No name begins with these octets, and none goes on with them.
            other.get_mut(usize::from(*at)..)?.get_mut(..4)?.fill(0xff);
        }
        Self::walk(&other)?;
        Some(read)
    }

    fn walk(bytes: &[u8]) -> Option<Self> {
        let message = Message::from_octets(bytes).ok()?;
        let question = message.sole_question().ok()?;
        // Names in answers may point into the question; a question must be whole.
        let name = WireName::of(question.qname());
        let spelled = bytes.get(12..12 + name.as_bytes().len())?;
        if !spelled.eq_ignore_ascii_case(name.as_bytes()) {
            return None;
        }
        let mut kept = Kept::default();
        let answer = message.answer().ok()?;
        let mut authority = kept.section(answer, |_, _| true)?;
        let positive = kept.shortest.filter(|_| kept.count > 0);
        kept.shortest = None;
        let mut negative = None;
        if let Some(section) = authority.take() {
            authority = kept.section(section, |record, ttl| {
                if let Ok(Some(soa)) = record.to_record::<Soa<_>>() {
                    negative = Some(ttl.min(soa.data().minimum().as_secs()));
                }
                true
            })?;
        }
        let before = kept.count;
        if let Some(section) = authority {
            // OPT, and a signature of the transaction behind it, are the server's matter (RFC 6891, 6.1.1).
            kept.section(section, |record, _| record.rtype() != Rtype::OPT)?;
        }
        let rcode = message.header().rcode();
        let lifetime = match (rcode, positive) {
            // An alias whose target has no such record is a denial too, and has its SOA (RFC 2308, 2.2).
            (Rcode::NOERROR, Some(ttl)) => ttl.min(negative.unwrap_or(LONGEST)).min(LONGEST),
            // A negative answer without SOA must not be kept (RFC 2308, 5).
            _ => negative.unwrap_or(0).min(LONGEST_NEGATIVE),
        };
        let mut whole = bytes.get(..kept.end)?.to_vec();
        let additional = u16::try_from(kept.count - before).ok()?;
        whole
            .get_mut(10..12)?
            .copy_from_slice(&additional.to_be_bytes());
        Some(Self {
            bytes: whole.into(),
            ttls: kept.ttls.into(),
            lifetime,
            rcode,
        })
    }

    /// The message, `age` seconds after it came; one whose time is over says so by its short TTL.
    #[must_use]
    pub fn aged(&self, age: u32) -> Vec<u8> {
        let mut bytes = self.bytes.to_vec();
        // One that may not be kept at all is as good as it ever is while it is handed on.
        let stale = age >= self.lifetime.max(1);
        for at in &self.ttls {
            if let Some(place) = bytes[usize::from(*at)..].first_chunk_mut::<4>() {
                let ttl = u32::from_be_bytes(*place);
                let left = if stale {
                    STALE_TTL
                } else {
                    ttl.saturating_sub(age)
                };
                *place = left.to_be_bytes();
            }
        }
        bytes
    }

    /// Seconds for which it holds.
    #[must_use]
    pub fn lifetime(&self) -> u32 {
        self.lifetime
    }

    #[must_use]
    pub fn rcode(&self) -> Rcode {
        self.rcode
    }

    /// True for a name or type that is not there.
    #[must_use]
    pub fn is_denial(&self) -> bool {
        self.rcode == Rcode::NXDOMAIN
            || Message::from_octets(&*self.bytes)
                .is_ok_and(|message| message.header_counts().ancount() == 0)
    }

    /// It was cut to fit a datagram: the whole one must be asked for over TCP.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        Message::from_octets(&*self.bytes).is_ok_and(|message| message.header().tc())
    }

    /// Octets of memory.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len() + 2 * self.ttls.len()
    }
}

/// What was seen of the records so far.
#[derive(Default)]
struct Kept {
    ttls: Vec<u16>,
    count: usize,
    /// The lowest TTL of the section.
    shortest: Option<u32>,
    /// Where the last record that is kept ends.
    end: usize,
}

type Section<'m> = RecordSection<'m, &'m [u8]>;

impl Kept {
    /// Goes through a section until `keep` says no, and gives the next one.
    fn section<'m>(
        &mut self,
        mut section: Section<'m>,
        mut keep: impl FnMut(&domain::base::ParsedRecord<'_, &'m [u8]>, u32) -> bool,
    ) -> Option<Option<Section<'m>>> {
        self.end = self.end.max(section.pos());
        while let Some(record) = section.next() {
            let record = record.ok()?;
            let ttl = record.ttl().as_secs();
            if !keep(&record, ttl) {
                return Some(None);
            }
            // Behind the TTL are the data's length, two octets, and the data.
            let at = section.pos().checked_sub(usize::from(record.rdlen()) + 6)?;
            self.ttls.push(u16::try_from(at).ok()?);
            self.shortest = Some(self.shortest.map_or(ttl, |shortest| shortest.min(ttl)));
            self.count += 1;
            self.end = section.pos();
        }
        section.next_section().ok()
    }
}
