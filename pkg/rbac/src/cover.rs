//! Whether rules hold all that others allow (upstream: `component-helpers/auth/rbac/validation/policy_comparator.go`),
//! and how what they lack is told (`pkg/registry/rbac/validation`).

use std::collections::BTreeMap;
use std::fmt;

use crate::rule::{Texts, has, path_covers};
use crate::{ALL, Rule};

/// What `wanted` allows and `held` does not: one verb on one resource, with one name at most, a rule.
#[must_use]
pub fn missing<'a>(held: &[&Rule], wanted: impl IntoIterator<Item = &'a Rule>) -> Vec<Rule> {
    wanted
        .into_iter()
        .flat_map(atoms)
        .filter(|atom| !held.iter().any(|rule| covers(rule, atom)))
        .collect()
}

/// Rules that differ by verb alone become one, as upstream tells of them.
#[must_use]
pub fn compact(rules: Vec<Rule>) -> Vec<Rule> {
    let (mut others, mut simple) = (Vec::new(), BTreeMap::<(Texts, Texts), Vec<Box<str>>>::new());
    for rule in rules {
        let is_simple = rule.resource_names.is_empty()
            && rule.non_resource_urls.is_empty()
            && rule.api_groups.len() == 1
            && rule.resources.len() == 1;
        if is_simple {
            let verbs = simple.entry((rule.api_groups, rule.resources)).or_default();
            verbs.extend(rule.verbs);
        } else {
            others.push(rule);
        }
    }
    others.extend(
        simple
            .into_iter()
            .map(|((api_groups, resources), verbs)| Rule {
                verbs: verbs.into(),
                api_groups,
                resources,
                ..Rule::default()
            }),
    );
    others
}

/// Each verb of a rule on each of its resources, with each of its names; each verb on each path.
fn atoms(rule: &Rule) -> Vec<Rule> {
    let one = |text: &str| -> Texts { Box::new([text.into()]) };
    let mut atoms = Vec::new();
    for group in &rule.api_groups {
        for resource in &rule.resources {
            for verb in &rule.verbs {
                let atom = Rule {
                    verbs: one(verb),
                    api_groups: one(group),
                    resources: one(resource),
                    ..Rule::default()
                };
                if rule.resource_names.is_empty() {
                    atoms.push(atom);
                    continue;
                }
                atoms.extend(rule.resource_names.iter().map(|name| Rule {
                    resource_names: one(name),
                    ..atom.clone()
                }));
            }
        }
    }
    for path in &rule.non_resource_urls {
        atoms.extend(rule.verbs.iter().map(|verb| Rule {
            verbs: one(verb),
            non_resource_urls: one(path),
            ..Rule::default()
        }));
    }
    atoms
}

fn covers(held: &Rule, atom: &Rule) -> bool {
    let all_of = |own: &[Box<str>], wanted: &[Box<str>]| {
        has(own, ALL) || wanted.iter().all(|text| has(own, text))
    };
    let resource = |wanted: &str| {
        has(&held.resources, wanted)
            || wanted
                .split_once('/')
                .is_some_and(|(_, subresource)| has(&held.resources, &format!("*/{subresource}")))
    };
    all_of(&held.verbs, &atom.verbs)
        && all_of(&held.api_groups, &atom.api_groups)
        && (has(&held.resources, ALL) || atom.resources.iter().all(|text| resource(text)))
        && (held.resource_names.is_empty()
            || (!atom.resource_names.is_empty()
                && atom
                    .resource_names
                    .iter()
                    .all(|name| has(&held.resource_names, name))))
        && atom.non_resource_urls.iter().all(|path| {
            held.non_resource_urls
                .iter()
                .any(|own| path_covers(own, path))
        })
}

/// As upstream tells of a rule: `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("APIGroups", &self.api_groups),
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.non_resource_urls),
            ("ResourceNames", &self.resource_names),
            ("Verbs", &self.verbs),
        ];
        f.write_str("{")?;
        let mut separator = "";
        for (name, texts) in parts.iter().filter(|(_, texts)| !texts.is_empty()) {
            write!(f, "{separator}{name}:{}", Quoted(texts))?;
            separator = ", ";
        }
        f.write_str("}")
    }
}

/// A list in Go's `%q`.
struct Quoted<'a>(&'a [Box<str>]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(|text| format!("{text:?}")).collect();
        write!(f, "[{}]", texts.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    fn rule(
        verbs: &[&str],
        groups: &[&str],
        resources: &[&str],
        names: &[&str],
        paths: &[&str],
    ) -> Rule {
        serde_json::from_value(json!({
            "verbs": verbs, "apiGroups": groups, "resources": resources, "resourceNames": names,
            "nonResourceURLs": paths,
        }))
        .unwrap()
    }

    fn lacks(held: &[Rule], wanted: &[Rule]) -> Vec<String> {
        let held: Vec<&Rule> = held.iter().collect();
        let mut lacks: Vec<String> = compact(missing(&held, wanted))
            .iter()
            .map(ToString::to_string)
            .collect();
        lacks.sort();
        lacks
    }

    #[test]
    fn what_is_missing_reads_as_upstreams() {
        let held = [rule(&["get"], &[""], &["pods"], &[], &[])];
        let wanted = [
            rule(
                &["get", "list", "watch"],
                &[""],
                &["pods", "services"],
                &[],
                &[],
            ),
            rule(&["update"], &["apps"], &["deployments"], &["a", "b"], &[]),
            rule(&["get"], &[], &[], &[], &["/metrics"]),
        ];
        let expected = [
            r#"{APIGroups:[""], Resources:["pods"], Verbs:["list" "watch"]}"#,
            r#"{APIGroups:[""], Resources:["services"], Verbs:["get" "list" "watch"]}"#,
            r#"{APIGroups:["apps"], Resources:["deployments"], ResourceNames:["a"], Verbs:["update"]}"#,
            r#"{APIGroups:["apps"], Resources:["deployments"], ResourceNames:["b"], Verbs:["update"]}"#,
            r#"{NonResourceURLs:["/metrics"], Verbs:["get"]}"#,
        ];
        assert_eq!(lacks(&held, &wanted), expected);
    }

    #[rstest]
    #[case(rule(&["*"], &["*"], &["*"], &[], &[]), rule(&["get"], &["a"], &["b"], &["c"], &[]), true)]
    #[case(rule(&["*"], &["*"], &["*"], &[], &[]), rule(&["*"], &["*"], &["*"], &[], &[]), true)]
    #[case(rule(&["get"], &["*"], &["*"], &[], &[]), rule(&["*"], &["*"], &["*"], &[], &[]), false)]
    #[case(rule(&["get"], &[""], &["*/scale"], &[], &[]), rule(&["get"], &[""], &["pods/scale"], &[], &[]), true)]
    #[case(rule(&["get"], &[""], &["*/scale"], &[], &[]), rule(&["get"], &[""], &["pods"], &[], &[]), false)]
    #[case(rule(&["get"], &[""], &["pods"], &["a"], &[]), rule(&["get"], &[""], &["pods"], &["a"], &[]), true)]
    #[case(rule(&["get"], &[""], &["pods"], &["a"], &[]), rule(&["get"], &[""], &["pods"], &[], &[]), false)]
    #[case(rule(&["get"], &[""], &["pods"], &[], &[]), rule(&["get"], &[""], &["pods"], &["a"], &[]), true)]
    #[case(rule(&["get"], &[], &[], &[], &["/api/*"]), rule(&["get"], &[], &[], &[], &["/api/v1"]), true)]
    #[case(rule(&["get"], &[], &[], &[], &["/api/*"]), rule(&["get"], &[], &[], &[], &["/api"]), false)]
    #[case(rule(&["get"], &[], &[], &[], &["*"]), rule(&["get"], &[""], &["pods"], &[], &[]), false)]
    fn one_covers_another(#[case] held: Rule, #[case] wanted: Rule, #[case] expected: bool) {
        assert_eq!(missing(&[&held], [&wanted]).is_empty(), expected);
    }

    fn texts(words: &'static [&'static str]) -> impl Strategy<Value = Texts> {
        prop::collection::vec(prop::sample::select(words), 1..3)
            .prop_map(|texts| texts.into_iter().map(Into::into).collect())
    }

    prop_compose! {
        fn any_rule()(
            verbs in texts(&["get", "list", "*"]),
            api_groups in texts(&["", "apps", "*"]),
            resources in texts(&["pods", "pods/log", "*/log", "*"]),
            resource_names in prop_oneof![Just(Texts::default()), texts(&["a", "b"])],
        ) -> Rule {
            Rule { verbs, api_groups, resources, resource_names, ..Rule::default() }
        }
    }

    proptest! {
        #[test]
        fn rules_cover_themselves(rules in prop::collection::vec(any_rule(), 0..4)) {
            let held: Vec<&Rule> = rules.iter().collect();
            prop_assert!(missing(&held, &rules).is_empty());
        }

        #[test]
        fn what_is_covered_is_allowed(held in any_rule(), wanted in any_rule()) {
            let covered = missing(&[&held], [&wanted]).is_empty();
            for verb in ["get", "list", "watch"] {
                for (resource, subresource) in [("pods", ""), ("pods", "log"), ("services", "log")] {
                    for (group, name) in [("", "a"), ("apps", "b"), ("x", "")] {
                        let request = crate::Request::Resource { verb, group, resource, subresource, namespace: "", name };
                        prop_assert!(!covered || !wanted.allows(&request) || held.allows(&request), "{held} {wanted} {request:?}");
                    }
                }
            }
        }
    }
}
