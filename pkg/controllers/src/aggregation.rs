//! ClusterRoles that consist of others: their rules are those of every role that their selectors choose (upstream:
//! `pkg/controller/clusterroleaggregation`).

use std::collections::BTreeMap;

use jiff::Timestamp;
use kedge_client::Json;
use kedge_client::{Change, ObjectKey, Resource, SharedClient};
use kedge_machinery::Object;
use kedge_machinery::selector::LabelSelector;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::engine::{Reconcile, Write, key};
use crate::view::{self, Meta, nullable};

/// Who owns the rules, in `managedFields`.
const MANAGER: &str = "clusterrole-aggregation-controller";

/// The controller.
#[derive(Default)]
pub(crate) struct Aggregation {
    roles: BTreeMap<String, Role>,
    changed: bool,
}

/// A role: rules are read out of its bytes only while they are needed.
struct Role {
    meta: Meta,
    /// `None` for a role whose rules are its own.
    selectors: Option<Vec<LabelSelector>>,
    object: Json,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Head {
    metadata: Meta,
    aggregation_rule: Option<AggregationRule>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct AggregationRule {
    #[serde(deserialize_with = "nullable")]
    cluster_role_selectors: Vec<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Rules {
    #[serde(deserialize_with = "nullable")]
    rules: Vec<Value>,
}

impl Role {
    fn read(object: &Json) -> Option<Self> {
        let Head {
            metadata,
            aggregation_rule,
        } = view::read(object)?;
        // The server lets no selector in that cannot be read.
        let selectors = aggregation_rule.map(|rule| {
            let selectors = rule.cluster_role_selectors.iter();
            selectors
                .filter_map(|selector| LabelSelector::from_json(selector).ok())
                .collect()
        });
        Some(Self {
            meta: metadata,
            selectors,
            object: object.clone(),
        })
    }

    fn rules(&self) -> Vec<Value> {
        view::read::<Rules>(&self.object).unwrap_or_default().rules
    }

    fn is_chosen_by(&self, selector: &LabelSelector) -> bool {
        selector.matches(|key| self.meta.labels.get(key).map(String::as_str))
    }
}

impl Aggregation {
    /// The rules that aggregated roles should have, where they have others. A role may consist of roles that are
    /// aggregated themselves: it is gone through them until nothing changes, so that each is written once.
    fn wanted(&self) -> BTreeMap<&str, Vec<Value>> {
        let mut wanted: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        let whole: Vec<(&str, &[LabelSelector])> = self
            .roles
            .iter()
            .filter_map(|(name, role)| Some((name.as_str(), role.selectors.as_deref()?)))
            .collect();
        // As deep as roles can consist of one another; a circle ends here too.
        for _ in 0..whole.len() {
            let mut changed = false;
            for (name, selectors) in &whole {
                let rules = self.collect(name, selectors, &wanted);
                if wanted.get(name) != Some(&rules) {
                    wanted.insert(name, rules);
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        wanted.retain(|name, rules| {
            self.roles
                .get(*name)
                .is_some_and(|role| role.rules() != *rules)
        });
        wanted
    }

    /// Selector by selector, in the order of names, each rule once.
    fn collect(
        &self,
        name: &str,
        selectors: &[LabelSelector],
        wanted: &BTreeMap<&str, Vec<Value>>,
    ) -> Vec<Value> {
        let mut rules = Vec::new();
        for selector in selectors {
            let chosen = self
                .roles
                .iter()
                .filter(|(other, role)| other.as_str() != name && role.is_chosen_by(selector));
            for (other, role) in chosen {
                let own = wanted.get(other.as_str()).cloned();
                for rule in own.unwrap_or_else(|| role.rules()) {
                    if !rules.contains(&rule) {
                        rules.push(rule);
                    }
                }
            }
        }
        rules
    }
}

impl Reconcile for Aggregation {
    const NAME: &'static str = "clusterrole-aggregation";

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::CLUSTERROLES]
    }

    fn observe(&mut self, change: &Change) {
        let name = &change.key.name;
        match change.object.as_ref().and_then(Role::read) {
            Some(role) => self.roles.insert(name.clone(), role),
            None => self.roles.remove(name),
        };
        self.changed = true;
    }

    async fn plan(&mut self, _: &SharedClient, _: Timestamp) -> Vec<Write> {
        if !std::mem::take(&mut self.changed) {
            return Vec::new();
        }
        let wanted = self.wanted();
        wanted
            .into_iter()
            .filter_map(|(name, rules)| {
                // With its uid: a role that is gone meanwhile is not made again.
                let uid = &self.roles.get(name)?.meta.uid;
                let object = Object::from_value(json!({
                    "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
                    "metadata": {"name": name, "uid": uid}, "rules": rules,
                }))?;
                let about = key(Resource::CLUSTERROLES, "", name);
                Some(Write::apply(
                    &about,
                    Resource::CLUSTERROLES,
                    MANAGER,
                    object,
                ))
            })
            .collect()
    }

    fn again(&mut self, _: &ObjectKey) {
        self.changed = true;
    }
}

#[cfg(test)]
mod tests;
