//! JSON paths as definitions of custom resources use them (`client-go/util/jsonpath`): fields, items and filters of items.

use serde_json::Value;

/// A path that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath {
    text: String,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    /// From the end where it is negative.
    Item(i64),
    Every,
    /// Items of which a path has (or has not) a value; any value where none is given.
    Filter {
        path: Vec<Step>,
        equal: bool,
        value: Option<Value>,
    },
}

/// Why a text is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadPath(String);

impl JsonPath {
    /// Reads `.spec.ports[0].name`, `.metadata.annotations['a/b']`, `.status.conditions[?(@.type=="Ready")].status`.
    pub fn parse(text: &str) -> Result<Self, BadPath> {
        if !text.starts_with(['.', '[']) {
            return Err(BadPath(format!("{text}: a path begins with a dot")));
        }
        Ok(Self {
            text: text.into(),
            steps: steps(text).map_err(|why| BadPath(format!("{text}: {why}")))?,
        })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names on the way, of a path that is nothing but fields.
    #[must_use]
    pub fn fields(&self) -> Option<Vec<&str>> {
        let names = self.steps.iter().map(|step| match step {
            Step::Field(name) => Some(name.as_str()),
            _ => None,
        });
        names.collect()
    }

    /// What stands there, in order.
    #[must_use]
    pub fn find<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        walk(&self.steps, value)
    }

    /// The first that stands there.
    #[must_use]
    pub fn first<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.find(value).into_iter().next()
    }
}

fn walk<'a>(steps: &[Step], value: &'a Value) -> Vec<&'a Value> {
    let mut found = vec![value];
    for step in steps {
        found = found
            .into_iter()
            .flat_map(|value| take(step, value))
            .collect();
    }
    found
}

fn take<'a>(step: &Step, value: &'a Value) -> Vec<&'a Value> {
    match (step, value) {
        (Step::Field(name), value) => value.get(name).into_iter().collect(),
        (Step::Item(index), Value::Array(list)) => {
            let from_end = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
            let at = if *index < 0 {
                list.len().checked_sub(from_end)
            } else {
                Some(from_end)
            };
            at.and_then(|at| list.get(at)).into_iter().collect()
        }
        (Step::Every, Value::Array(list)) => list.iter().collect(),
        (Step::Every, Value::Object(map)) => map.values().collect(),
        (Step::Filter { path, equal, value }, Value::Array(list)) => list
            .iter()
            .filter(|item| {
                let found = walk(path, item);
                match value {
                    None => !found.is_empty(),
                    Some(value) => found.first().is_some_and(|f| (*f == value) == *equal),
                }
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn steps(text: &str) -> Result<Vec<Step>, &'static str> {
    let (mut steps, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let (inner, after) = brackets(after)?;
            steps.push(bracketed(inner)?);
            rest = after;
        } else if let Some(after) = rest.strip_prefix('.') {
            if after.starts_with('[') {
                rest = after;
                continue;
            }
            let (name, after) = name(after);
            match name.as_str() {
                "" if steps.is_empty() && after.is_empty() => {}
                "" => return Err("a field without a name"),
                "*" => steps.push(Step::Every),
                _ => steps.push(Step::Field(name)),
            }
            rest = after;
        } else {
            return Err("a dot or a bracket is missing");
        }
    }
    Ok(steps)
}

/// A name up to the next dot or bracket; a backslash takes the special meaning away.
fn name(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.extend(chars.next().map(|(_, c)| c)),
            '.' | '[' => return (name, text.get(at..).unwrap_or_default()),
            c => name.push(c),
        }
    }
    (name, "")
}

/// What stands up to the closing bracket, quotes heeded, and what follows.
fn brackets(text: &str) -> Result<(&str, &str), &'static str> {
    let (mut quote, mut depth) = (None, 0);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => {
                let after = text.get(at + 1..).unwrap_or_default();
                return Ok((text.get(..at).unwrap_or_default(), after));
            }
            (None, ']') => depth -= 1,
            _ => {}
        }
    }
    Err("a bracket is not closed")
}

fn bracketed(inner: &str) -> Result<Step, &'static str> {
    let inner = inner.trim();
    if inner == "*" {
        return Ok(Step::Every);
    }
    if let Some(name) = unquoted(inner) {
        return Ok(Step::Field(name.into()));
    }
    if let Some(filter) = inner.strip_prefix("?(").and_then(|f| f.strip_suffix(')')) {
        return filtered(filter);
    }
    let number = inner.parse().map(Step::Item);
    number.map_err(|_| "neither a number, a quoted name, * nor a filter stands in the brackets")
}

fn filtered(filter: &str) -> Result<Step, &'static str> {
    let split = ["==", "!="].iter().find_map(|operator| {
        let (path, value) = filter.split_once(operator)?;
        Some((path, *operator == "==", Some(value)))
    });
    let (path, equal, value) = split.unwrap_or((filter, true, None));
    let path = path
        .trim()
        .strip_prefix('@')
        .ok_or("a filter begins with @")?;
    let value = value.map(str::trim).map(|text| match unquoted(text) {
        Some(text) => Ok(Value::from(text)),
        None => serde_json::from_str(text).map_err(|_| "a filter compares with no value"),
    });
    Ok(Step::Filter {
        path: steps(path)?,
        equal,
        value: value.transpose()?,
    })
}

fn unquoted(text: &str) -> Option<&str> {
    ['\'', '"']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(".spec.replicas", json!([3]))]
    #[case(".spec.none", json!([]))]
    #[case(".metadata.annotations['a.b/c']", json!(["x"]))]
    #[case(".metadata.annotations.a\\.b/c", json!(["x"]))]
    #[case(".list[0].n", json!([1]))]
    #[case(".list[-1].n", json!([2]))]
    #[case(".list[*].n", json!([1, 2]))]
    #[case(".list[?(@.type==\"B\")].n", json!([2]))]
    #[case(".list[?(@.type!='B')].n", json!([1]))]
    #[case(".list[?(@.n==2)].type", json!(["B"]))]
    #[case(".list[?(@.more)].n", json!([2]))]
    fn paths(#[case] path: &str, #[case] expected: Value) {
        let value = json!({
            "spec": {"replicas": 3}, "metadata": {"annotations": {"a.b/c": "x"}},
            "list": [{"type": "A", "n": 1}, {"type": "B", "n": 2, "more": {}}],
        });
        let found = JsonPath::parse(path).unwrap();
        assert_eq!(json!(found.find(&value)), expected);
    }

    #[rstest]
    #[case("spec")]
    #[case("")]
    #[case(".a..b")]
    #[case(".a[")]
    #[case(".a[x]")]
    #[case(".a[?(x)]")]
    fn no_paths(#[case] path: &str) {
        assert!(JsonPath::parse(path).is_err());
    }

    #[test]
    fn only_fields() {
        let path = |text| JsonPath::parse(text).unwrap();
        assert_eq!(path(".spec.a").fields(), Some(vec!["spec", "a"]));
        assert_eq!(path(".spec[0]").fields(), None);
    }
}
