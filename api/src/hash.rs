//! A hash that is the same on every machine: FNV-1a, 64 bits. It tells versions of documents apart; it keeps nothing safe.

/// A hash of the text written to it so far, which need never be put together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fnv1a(pub u64);

impl Default for Fnv1a {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl std::fmt::Write for Fnv1a {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    /// Values from the reference tables of the algorithm's authors.
    #[test]
    fn known_hashes() {
        let of = |parts: &[&str]| {
            let mut hash = Fnv1a::default();
            parts.iter().for_each(|part| hash.write_str(part).unwrap());
            hash.0
        };
        assert_eq!(of(&[]), 0xcbf2_9ce4_8422_2325);
        assert_eq!(of(&["a"]), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(of(&["foobar"]), 0x8594_4171_f739_67e8);
        assert_eq!(of(&["foo", "bar"]), of(&["foobar"]));
    }
}
