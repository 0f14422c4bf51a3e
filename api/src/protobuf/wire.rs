//! The wire format of protobuf: fields with a number and one of four kinds of value.

/// A value as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    /// Text, bytes, a message, or packed numbers.
    Bytes(&'a [u8]),
}

/// Reads the fields of one message, one after another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field; `Some(None)` at the end, `None` when the message is cut off or malformed.
    #[allow(clippy::option_option)]
    pub(super) fn next(&mut self) -> Option<Option<(u32, Wire<'a>)>> {
        if self.rest.is_empty() {
            return Some(None);
        }
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).ok().filter(|n| *n > 0)?;
        let value = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(*self.take(8)?.first_chunk()?)),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Fixed32(u32::from_le_bytes(*self.take(4)?.first_chunk()?)),
            // Groups are of no Kubernetes message.
            _ => return None,
        };
        Some(Some((number, value)))
    }

    /// True when all is read.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// A number of 7 bits a byte, the low ones first, ten bytes at most.
    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for at in 0..10 {
            let byte = *self.rest.get(at)?;
            value |= u64::from(byte & 0x7f).checked_shl(7 * u32::try_from(at).ok()?)?;
            if byte & 0x80 == 0 {
                self.rest = self.rest.get(at + 1..)?;
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_each_kind() {
        let bytes = [
            0x08, 0x96, 0x01, 0x11, 1, 0, 0, 0, 0, 0, 0, 0, 0x1a, 2, b'h', b'i', 0x25, 2, 0, 0, 0,
        ];
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.next(), Some(Some((1, Wire::Varint(150)))));
        assert_eq!(reader.next(), Some(Some((2, Wire::Fixed64(1)))));
        assert_eq!(reader.next(), Some(Some((3, Wire::Bytes(b"hi")))));
        assert_eq!(reader.next(), Some(Some((4, Wire::Fixed32(2)))));
        assert_eq!(reader.next(), Some(None));
    }

    #[test]
    fn what_is_cut_off_or_endless_is_refused() {
        for bytes in [
            &[0x08][..],
            &[0x08, 0x80],
            &[0x1a, 5, 1],
            &[0x11, 1],
            &[0x0b],
            &[0x00, 0x00],
            &[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
        ] {
            assert_eq!(Reader::new(bytes).next(), None, "{bytes:?}");
        }
        // Minus one takes all ten bytes.
        let minus_one = [0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
        assert_eq!(
            Reader::new(&minus_one).next(),
            Some(Some((1, Wire::Varint(u64::MAX))))
        );
    }
}
