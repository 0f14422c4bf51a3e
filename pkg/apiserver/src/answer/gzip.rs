//! Compression at the fastest level: a list shrinks to a tenth, and the CPU is small.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// A whole body.
pub(super) fn whole(body: Bytes) -> Bytes {
    Chunks::new(std::iter::once(body))
        .collect::<Vec<_>>()
        .concat()
        .into()
}

/// Chunks compressed as they come, with no more than one of them held.
pub(super) struct Chunks<I> {
    source: I,
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl<I> Chunks<I> {
    pub(super) fn new(source: I) -> Self {
        Self {
            source,
            encoder: Some(GzEncoder::new(Vec::new(), Compression::fast())),
        }
    }
}

impl<I: Iterator<Item = Bytes>> Iterator for Chunks<I> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        loop {
            let encoder = self.encoder.as_mut()?;
            // Writing into memory does not fail; were it to, the stream would end short and the client notice.
            match self.source.next() {
                Some(chunk) => encoder.write_all(&chunk).ok()?,
                None => return Some(self.encoder.take()?.finish().ok()?.into()),
            }
            if !encoder.get_ref().is_empty() {
                return Some(std::mem::take(encoder.get_mut()).into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn chunks_come_back_whole() {
        let chunks: Vec<_> = (0..100)
            .map(|n| Bytes::from(format!("chunk {n} ").repeat(500)))
            .collect();
        let packed: Vec<u8> = Chunks::new(chunks.clone().into_iter()).flatten().collect();
        let mut out = Vec::new();
        flate2::read::GzDecoder::new(packed.as_slice())
            .read_to_end(&mut out)
            .unwrap();
        assert_eq!(out, chunks.concat());
        assert!(packed.len() < out.len() / 10);
        assert!(whole(out.clone().into()).len() < out.len() / 10);
    }
}
