//! Patches: JSON (RFC 6902), merge (RFC 7386) and strategic merge. Server-side apply is [`crate::apply`].

pub mod json;
pub mod merge;
mod order;
pub mod strategic;

use crate::Status;
use crate::status::Details;

/// Why a patch makes nothing of an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The body is none of its kind of patch: 400.
    #[error("error decoding patch: {0}")]
    Malformed(String),
    /// The patch is one, but not for this object: 422.
    #[error("the server rejected our request due to an error in our request: {0}")]
    Rejected(String),
    /// More than one patch may ask for: 413.
    #[error("{0}")]
    TooLarge(String),
    /// A strategic merge that its lists do not allow. Upstream has no status of its own for these: 500 without a reason.
    #[error("{0}")]
    Unmergeable(String),
}

impl PatchError {
    /// As the client sees it; upstream says nothing of the object here.
    #[must_use]
    pub fn status(&self, _group: &str, _kind: &str, _name: &str) -> Status {
        let message = self.to_string();
        match self {
            Self::Malformed(_) => Status::bad_request(message),
            Self::Rejected(_) => {
                let mut status = Status::new(422, "Invalid", message);
                status.details = Some(Box::new(Details::default()));
                status
            }
            Self::TooLarge(_) => Status::new(413, "RequestEntityTooLarge", message),
            Self::Unmergeable(_) => Status::new(500, "", message),
        }
    }
}

fn object(body: &[u8]) -> Result<serde_json::Map<String, serde_json::Value>, PatchError> {
    serde_json::from_slice(body).map_err(|error| PatchError::Malformed(error.to_string()))
}
