//! `/version`.

use http::StatusCode;
use serde_json::{Value, json};

use crate::answer::{self, Answer, Reply};

/// The release of Kubernetes whose API this is.
pub const KUBERNETES: (u32, u32, u32) = (1, 36, 2);

/// `v1.36.2+kedge.0.1.0`. What is ours is build metadata, as in other distributions: after a hyphen it would
/// be a pre-release, which the version ranges of Helm charts leave out.
#[must_use]
pub fn git_version() -> String {
    let (major, minor, patch) = KUBERNETES;
    format!(
        "v{major}.{minor}.{patch}+kedge.{}",
        env!("CARGO_PKG_VERSION")
    )
}

fn document() -> Value {
    let (major, minor, _) = KUBERNETES;
    json!({
        "major": major.to_string(),
        "minor": minor.to_string(),
        "emulationMajor": major.to_string(),
        "emulationMinor": minor.to_string(),
        "minCompatibilityMajor": major.to_string(),
        "minCompatibilityMinor": (minor - 1).to_string(),
        "gitVersion": git_version(),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, platform()),
    })
}

/// The machine's architecture in Go's words, which clients know.
fn platform() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

pub(crate) async fn version() -> Answer {
    // Upstream indents this one for everybody.
    let reply = Reply {
        pretty: true,
        ..Reply::default()
    };
    reply
        .value(StatusCode::OK, &document())
        .unwrap_or_else(|status| answer::refuse(&status))
}
