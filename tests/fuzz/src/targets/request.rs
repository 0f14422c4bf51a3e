//! Request lines: paths, queries, and the options of every verb.

use http::{HeaderMap, Method};
use kedge_apiserver::options;
use kedge_apiserver::request_info::RequestInfo;
use kedge_registry::PatchKind;

use crate::corpus::STEPS;

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> = STEPS
        .iter()
        .map(|step| step.path.clone().into_bytes())
        .collect();
    let more = "/api/v1/pods?watch=1&timeoutSeconds=5&resourceVersion=0&sendInitialEvents=true&allowWatchBookmarks=1&limit=5&continue=a&fieldManager=x&fieldValidation=Strict&force=1&dryRun=All&gracePeriodSeconds=0&propagationPolicy=Orphan&includeObject=None&pretty";
    seeds.push(more.into());
    seeds
}

pub(super) fn run(input: &[u8]) {
    let Ok(line) = str::from_utf8(input) else {
        return;
    };
    let (path, query) = line.split_once('?').unwrap_or((line, ""));
    let methods = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ];
    for method in methods {
        let info = RequestInfo::parse(&method, path, query);
        assert!(
            info.path.len() <= 3 * path.len(),
            "a path grew by being decoded"
        );
        let parts = [
            &info.namespace,
            &info.resource,
            &info.name,
            &info.subresource,
        ];
        assert!(
            !info.is_resource
                || parts[..2]
                    .iter()
                    .chain([&parts[3]])
                    .all(|part| !part.contains('/'))
        );
        assert!(!info.named || !info.name.is_empty());
    }
    let headers = HeaderMap::new();
    let _ = options::list(query);
    let _ = options::watch(query);
    let _ = options::include_object(query);
    let _ = options::delete(query, None);
    for language in [
        PatchKind::Json,
        PatchKind::Merge,
        PatchKind::Strategic,
        PatchKind::Apply,
    ] {
        if let Ok(options) = options::patch(language, query, &headers) {
            assert!(!options.field_manager.is_empty() && options.field_manager.len() <= 128);
        }
    }
    let _ = options::write("CreateOptions", query, &headers);
    let _ = options::get(query);
}
