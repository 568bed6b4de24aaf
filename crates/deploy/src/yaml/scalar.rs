//! What an unquoted scalar means: the core schema of YAML 1.2 as js-yaml 4 reads it, because that
//! is what the Serverless Framework reads with.
//!
//! `yes`, `no`, `on` and `2012-10-17` are strings; `0o17`, `0x1F` and `1_000` are numbers; `010`
//! is ten.

use serde_json::Number;

use super::Value;

/// Integers beyond this are not exact in JavaScript, so a whole float below it is an integer.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

pub(crate) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    match integer(text).or_else(|| float(text)) {
        Some(number) => Value::Number(number),
        None => Value::String(text.to_owned()),
    }
}

fn integer(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (radix, digits) = match unsigned.get(..2) {
        Some("0b") => (2, &unsigned[2..]),
        Some("0o") => (8, &unsigned[2..]),
        Some("0x") => (16, &unsigned[2..]),
        _ => (10, unsigned),
    };
    if digits.is_empty() || digits.starts_with('_') || digits.ends_with('_') {
        return None;
    }
    let digits: String = digits.chars().filter(|c| *c != '_').collect();
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let negative = text.starts_with('-');
    match u64::from_str_radix(&digits, radix) {
        Ok(0) => Some(0.into()),
        Ok(value) if negative => 0_i64.checked_sub_unsigned(value).map(Number::from),
        Ok(value) => Some(value.into()),
        // Too long for an integer: `float` takes it, as JavaScript would.
        Err(_) => None,
    }
}

fn float(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let starts_right = unsigned.starts_with(|c: char| c.is_ascii_digit())
        || unsigned.strip_prefix('.')?.starts_with(|c: char| c.is_ascii_digit());
    let only_float = |c: char| c.is_ascii_digit() || matches!(c, '.' | '_' | 'e' | 'E' | '+' | '-');
    if !starts_right || text.ends_with('_') || !unsigned.chars().all(only_float) {
        return None;
    }
    let value: f64 = text.replace('_', "").parse().ok()?;
    if value.fract() == 0.0 && value.abs() < EXACT_MAX {
        // JavaScript prints 1.0 as 1, and so must we where it becomes a string.
        return format!("{value:.0}").parse::<i64>().ok().map(Number::from);
    }
    Number::from_f64(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, json: &str) {
        let value = match plain(text) {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Number(number) => number.to_string(),
            Value::String(text) => format!("{text:?}"),
            other => panic!("{other:?}"),
        };
        assert_eq!(value, json, "{text}");
    }

    #[test]
    fn core_schema() {
        for text in ["", "~", "null", "NULL"] {
            check(text, "null");
        }
        for (text, json) in [
            ("true", "true"),
            ("False", "false"),
            ("12", "12"),
            ("-12", "-12"),
            ("+12", "12"),
            ("010", "10"),
            ("0o17", "15"),
            ("0x1F", "31"),
            ("0b11", "3"),
            ("1_000", "1000"),
            ("-0", "0"),
            ("1.0", "1"),
            ("1.5", "1.5"),
            ("-.5", "-0.5"),
            ("1e3", "1000"),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            check(text, json);
        }
    }

    #[test]
    fn all_else_is_text() {
        for text in [
            "yes",
            "no",
            "on",
            "off",
            "y",
            "2012-10-17",
            "1.2.3",
            "0o8",
            "0x",
            "1_",
            "_1",
            "+",
            "-",
            ".",
            "e5",
            "12:30:45",
            "1e",
            ".inf",
            ".nan",
            "nodejs20.x",
            "inf",
            "nan",
            "infinity",
        ] {
            check(text, &format!("{text:?}"));
        }
    }
}
