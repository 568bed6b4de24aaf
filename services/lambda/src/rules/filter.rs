//! Which records of a source reach the function.

use pattern::{Dialect, Pattern};
use serde_json::{Map, Value};

use crate::error::Error;

/// Numbers as EventBridge bounds them.
const DIALECT: Dialect = Dialect { number_max: 5e9, flat: None };

/// The filters of a mapping, read.
#[derive(Debug, Default)]
pub(crate) struct Filters(Vec<Pattern>);

impl Filters {
    pub(crate) fn read(patterns: &[String]) -> Result<Filters, Error> {
        let read = |text: &String| {
            let members: Map<String, Value> = serde_json::from_str(text).ok()?;
            Pattern::read(&members, &DIALECT).ok().filter(|_| !members.is_empty())
        };
        let patterns: Option<Vec<Pattern>> = patterns.iter().map(read).collect();
        let invalid = || Error::parameter("Invalid filter pattern definition.");
        patterns.map(Filters).ok_or_else(invalid)
    }

    /// Whether a record of a stream meets one of them, as it stands.
    pub(crate) fn want_whole(&self, record: &Value) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| pattern.wants(record))
    }

    /// Whether a message meets one of them. A body that is a JSON object or array is looked into;
    /// any other is a text, so that patterns of the other kind never meet it.
    pub(crate) fn want(&self, record: &Value) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let body = record.get("body").and_then(Value::as_str);
        let parsed = body.and_then(|text| serde_json::from_str::<Value>(text).ok());
        let parsed = parsed.filter(|body| body.is_object() || body.is_array());
        let mut seen = record.clone();
        if let Some(body) = parsed {
            seen["body"] = body;
        }
        self.0.iter().any(|pattern| pattern.wants(&seen))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filters(patterns: &[Value]) -> Result<Filters, Error> {
        Filters::read(&patterns.iter().map(Value::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn bodies_are_looked_into_where_they_are_json() {
        let check = |pattern: Value, wanted: &[&str], unwanted: &[&str]| {
            let filters = filters(std::slice::from_ref(&pattern)).unwrap();
            for (bodies, expected) in [(wanted, true), (unwanted, false)] {
                for body in bodies {
                    let record = json!({ "body": body, "attributes": { "SenderId": "me" } });
                    assert_eq!(filters.want(&record), expected, "{pattern} {body}");
                }
            }
        };
        let json = r#"{"a":"x","n":7}"#;
        check(json!({ "body": { "a": ["x"] } }), &[json], &["x", "7", r#"{"a":"y"}"#]);
        check(json!({ "body": { "n": [{ "numeric": [">", 5] }] } }), &[json], &["{}"]);
        check(json!({ "body": ["x", "7"] }), &["x", "7"], &[json, "y"]);
        check(json!({ "body": [{ "prefix": "or" }] }), &["order"], &[json, "x"]);
        check(json!({ "attributes": { "SenderId": ["me"] } }), &[json, "x"], &[]);
        let or = json!([{ "body": { "a": ["y"] } }, { "body": { "n": [7] } }]);
        check(json!({ "$or": or }), &[json], &["x"]);
        check(
            json!({ "body": { "lines": { "sku": ["a"] } } }),
            &[r#"{"lines":[{"sku":"a"}]}"#],
            &["[]"],
        );
    }

    #[test]
    fn one_of_several_is_enough_and_none_wants_all() {
        let record = json!({ "body": "x" });
        assert!(Filters::default().want(&record));
        let two = [json!({ "body": ["y"] }), json!({ "body": ["x"] })];
        assert!(filters(&two).unwrap().want(&record));
        assert!(!filters(&two[..1]).unwrap().want(&record));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in [
            "",
            "null",
            "text",
            "{}",
            "[]",
            r#"{"body":"x"}"#,
            r#"{"body":[]}"#,
            r#"{"body":{}}"#,
            r#"{"body":[{"near":"x"}]}"#,
        ] {
            let fault = Filters::read(&[text.to_owned()]).unwrap_err().to_string();
            assert_eq!(fault, "Invalid filter pattern definition.", "{text}");
        }
    }
}
