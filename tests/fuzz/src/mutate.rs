//! Random changes of bytes, with a taste for what decoders stumble over.

/// Numbers that follow from a seed (xorshift64*).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds lead far apart, and none to zero.
        let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        Self((mixed ^ (mixed >> 27)) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// A number below `bound`; 0 where there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        match bound {
            0 => 0,
            bound => (self.next() % bound as u64) as usize,
        }
    }
}

/// Pieces of the languages that are decoded.
const WORDS: &[&str] = &[
    "null",
    "true",
    "{}",
    "[]",
    "\"\"",
    "0",
    "-1",
    "1e999",
    "9223372036854775808",
    "-0.0",
    "\\ud800",
    "\\u0000",
    "\"$patch\":\"delete\",",
    "\"$patch\":\"replace\",",
    "\"$retainKeys\":[\"name\"],",
    "\"$setElementOrder/ports\":[{\"port\":80}],",
    "\"$deleteFromPrimitiveList/finalizers\":[\"a\"],",
    "\"managedFields\":[{}],",
    "\"f:spec\":{\"k:{\\\"port\\\":80}\":{\".\":{}}},",
    "\"v:1\":{}",
    "\"i:0\":{}",
    "{\"op\":\"copy\",\"from\":\"\",\"path\":\"/a\"},",
    "{\"op\":\"move\",\"from\":\"/spec\",\"path\":\"/spec/ports/0\"},",
    "{\"op\":\"test\",\"path\":\"/metadata/name\",\"value\":1},",
    "/metadata/labels/a~1b~0",
    "/-",
    "metadata",
    "name",
    "kind",
    "apiVersion",
    "ports",
    " in (a,b)",
    " notin (",
    "!",
    "==",
    "!=",
    ",",
    "&a ",
    "*a",
    "<<: *a\n",
    "- ",
    ": ",
    "%2F",
    "%",
    "+",
    "&",
    "=",
    "watch=",
    "limit=",
    "continue=",
    "1Ki",
    "1e3",
    "100m",
    "k8s\0",
    "\n",
    "\t",
    "\u{e9}",
    "\u{1f980}",
    "\0",
    "/",
    "..",
    "[[[[[[[[[[[[[[[[",
    "{\"a\":{\"a\":{\"a\":{\"a\":",
];

/// Changes an input a few times over; `other` lends pieces. What comes out is at most `longest` bytes.
pub fn mutate(chance: &mut Chance, input: &mut Vec<u8>, other: &[u8], longest: usize) {
    for _ in 0..=chance.below(6) {
        let at = chance.below(input.len() + 1);
        let length = chance.below(24).min(input.len() - at);
        match chance.below(9) {
            0 if at < input.len() => input[at] ^= 1 << chance.below(8),
            1 if at < input.len() => input[at] = chance.below(256) as u8,
            2 => drop(input.drain(at..at + length)),
            3 => insert(input, at, WORDS[chance.below(WORDS.len())].as_bytes()),
            4 => {
                let from = chance.below(other.len() + 1);
                let piece = &other[from..other.len().min(from + chance.below(200))];
                insert(input, at, piece);
            }
            5 => {
                let piece = input[at..at + length].to_vec();
                let place = chance.below(input.len() + 1);
                insert(input, place, &piece);
            }
            // A piece over and over: depth and length.
            6 if chance.below(8) == 0 => {
                let piece = input[at..at + length].repeat(1 + chance.below(2000));
                insert(input, at, &piece);
            }
            7 => input.truncate(at.max(1)),
            _ => {
                let byte = chance.below(128) as u8;
                insert(input, at, &[byte]);
            }
        }
        input.truncate(longest);
    }
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8]) {
    input.splice(at..at, piece.iter().copied());
}
