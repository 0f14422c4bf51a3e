//! A list in its envelope: `{ metadata = 1, items = 2 }`, whatever the kind. The envelope tells the length of what is in
//! it, so the items are written before it, each from its JSON, and sent in the pieces that they were written in.

use super::ProtobufError;
use super::encode::message;
use super::envelope::around;
use super::object::{plan, unknown, unwritable};
use super::plan::Plan;
use super::wire_out as wire;

/// What a piece grows to.
const PIECE: usize = 32 << 10;

/// A list being written.
pub struct List<'a> {
    /// Of the items.
    api_version: &'a str,
    kind: &'a str,
    plan: &'static Plan,
    pieces: Vec<Vec<u8>>,
}

impl<'a> List<'a> {
    /// A list of objects of a kind; `metadata` is the JSON of its `ListMeta`.
    ///
    /// # Errors
    /// See [`super::encode`].
    pub fn new(
        api_version: &'a str,
        kind: &'a str,
        metadata: &[u8],
    ) -> Result<Self, ProtobufError> {
        let plan = plan(api_version, kind).ok_or_else(|| unknown(api_version, kind))?;
        let list_meta = Plan::of("meta/ListMeta").ok_or_else(|| unknown("v1", "ListMeta"))?;
        let mut first = Vec::with_capacity(PIECE + 1024);
        wire::message(&mut first, 1, |out| message(list_meta, metadata, out))
            .map_err(|error| unwritable("v1", "ListMeta", &error))?;
        Ok(Self {
            api_version,
            kind,
            plan,
            pieces: vec![first],
        })
    }

    /// Appends an object.
    ///
    /// # Errors
    /// See [`super::encode`].
    pub fn push(&mut self, json: &[u8]) -> Result<(), ProtobufError> {
        if self.pieces.last().is_none_or(|piece| piece.len() >= PIECE) {
            self.pieces.push(Vec::with_capacity(PIECE + 1024));
        }
        let Some(piece) = self.pieces.last_mut() else {
            return Ok(());
        };
        wire::message(piece, 2, |out| message(self.plan, json, out))
            .map_err(|error| unwritable(self.api_version, self.kind, &error))
    }

    /// The body, in pieces.
    pub fn finish(mut self) -> Vec<Vec<u8>> {
        let size = self.pieces.iter().map(Vec::len).sum();
        let kind = format!("{}List", self.kind);
        let (head, tail) = around(self.api_version, &kind, size);
        self.pieces.insert(0, head);
        self.pieces.push(tail.to_vec());
        self.pieces
    }
}
