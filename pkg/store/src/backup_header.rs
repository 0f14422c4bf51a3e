//! What the journal and the snapshot file begin with.

use crate::record::{u32_at, u64_at};

/// Bytes of a header.
pub(crate) const LEN: usize = 40;
/// Revisions that may be handed out before a new journal, with a new promise, is begun.
pub(crate) const CEILING_STEP: u64 = 1 << 20;

/// magic 8 bytes | revision u64 | ceiling u64 | count u64 | crc32 u32 | 4 zero bytes; little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Snapshot: the revision it shows. Journal: the revision after which its changes begin.
    pub revision: u64,
    /// No revision above this was handed out before a later header was durable: after a loss, the next revision
    /// begins above it, so that none means two things.
    pub ceiling: u64,
    /// Snapshot: number of objects. Journal: 0.
    pub count: u64,
}

impl Header {
    pub fn new(revision: u64, count: u64) -> Self {
        Self {
            revision,
            ceiling: revision + CEILING_STEP,
            count,
        }
    }

    pub fn encode(&self, magic: [u8; 8]) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[..8].copy_from_slice(&magic);
        bytes[8..16].copy_from_slice(&self.revision.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.ceiling.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.count.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..32]);
        bytes[32..36].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub fn decode(bytes: &[u8], magic: [u8; 8]) -> Option<Self> {
        let bytes = bytes.get(..LEN)?;
        let sound = bytes[..8] == magic && crc32fast::hash(&bytes[..32]) == u32_at(bytes, 32);
        sound.then(|| Self {
            revision: u64_at(bytes, 8),
            ceiling: u64_at(bytes, 16),
            count: u64_at(bytes, 24),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote_and_nothing_else() {
        let header = Header::new(7, 3);
        let bytes = header.encode(*b"12345678");
        assert_eq!(Header::decode(&bytes, *b"12345678"), Some(header));
        assert_eq!(Header::decode(&bytes, *b"12345679"), None);
        assert_eq!(Header::decode(&bytes[..39], *b"12345678"), None);
        for at in 0..36 {
            let mut damaged = bytes;
            damaged[at] ^= 1;
            assert_eq!(Header::decode(&damaged, *b"12345678"), None, "byte {at}");
        }
    }
}
