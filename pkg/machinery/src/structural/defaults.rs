//! Filling in what a schema gives of itself (`schema/defaulting`).

use serde_json::Value;

use super::Structural;

impl Structural {
    /// Fills every absent field that has a default, and what is below it. A null that the schema does not allow counts as absent, and so goes
    /// where there is no default (`defaulting/prunenulls.go`).
    pub fn fill(&self, value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.retain(|name, value| !(value.is_null() && self.drops_null(name)));
                for (name, field) in &self.properties {
                    if let Some(default) = &field.default {
                        let absent = match map.get(name) {
                            None => true,
                            Some(found) => found.is_null() && !field.nullable,
                        };
                        if absent {
                            map.insert(name.clone(), default.clone());
                        }
                    }
                    if let Some(found) = map.get_mut(name) {
                        field.fill(found);
                    }
                }
                let Some(item) = &self.additional else { return };
                for (_, value) in map
                    .iter_mut()
                    .filter(|(name, _)| !self.properties.contains_key(*name))
                {
                    item.fill_item(value);
                }
            }
            Value::Array(list) => {
                if let Some(item) = &self.items {
                    list.iter_mut().for_each(|value| item.fill_item(value));
                }
            }
            _ => {}
        }
    }

    fn drops_null(&self, name: &str) -> bool {
        let field = self.properties.get(name).or(self.additional.as_deref());
        field.is_some_and(|field| !field.nullable && field.default.is_none())
    }

    fn fill_item(&self, value: &mut Value) {
        if value.is_null()
            && !self.nullable
            && let Some(default) = &self.default
        {
            *value = default.clone();
        }
        self.fill(value);
    }

    /// True when there is a default anywhere in it.
    #[must_use]
    pub fn has_defaults(&self) -> bool {
        self.default.is_some()
            || self.properties.values().any(Self::has_defaults)
            || self.additional.as_ref().is_some_and(|s| s.has_defaults())
            || self.items.as_ref().is_some_and(|s| s.has_defaults())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_go_where_something_is_missing() {
        let schema = Structural::parse(&json!({"type": "object", "properties": {
            "a": {"type": "string", "default": "A"},
            "n": {"type": "string", "nullable": true, "default": "N"},
            "deep": {"type": "object", "default": {}, "properties": {"b": {"type": "integer", "default": 5}}},
            "none": {"type": "object", "properties": {"c": {"type": "integer", "default": 6}}},
            "list": {"type": "array", "items": {"type": "object", "properties": {"d": {"type": "boolean", "default": true}}}},
            "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"e": {"type": "string", "default": "E"}}}},
            "no": {"type": "string"},
            "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        }}));
        assert!(schema.has_defaults());
        let mut value = json!({
            "a": null, "n": null, "no": null, "list": [{}, {"d": false}, null], "map": {"x": {}, "y": null}, "open": {"any": null},
        });
        schema.fill(&mut value);
        assert_eq!(
            value,
            json!({
                "a": "A", "n": null, "deep": {"b": 5}, "list": [{"d": true}, {"d": false}, null], "map": {"x": {"e": "E"}},
                "open": {"any": null},
            })
        );
    }
}
