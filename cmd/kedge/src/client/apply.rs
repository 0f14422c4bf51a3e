//! `kedge apply`: each object of the manifests by server-side apply, in their order.

use std::io::Read;
use std::path::{Path, PathBuf};

use http::{Method, StatusCode};
use kedge_client::http::HttpClient;
use serde_json::{Value, json};

use super::resources::{Resource, Resources};
use super::{CommandError, connect};
use crate::args::ApplyArgs;

/// The manager that owns the fields that are applied here.
const MANAGER: &str = "kedge";
const APPLY: &str = "application/apply-patch+yaml";

/// Applies every object of the files; stops at the first that is refused.
pub async fn apply(args: ApplyArgs) -> Result<(), CommandError> {
    let mut objects = Vec::new();
    for path in &args.filename {
        for file in files(path)? {
            objects.extend(read(&file)?);
        }
    }
    let client = connect(&args.connection)?;
    let resources = Resources::discover(&client).await?;
    for (file, object) in objects {
        one(&client, &resources, &args, &file, object).await?;
    }
    Ok(())
}

async fn one(
    client: &HttpClient,
    resources: &Resources,
    args: &ApplyArgs,
    file: &Path,
    mut object: Value,
) -> Result<(), CommandError> {
    let wrong = |detail: String| CommandError::Manifest {
        path: file.into(),
        detail,
    };
    let text = |v: &Value| v.as_str().unwrap_or_default().to_string();
    let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    let resource = resources.of(&version, &kind).ok_or_else(|| {
        wrong(format!("the server has no kind {kind:?} in apiVersion {version:?}; `kedge get` names those it has"))
    })?;
    let name = text(&object["metadata"]["name"]);
    if name.is_empty() {
        return Err(wrong(format!(
            "a {kind} without metadata.name cannot be applied; name it"
        )));
    }
    let namespace = match text(&object["metadata"]["namespace"]) {
        given if given.is_empty() => args.namespace.clone(),
        given => given,
    };
    if resource.namespaced {
        object["metadata"]["namespace"] = json!(namespace);
    }
    let status = object
        .as_object_mut()
        .and_then(|map| map.remove("status"))
        .filter(|s| !s.is_null());
    let path = format!("{}/{name}", resource.path(Some(&namespace)));
    let created = send(client, args, &path, &object).await?;
    if let Some(status) = status.filter(|_| args.with_status && resource.has_status) {
        let metadata = named(resource, &name, &namespace);
        let object =
            json!({"apiVersion": version, "kind": kind, "metadata": metadata, "status": status});
        send(client, args, &format!("{path}/status"), &object).await?;
    }
    println!(
        "{} {}",
        resource.named(&name),
        if created { "created" } else { "applied" }
    );
    Ok(())
}

fn named(resource: &Resource, name: &str, namespace: &str) -> Value {
    if resource.namespaced {
        json!({"name": name, "namespace": namespace})
    } else {
        json!({"name": name})
    }
}

/// True when the object is new.
async fn send(
    client: &HttpClient,
    args: &ApplyArgs,
    path: &str,
    object: &Value,
) -> Result<bool, CommandError> {
    let query = format!(
        "{path}?fieldManager={MANAGER}&force={}&fieldValidation=Strict",
        args.force_conflicts
    );
    let body = serde_json::to_vec(object)?;
    let answer = client
        .request(Method::PATCH, &query, &[("Content-Type", APPLY)], body)
        .await?
        .ok()?;
    for warning in answer.warnings() {
        eprintln!("Warning: {warning}");
    }
    Ok(answer.status == StatusCode::CREATED)
}

/// The file itself, or the manifests of a folder by name.
fn files(path: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let wrong = |error: std::io::Error| CommandError::Manifest {
        path: path.into(),
        detail: error.to_string(),
    };
    if !path.is_dir() {
        return Ok(vec![path.into()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(wrong)? {
        let file = entry.map_err(wrong)?.path();
        if file
            .extension()
            .and_then(|e| e.to_str())
            .is_some_and(|e| ["yaml", "yml", "json"].contains(&e))
        {
            found.push(file);
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(CommandError::Manifest {
            path: path.into(),
            detail: "there is no .yaml, .yml or .json file here".into(),
        });
    }
    Ok(found)
}

fn read(path: &Path) -> Result<Vec<(PathBuf, Value)>, CommandError> {
    let wrong = |detail: String| CommandError::Manifest {
        path: path.into(),
        detail,
    };
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|e| wrong(e.to_string()))?;
    } else {
        text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
    }
    Ok(parse(&text)
        .map_err(wrong)?
        .into_iter()
        .map(|object| (path.into(), object))
        .collect())
}

/// The objects of a YAML stream or of JSON; a List gives its items.
fn parse(text: &str) -> Result<Vec<Value>, String> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(text).map_err(|e| e.without_snippet().to_string())?;
    let mut objects = Vec::new();
    for mut document in documents.into_iter().filter(|d| !d.is_null()) {
        let is_list = document["kind"]
            .as_str()
            .is_some_and(|kind| kind.ends_with("List"));
        match document.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) if is_list => objects.extend(items),
            Some(other) => {
                document["items"] = other;
                objects.push(document);
            }
            None => objects.push(document),
        }
    }
    if let Some(odd) = objects.iter().find(|o| !o.is_object()) {
        return Err(format!("{odd} is no object with apiVersion and kind"));
    }
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_and_lists_give_their_objects() {
        let names = |text: &str| -> Vec<String> {
            parse(text)
                .unwrap()
                .iter()
                .map(|o| o["metadata"]["name"].as_str().unwrap().to_string())
                .collect()
        };
        assert_eq!(
            names("# two\nmetadata: {name: a}\n---\nmetadata: {name: b}\n---\n"),
            ["a", "b"]
        );
        let list =
            r#"{"kind":"List","items":[{"metadata":{"name":"c"}},{"metadata":{"name":"d"}}]}"#;
        assert_eq!(names(list), ["c", "d"]);
        assert!(parse("just words").unwrap_err().contains("is no object"));
    }
}
