//! Label and field selectors (apimachinery `labels/selector.go`, `fields/selector.go`).

use serde_json::Value;

use crate::names;

/// A selector that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    #[error("unable to parse requirement: {0}")]
    Syntax(String),
    #[error("invalid selector: '{selector}'; can't understand '{term}'")]
    Field { selector: String, term: String },
    #[error("{0}")]
    Invalid(String),
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
            requirements.push(Requirement::new(key, Operator::In, vec![value])?);
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
                    return Err(SelectorError::Invalid(format!(
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
            requirements.push(Requirement::new(text("key"), operator, values)?);
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
    fn new(key: &str, operator: Operator, values: Vec<String>) -> Result<Self, SelectorError> {
        let invalid = |message: String| SelectorError::Invalid(message);
        if let Some(message) = names::qualified_name(key).into_iter().next() {
            return Err(invalid(format!("key: Invalid value: \"{key}\": {message}")));
        }
        match operator {
            Operator::In | Operator::NotIn if values.is_empty() => {
                return Err(invalid("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty".into()));
            }
            Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
                return Err(invalid(
                    "values: Invalid value: values set must be empty for exists and does not exist"
                        .into(),
                ));
            }
            Operator::GreaterThan | Operator::LessThan
                if values.len() != 1 || values[0].parse::<i64>().is_err() =>
            {
                return Err(invalid(
                    "values: Invalid value: for 'Gt', 'Lt' operators, the value must be an integer"
                        .into(),
                ));
            }
            _ => {}
        }
        for (i, value) in values.iter().enumerate() {
            if let Some(message) = names::label_value(value).into_iter().next() {
                return Err(invalid(format!(
                    "values[{i}][{key}]: Invalid value: \"{value}\": {message}"
                )));
            }
        }
        Ok(Self {
            key: key.into(),
            operator,
            values,
        })
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

    fn unexpected(found: Option<Token>, expected: &str) -> SelectorError {
        let found = match found {
            Some(Token::Word(word)) => word,
            Some(Token::Sign(sign)) => sign.into(),
            None => String::new(),
        };
        SelectorError::Syntax(format!("found '{found}', expected: {expected}"))
    }

    fn selector(mut self) -> Result<LabelSelector, SelectorError> {
        let mut requirements = Vec::new();
        if self.peek().is_none() {
            return Ok(LabelSelector(requirements));
        }
        loop {
            requirements.push(self.requirement()?);
            match self.next() {
                None => return Ok(LabelSelector(requirements)),
                Some(Token::Sign(",")) if self.peek().is_some() => {}
                Some(Token::Sign(",")) => {
                    return Err(Self::unexpected(None, "identifier after ','"));
                }
                other => return Err(Self::unexpected(other, "',' or 'end of string'")),
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let absent = self.peek() == Some(&Token::Sign("!"));
        if absent {
            self.at += 1;
        }
        let key = match self.next() {
            Some(Token::Word(word)) => word,
            other => return Err(Self::unexpected(other, "!, identifier, or 'end of string'")),
        };
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
                return Err(Self::unexpected(
                    other.cloned(),
                    "in, notin, =, ==, !=, gt, lt",
                ));
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
            other => return Err(Self::unexpected(other.cloned(), "identifier")),
        };
        Requirement::new(&key, operator, vec![value])
    }

    fn values(&mut self) -> Result<Vec<String>, SelectorError> {
        if self.next() != Some(Token::Sign("(")) {
            self.at -= 1;
            return Err(Self::unexpected(self.next(), "'('"));
        }
        let mut values = vec![String::new()];
        loop {
            match self.next() {
                Some(Token::Word(word)) => {
                    if let Some(last) = values.last_mut() {
                        *last = word;
                    }
                }
                Some(Token::Sign(",")) => values.push(String::new()),
                Some(Token::Sign(")")) => return Ok(values),
                other => return Err(Self::unexpected(other, "',', ')' or identifier")),
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
        for term in split_unescaped(text).filter(|term| !term.is_empty()) {
            let wrong = || SelectorError::Field {
                selector: text.into(),
                term: term.into(),
            };
            // The field knows no escapes: the first operator ends it.
            let at = term.find(['=', '!']).ok_or_else(wrong)?;
            let (field, rest) = term.split_at(at);
            let (operator, value) = ["!=", "==", "="]
                .iter()
                .find_map(|sign| Some((*sign, rest.strip_prefix(sign)?)))
                .ok_or_else(wrong)?;
            let value = unescape(value).ok_or_else(wrong)?;
            requirements.push((field.to_string(), operator != "!=", value));
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

fn unescape(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push(chars.next().filter(|c| matches!(c, '\\' | ',' | '='))?),
            ',' | '=' => return None,
            other => out.push(other),
        }
    }
    Some(out)
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
    #[case("app in")]
    #[case("app in web")]
    #[case("app=web,")]
    #[case("=web")]
    #[case("app web")]
    #[case("-app=web")]
    #[case("app=we b")]
    #[case("app in ()x")]
    #[case("weight>x")]
    fn bad_label_selectors(#[case] selector: &str) {
        assert!(LabelSelector::parse(selector).is_err());
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
        for bad in ["a!==b", "a=b\\c", "a", "a!", "a=b\\"] {
            assert!(parse(bad).is_err(), "{bad}");
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
