//! The wire format of protobuf on its way out.

/// Kinds of values behind a field's number.
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;

/// A number of 7 bits a byte, the low ones first.
pub(super) fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn key(out: &mut Vec<u8>, number: u32, wire: u32) {
    varint(out, u64::from(number << 3 | wire));
}

/// A field with a number; negative ones take ten bytes.
pub(super) fn integer(out: &mut Vec<u8>, number: u32, value: i64) {
    key(out, number, VARINT);
    varint(out, value.cast_unsigned());
}

/// A field with a double.
pub(super) fn double(out: &mut Vec<u8>, number: u32, value: f64) {
    key(out, number, FIXED64);
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}

/// A field with text or bytes.
pub(super) fn bytes(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    length(out, number, value.len());
    out.extend_from_slice(value);
}

/// The beginning of a field whose `size` bytes follow.
pub(super) fn length(out: &mut Vec<u8>, number: u32, size: usize) {
    key(out, number, LENGTH);
    varint(out, size as u64);
}

/// A field with a message, which `fill` appends: its length is known only then, and is put before it.
pub(super) fn message<E>(
    out: &mut Vec<u8>,
    number: u32,
    fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    key(out, number, LENGTH);
    let begin = out.len();
    // Room for the length of a short message, which most are.
    out.push(0);
    fill(out)?;
    let size = out.len() - begin - 1;
    if size < 0x80 {
        out[begin] = size as u8;
    } else {
        let mut length = Vec::with_capacity(4);
        varint(&mut length, size as u64);
        out.splice(begin..=begin, length);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::wire::{Reader, Wire};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(number in 1_u32..5000, value: i64, real: f64, size in 0_usize..40_000) {
            let text = vec![7; size];
            let mut out = Vec::new();
            integer(&mut out, number, value);
            double(&mut out, number, real);
            bytes(&mut out, number, &text);
            message(&mut out, number, |out| { bytes(out, 1, &text); Ok::<_, ()>(()) }).unwrap();
            let mut inner = Vec::new();
            bytes(&mut inner, 1, &text);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.next(), Some(Some((number, Wire::Varint(value.cast_unsigned())))));
            prop_assert_eq!(reader.next(), Some(Some((number, Wire::Fixed64(real.to_bits())))));
            prop_assert_eq!(reader.next(), Some(Some((number, Wire::Bytes(&text)))));
            prop_assert_eq!(reader.next(), Some(Some((number, Wire::Bytes(&inner)))));
            prop_assert_eq!(reader.next(), Some(None));
        }
    }
}
