//! What the first to write to an object owns: all that the object has, but for what it had before anybody wrote.
//!
//! Most objects are somebody's first. As there is nobody to take from, what [`Typed::compare`] would find is written down as
//! `FieldsV1` while the object is walked, without sets to reckon with.

use serde_json::map::Entry;
use serde_json::{Map, Value};

use super::compare::is_hollow;
use super::managers::{Managers, Operation, write_one};
use super::typed::{Form, Typed};
use super::{Context, UNOWNED, zero};
use crate::Object;
use crate::fields::PathElement;
use crate::schema::Schema;

/// Makes the writer the object's one manager, or leaves it without any.
pub(super) fn write(context: &Context<'_>, old: Option<&Object>, new: &mut Object) {
    let fields = fields(context, old, new);
    if fields.is_empty() {
        Managers::default().write(new);
    } else {
        let time = context.time().unwrap_or_default();
        write_one(new, context.id(Operation::Update), time, fields);
    }
}

fn fields(context: &Context<'_>, old: Option<&Object>, new: &Object) -> Map<String, Value> {
    let (typed, definitions) = (context.typed(), context.definitions);
    let schema = definitions.resolve(context.schema);
    let form = typed.form(Some(schema));
    let mut fields = Map::new();
    // Nobody owns an object as a whole.
    if !matches!(form, Form::Struct(_) | Form::Map(_)) {
        return fields;
    }
    for (name, value) in new.0.iter().filter(|(name, _)| context.can_own(name)) {
        let zero;
        let before = match old {
            Some(old) => old.0.get(name),
            None => {
                zero = zero::of_field(definitions, schema, name, value);
                zero.as_ref()
            }
        };
        let but = match name.as_str() {
            "metadata" => &UNOWNED[..],
            _ => &[],
        };
        if let Some(below) = typed.gained(form.field(name), before, value, but) {
            fields.insert(PathElement::field(name).into_text(), below);
        }
    }
    fields
}

impl<'a> Typed<'a> {
    /// What stands in `FieldsV1` for a value that is new, or has come in the place of another; `None` for nothing. Fields that `but`
    /// names do not count.
    fn gained(
        self,
        schema: Option<&'a Schema>,
        old: Option<&Value>,
        new: &Value,
        but: &[&str],
    ) -> Option<Value> {
        let form = self.form(schema);
        let whole = matches!(form, Form::Leaf) || is_hollow(old) && is_hollow(Some(new));
        let is_owned = old.is_none_or(|old| whole && old != new);
        if whole {
            return is_owned.then(|| Map::new().into());
        }
        let mut below = match (form, new) {
            (Form::Struct(_) | Form::Map(_), Value::Object(new)) => {
                self.gained_fields(form, old, new, but)
            }
            (Form::Set | Form::Keyed { .. }, Value::Array(new)) if is_hollow(old) => {
                self.gained_items(form, new)
            }
            // Items from the beginning are rare: the general way will do.
            (Form::Set | Form::Keyed { .. }, Value::Array(_)) => {
                let (changed, _) = self.compare(schema?, old?, new).into_changed();
                changed.to_map()
            }
            _ => Map::new(),
        };
        if is_owned && !below.is_empty() {
            below.insert(".".into(), Map::new().into());
        }
        (is_owned || !below.is_empty()).then_some(below.into())
    }

    fn gained_fields(
        self,
        form: Form<'a>,
        old: Option<&Value>,
        new: &Map<String, Value>,
        but: &[&str],
    ) -> Map<String, Value> {
        let mut below = Map::new();
        for (name, value) in new {
            if but.contains(&name.as_str()) {
                continue;
            }
            let before = old.and_then(|old| old.get(name));
            if let Some(fields) = self.gained(form.field(name), before, value, &[]) {
                below.insert(PathElement::field(name).into_text(), fields);
            }
        }
        below
    }

    /// All items are new. Repeated ones are owned together, as one.
    fn gained_items(self, form: Form<'a>, new: &[Value]) -> Map<String, Value> {
        let mut below = Map::new();
        for value in new {
            match below.entry(PathElement::into_text(self.element(form, value))) {
                Entry::Vacant(place) => {
                    let fields = self.gained(form.item(), None, value, &[]);
                    place.insert(fields.unwrap_or_default());
                }
                Entry::Occupied(mut place) => {
                    place.insert(Map::new().into());
                }
            }
        }
        below
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::update::again;
    use super::*;
    use crate::schema::testing::service;
    use crate::schema::{Definitions, Shape};
    use crate::structural::Structural;

    /// A custom resource with lists, maps and structs of each kind, one in another.
    fn custom() -> Schema {
        let text = json!({"type": "string"});
        let named = json!({"type": "object", "properties": {"name": text, "kind": {"type": "string", "default": "x"}, "size": {"type": "number"},
            "inner": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "integer"}}}});
        let keyed = json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name", "kind"], "items": named});
        let spec = json!({"type": "object", "required": ["mode"], "properties": {
            "mode": text,
            "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"known": named}},
            "any": {"x-kubernetes-preserve-unknown-fields": true},
            "whole": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"name": text}},
            "things": {"type": "object", "additionalProperties": named},
            "sizes": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "number"}},
            "template": {"type": "object", "x-kubernetes-embedded-resource": true},
            "port": {"x-kubernetes-int-or-string": true},
            "keyed": keyed,
            "list": {"type": "array", "items": keyed},
        }});
        let schema = json!({"type": "object", "properties": {"spec": spec, "status": named}});
        Structural::parse(&schema).typed("io.k8s.api.core.v1.ObjectMeta")
    }

    /// A value that a schema allows, for the most part.
    fn some(definitions: &Definitions, schema: &Schema) -> BoxedStrategy<Value> {
        let proper = match &definitions.resolve(schema).shape {
            Shape::Struct { fields, .. } => {
                let known = fields.iter().map(|(name, field)| {
                    let value = prop::option::of(some(definitions, field));
                    (Just(name.clone()), value).boxed()
                });
                let unknown = prop::option::weighted(0.1, Just(json!({"x": []})));
                let fields = known.chain([(Just("unknown".to_string()), unknown).boxed()]);
                let given = |(name, value): (String, Option<Value>)| Some((name, value?));
                (fields.collect::<Vec<_>>())
                    .prop_map(move |fields| fields.into_iter().filter_map(given).collect())
                    .boxed()
            }
            Shape::Map { value, .. } => {
                prop::collection::btree_map("[ab.]{0,2}", some(definitions, value), 0..4)
                    .prop_map(|map| map.into_iter().collect())
                    .boxed()
            }
            Shape::List { item, .. } => prop::collection::vec(some(definitions, item), 0..4)
                .prop_map(Value::from)
                .boxed(),
            Shape::Boolean => any::<bool>().prop_map(Value::from).boxed(),
            Shape::Integer { .. } => (0..3).prop_map(Value::from).boxed(),
            Shape::Number => prop::sample::select(vec![json!(1), json!(1.0), json!(1e30)]).boxed(),
            _ => "[ab\"]?".prop_map(Value::from).boxed(),
        };
        let odd = [
            json!(null),
            json!({}),
            json!([]),
            json!(""),
            json!(0),
            json!({"name": [1]}),
            json!([{}, {}]),
        ];
        prop_oneof![9 => proper, 1 => prop::sample::select(odd.to_vec())].boxed()
    }

    fn object(definitions: &Definitions, schema: &Schema) -> BoxedStrategy<Object> {
        let object = |value| Object::from_value(value).unwrap_or_default();
        some(definitions, schema).prop_map(object).boxed()
    }

    type Write = (Schema, Option<Object>, Object);

    fn some_write() -> impl Strategy<Value = Write> {
        let (definitions, service) = service();
        prop::sample::select(vec![service, custom(), Schema::default()]).prop_flat_map(
            move |schema| {
                let old = prop_oneof![
                    2 => Just(None),
                    1 => Just(Some(Object::default())),
                    2 => object(&definitions, &schema).prop_map(Some),
                ];
                (Just(schema.clone()), old, object(&definitions, &schema))
            },
        )
    }

    proptest! {
        #[test]
        fn it_is_as_compared(
            (schema, old, new) in some_write(),
            subresource in prop::sample::select(vec!["", "status", "scale", "binding"]),
            status_apart: bool,
            manager in "m?",
        ) {
            let (definitions, _) = service();
            let context = Context {
                api_version: "example.com/v1".into(),
                status_apart,
                narrow: None,
                manager: &manager,
                subresource,
                ..Context::example(&definitions, &schema)
            };
            let (mut straight, mut compared) = (new.clone(), new);
            write(&context, old.as_ref(), &mut straight);
            again(&context, Managers::default(), old.as_ref(), &mut compared);
            let [straight, compared] = [straight, compared].map(|object| object.into_value().to_string());
            prop_assert_eq!(straight, compared);
        }
    }
}
