//! Asks what was recorded, and compares the answers.

mod fill;
mod mask;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::Method;
use kedge_client::http::{HttpClient, HttpError};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// How long one step may take.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Deserialize)]
pub struct Case {
    pub name: String,
    pub steps: Vec<Step>,
    /// The recorded answers, one a step.
    #[serde(skip)]
    golden: Vec<Value>,
}

#[derive(Deserialize)]
pub struct Step {
    pub verb: String,
    pub path: String,
    #[serde(rename = "type")]
    media: Option<String>,
    accept: Option<String>,
    body: Option<Value>,
    read: Option<usize>,
    keep: Option<Vec<String>>,
    #[serde(default)]
    status_only: bool,
    #[serde(default)]
    any_error: bool,
}

/// All cases, with what was recorded of each.
pub fn cases() -> Vec<Case> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/conformance");
    let read = |file: &str| std::fs::read(format!("{folder}/{file}")).unwrap();
    let mut cases: Vec<Case> = serde_json::from_slice(&read("cases.json")).unwrap();
    let mut golden: BTreeMap<String, Vec<Value>> =
        serde_json::from_slice(&read("golden.json")).unwrap();
    for case in &mut cases {
        case.golden = golden.remove(&case.name).unwrap();
        assert_eq!(case.golden.len(), case.steps.len(), "{}", case.name);
    }
    cases
}

/// Runs a case in a namespace of its own; for each step, what differs from the recording.
pub async fn run(client: &HttpClient, case: &Case, number: usize) -> Vec<Vec<String>> {
    let ns = format!("t-conformance-{number}");
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": ns } });
    let headers = [
        ("user-agent", "replay/1.0"),
        ("content-type", "application/json"),
    ];
    client
        .request(
            Method::POST,
            "/api/v1/namespaces",
            &headers,
            namespace.to_string(),
        )
        .await
        .unwrap();
    let (mut answers, mut known, mut out) = (Vec::new(), BTreeSet::new(), Vec::new());
    for (step, golden) in case.steps.iter().zip(&case.golden) {
        let (answer, outcome) = take(client, step, &ns, &answers, &mut known).await;
        answers.push(answer);
        out.push(differences(golden, &outcome));
    }
    let path = format!("/api/v1/namespaces/{ns}");
    client
        .request(Method::DELETE, &path, &[], "")
        .await
        .unwrap();
    out
}

/// One step: the answer as it came, and what is compared of it.
async fn take(
    client: &HttpClient,
    step: &Step,
    ns: &str,
    answers: &[Value],
    known: &mut BTreeSet<String>,
) -> (Value, Value) {
    let path = fill::text(&step.path, ns, answers);
    let body = step
        .body
        .as_ref()
        .map(|body| fill::value(body, ns, answers));
    if let Some(body) = &body {
        mask::collect(body, known);
    }
    let path = fill::quote(&path);
    let answer = match tokio::time::timeout(PATIENCE, ask(client, step, &path, body)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return (Value::Null, json!({ "error": error.to_string() })),
        Err(_) => return (Value::Null, json!({ "error": "no answer in time" })),
    };
    let mut kept = mask::mask(&answer.body, ns, known, "");
    if let Some(keys) = &step.keep {
        let found = kept.as_object().cloned().unwrap_or_default();
        let pairs = keys
            .iter()
            .map(|key| (key.clone(), found.get(key).cloned().unwrap_or_default()));
        kept = Value::Object(pairs.collect::<Map<_, _>>());
    }
    if step.status_only {
        kept = Value::Null;
    }
    let outcome = if step.any_error && answer.code >= 400 {
        json!({ "code": ">=400", "type": "", "warnings": 0, "body": null })
    } else {
        json!({ "code": answer.code, "type": answer.media, "warnings": answer.warnings, "body": kept })
    };
    (answer.body, outcome)
}

struct Answer {
    code: u16,
    media: String,
    warnings: usize,
    body: Value,
}

async fn ask(
    client: &HttpClient,
    step: &Step,
    path: &str,
    body: Option<Value>,
) -> Result<Answer, HttpError> {
    let mut headers = vec![
        ("user-agent", "replay/1.0"),
        (
            "accept",
            step.accept.as_deref().unwrap_or("application/json"),
        ),
    ];
    let text = match &body {
        None => String::new(),
        Some(body) => {
            headers.push((
                "content-type",
                step.media.as_deref().unwrap_or("application/json"),
            ));
            body.as_str().map_or_else(|| body.to_string(), Into::into)
        }
    };
    let mut stream = client
        .stream(
            Method::try_from(step.verb.as_str()).unwrap(),
            path,
            &headers,
            text,
        )
        .await?;
    let text = |name| {
        stream
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let (code, warnings) = (
        stream.status.as_u16(),
        stream.headers.get_all("warning").iter().count(),
    );
    let media = text("content-type")
        .split(";charset")
        .next()
        .unwrap_or_default()
        .to_string();
    let mut bytes = Vec::new();
    let mut documents = Vec::new();
    while let Some(piece) = stream.next().await? {
        bytes.extend_from_slice(&piece);
        if let Some(wanted) = step.read {
            while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = bytes.drain(..=end).collect();
                let document: Value = serde_json::from_slice(&line).unwrap_or_default();
                if !mask::is_house(&document) && documents.len() < wanted {
                    documents.push(document);
                }
            }
            if documents.len() >= wanted {
                break;
            }
        }
    }
    let body = match step.read {
        Some(_) => {
            // A refusal is one document without a line's end.
            documents.extend(serde_json::from_slice::<Value>(&bytes).ok());
            Value::Array(documents)
        }
        None if bytes.is_empty() => Value::Null,
        None => serde_json::from_slice(&bytes).unwrap_or_else(|_| {
            String::from_utf8_lossy(&bytes)
                .chars()
                .take(200)
                .collect::<String>()
                .into()
        }),
    };
    Ok(Answer {
        code,
        media,
        warnings,
        body,
    })
}

/// Paths at which the two differ, with both values.
fn differences(want: &Value, have: &Value) -> Vec<String> {
    let (mut wanted, mut had) = (BTreeMap::new(), BTreeMap::new());
    flatten(want, String::new(), &mut wanted);
    flatten(have, String::new(), &mut had);
    let absent = json!("(absent)");
    let paths: BTreeSet<_> = wanted.keys().chain(had.keys()).collect();
    paths
        .into_iter()
        .filter_map(|path| {
            let (want, have) = (
                wanted.get(path).unwrap_or(&absent),
                had.get(path).unwrap_or(&absent),
            );
            (want != have).then(|| format!("{path}: want {want}, got {have}"))
        })
        .collect()
}

fn flatten(value: &Value, at: String, out: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, inner) in map {
                flatten(inner, format!("{at}.{key}"), out);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for (index, inner) in list.iter().enumerate() {
                flatten(inner, format!("{at}[{index}]"), out);
            }
        }
        leaf => drop(out.insert(at, leaf.clone())),
    }
}
