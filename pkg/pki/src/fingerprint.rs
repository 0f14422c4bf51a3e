//! SHA-256, to name things and to compare secrets.

use ring::digest::{SHA256, digest};

/// SHA-256 of bytes.
#[must_use]
pub fn fingerprint(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

/// Whether two secrets are the same. How long it takes tells nothing of where they differ: their hashes are
/// compared, and nobody can choose a hash byte by byte.
#[must_use]
pub fn is_same_secret(one: &[u8], other: &[u8]) -> bool {
    fingerprint(one) == fingerprint(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_sha_256() {
        let hex: String = fingerprint(b"abc")
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(
            is_same_secret(b"a", b"a")
                && !is_same_secret(b"a", b"ab")
                && !is_same_secret(b"", b"a")
        );
    }
}
