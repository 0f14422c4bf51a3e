//! Lists: whole and in pages, in each form and encoding.

use std::sync::Arc;
use std::time::Instant;

use kedge_tests::connection::{Ask, Endpoint, Version};
use kedge_tests::tool::ToolError;

use super::{milliseconds, objects};
use crate::load::Times;
use crate::print;

/// Times that each list is asked for; the median counts.
const TURNS: usize = 11;

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";

/// Prints the median time from sending the request to the last byte.
pub async fn run(endpoint: &Arc<Endpoint>, count: usize) -> Result<(), ToolError> {
    let json = "application/json";
    let all = objects::SERVICES;
    let page = format!("{all}?limit=500");
    let lists = [
        (
            format!("list of {count} Services, HTTP/1.1"),
            Version::Http1,
            all,
            json,
            "under 60 ms",
        ),
        (
            format!("list of {count} Services, HTTP/2"),
            Version::Http2,
            all,
            json,
            "",
        ),
        ("  a page of 500".into(), Version::Http2, &page, json, ""),
        ("  as Table".into(), Version::Http2, all, TABLE, ""),
        ("  in protobuf".into(), Version::Http2, all, PROTOBUF, ""),
    ];
    for (what, version, path, accept, bound) in lists {
        let mut connection = endpoint.connect(version).await?;
        let ask = Ask::get(path).accepting(accept);
        let (mut times, mut length) = (Vec::new(), 0);
        for _ in 0..TURNS {
            let sent = Instant::now();
            length = connection.send(&ask).await?;
            times.push(sent.elapsed());
        }
        let what = format!("{what} ({:.1} MB)", length as f64 / 1e6);
        print(&what, &milliseconds(Times::new(times).at(0.5)), bound);
    }
    Ok(())
}
