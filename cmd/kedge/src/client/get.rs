//! `kedge get`: the server's Table, or the objects themselves, once or as they change.

use std::io::Write;

use http::Method;
use kedge_client::http::HttpClient;
use kedge_machinery::Status;
use serde_json::Value;

use super::resources::{Resource, Resources};
use super::table::Printer;
use super::{CommandError, connect, escape};
use crate::args::{GetArgs, Output};

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// Prints what is there; with `--watch`, then every change until the connection ends.
pub async fn get(args: GetArgs) -> Result<(), CommandError> {
    let client = connect(&args.connection)?;
    let resources = Resources::discover(&client).await?;
    let resource = resources.find(&args.kind)?;
    if args.watch {
        watch(&client, resource, &args).await
    } else {
        once(&client, resource, &args).await
    }
}

fn path(resource: &Resource, args: &GetArgs) -> String {
    resource.path((!args.all_namespaces).then_some(args.namespace.as_str()))
}

/// `application/json` of the objects, or of the table that shows them.
fn accept(args: &GetArgs) -> &'static str {
    match args.output {
        None | Some(Output::Wide) => TABLE,
        Some(Output::Json | Output::Yaml | Output::Name) => "application/json",
    }
}

async fn once(
    client: &HttpClient,
    resource: &Resource,
    args: &GetArgs,
) -> Result<(), CommandError> {
    let mut path = path(resource, args);
    if let Some(name) = &args.name {
        path = format!("{path}/{name}");
    } else if let Some(selector) = &args.selector {
        path = format!("{path}?labelSelector={}", escape(selector));
    }
    let answer = client
        .request(Method::GET, &path, &[("Accept", accept(args))], "")
        .await?
        .ok()?;
    let answer: Value = serde_json::from_slice(&answer.body)?;
    let mut out = std::io::stdout().lock();
    match args.output {
        Some(Output::Json) => writeln!(out, "{answer:#}")?,
        Some(Output::Yaml) => write!(out, "{}", yaml(&answer)?)?,
        Some(Output::Name) => {
            let items = answer["items"]
                .as_array()
                .cloned()
                .unwrap_or_else(|| vec![answer]);
            for item in items {
                writeln!(
                    out,
                    "{}",
                    resource.named(item["metadata"]["name"].as_str().unwrap_or_default())
                )?;
            }
        }
        None | Some(Output::Wide) => {
            if answer["rows"].as_array().is_none_or(Vec::is_empty) {
                let scope = if args.all_namespaces || !resource.namespaced {
                    String::new()
                } else {
                    format!(" in {} namespace", args.namespace)
                };
                eprintln!("No resources found{scope}.");
            } else {
                Printer::new(
                    args.output == Some(Output::Wide),
                    args.all_namespaces && resource.namespaced,
                )
                .print(&answer, &mut out)?;
            }
        }
    }
    Ok(())
}

async fn watch(
    client: &HttpClient,
    resource: &Resource,
    args: &GetArgs,
) -> Result<(), CommandError> {
    let mut path = format!("{}?watch=true", path(resource, args));
    if let Some(name) = &args.name {
        path = format!(
            "{path}&fieldSelector={}",
            escape(&format!("metadata.name={name}"))
        );
    }
    if let Some(selector) = &args.selector {
        path = format!("{path}&labelSelector={}", escape(selector));
    }
    let mut stream = client
        .stream(Method::GET, &path, &[("Accept", accept(args))], "")
        .await?;
    if !stream.status.is_success() {
        stream.collect().await?.ok()?;
        return Ok(());
    }
    let mut printer = Printer::new(
        args.output == Some(Output::Wide),
        args.all_namespaces && resource.namespaced,
    );
    let mut text = Vec::new();
    while let Some(piece) = stream.next().await? {
        text.extend_from_slice(&piece);
        while let Some(end) = text.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = text.drain(..=end).collect();
            show(
                &serde_json::from_slice(&line)?,
                resource,
                args,
                &mut printer,
            )?;
        }
    }
    Ok(())
}

/// One event of a watch.
fn show(
    event: &Value,
    resource: &Resource,
    args: &GetArgs,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let object = &event["object"];
    let mut out = std::io::stdout().lock();
    match event["type"].as_str() {
        Some("ERROR") => {
            let message = object["message"].as_str().unwrap_or("the watch ended");
            return Err(Status::expired(message).into());
        }
        Some("BOOKMARK") => {}
        _ => match args.output {
            Some(Output::Json) => writeln!(out, "{object}")?,
            Some(Output::Yaml) => write!(out, "---\n{}", yaml(object)?)?,
            Some(Output::Name) => {
                writeln!(
                    out,
                    "{}",
                    resource.named(object["metadata"]["name"].as_str().unwrap_or_default())
                )?;
            }
            None | Some(Output::Wide) => printer.print(object, &mut out)?,
        },
    }
    out.flush()?;
    Ok(())
}

fn yaml(value: &Value) -> Result<String, CommandError> {
    serde_saphyr::to_string(value)
        .map_err(|e| CommandError::Usage(format!("cannot write YAML: {e}")))
}
