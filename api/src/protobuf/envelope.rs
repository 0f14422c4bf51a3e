//! What stands around a message: a prefix, and `runtime.Unknown` { typeMeta = 1, raw = 2, contentEncoding = 3,
//! contentType = 4 } with typeMeta { apiVersion = 1, kind = 2 }.

use super::PREFIX;
use super::wire::{Reader, Wire};
use super::wire_out as wire;

/// The last two fields, which Go writes though they are empty.
const TAIL: &[u8] = &[0x1a, 0, 0x22, 0];

/// What is inside, and its bytes.
#[derive(Default)]
pub(super) struct Envelope<'a> {
    pub api_version: &'a str,
    pub kind: &'a str,
    pub raw: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// `None` when it is malformed.
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        let mut envelope = Self::default();
        let mut reader = Reader::new(body);
        while let Some((number, value)) = reader.next()? {
            match (number, value) {
                (1, Wire::Bytes(meta)) => {
                    let mut meta = Reader::new(meta);
                    while let Some((number, value)) = meta.next()? {
                        match (number, value) {
                            (1, Wire::Bytes(text)) => {
                                envelope.api_version = str::from_utf8(text).ok()?
                            }
                            (2, Wire::Bytes(text)) => envelope.kind = str::from_utf8(text).ok()?,
                            _ => {}
                        }
                    }
                }
                (2, Wire::Bytes(raw)) => envelope.raw = raw,
                _ => {}
            }
        }
        Some(envelope)
    }
}

/// What comes before and after a message of `size` bytes.
pub(super) fn around(api_version: &str, kind: &str, size: usize) -> (Vec<u8>, &'static [u8]) {
    let mut head = PREFIX.to_vec();
    let mut meta = Vec::with_capacity(64);
    wire::bytes(&mut meta, 1, api_version.as_bytes());
    wire::bytes(&mut meta, 2, kind.as_bytes());
    wire::bytes(&mut head, 1, &meta);
    wire::length(&mut head, 2, size);
    (head, TAIL)
}
