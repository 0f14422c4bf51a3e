//! `Warning` headers (RFC 7234, 5.5): code 299, no agent, quoted text.

use http::HeaderValue;
use http::header::WARNING;

use super::Answer;

/// Adds a header for each text, once.
pub(crate) fn warn(answer: &mut Answer, texts: &[String]) {
    for (i, text) in texts.iter().enumerate() {
        if texts[..i].contains(text) {
            continue;
        }
        if let Ok(value) = HeaderValue::from_str(&format!("299 - {}", quoted(text))) {
            answer.headers_mut().append(WARNING, value);
        }
    }
}

/// The text between quotes; what no header can carry is left out.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            '\n' | '\t' => out.push(' '),
            _ => {}
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted() {
        let mut answer = Answer::default();
        warn(
            &mut answer,
            &[
                "unknown field \"spec.x\"".into(),
                "a\\b\nc\u{1}ü".into(),
                "unknown field \"spec.x\"".into(),
            ],
        );
        let all: Vec<_> = answer
            .headers()
            .get_all(WARNING)
            .iter()
            .map(|v| v.to_str().unwrap())
            .collect();
        assert_eq!(
            all,
            [r#"299 - "unknown field \"spec.x\"""#, r#"299 - "a\\b c""#]
        );
    }
}
