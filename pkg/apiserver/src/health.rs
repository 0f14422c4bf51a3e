//! `/livez`, `/healthz`, `/readyz`: `ok`, or what is wrong; with `?verbose`, each check.

use axum::extract::{Path, Request, State};
use http::StatusCode;

use crate::answer::{self, Answer};
use crate::app::{App, SharedApp};
use crate::query;

type Outcome = (&'static str, Result<(), String>);

/// What being alive takes: that this code runs, and that the store answers.
fn live_checks(app: &App) -> Vec<Outcome> {
    let store = match app.registry.revision() {
        0 => Err("the store has no revision".into()),
        _ => Ok(()),
    };
    vec![("ping", Ok(())), ("store", store)]
}

/// What being ready takes beyond that.
fn ready_checks(app: &App) -> Vec<Outcome> {
    let mut all = live_checks(app);
    all.extend(app.ready.iter().map(|ready| (ready.name, (ready.check)())));
    let shutdown = if app.stopping.is_cancelled() {
        Err("the server is stopping".into())
    } else {
        Ok(())
    };
    all.push(("shutdown", shutdown));
    all
}

pub(crate) async fn live(State(app): State<SharedApp>, request: Request) -> Answer {
    all(&live_checks(&app), &request)
}

pub(crate) async fn ready(State(app): State<SharedApp>, request: Request) -> Answer {
    all(&ready_checks(&app), &request)
}

pub(crate) async fn live_check(State(app): State<SharedApp>, Path(name): Path<String>) -> Answer {
    one(live_checks(&app), &name)
}

pub(crate) async fn ready_check(State(app): State<SharedApp>, Path(name): Path<String>) -> Answer {
    one(ready_checks(&app), &name)
}

fn one(checks: Vec<Outcome>, name: &str) -> Answer {
    match checks.into_iter().find(|(own, _)| *own == name) {
        None => answer::page_not_found(),
        Some((_, Ok(()))) => answer::plain(StatusCode::OK, "ok"),
        Some((name, Err(why))) => answer::plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("internal server error: {name}: {why}\n"),
        ),
    }
}

fn all(checks: &[Outcome], request: &Request) -> Answer {
    let query = request.uri().query().unwrap_or_default();
    let excluded: Vec<_> = query::pairs(query)
        .filter(|(key, _)| key == "exclude")
        .map(|(_, value)| value)
        .collect();
    let path = request.uri().path().trim_start_matches('/');
    let mut report = String::new();
    let mut failed = false;
    for (name, outcome) in checks {
        let line = match outcome {
            _ if excluded.iter().any(|excluded| excluded == name) => {
                format!("[+]{name} excluded: ok\n")
            }
            Ok(()) => format!("[+]{name} ok\n"),
            Err(why) => {
                failed = true;
                format!("[-]{name} failed: {why}\n")
            }
        };
        report.push_str(&line);
    }
    if failed {
        report.push_str(&format!("{path} check failed\n"));
        return answer::plain(StatusCode::INTERNAL_SERVER_ERROR, report);
    }
    if query::pairs(query).any(|(key, _)| key == "verbose") {
        report.push_str(&format!("{path} check passed\n"));
        return answer::plain(StatusCode::OK, report);
    }
    answer::plain(StatusCode::OK, "ok")
}
