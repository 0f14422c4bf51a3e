//! Userdata: what programs keep beside objects for one another. The kernel does not read it.
//!
//! The layout is libnftnl's, which `nft` prints from: a byte of type, a byte of length, the value,
//! without padding. Numbers are 32 bits wide in the machine's byte order.

pub(crate) const TABLE_COMMENT: u8 = 0;
pub(crate) const CHAIN_COMMENT: u8 = 0;
pub(crate) const RULE_COMMENT: u8 = 0;

// enum nftnl_udata_set_types
pub(crate) const SET_KEY_BYTEORDER: u8 = 0;
pub(crate) const SET_DATA_BYTEORDER: u8 = 1;
pub(crate) const SET_KEY_TYPEOF: u8 = 3;
pub(crate) const SET_DATA_TYPEOF: u8 = 4;
pub(crate) const SET_COMMENT: u8 = 7;

// enum nftnl_udata_set_typeof_types
pub(crate) const TYPEOF_EXPR: u8 = 0;
pub(crate) const TYPEOF_DATA: u8 = 1;

/// Longest comment that `nft` takes, in bytes.
const COMMENT_MAX: usize = 127;

/// Appends one item.
pub(crate) fn put(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    // Callers' values are far below 255 bytes: comments are cut, types have a few fields.
    out.extend_from_slice(&[kind, value.len() as u8]);
    out.extend_from_slice(value);
}

/// Appends a number.
pub(crate) fn put_u32(out: &mut Vec<u8>, kind: u8, value: u32) {
    put(out, kind, &value.to_ne_bytes());
}

/// Appends a comment, cut to the length that `nft` takes.
pub(crate) fn put_comment(out: &mut Vec<u8>, kind: u8, text: &str) {
    let mut end = text.len().min(COMMENT_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut value = text.as_bytes()[..end].to_vec();
    value.push(0);
    put(out, kind, &value);
}

/// Userdata with a comment only.
pub(crate) fn comment(kind: u8, text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 3);
    put_comment(&mut out, kind, text);
    out
}

/// The comment in some userdata. Other programs may keep what they like there: what does not read
/// as a comment is none.
pub(crate) fn find_comment(kind: u8, mut data: &[u8]) -> Option<String> {
    while let [found, len, rest @ ..] = data {
        let (value, rest) = rest.split_at_checked(usize::from(*len))?;
        if *found == kind {
            let text = value.strip_suffix(&[0])?;
            return std::str::from_utf8(text).ok().map(str::to_owned);
        }
        data = rest;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_comment_is_what_nft_writes() {
        assert_eq!(comment(RULE_COMMENT, "hi"), b"\0\x03hi\0");
        assert_eq!(
            find_comment(0, b"\x01\x01x\0\x03hi\0").as_deref(),
            Some("hi")
        );
    }

    #[test]
    fn a_long_comment_is_cut_at_a_character() {
        let text = "é".repeat(100);
        let read = find_comment(0, &comment(0, &text)).unwrap();
        assert_eq!(read, "é".repeat(63));
    }

    proptest! {
        #[test]
        fn foreign_userdata_never_panics(data in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = find_comment(0, &data);
        }
    }
}
