//! One change as bytes: the same in the engine, in the journal and in the snapshot file.
//!
//! ```text
//! magic u32 | body length u32 | crc32 of length and body u32 | body | body length u32
//! body: revision u64 | flags u8 | key length u16 | totals 4 x u64 | key | value
//! ```
//!
//! All numbers are little-endian. The length stands at both ends so that the last record of a file is
//! found from its end; the magic lets a reader find the next record after a damaged one.

use std::ops::Range;

/// Begins every record.
pub(crate) const MAGIC: [u8; 4] = *b"kdg1";
/// Bytes of a record beside its key and its value.
pub(crate) const OVERHEAD: usize = FRAME + BODY_HEAD;
/// Longest key, in bytes: its length is written in 16 bits.
pub(crate) const MAX_KEY: usize = u16::MAX as usize;

/// Bytes of a record beside its body.
pub(crate) const FRAME: usize = HEAD + 4;

const HEAD: usize = 12;
const BODY_HEAD: usize = 8 + 1 + 2 + 32;
const DELETE: u8 = 1;
const MARKER: u8 = 2;
const LAST: u8 = 4;
const TOTALS: u8 = 8;

/// What a record says of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Put,
    Delete,
    /// Says nothing of any key: carries totals when there is no change to carry them.
    Marker,
}

/// What the engine holds once the batch that ends with this record is in it. A record that goes missing,
/// wherever it stood, makes these differ from what is found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// The latest revision handed out.
    pub revision: u64,
    /// Events up to and with this revision are no longer kept.
    pub compacted: u64,
    /// Records in the engine.
    pub count: u64,
    /// Sum of [`identity`] of each of them, wrapping.
    pub sum: u64,
}

impl Totals {
    pub fn add(&mut self, revision: u64, key: &str) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(identity(revision, key));
    }

    pub fn remove(&mut self, revision: u64, key: &str) {
        self.count = self.count.saturating_sub(1);
        self.sum = self.sum.wrapping_sub(identity(revision, key));
    }
}

/// Which record it is, in 64 bits; its content has a checksum of its own.
pub(crate) fn identity(revision: u64, key: &str) -> u64 {
    // splitmix64's finalizer: neighbouring revisions must not cancel in a sum.
    let mut x = revision ^ (u64::from(crc32fast::hash(key.as_bytes())) << 32);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub revision: u64,
    pub kind: Kind,
    /// The last record of its transaction.
    pub last: bool,
    pub totals: Option<Totals>,
    pub key: &'a str,
    pub value: &'a [u8],
}

/// Why bytes are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("cut short")]
    Short,
    #[error("no record begins here")]
    Magic,
    #[error("its checksum does not hold")]
    Checksum,
}

/// Length of a record in bytes.
pub(crate) fn encoded_len(key: &str, value_len: usize) -> usize {
    OVERHEAD + key.len() + value_len
}

impl<'a> Record<'a> {
    /// Appends the record to `out`. The key is at most [`MAX_KEY`] bytes and the body less than 4 GiB: the
    /// committer lets nothing longer in.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let body_len = (BODY_HEAD + self.key.len() + self.value.len()) as u32;
        out.reserve(encoded_len(self.key, self.value.len()));
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&body_len.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.revision.to_le_bytes());
        let kind = match self.kind {
            Kind::Put => 0,
            Kind::Delete => DELETE,
            Kind::Marker => MARKER,
        };
        let last = if self.last { LAST } else { 0 };
        let has_totals = if self.totals.is_some() { TOTALS } else { 0 };
        out.push(kind | last | has_totals);
        out.extend_from_slice(&(self.key.len() as u16).to_le_bytes());
        // Always there, so that a record's length follows from its key and value.
        let totals = self.totals.unwrap_or_default();
        for number in [totals.revision, totals.compacted, totals.count, totals.sum] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(self.key.as_bytes());
        out.extend_from_slice(self.value);
        let crc = checksum(body_len, &out[start + HEAD..]);
        out[start + 8..start + HEAD].copy_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(&body_len.to_le_bytes());
    }

    /// Reads the record at the beginning of `bytes`; also its length.
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, usize), RecordError> {
        let head = bytes.get(..HEAD).ok_or(RecordError::Short)?;
        if head[..4] != MAGIC {
            return Err(RecordError::Magic);
        }
        let (body_len, crc) = (u32_at(head, 4), u32_at(head, 8));
        let end = HEAD + body_len as usize;
        let body = bytes.get(HEAD..end).ok_or(RecordError::Short)?;
        let trailer = bytes.get(end..end + 4).ok_or(RecordError::Short)?;
        if checksum(body_len, body) != crc || u32_at(trailer, 0) != body_len {
            return Err(RecordError::Checksum);
        }
        let record = Self::body(body).ok_or(RecordError::Checksum)?;
        Ok((record, end + 4))
    }

    fn body(body: &'a [u8]) -> Option<Self> {
        let head = body.get(..BODY_HEAD)?;
        let flags = head[8];
        let key_end = BODY_HEAD + usize::from(u16::from_le_bytes([head[9], head[10]]));
        let totals = (flags & TOTALS != 0).then(|| Totals {
            revision: u64_at(head, 11),
            compacted: u64_at(head, 19),
            count: u64_at(head, 27),
            sum: u64_at(head, 35),
        });
        let kind = match flags & (DELETE | MARKER) {
            0 => Kind::Put,
            DELETE => Kind::Delete,
            MARKER => Kind::Marker,
            _ => return None,
        };
        Some(Self {
            revision: u64_at(head, 0),
            kind,
            last: flags & LAST != 0,
            totals,
            key: std::str::from_utf8(body.get(BODY_HEAD..key_end)?).ok()?,
            value: body.get(key_end..)?,
        })
    }
}

/// Reads records one after the other and gets over damaged places.
pub(crate) struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Byte ranges in which no record could be read.
    pub damaged: Vec<Range<usize>>,
}

impl<'a> Records<'a> {
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at,
            damaged: Vec::new(),
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let start = self.at;
        while self.at < self.bytes.len() {
            let rest = &self.bytes[self.at..];
            if let Ok((record, len)) = Record::decode(rest) {
                if start != self.at {
                    self.damaged.push(start..self.at);
                }
                self.at += len;
                return Some(record);
            }
            let next = rest
                .windows(MAGIC.len())
                .skip(1)
                .position(|window| window == MAGIC);
            self.at = next.map_or(self.bytes.len(), |skipped| self.at + 1 + skipped);
        }
        if start != self.at {
            self.damaged.push(start..self.at);
        }
        None
    }
}

fn checksum(body_len: u32, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&body_len.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records() -> impl Strategy<Value = (u64, u8, bool, Option<u64>, String, Vec<u8>)> {
        let value = proptest::collection::vec(any::<u8>(), 0..300);
        (
            any::<u64>(),
            0..3u8,
            any::<bool>(),
            any::<Option<u64>>(),
            ".{0,20}",
            value,
        )
    }

    fn record<'a>(parts: &'a (u64, u8, bool, Option<u64>, String, Vec<u8>)) -> Record<'a> {
        let (revision, kind, last, totals, key, value) = parts;
        let totals = totals.map(|sum| Totals {
            revision: *revision,
            compacted: 3,
            count: 9,
            sum,
        });
        let kind = [Kind::Put, Kind::Delete, Kind::Marker][usize::from(*kind)];
        Record {
            revision: *revision,
            kind,
            last: *last,
            totals,
            key,
            value,
        }
    }

    proptest! {
        #[test]
        fn reads_what_it_wrote(parts in records(), tail in proptest::collection::vec(any::<u8>(), 0..9)) {
            let record = record(&parts);
            let mut bytes = Vec::new();
            record.encode(&mut bytes);
            let len = bytes.len();
            prop_assert_eq!(len, encoded_len(record.key, record.value.len()));
            bytes.extend(tail);
            prop_assert_eq!(Record::decode(&bytes), Ok((record, len)));
            for cut in 0..len {
                prop_assert!(Record::decode(&bytes[..cut]).is_err());
            }
        }

        #[test]
        fn any_changed_byte_shows(parts in records(), at: prop::sample::Index, by in 1..=255u8) {
            let mut bytes = Vec::new();
            record(&parts).encode(&mut bytes);
            let at = at.index(bytes.len());
            bytes[at] ^= by;
            prop_assert!(Record::decode(&bytes).is_err());
        }

        #[test]
        fn damage_takes_only_what_it_hits(
            all in proptest::collection::vec(records(), 1..12),
            from: prop::sample::Index,
            len in 1..200usize,
        ) {
            let mut bytes = Vec::new();
            let mut ends = Vec::new();
            for parts in &all {
                record(parts).encode(&mut bytes);
                ends.push(bytes.len());
            }
            let from = from.index(bytes.len());
            let to = (from + len).min(bytes.len());
            bytes[from..to].fill(0);
            let mut reader = Records::new(&bytes, 0);
            let found: Vec<Record<'_>> = reader.by_ref().collect();
            let mut start = 0;
            for (parts, end) in all.iter().zip(ends) {
                // Zeroing may have left a record as it was, if it was zero there.
                let hit = from < end && start < to;
                prop_assert!(hit || found.contains(&record(parts)));
                start = end;
            }
            prop_assert!(found.iter().all(|found| all.iter().any(|parts| record(parts) == *found)));
            prop_assert!(found.len() == all.len() || !reader.damaged.is_empty());
        }
    }

    #[test]
    fn totals_know_what_they_hold() {
        let mut totals = Totals::default();
        totals.add(5, "a");
        totals.add(5, "b");
        totals.add(6, "a");
        let whole = totals;
        totals.remove(5, "b");
        assert_ne!(totals, whole);
        totals.add(6, "b");
        assert_eq!(totals.count, whole.count);
        assert_ne!(totals.sum, whole.sum, "another record of the same number");
        totals.remove(6, "b");
        totals.add(5, "b");
        assert_eq!(totals, whole);
    }
}
