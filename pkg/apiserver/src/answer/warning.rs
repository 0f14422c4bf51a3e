//! `Warning` headers (RFC 7234, 5.5): code 299, no agent, quoted text (upstream: `endpoints/filters/warning.go`).

use http::HeaderValue;
use http::header::WARNING;

use super::Answer;

/// Characters of all texts of an answer; where there are more, each text is cut.
const ALL: usize = 4096;
/// What is left of a text that is cut.
const EACH: usize = 256;

/// Adds a header for each text, once. Those that an answer has already have the texts of its kind, which are short.
pub(crate) fn warn(answer: &mut Answer, texts: &[String]) {
    let mut distinct: Vec<&str> = Vec::new();
    for text in texts {
        if !distinct.contains(&text.as_str()) {
            distinct.push(text);
        }
    }
    // What no header can carry is not said.
    distinct.retain(|text| !text.is_empty() && !text.chars().any(char::is_control));
    let mut size = 0;
    let too_long = distinct.iter().position(|text| {
        size += text.chars().count();
        size > ALL
    });
    let mut said = 0;
    for (i, text) in distinct.into_iter().enumerate() {
        // The one that goes past the limit is still said.
        if too_long.is_some_and(|last| i > last && said >= ALL) {
            return;
        }
        let most = if too_long.is_some() { EACH } else { usize::MAX };
        let text: String = text.chars().take(most).collect();
        said += text.chars().count();
        if let Ok(value) = HeaderValue::from_bytes(format!("299 - {}", quoted(&text)).as_bytes()) {
            answer.headers_mut().append(WARNING, value);
        }
    }
}

/// The text between quotes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(texts: &[String]) -> Vec<String> {
        let mut answer = Answer::default();
        warn(&mut answer, texts);
        let all = answer.headers().get_all(WARNING).iter();
        all.map(|value| String::from_utf8(value.as_bytes().to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn texts_are_quoted_and_said_once() {
        let texts = [
            "unknown field \"spec.x\"",
            "a\\b ü",
            "c\nd",
            "",
            "unknown field \"spec.x\"",
        ];
        assert_eq!(
            said(&texts.map(String::from)),
            [r#"299 - "unknown field \"spec.x\"""#, r#"299 - "a\\b ü""#]
        );
    }

    #[test]
    fn texts_are_cut_where_they_are_too_long_together() {
        let texts = |sizes: &[usize]| -> Vec<String> {
            let text = |(i, size): (usize, &usize)| format!("{i:04}{}", "é".repeat(size - 4));
            sizes.iter().enumerate().map(text).collect()
        };
        let lengths = |sizes: &[usize]| -> Vec<usize> {
            let inner = |text: &String| text.chars().count() - "299 - \"\"".len();
            said(&texts(sizes)).iter().map(inner).collect()
        };
        assert_eq!(lengths(&[4000, 96]), [4000, 96]);
        assert_eq!(lengths(&[4000, 97]), [256, 97]);
        assert_eq!(lengths(&[100, 5000, 200]), [100, 256, 200]);
        assert_eq!(lengths(&[300; 40]), [256; 16]);
        assert_eq!(lengths(&[50; 100]), [50; 82]);
        let mut full = vec![64; 64];
        full.extend([300, 10]);
        assert_eq!(lengths(&full)[64..], [256]);
    }
}
