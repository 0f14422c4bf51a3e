//! The paths of a kind, and what may be done at each.

use serde_json::{Map, Value, json};

use super::Version;
use super::schemas::{DELETE_OPTIONS, PATCH, STATUS, kind_of, list_name};
use crate::{Kind, Subresource};

/// Media types of a patch, the one that only built-in kinds take last.
const PATCHES: &[&str] = &[
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
];

/// A query parameter: name, JSON type, and what it is for.
type Query = (&'static str, &'static str, &'static str);

const SELECT: &[Query] = &[
    ("labelSelector", "string", "Only objects with these labels."),
    ("fieldSelector", "string", "Only objects with these fields."),
    (
        "limit",
        "integer",
        "The most objects that one answer may have; its metadata.continue leads to the rest.",
    ),
    (
        "continue",
        "string",
        "metadata.continue of the answer before.",
    ),
    (
        "resourceVersion",
        "string",
        "The version to read at, or to watch from.",
    ),
    (
        "resourceVersionMatch",
        "string",
        "How to take resourceVersion: Exact or NotOlderThan.",
    ),
    (
        "timeoutSeconds",
        "integer",
        "The longest that the request may take.",
    ),
];
const WATCH: &[Query] = &[
    ("watch", "boolean", "Send changes as they happen."),
    (
        "allowWatchBookmarks",
        "boolean",
        "Send the version reached from time to time.",
    ),
    (
        "sendInitialEvents",
        "boolean",
        "Begin a watch with what is there.",
    ),
];
const WRITE: &[Query] = &[
    ("dryRun", "string", "All: do everything but store it."),
    (
        "fieldManager",
        "string",
        "The name under which the fields written are owned.",
    ),
    (
        "fieldValidation",
        "string",
        "What to do with unknown and duplicate fields: Ignore, Warn or Strict.",
    ),
];
const FORCE: &[Query] = &[(
    "force",
    "boolean",
    "Take over fields that others own; for apply alone.",
)];
const DELETE: &[Query] = &[
    ("dryRun", "string", "All: do everything but store it."),
    (
        "gracePeriodSeconds",
        "integer",
        "How long the object may take to end; 0 is at once.",
    ),
    (
        "orphanDependents",
        "boolean",
        "Keep what the object owns; propagationPolicy says it better.",
    ),
    (
        "propagationPolicy",
        "string",
        "What becomes of what the object owns: Orphan, Background or Foreground.",
    ),
];

/// What an operation is called in `x-kubernetes-action`, its HTTP method, and the verb that allows it.
#[derive(Clone, Copy)]
struct Action {
    name: &'static str,
    method: &'static str,
    verb: &'static str,
    queries: &'static [&'static [Query]],
}

const LIST: Action = Action {
    name: "list",
    method: "get",
    verb: "list",
    queries: &[SELECT, WATCH],
};
const POST: Action = Action {
    name: "post",
    method: "post",
    verb: "create",
    queries: &[WRITE],
};
const DELETE_ALL: Action = Action {
    name: "deletecollection",
    method: "delete",
    verb: "deletecollection",
    queries: &[SELECT, DELETE],
};
const GET: Action = Action {
    name: "get",
    method: "get",
    verb: "get",
    queries: &[],
};
const PUT: Action = Action {
    name: "put",
    method: "put",
    verb: "update",
    queries: &[WRITE],
};
const PATCH_ONE: Action = Action {
    name: "patch",
    method: "patch",
    verb: "patch",
    queries: &[WRITE, FORCE],
};
const DELETE_ONE: Action = Action {
    name: "delete",
    method: "delete",
    verb: "delete",
    queries: &[DELETE],
};

/// Every path of a kind, with its operations.
pub(super) fn paths(kind: &Kind, version: Version) -> Vec<(String, Value)> {
    let root = format!("/{}", super::path_of(kind));
    let collection = if kind.namespaced {
        format!("{root}/namespaces/{{namespace}}/{}", kind.plural)
    } else {
        format!("{root}/{}", kind.plural)
    };
    let item = format!("{collection}/{{name}}");
    let mut found = Vec::new();
    let mut add = |path: &str, actions: &[Action], subresource: Option<&Subresource>| {
        let place = Place {
            kind,
            subresource,
            version,
            path,
        };
        found.extend(place.item(actions).map(|item| (path.to_string(), item)));
    };
    if kind.namespaced {
        add(&format!("{root}/{}", kind.plural), &[LIST], None);
    }
    add(&collection, &[LIST, POST, DELETE_ALL], None);
    add(&item, &[GET, PUT, PATCH_ONE, DELETE_ONE], None);
    for subresource in &kind.subresources {
        let path = format!("{item}/{}", subresource.name);
        add(
            &path,
            &[GET, POST, PUT, PATCH_ONE, DELETE_ONE],
            Some(subresource),
        );
    }
    found
}

/// Where an operation is.
struct Place<'a> {
    kind: &'a Kind,
    subresource: Option<&'a Subresource>,
    version: Version,
    path: &'a str,
}

impl Place<'_> {
    /// The operations that the verbs allow, with the parameters that all share; `None` when there are none.
    fn item(&self, actions: &[Action]) -> Option<Value> {
        let verbs = self.subresource.map_or(&self.kind.verbs, |s| &s.verbs);
        let allowed = actions.iter().filter(|action| verbs.contains(&action.verb));
        let mut item: Map<String, Value> = allowed
            .map(|action| (action.method.to_string(), self.operation(*action)))
            .collect();
        if item.is_empty() {
            return None;
        }
        let mut shared = vec![self.query(&("pretty", "string", "Indent the answer."))];
        for name in ["name", "namespace"] {
            if self.path.contains(&format!("{{{name}}}")) {
                shared.push(self.parameter(
                    name,
                    "path",
                    "string",
                    &format!("The {name} of the object."),
                ));
            }
        }
        item.insert("parameters".into(), shared.into());
        Some(Value::Object(item))
    }

    fn operation(&self, action: Action) -> Value {
        let mut parameters: Vec<Value> = action
            .queries
            .iter()
            .copied()
            .flatten()
            .map(|query| self.query(query))
            .collect();
        let mut operation = json!({
            "tags": [format!("{}_{}", group_word(&self.kind.group), self.kind.version)],
            "operationId": self.id(action),
            "responses": self.responses(action),
            "x-kubernetes-action": action.name,
            "x-kubernetes-group-version-kind": match self.subresource {
                Some(s) => json!({ "group": s.group, "version": s.version, "kind": s.kind }),
                None => kind_of(self.kind, &self.kind.kind),
            },
        });
        if let Some((body, required)) = self.body(action) {
            let types = match (action.name, PATCHES) {
                // Lists of custom resources have no strategies; kubectl chooses its language by this.
                ("patch", [first @ .., _strategic]) if self.kind.custom.is_some() => first,
                ("patch", all) => all,
                _ => &["*/*"],
            };
            match self.version {
                Version::V2 => {
                    operation["consumes"] = types.into();
                    parameters.push(json!({ "name": "body", "in": "body", "required": required, "schema": body }));
                }
                Version::V3 => {
                    let content: Map<String, Value> = types
                        .iter()
                        .map(|kind| ((*kind).to_string(), json!({ "schema": body })))
                        .collect();
                    operation["requestBody"] = json!({ "content": content, "required": required });
                }
            }
        }
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        operation
    }

    /// `createCoreV1NamespacedService`, `deleteCoreV1CollectionNamespacedService`.
    fn id(&self, action: Action) -> String {
        let (verb, all) = match action.name {
            "post" => ("create", ""),
            "get" => ("read", ""),
            "put" => ("replace", ""),
            "deletecollection" => ("delete", "Collection"),
            other => (other, ""),
        };
        let inside = if self.path.contains("{namespace}") {
            "Namespaced"
        } else {
            ""
        };
        let below = self
            .subresource
            .map(|s| capitalized(&s.name))
            .unwrap_or_default();
        let across = if self.kind.namespaced && inside.is_empty() {
            "ForAllNamespaces"
        } else {
            ""
        };
        let (group, version) = (
            capitalized(&group_word(&self.kind.group)),
            capitalized(&self.kind.version),
        );
        format!(
            "{verb}{group}{version}{all}{inside}{}{below}{across}",
            self.kind.kind
        )
    }

    fn own(&self) -> Value {
        // A body that is another kind's stands for itself: it is in no document of this group version.
        match self.subresource {
            Some(s) if s.kind != self.kind.kind => json!({ "type": "object" }),
            _ => self.version.reference(&self.kind.definition),
        }
    }

    fn body(&self, action: Action) -> Option<(Value, bool)> {
        match action.name {
            "post" | "put" => Some((self.own(), true)),
            "patch" => Some((self.version.reference(PATCH), true)),
            "delete" | "deletecollection" => Some((self.version.reference(DELETE_OPTIONS), false)),
            _ => None,
        }
    }

    fn responses(&self, action: Action) -> Value {
        let schema = match action.name {
            "list" => self.version.reference(&list_name(self.kind)),
            "delete" | "deletecollection" => self.version.reference(STATUS),
            _ => self.own(),
        };
        let answer = |description: &str| match self.version {
            Version::V2 => json!({ "description": description, "schema": schema }),
            Version::V3 => {
                json!({ "description": description, "content": { "application/json": { "schema": schema } } })
            }
        };
        let mut responses = Map::from_iter([("200".to_string(), answer("OK"))]);
        if matches!(action.name, "post" | "put" | "patch") {
            responses.insert("201".into(), answer("Created"));
        }
        responses.insert("401".into(), json!({ "description": "Unauthorized" }));
        Value::Object(responses)
    }

    fn query(&self, (name, kind, description): &Query) -> Value {
        self.parameter(name, "query", kind, description)
    }

    fn parameter(&self, name: &str, place: &str, kind: &str, description: &str) -> Value {
        let mut parameter = json!({ "name": name, "in": place, "description": description });
        match self.version {
            Version::V2 => parameter["type"] = kind.into(),
            Version::V3 => parameter["schema"] = json!({ "type": kind }),
        }
        if place == "path" {
            parameter["required"] = true.into();
        }
        parameter
    }
}

/// `core`, `discovery` or `rbacAuthorization`: a group in one word.
fn group_word(group: &str) -> String {
    let mut words = group.trim_end_matches(".k8s.io").split('.');
    match words.next() {
        None | Some("") => "core".into(),
        Some(first) => words.fold(first.to_string(), |word, next| word + &capitalized(next)),
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}
