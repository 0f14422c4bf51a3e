//! The tables' lines.

use crate::Rule;
use crate::rule::Texts;

const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["create", "delete", "deletecollection", "patch", "update"];

/// A line that says something: a role or binding, or where it is indented, a rule of the role above.
pub(super) struct Line(&'static str);

/// The lines that say something.
pub(super) fn lines(table: &'static str) -> impl Iterator<Item = Line> {
    table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(Line)
}

impl Line {
    pub(super) fn is_rule(&self) -> bool {
        self.0.starts_with(' ')
    }

    /// The first word.
    pub(super) fn name(&self) -> &'static str {
        self.0.split_whitespace().next().unwrap_or_default()
    }

    /// The namespace, empty for the cluster, and the name in it.
    pub(super) fn place(&self) -> (&'static str, &'static str) {
        self.name().split_once('/').unwrap_or(("", self.name()))
    }

    /// What follows the first word.
    pub(super) fn words(&self) -> impl Iterator<Item = &'static str> {
        self.0.split_whitespace().skip(1)
    }

    /// The rule; `None` for a line that is none.
    pub(super) fn rule(&self) -> Option<Rule> {
        if !self.is_rule() {
            return None;
        }
        let mut words = self.0.split_whitespace();
        let verbs = sorted(words.next()?.split(',').flat_map(verb));
        let groups = words.next()?;
        let objects = sorted(words.next()?.split(','));
        if groups == "@" {
            return Some(Rule {
                verbs,
                non_resource_urls: objects,
                ..Rule::default()
            });
        }
        let group = |word| if word == "core" { "" } else { word };
        Some(Rule {
            verbs,
            api_groups: sorted(groups.split(',').map(group)),
            resources: objects,
            resource_names: words
                .next()
                .map(|names| sorted(names.split(',')))
                .unwrap_or_default(),
            ..Rule::default()
        })
    }
}

fn verb(word: &'static str) -> Vec<&'static str> {
    match word {
        "read" => READ.to_vec(),
        "write" => WRITE.to_vec(),
        other => vec![other],
    }
}

fn sorted<'a>(texts: impl Iterator<Item = &'a str>) -> Texts {
    let mut texts: Vec<&str> = texts.collect();
    texts.sort_unstable();
    texts.into_iter().map(Into::into).collect()
}
