//! Label and field selectors (apimachinery `labels/selector.go`, `fields/selector.go`).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::names;

/// A selector that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    #[error("{0}")]
    Labels(String),
    /// One requirement of a text of several.
    #[error("unable to parse requirement: {0}")]
    Requirement(String),
    #[error("invalid selector: '{selector}'; can't understand '{term}'")]
    Field { selector: String, term: String },
    /// A backslash before what needs none.
    #[error("invalid field selector: invalid escape sequence: \\{0}")]
    Escape(String),
    /// What a backslash should stand before, by its number.
    #[error("invalid field selector: unescaped character in value: {0}")]
    Unescaped(u32),
}

/// Requirements on labels that must all hold. The default selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelSelector(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    GreaterThan,
    LessThan,
}

impl LabelSelector {
    /// Reads the text form: `a=b,c!=d,e in (x,y),f notin (z),g,!h,i>1`.
    ///
    /// # Errors
    /// The text is no selector, or a key or value is no label's.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        Parser {
            tokens: tokens(text),
            at: 0,
        }
        .selector()
    }

    /// Reads the object form: `matchLabels` and `matchExpressions` (meta/v1 `LabelSelector`). An empty object selects everything.
    ///
    /// # Errors
    /// An operator is not known, or its values do not fit it.
    pub fn from_json(selector: &Value) -> Result<Self, SelectorError> {
        let mut requirements = Vec::new();
        for (key, value) in selector
            .get("matchLabels")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let value = value.as_str().unwrap_or_default().to_string();
            let requirement = Requirement::new(key, Operator::In, vec![value]);
            requirements.push(requirement.map_err(SelectorError::Labels)?);
        }
        for expression in selector
            .get("matchExpressions")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let text = |key: &str| {
                expression
                    .get(key)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            let operator = match text("operator") {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => {
                    return Err(SelectorError::Labels(format!(
                        "\"{other}\" is not a valid label selector operator"
                    )));
                }
            };
            let values = expression
                .get("values")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            let values = values
                .map(|v| v.as_str().unwrap_or_default().to_string())
                .collect();
            let requirement = Requirement::new(text("key"), operator, values);
            requirements.push(requirement.map_err(SelectorError::Labels)?);
        }
        Ok(Self(requirements))
    }

    /// A selector of exactly these labels, as a Service's `spec.selector` is.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let requirement = |(key, value): (&str, &str)| Requirement {
            key: key.into(),
            operator: Operator::In,
            values: vec![value.into()],
        };
        Self(pairs.into_iter().map(requirement).collect())
    }

    /// True when every requirement holds; `label` gives the value of a label, where there is one.
    pub fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.0
            .iter()
            .all(|requirement| requirement.matches(label(&requirement.key)))
    }

    /// True when it selects everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Requirement {
    fn new(key: &str, operator: Operator, values: Vec<String>) -> Result<Self, String> {
        let mut wrong = Vec::from_iter(bad_key("key", key));
        match operator {
            Operator::In | Operator::NotIn if values.is_empty() => wrong.push(
                "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty"
                    .into(),
            ),
            Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
                let shown = Value::from(values.as_slice());
                wrong.push(format!("values: Invalid value: {shown}: values set must be empty for exists and does not exist"));
            }
            Operator::GreaterThan | Operator::LessThan => {
                let numbers = values.iter().enumerate();
                let bad = numbers.filter(|(_, value)| value.parse::<i64>().is_err());
                wrong.extend(bad.map(|(i, value)| {
                    format!("values[{i}]: Invalid value: {value:?}: for 'Gt', 'Lt' operators, the value must be an integer")
                }));
            }
            _ => {}
        }
        for (i, value) in values.iter().enumerate() {
            let messages = names::label_value(value);
            if !messages.is_empty() {
                let why = messages.join("; ");
                wrong.push(format!(
                    "values[{i}][{key}]: Invalid value: {value:?}: {why}"
                ));
            }
        }
        match &wrong[..] {
            [] => Ok(Self {
                key: key.into(),
                operator,
                values,
            }),
            [one] => Err(one.clone()),
            many => Err(format!("[{}]", many.join(", "))),
        }
    }

    fn matches(&self, found: Option<&str>) -> bool {
        let among = |value: &str| self.values.iter().any(|v| v == value);
        let compare = |value: &str| {
            Some((
                value.parse::<i64>().ok()?,
                self.values.first()?.parse::<i64>().ok()?,
            ))
        };
        match (self.operator, found) {
            (Operator::In, found) => found.is_some_and(among),
            (Operator::NotIn, found) => !found.is_some_and(among),
            (Operator::Exists, found) => found.is_some(),
            (Operator::DoesNotExist, found) => found.is_none(),
            (Operator::GreaterThan, found) => found.and_then(compare).is_some_and(|(a, b)| a > b),
            (Operator::LessThan, found) => found.and_then(compare).is_some_and(|(a, b)| a < b),
        }
    }
}

/// What is wrong with a label's key, which stands at a path.
fn bad_key(path: &str, key: &str) -> Option<String> {
    let messages = names::qualified_name(key);
    let why = || messages.join("; ");
    (!messages.is_empty()).then(|| format!("{path}: Invalid value: {key:?}: {}", why()))
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    /// `=`, `==`, `!=`, `!`, `>`, `<`, `(`, `)`, `,`
    Sign(&'static str),
}

const SIGNS: [&str; 9] = ["==", "!=", "=", "!", ">", "<", "(", ")", ","];

fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first.is_ascii_whitespace() {
            rest = &rest[1..];
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            found.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else {
            let end = rest
                .find(|c: char| c.is_ascii_whitespace() || "=!><(),".contains(c))
                .unwrap_or(rest.len());
            found.push(Token::Word(rest[..end].to_string()));
            rest = &rest[end..];
        }
    }
    found
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn unexpected(found: Option<&Token>, expected: &str) -> String {
        let found = match found {
            Some(Token::Word(word)) => word,
            Some(Token::Sign(sign)) => *sign,
            None => "",
        };
        format!("found '{found}', expected: {expected}")
    }

    fn selector(mut self) -> Result<LabelSelector, SelectorError> {
        let begins =
            |token: Option<&Token>| matches!(token, Some(Token::Word(_) | Token::Sign("!")));
        let mut requirements = Vec::new();
        let mut expected = "!, identifier, or 'end of string'";
        if self.peek().is_none() {
            return Ok(LabelSelector(requirements));
        }
        loop {
            if !begins(self.peek()) {
                let wrong = Self::unexpected(self.peek(), expected);
                return Err(SelectorError::Labels(wrong));
            }
            let requirement = self.requirement();
            requirements.push(requirement.map_err(SelectorError::Requirement)?);
            match self.next() {
                None => return Ok(LabelSelector(requirements)),
                Some(Token::Sign(",")) => expected = "identifier after ','",
                other => {
                    let wrong = Self::unexpected(other.as_ref(), "',' or 'end of string'");
                    return Err(SelectorError::Labels(wrong));
                }
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = self.peek() == Some(&Token::Sign("!"));
        if absent {
            self.at += 1;
        }
        let key = match self.next() {
            Some(Token::Word(word)) => word,
            other => return Err(Self::unexpected(other.as_ref(), "identifier")),
        };
        // Upstream says nowhere where it stands.
        if let Some(wrong) = bad_key("<nil>", &key) {
            return Err(wrong);
        }
        if absent {
            return Requirement::new(&key, Operator::DoesNotExist, Vec::new());
        }
        let operator = match self.peek() {
            None | Some(Token::Sign(",")) => {
                return Requirement::new(&key, Operator::Exists, Vec::new());
            }
            Some(Token::Sign("=" | "==")) => Operator::In,
            Some(Token::Sign("!=")) => Operator::NotIn,
            Some(Token::Sign(">")) => Operator::GreaterThan,
            Some(Token::Sign("<")) => Operator::LessThan,
            Some(Token::Word(word)) if word == "in" || word == "notin" => {
                let operator = if word == "in" {
                    Operator::In
                } else {
                    Operator::NotIn
                };
                self.at += 1;
                let values = self.values()?;
                return Requirement::new(&key, operator, values);
            }
            other => {
                return Err(Self::unexpected(other, "in, notin, =, ==, !=, gt, lt"));
            }
        };
        self.at += 1;
        let value = match self.peek() {
            Some(Token::Word(word)) => {
                let word = word.clone();
                self.at += 1;
                word
            }
            None | Some(Token::Sign(",")) => String::new(),
            other => return Err(Self::unexpected(other, "identifier")),
        };
        Requirement::new(&key, operator, vec![value])
    }

    /// `(a, b)`, sorted, each once. What is left out between two commas is the empty value.
    fn values(&mut self) -> Result<Vec<String>, String> {
        match self.next() {
            Some(Token::Sign("(")) => {}
            // Without the comma that the others have.
            other => return Err(Self::unexpected(other.as_ref(), "'('").replacen(", ", " ", 1)),
        }
        let mut values = BTreeSet::new();
        let mut last = None;
        loop {
            match self.next() {
                Some(Token::Word(word)) if last.is_none() => last = Some(word),
                found @ Some(Token::Word(_)) => {
                    return Err(Self::unexpected(found.as_ref(), "',' or ')'"));
                }
                Some(Token::Sign(",")) => drop(values.insert(last.take().unwrap_or_default())),
                Some(Token::Sign(")")) => {
                    values.insert(last.unwrap_or_default());
                    return Ok(values.into_iter().collect());
                }
                other => {
                    let expected = match (&last, values.is_empty()) {
                        (Some(_), _) => "',' or ')'",
                        (None, true) => "',', ')' or identifier",
                        (None, false) => "',', or identifier",
                    };
                    return Err(Self::unexpected(other.as_ref(), expected));
                }
            }
        }
    }
}

/// Requirements on fields that must all hold. The default selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSelector(Vec<(String, bool, String)>);

impl FieldSelector {
    /// Reads `metadata.name=x,status.phase!=Running`; `\,`, `\=` and `\\` stand for themselves.
    ///
    /// # Errors
    /// A term has no `=`.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut requirements = Vec::new();
        let terms: BTreeSet<&str> = split_unescaped(text)
            .filter(|term| !term.is_empty())
            .collect();
        for term in terms {
            // The field knows no escapes: the first operator ends it.
            let operators = ["!=", "==", "="];
            let found = term.char_indices().find_map(|(at, _)| {
                let rest = &term[at..];
                let sign = operators.iter().find(|sign| rest.starts_with(**sign))?;
                Some((&term[..at], *sign, &rest[sign.len()..]))
            });
            let (field, operator, value) = found.ok_or_else(|| SelectorError::Field {
                selector: text.into(),
                term: term.into(),
            })?;
            requirements.push((field.to_string(), operator != "!=", unescape(value)?));
        }
        Ok(Self(requirements))
    }

    /// Field, whether it must be equal (else unequal), value.
    #[must_use]
    pub fn requirements(&self) -> &[(String, bool, String)] {
        &self.0
    }

    /// True when every requirement holds; a field that is absent is empty.
    pub fn matches(&self, field: impl Fn(&str) -> Option<String>) -> bool {
        self.0
            .iter()
            .all(|(name, equals, value)| (field(name).unwrap_or_default() == *value) == *equals)
    }
}

/// The text's parts between commas that no backslash stands before.
fn split_unescaped(text: &str) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    text.split(move |c| {
        let splits = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        splits
    })
}

fn unescape(text: &str) -> Result<String, SelectorError> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(escaped @ ('\\' | ',' | '=')) => out.push(escaped),
                other => return Err(SelectorError::Escape(String::from_iter(other))),
            },
            ',' | '=' => return Err(SelectorError::Unescaped(c.into())),
            other => out.push(other),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn matches(selector: &str) -> bool {
        let labels = [
            ("app", "web"),
            ("tier", "front"),
            ("weight", "7"),
            ("empty", ""),
        ];
        LabelSelector::parse(selector)
            .unwrap()
            .matches(|key| labels.iter().find(|(k, _)| *k == key).map(|(_, v)| *v))
    }

    #[rstest]
    #[case("", true)]
    #[case("app=web", true)]
    #[case("app==web,tier=front", true)]
    #[case("app=web,tier=back", false)]
    #[case("app!=web", false)]
    #[case("zone!=a", true)]
    #[case("app in (web, api)", true)]
    #[case("app notin (web)", false)]
    #[case("zone notin (a,b)", true)]
    #[case("tier", true)]
    #[case("!tier", false)]
    #[case("! zone", true)]
    #[case("weight>6,weight<8", true)]
    #[case("weight>7", false)]
    #[case("empty=", true)]
    #[case("app in (,web)", true)]
    fn label_selectors(#[case] selector: &str, #[case] expected: bool) {
        assert_eq!(matches(selector), expected);
    }

    #[rstest]
    #[case("app in", "unable to parse requirement: found '' expected: '('")]
    #[case("app in web", "unable to parse requirement: found 'web' expected: '('")]
    #[case(
        "app in (a b)",
        "unable to parse requirement: found 'b', expected: ',' or ')'"
    )]
    #[case(
        "app in (a",
        "unable to parse requirement: found '', expected: ',' or ')'"
    )]
    #[case(
        "app in (a,!",
        "unable to parse requirement: found '!', expected: ',', or identifier"
    )]
    #[case(
        "app in (=",
        "unable to parse requirement: found '=', expected: ',', ')' or identifier"
    )]
    #[case("app in ()x", "found 'x', expected: ',' or 'end of string'")]
    #[case("app=web,", "found '', expected: identifier after ','")]
    #[case("app=web,,x", "found ',', expected: identifier after ','")]
    #[case("=web", "found '=', expected: !, identifier, or 'end of string'")]
    #[case(",", "found ',', expected: !, identifier, or 'end of string'")]
    #[case("!=web", "found '!=', expected: !, identifier, or 'end of string'")]
    #[case("!", "unable to parse requirement: found '', expected: identifier")]
    #[case("!app=web", "found '=', expected: ',' or 'end of string'")]
    #[case(
        "app web",
        "unable to parse requirement: found 'web', expected: in, notin, =, ==, !=, gt, lt"
    )]
    #[case("app=we b", "found 'b', expected: ',' or 'end of string'")]
    #[case(
        "app=!",
        "unable to parse requirement: found '!', expected: identifier"
    )]
    #[case(
        "weight>x",
        "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer"
    )]
    fn bad_label_selectors(#[case] selector: &str, #[case] expected: &str) {
        let wrong = LabelSelector::parse(selector).unwrap_err();
        assert_eq!(wrong.to_string(), expected);
    }

    #[test]
    fn keys_and_values_are_labels() {
        let wrong = |text: &str| LabelSelector::parse(text).unwrap_err().to_string();
        let told = wrong("-app=web");
        assert!(
            told.starts_with(
                "unable to parse requirement: <nil>: Invalid value: \"-app\": name part must"
            ),
            "{told}"
        );
        let told = wrong("app in (z,-y,-x)");
        let begins = "unable to parse requirement: [values[0][app]: Invalid value: \"-x\": a valid label must be";
        assert!(told.starts_with(begins), "{told}");
        assert!(
            told.contains(", values[1][app]: Invalid value: \"-y\": a valid"),
            "{told}"
        );
        let told = wrong(&format!("app=-{}", "x".repeat(63)));
        assert!(
            told.contains("must be no more than 63 bytes; a valid label"),
            "{told}"
        );
    }

    #[test]
    fn the_object_form() {
        let selector = LabelSelector::from_json(&json!({
            "matchLabels": {"app": "web"},
            "matchExpressions": [{"key": "tier", "operator": "In", "values": ["front"]}, {"key": "gone", "operator": "DoesNotExist"}],
        }));
        assert!(selector.unwrap().matches(|key| {
            [("app", "web"), ("tier", "front")]
                .iter()
                .find(|(k, _)| *k == key)
                .map(|(_, v)| *v)
        }));
        for bad in [
            json!({"key": "a", "operator": "Like"}),
            json!({"key": "a", "operator": "In"}),
            json!({"key": "", "operator": "Exists"}),
        ] {
            assert!(
                LabelSelector::from_json(&json!({"matchExpressions": [bad]})).is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn field_selectors_in_parts() {
        let parse = |text: &str| FieldSelector::parse(text).map(|selector| selector.0);
        let one = |field: &str, equals, value: &str| {
            Ok(vec![(field.to_string(), equals, value.to_string())])
        };
        assert_eq!(parse("a=\\\\"), one("a", true, "\\"));
        assert_eq!(parse("a!=x\\=y"), one("a", false, "x=y"));
        assert_eq!(parse("a= x"), one("a", true, " x"));
        assert_eq!(parse("a!b=c"), one("a!b", true, "c"));
        let both = [
            ("a".into(), true, "1".into()),
            ("b".into(), false, "2".into()),
        ];
        assert_eq!(parse("b!=2,,a=1,a=1"), Ok(both.to_vec()));
        for (bad, told) in [
            (
                "a!==b",
                "invalid field selector: unescaped character in value: 61",
            ),
            (
                "a=b=c",
                "invalid field selector: unescaped character in value: 61",
            ),
            (
                "a=b\\c",
                "invalid field selector: invalid escape sequence: \\c",
            ),
            (
                "a=b\\",
                "invalid field selector: invalid escape sequence: \\",
            ),
            ("x=1,a", "invalid selector: 'x=1,a'; can't understand 'a'"),
            ("a!", "invalid selector: 'a!'; can't understand 'a!'"),
        ] {
            assert_eq!(parse(bad).unwrap_err().to_string(), told);
        }
    }

    #[test]
    fn field_selectors() {
        let field = |name: &str| (name == "metadata.name").then(|| "a,b".to_string());
        for (text, expected) in [
            ("metadata.name=a\\,b", true),
            ("metadata.name!=a\\,b", false),
            ("metadata.name==a", false),
            ("spec.nodeName=", true),
            ("", true),
        ] {
            assert_eq!(
                FieldSelector::parse(text).unwrap().matches(field),
                expected,
                "{text}"
            );
        }
        assert!(FieldSelector::parse("metadata.name").is_err());
        assert!(FieldSelector::parse("a=b=c").is_err());
    }
}
