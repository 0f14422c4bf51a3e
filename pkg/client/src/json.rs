//! An object's JSON, held as it is where it came from.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use kedge_store::Entry;

/// JSON that costs nothing to keep beside the store that has it: who reads it puts it together.
#[derive(Debug, Clone)]
pub struct Json(Held);

#[derive(Debug, Clone)]
enum Held {
    Stored(Arc<Entry>),
    Sent(Bytes),
}

impl Json {
    pub(crate) fn stored(entry: &Arc<Entry>) -> Self {
        Self(Held::Stored(Arc::clone(entry)))
    }

    #[must_use]
    pub fn text(&self) -> Cow<'_, [u8]> {
        match &self.0 {
            Held::Stored(entry) => entry.value(),
            Held::Sent(bytes) => Cow::Borrowed(bytes),
        }
    }
}

impl Default for Json {
    fn default() -> Self {
        Bytes::new().into()
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Json {}

impl<T: Into<Bytes>> From<T> for Json {
    fn from(sent: T) -> Self {
        Self(Held::Sent(sent.into()))
    }
}
