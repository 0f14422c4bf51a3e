//! MD5 (RFC 1321), by which upstream puts ports and subsets in order. It keeps nothing safe.

/// How far each step of a round turns (RFC 1321, 3.4); four for each round, again and again.
const TURNS: [[u32; 4]; 4] = [
    [7, 12, 17, 22],
    [5, 9, 14, 20],
    [4, 11, 16, 23],
    [6, 10, 15, 21],
];
const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
const BLOCK: usize = 64;
/// Bytes of a block before the length of the whole.
const LAST: usize = BLOCK - 8;

pub(super) fn md5(text: &str) -> [u8; 16] {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0x80);
    while bytes.len() % BLOCK != LAST {
        bytes.push(0);
    }
    let bits = (text.len() as u64).wrapping_mul(8);
    bytes.extend_from_slice(&bits.to_le_bytes());
    let state = bytes.chunks_exact(BLOCK).fold(START, add);
    let mut digest = [0; 16];
    for (slot, word) in digest.chunks_exact_mut(4).zip(state) {
        slot.copy_from_slice(&word.to_le_bytes());
    }
    digest
}

fn add(state: [u32; 4], block: &[u8]) -> [u32; 4] {
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = bytes
            .iter()
            .rev()
            .fold(0, |sum, b| (sum << 8) | u32::from(*b));
    }
    let [mut a, mut b, mut c, mut d] = state;
    for (step, sine) in sines().enumerate() {
        let round = step / 16;
        let (mixed, word) = match round {
            0 => ((b & c) | (!b & d), step),
            1 => ((d & b) | (!d & c), 5 * step + 1),
            2 => (b ^ c ^ d, 3 * step + 5),
            _ => (c ^ (b | !d), 7 * step),
        };
        let sum = a.wrapping_add(mixed).wrapping_add(sine);
        let turned = sum.wrapping_add(words[word % 16]);
        let next = b.wrapping_add(turned.rotate_left(TURNS[round][step % 4]));
        (a, b, c, d) = (d, next, b, c);
    }
    let [e, f, g, h] = state;
    [
        e.wrapping_add(a),
        f.wrapping_add(b),
        g.wrapping_add(c),
        h.wrapping_add(d),
    ]
}

/// The first 32 bits behind the point of the sines of 1 to 64.
fn sines() -> impl Iterator<Item = u32> {
    const WHOLE: f64 = 4_294_967_296.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a sine without its sign is below 1"
    )]
    (1..=64_u8).map(|i| (f64::from(i).sin().abs() * WHOLE) as u32)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use rstest::rstest;

    use super::*;

    /// The suite of RFC 1321, A.5.
    #[rstest]
    #[case("", "d41d8cd98f00b204e9800998ecf8427e")]
    #[case("a", "0cc175b9c0f1b6a831c399e269772661")]
    #[case("abc", "900150983cd24fb0d6963f7d28e17f72")]
    #[case("message digest", "f96b697d7cb7938d525a2f31aaf161d0")]
    #[case("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b")]
    #[case(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        "d174ab98d277d9f5a5611c2c9f419d9f"
    )]
    #[case(
        "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
        "57edf4a22be3c955ac49da2e2107b67a"
    )]
    fn known_digests(#[case] text: &str, #[case] digest: &str) {
        let mut hex = String::new();
        for byte in md5(text) {
            write!(hex, "{byte:02x}").unwrap();
        }
        assert_eq!(hex, digest);
    }
}
