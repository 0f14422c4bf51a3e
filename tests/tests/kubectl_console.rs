//! What people type and read: each file of `tests/kubectl` is a session, `$ COMMAND` and what it prints; `…` stands for
//! any text within a line. What kubectl 1.32 and later print alike is in them. Its commands run one after the other against a site of its own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};

use kedge_tests::kubectl;
use kedge_tests::site::Site;
use kedge_tests::skip::skip;
use kedge_tests::tool::finish;

/// A command and the lines that it is to print.
struct Step {
    line: usize,
    command: String,
    wanted: Vec<String>,
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                line: number + 1,
                command: command.into(),
                wanted: Vec::new(),
            });
        } else if let Some(step) = steps.last_mut() {
            step.wanted.push(line.trim_end().into());
        }
    }
    for step in &mut steps {
        while step.wanted.last().is_some_and(String::is_empty) {
            step.wanted.pop();
        }
    }
    steps
}

/// Whether a line is as wanted, where `…` is any text.
fn fits(wanted: &str, line: &str) -> bool {
    let mut parts = wanted.split('…');
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        if let Some(part) = last.replace(part) {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kubectl")
}

/// Runs a session, and shows each step that printed something else.
fn session(name: &str) {
    let Some(program) = kubectl::find() else {
        return skip(name, "there is no kubectl on the PATH nor in $KUBECTL");
    };
    let site = Site::new().unwrap();
    let home = tempfile::tempdir().unwrap();
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let text = std::fs::read_to_string(folder().join(name)).unwrap();
    let mut wrong = String::new();
    for step in steps(&text) {
        let mut command = site.lab.node.command("sh");
        command
            .args(["-c", &format!("{{ {}; }} 2>&1", step.command)])
            .current_dir(folder())
            .env("PATH", &path)
            .env("HOME", home.path())
            .env("KUBECONFIG", site.server().kubeconfig());
        let output = finish(&mut command).unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let mut lines: Vec<&str> = said.lines().map(str::trim_end).collect();
        while lines.last().is_some_and(|line| line.is_empty()) {
            lines.pop();
        }
        let same = lines.len() == step.wanted.len()
            && step
                .wanted
                .iter()
                .zip(&lines)
                .all(|(wanted, line)| fits(wanted, line));
        if !same {
            wrong.push_str(&format!("{name}:{}\n$ {}\n{said}", step.line, step.command));
        }
    }
    assert!(wrong.is_empty(), "these printed something else:\n{wrong}");
}

#[test]
fn workloads() {
    session("workloads.console");
}

#[test]
fn custom_resources() {
    session("custom_resources.console");
}

#[test]
fn drains() {
    session("drain.console");
}

#[test]
fn policies_and_services() {
    session("policies_and_services.console");
}

#[test]
fn dots_stand_for_any_text() {
    assert!(fits("web   1/1   …", "web   1/1   5s"));
    assert!(fits("a…c…e", "abcde"));
    assert!(!fits("a…c", "abcd"));
    assert!(!fits("web", "web2"));
}
