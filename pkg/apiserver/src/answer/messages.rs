//! Lists in protobuf. A list's length stands before it, so its items are written first, and held until they are sent.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use kedge_api::{Kind, ProtobufError, protobuf};
use kedge_machinery::Status;
use kedge_registry::Page;
use serde_json::Value;

use super::items::Items;
use super::{Answer, GZIP_FROM, Reply, gzip, mark_packed, text};

impl Reply {
    /// A page as a list.
    pub(super) fn messages(
        self,
        kind: &Kind,
        page: &Page,
        items: &Items,
    ) -> Result<Answer, Status> {
        let pieces =
            written(kind, page, items).map_err(|error| Status::internal(error.to_string()))?;
        let size: usize = pieces.iter().map(Vec::len).sum();
        let pieces = pieces.into_iter().map(Bytes::from);
        if self.gzip && size >= GZIP_FROM {
            let packed = gzip::Chunks::new(pieces).map(Ok::<_, std::io::Error>);
            let body = Body::from_stream(stream::iter(packed));
            let mut answer = text(StatusCode::OK, self.content_type(), body);
            mark_packed(&mut answer);
            return Ok(answer);
        }
        let body = Body::from_stream(stream::iter(pieces.map(Ok::<_, std::io::Error>)));
        Ok(text(StatusCode::OK, self.content_type(), body))
    }
}

fn written(kind: &Kind, page: &Page, items: &Items) -> Result<Vec<Vec<u8>>, ProtobufError> {
    let version = kind.api_version();
    let (version, kind) = match items {
        Items::Partial(version) => (version.api_version(), "PartialObjectMetadata"),
        _ => (version.as_str(), kind.kind.as_str()),
    };
    let metadata = Value::Object(super::items::metadata(page)).to_string();
    // A list of partial metadata takes nothing but the metadata out of each object.
    let mut list = protobuf::List::new(version, kind, metadata.as_bytes())?;
    let mut room = Vec::new();
    for entry in &page.items {
        list.push(entry.value_in(&mut room))?;
    }
    Ok(list.finish())
}
