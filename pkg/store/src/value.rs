//! An object's bytes, held so that what it has in common with its neighbours is held once.

use std::ops::Range;
use std::sync::Arc;

/// Stands in the place of a text that is held apart, and between such texts. JSON has no such byte.
const CUT: u8 = 0;

/// The bytes of a value, less the texts of `managedFields[]` but for their times, which stand apart.
///
/// Those name a program and the fields that it set, and not what is in them: 40 % of a Service's JSON, and the
/// same in each that one program made.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    /// With a [`CUT`] for each text.
    own: Box<[u8]>,
    /// Those texts, a [`CUT`] between two of them.
    shared: Option<Arc<[u8]>>,
}

impl Value {
    /// All of it in one piece.
    pub fn whole(bytes: impl Into<Box<[u8]>>) -> Self {
        Self {
            own: bytes.into(),
            shared: None,
        }
    }

    /// Without the texts that stand at `spans`, in order. They are shared with the first of `others` that has the same.
    pub fn cut<'a>(
        bytes: &[u8],
        spans: &[Range<usize>],
        others: impl IntoIterator<Item = &'a Self>,
    ) -> Self {
        if spans.is_empty() || bytes.contains(&CUT) {
            return Self::whole(bytes);
        }
        let cut: usize = spans.iter().map(|span| span.len() - 1).sum();
        let mut own = Vec::with_capacity(bytes.len() - cut);
        let mut shared = Vec::with_capacity(cut + 2 * spans.len() - 1);
        let mut from = 0;
        for span in spans {
            own.extend_from_slice(&bytes[from..span.start]);
            own.push(CUT);
            if from > 0 {
                shared.push(CUT);
            }
            shared.extend_from_slice(&bytes[span.clone()]);
            from = span.end;
        }
        own.extend_from_slice(&bytes[from..]);
        let mut others = others.into_iter().filter_map(|other| other.shared.as_ref());
        let same = others.find(|other| ***other == *shared);
        Self {
            own: own.into(),
            shared: Some(same.map_or_else(|| shared.into(), Arc::clone)),
        }
    }

    /// Its bytes, in order.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let mut own = Pieces(Some(&self.own), self.shared.is_some());
        let mut shared = Pieces(self.shared.as_deref(), true);
        let mut turn = false;
        std::iter::from_fn(move || {
            turn = !turn;
            if turn { own.next() } else { shared.next() }
        })
    }

    pub fn len(&self) -> usize {
        self.pieces().map(<[u8]>::len).sum()
    }

    /// All of it where it is in one piece.
    pub fn as_whole(&self) -> Option<&[u8]> {
        self.shared.is_none().then_some(&self.own)
    }

    /// What it does not share: from its beginning to its first cut, as it stands in the whole.
    pub fn own(&self) -> &[u8] {
        &self.own
    }

    pub fn append_to(&self, out: &mut Vec<u8>) {
        self.pieces().for_each(|piece| out.extend_from_slice(piece));
    }

    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len());
        self.append_to(&mut bytes);
        bytes
    }

    #[cfg(test)]
    pub fn shares_with(&self, other: &Self) -> bool {
        let both = self.shared.as_ref().zip(other.shared.as_ref());
        both.is_some_and(|(one, other)| Arc::ptr_eq(one, other))
    }
}

/// However they are held.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.pieces().flatten().eq(other.pieces().flatten())
    }
}

/// What is left, and whether it has cuts.
struct Pieces<'a>(Option<&'a [u8]>, bool);

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let left = self.0.take()?;
        let at = self.1.then(|| memchr::memchr(CUT, left)).flatten();
        let Some(at) = at else {
            return Some(left);
        };
        self.0 = Some(&left[at + 1..]);
        Some(&left[..at])
    }
}

#[cfg(test)]
mod tests;
