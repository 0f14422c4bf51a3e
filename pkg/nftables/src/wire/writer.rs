//! An append-only writer of messages and attributes.

use crate::uapi::nfnetlink::{NFNETLINK_V0, NLA_F_NESTED, NLA_HDRLEN, NLMSG_HDRLEN};

/// Appends netlink messages and attributes to one buffer; nothing already written is ever moved.
///
/// An attribute's length is 16 bits wide. A longer one is not refused at once, which would make
/// every encoder fallible: the writer remembers its type ([`Writer::oversized`]) and whoever sends
/// the buffer refuses it.
#[derive(Debug, Clone, Default)]
pub struct Writer {
    buf: Vec<u8>,
    /// Type and position of the first attribute that was too long.
    oversized: Option<(u16, usize)>,
}

impl Writer {
    /// A writer whose buffer has room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            buf: Vec::with_capacity(capacity),
            oversized: None,
        }
    }

    /// What has been written.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.buf
    }

    /// The buffer itself.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.buf
    }

    /// Number of bytes written.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buf.len()
    }

    /// Whether nothing has been written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buf.is_empty()
    }

    /// Type of the first attribute that was too long for its 16-bit length, and its position in the
    /// buffer.
    #[must_use]
    pub fn oversized(&self) -> Option<(u16, usize)> {
        self.oversized
    }

    /// Forgets what was written from `len` on.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.buf.truncate(len);
    }

    /// Writes one message: `struct nlmsghdr`, `struct nfgenmsg` and the attributes that `body`
    /// appends.
    pub fn message(
        &mut self,
        kind: u16,
        flags: u16,
        sequence: u32,
        family: u8,
        resource: u16,
        body: impl FnOnce(&mut Self),
    ) {
        let start = self.begin_message(kind, flags, sequence, family, resource);
        body(self);
        self.end_message(start);
    }

    pub(crate) fn begin_message(
        &mut self,
        kind: u16,
        flags: u16,
        sequence: u32,
        family: u8,
        resource: u16,
    ) -> usize {
        let start = self.buf.len();
        let mut head = [0; NLMSG_HDRLEN + 4];
        head[4..6].copy_from_slice(&kind.to_ne_bytes());
        head[6..8].copy_from_slice(&flags.to_ne_bytes());
        head[8..12].copy_from_slice(&sequence.to_ne_bytes());
        head[16] = family;
        head[17] = NFNETLINK_V0;
        head[18..20].copy_from_slice(&resource.to_be_bytes());
        self.buf.extend_from_slice(&head);
        start
    }

    pub(crate) fn end_message(&mut self, start: usize) {
        // Every attribute is padded, so the message is a multiple of four bytes long. A message of
        // 4 GiB cannot be sent either way.
        let len = u32::try_from(self.buf.len() - start).unwrap_or(u32::MAX);
        self.buf[start..start + 4].copy_from_slice(&len.to_ne_bytes());
    }

    /// Sets and clears flags of the message that starts at byte `start`.
    pub(crate) fn change_flags(&mut self, start: usize, set: u16, clear: u16) {
        let flags = &mut self.buf[start + 6..start + 8];
        let old = u16::from_ne_bytes([flags[0], flags[1]]);
        flags.copy_from_slice(&((old & !clear) | set).to_ne_bytes());
    }

    /// Writes an attribute of raw bytes.
    #[inline]
    pub fn bytes(&mut self, kind: u16, value: &[u8]) {
        let padding = super::align(value.len()) - value.len();
        self.buf.reserve(NLA_HDRLEN + value.len() + padding);
        self.header(kind, value.len());
        self.buf.extend_from_slice(value);
        self.buf.extend_from_slice(&[0; 3][..padding]);
    }

    /// Writes a string with its terminating NUL.
    pub fn string(&mut self, kind: u16, value: &str) {
        self.header(kind, value.len() + 1);
        self.buf.extend_from_slice(value.as_bytes());
        self.buf.push(0);
        self.pad();
    }

    /// Writes one byte.
    pub fn u8(&mut self, kind: u16, value: u8) {
        self.bytes(kind, &[value]);
    }

    /// Writes a big-endian 16-bit number.
    pub fn be16(&mut self, kind: u16, value: u16) {
        self.bytes(kind, &value.to_be_bytes());
    }

    /// Writes a big-endian 32-bit number, as nf_tables has nearly all of its numbers.
    pub fn be32(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_be_bytes());
    }

    /// Writes a big-endian 64-bit number.
    pub fn be64(&mut self, kind: u16, value: u64) {
        self.bytes(kind, &value.to_be_bytes());
    }

    /// Writes an attribute that holds the attributes which `body` appends.
    #[inline]
    pub fn nested(&mut self, kind: u16, body: impl FnOnce(&mut Self)) {
        let start = self.begin_nested(kind);
        body(self);
        self.end_nested(start);
    }

    #[inline]
    pub(crate) fn begin_nested(&mut self, kind: u16) -> usize {
        let start = self.buf.len();
        self.header(kind | NLA_F_NESTED, 0);
        start
    }

    #[inline]
    pub(crate) fn end_nested(&mut self, start: usize) {
        let len = self.buf.len() - start;
        let kind = u16::from_ne_bytes([self.buf[start + 2], self.buf[start + 3]]);
        let len = self.checked(kind & !NLA_F_NESTED, start, len);
        self.buf[start..start + 2].copy_from_slice(&len.to_ne_bytes());
    }

    #[inline]
    fn header(&mut self, kind: u16, value_len: usize) {
        let len = self.checked(kind, self.buf.len(), NLA_HDRLEN + value_len);
        let [a, b] = len.to_ne_bytes();
        let [c, d] = kind.to_ne_bytes();
        self.buf.extend_from_slice(&[a, b, c, d]);
    }

    #[inline]
    fn checked(&mut self, kind: u16, position: usize, len: usize) -> u16 {
        u16::try_from(len).unwrap_or_else(|_| {
            self.oversized.get_or_insert((kind, position));
            u16::MAX
        })
    }

    fn pad(&mut self) {
        let padded = super::align(self.buf.len());
        self.buf.resize(padded, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_laid_out_as_the_kernel_reads_it() {
        let mut w = Writer::default();
        w.message(0x0a00, 0x0401, 7, 2, 0, |w| {
            w.string(1, "kedge");
            w.nested(2, |w| {
                w.be16(1, 0x0102);
                w.u8(2, 9);
            });
        });
        let mut want = Vec::new();
        want.extend_from_slice(&52u32.to_ne_bytes());
        want.extend_from_slice(&0x0a00u16.to_ne_bytes());
        want.extend_from_slice(&0x0401u16.to_ne_bytes());
        want.extend_from_slice(&7u32.to_ne_bytes());
        want.extend_from_slice(&0u32.to_ne_bytes());
        want.extend_from_slice(&[2, 0, 0, 0]);
        want.extend_from_slice(&10u16.to_ne_bytes());
        want.extend_from_slice(&1u16.to_ne_bytes());
        want.extend_from_slice(b"kedge\0\0\0");
        want.extend_from_slice(&20u16.to_ne_bytes());
        want.extend_from_slice(&0x8002u16.to_ne_bytes());
        want.extend_from_slice(&6u16.to_ne_bytes());
        want.extend_from_slice(&1u16.to_ne_bytes());
        want.extend_from_slice(&[1, 2, 0, 0]);
        want.extend_from_slice(&5u16.to_ne_bytes());
        want.extend_from_slice(&2u16.to_ne_bytes());
        want.extend_from_slice(&[9, 0, 0, 0]);
        assert_eq!(w.as_bytes(), want);
        assert_eq!(w.oversized(), None);
    }

    #[test]
    fn the_longest_attribute_fits_and_the_next_is_remembered() {
        let mut w = Writer::default();
        w.bytes(3, &vec![0; 65_531]);
        assert_eq!(w.oversized(), None);
        w.bytes(4, &vec![0; 65_532]);
        w.bytes(5, &vec![0; 70_000]);
        assert_eq!(w.oversized(), Some((4, 65_536)));
    }

    #[test]
    fn a_nested_attribute_that_grows_too_long_is_remembered_without_its_flag() {
        let mut w = Writer::default();
        w.nested(6, |w| {
            w.bytes(1, &vec![0; 40_000]);
            w.bytes(1, &vec![0; 40_000]);
        });
        assert_eq!(w.oversized(), Some((6, 0)));
    }

    #[test]
    fn flags_change_in_place() {
        let mut w = Writer::default();
        w.message(1, 0x05, 0, 0, 0, |_| {});
        w.change_flags(0, 0x08, 0x04);
        assert_eq!(&w.as_bytes()[6..8], &0x09u16.to_ne_bytes());
    }
}
