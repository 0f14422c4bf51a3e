//! `kedge apply`, `get` and `delete`: for machines without kubectl. The server does the thinking: its discovery
//! names the kinds, its Tables are printed, its server-side apply merges.

mod apply;
mod delete;
mod get;
mod resources;
mod table;

use std::path::{Path, PathBuf};

use kedge_client::http::{HttpClient, HttpError};
use kedge_client::kubeconfig::Kubeconfig;
use kedge_machinery::Status;

pub use apply::apply;
pub use delete::delete;
pub use get::get;

use crate::args::Connection;

/// Where a server on this machine leaves the administrator's kubeconfig.
const KUBECONFIG: &str = "/var/lib/kedge/kubeconfig.yaml";

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The server's own words.
    #[error("{0}")]
    Refused(#[from] Status),
    #[error("the server has no kind {0:?}; `kedge get` takes one of: {1}")]
    UnknownKind(String, String),
    #[error("{path}: {detail}", path = .path.display())]
    Manifest { path: PathBuf, detail: String },
    #[error("the server's answer cannot be read: {0}")]
    Answer(#[from] serde_json::Error),
    #[error("cannot write the answer: {0}")]
    Output(#[from] std::io::Error),
    #[error("{0}")]
    Usage(String),
}

fn connect(connection: &Connection) -> Result<HttpClient, CommandError> {
    Ok(HttpClient::from_kubeconfig(&kubeconfig(connection))?)
}

/// The file that a command is to use.
pub fn kubeconfig(connection: &Connection) -> PathBuf {
    connection
        .kubeconfig
        .clone()
        .unwrap_or_else(|| Kubeconfig::locate(Path::new(KUBECONFIG)))
}

/// A query's value with what would end it written as %XX (RFC 3986, 2.1).
fn escape(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b',' => {
                char::from(b).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
