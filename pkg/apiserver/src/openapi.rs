//! `/openapi/v2` and `/openapi/v3` (KEP-2896). Documents are made when asked for and not kept: clients cache
//! them by the hash in their address, and a machine without kubectl never needs one.

use axum::extract::{Path, Request, State};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, ETAG, EXPIRES, IF_NONE_MATCH, LOCATION, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use kedge_api::{openapi, protobuf};
use kedge_machinery::Status;
use serde_json::Value;

use crate::answer::{self, Answer, Reply};
use crate::app::SharedApp;
use crate::discovery::etag;
use crate::negotiate::{self, Encoding, OPENAPI_V2, OPENAPI_V3};
use crate::query;

pub(crate) async fn v2(State(app): State<SharedApp>, request: Request) -> Answer {
    let headers = request.into_parts().0.headers;
    document(&headers, OPENAPI_V2, move |encoding| {
        let json = openapi::v2_document(&app.registry.catalog());
        match encoding {
            Encoding::OpenApiV2 => {
                let tree = serde_json::from_slice(&json).unwrap_or_default();
                protobuf::openapi::document(&tree).into()
            }
            _ => json.into(),
        }
    })
    .await
}

pub(crate) async fn v3_index(State(app): State<SharedApp>, request: Request) -> Answer {
    document(&request.into_parts().0.headers, OPENAPI_V3, move |_| {
        openapi::v3_index(&app.registry.catalog()).into()
    })
    .await
}

pub(crate) async fn v3(
    State(app): State<SharedApp>,
    Path(path): Path<String>,
    request: Request,
) -> Answer {
    let path = path.trim_end_matches('/').to_string();
    let parts = request.into_parts().0;
    let catalog = app.registry.catalog();
    if !catalog
        .kinds()
        .iter()
        .any(|kind| path == group_version_path(kind))
    {
        return answer::page_not_found();
    }
    let asked = query::pairs(parts.uri.query().unwrap_or_default())
        .find(|(key, _)| key == "hash")
        .map(|(_, value)| value.into_owned());
    let mut cached_for_ever = false;
    if let Some(asked) = asked {
        // A document at the address of its hash never changes; another hash is sent where this one is.
        match current_address(&app, &path) {
            Some(address) if !address.ends_with(&format!("hash={asked}")) => {
                return moved(&address);
            }
            Some(_) => cached_for_ever = true,
            None => {}
        }
    }
    let made = move |_| {
        openapi::v3_document(&app.registry.catalog(), &path)
            .unwrap_or_default()
            .into()
    };
    let mut answer = document(&parts.headers, OPENAPI_V3, made).await;
    if cached_for_ever {
        answer
            .headers_mut()
            .insert(CACHE_CONTROL, HeaderValue::from_static("public, immutable"));
        answer.headers_mut().insert(
            EXPIRES,
            HeaderValue::from_static("Fri, 31 Dec 9999 23:59:59 GMT"),
        );
    }
    answer
}

/// `api/v1` or `apis/<group>/<version>`.
fn group_version_path(kind: &kedge_api::Kind) -> String {
    let root = if kind.group.is_empty() { "api" } else { "apis" };
    format!("{root}/{}", kind.api_version())
}

/// Where the index says that the document is.
fn current_address(app: &SharedApp, path: &str) -> Option<String> {
    let index: Value = serde_json::from_slice(&openapi::v3_index(&app.registry.catalog())).ok()?;
    index
        .get("paths")?
        .get(path)?
        .get("serverRelativeURL")?
        .as_str()
        .map(Into::into)
}

fn moved(address: &str) -> Answer {
    let mut answer = answer::plain(StatusCode::MOVED_PERMANENTLY, "");
    if let Ok(address) = HeaderValue::try_from(address) {
        answer.headers_mut().insert(LOCATION, address);
    }
    answer
}

/// A document with a tag; 304 when the client has it, 406 when it takes none of these encodings.
async fn document(
    headers: &HeaderMap,
    encodings: &'static [Encoding],
    make: impl FnOnce(Encoding) -> Bytes + Send + 'static,
) -> Answer {
    let accept = answer::header(headers, http::header::ACCEPT);
    let encoding = match negotiate::document(accept, encodings) {
        Ok(encoding) => encoding,
        Err(status) => return answer::refuse(&status),
    };
    // Hundreds of kilobytes: milliseconds that other requests should not wait for.
    let Ok(body) = tokio::task::spawn_blocking(move || make(encoding)).await else {
        return answer::refuse(&Status::internal("the document could not be made"));
    };
    let tag = etag(&body);
    let mut answer = if answer::header(headers, IF_NONE_MATCH) == tag {
        answer::text(StatusCode::NOT_MODIFIED, encoding.media_type(), "")
    } else {
        Reply::packed(headers, encoding).body(body)
    };
    if let Ok(tag) = HeaderValue::try_from(tag) {
        answer.headers_mut().insert(ETAG, tag);
    }
    answer
        .headers_mut()
        .insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    answer
}
