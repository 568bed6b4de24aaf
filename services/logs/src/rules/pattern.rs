//! Filter patterns for text: `ERROR "not found" -debug ?timeout ?refused`.

use crate::error::{Error, Result};

const PATTERN_CHARS_MAX: usize = 1024;

/// A line matches if it has all of `all`, none of `none`, and, where `all` is empty, one of `any`.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Result<Pattern> {
        if text.chars().count() > PATTERN_CHARS_MAX {
            let must = "Member must have length less than or equal to 1024";
            return Err(Error::constraint("filterPattern", text, must));
        }
        let mut pattern = Pattern::default();
        let mut rest = text.trim_start();
        for (start, kind) in [('{', "JSON"), ('[', "space-delimited"), ('%', "regular expression")]
        {
            if rest.starts_with(start) {
                return Err(Error::not_served(format_args!("a {kind} filter pattern")));
            }
        }
        while !rest.is_empty() {
            let (list, term) = match rest.as_bytes() {
                [b'-', ..] => (&mut pattern.none, &rest[1..]),
                [b'?', ..] => (&mut pattern.any, &rest[1..]),
                _ => (&mut pattern.all, rest),
            };
            let (term, after) = if term.starts_with('"') { quoted(term)? } else { bare(term)? };
            list.push(term);
            rest = after.trim_start();
        }
        Ok(pattern)
    }

    /// Case counts.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let has = |term: &String| text.contains(term.as_str());
        let optional = !self.all.is_empty() || self.any.is_empty();
        self.all.iter().all(has)
            && !self.none.iter().any(has)
            && (optional || self.any.iter().any(has))
    }
}

/// `"a \"b\""`: the text between the quotes, and what follows.
fn quoted(text: &str) -> Result<(String, &str)> {
    let mut term = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Ok((term, &text[at + 1..])),
            '\\' => term.extend(chars.next().map(|(_, escaped)| escaped)),
            char => term.push(char),
        }
    }
    Err(invalid("a quoted term has no end"))
}

/// A word, and what follows.
fn bare(text: &str) -> Result<(String, &str)> {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (term, after) = text.split_at(end);
    let fits = |c: char| c.is_alphanumeric() || c == '_';
    if term.is_empty() || !term.chars().all(fits) {
        return Err(invalid(&format!("Invalid character(s) in term '{term}'")));
    }
    Ok((term.to_owned(), after))
}

fn invalid(why: &str) -> Error {
    Error::InvalidParameter(format!("Invalid filter pattern: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_aws_says() {
        for (pattern, text, matches) in [
            ("", "anything", true),
            ("  ", "anything", true),
            ("ERROR", "an ERROR here", true),
            ("ERROR", "an error here", false),
            ("a b", "b and a", true),
            ("a b", "only a", false),
            ("\"b and\"", "b and a", true),
            ("\"and b\"", "b and a", false),
            (r#""say \"hi\"""#, "they say \"hi\" to us", true),
            ("-debug", "info", true),
            ("a -debug", "a debug", false),
            ("-\"two words\"", "these two words", false),
            ("?a ?b", "b", true),
            ("?a ?b", "c", false),
            ("?a -c", "a c", false),
            ("x ?a", "x", true),
            ("\"7}\"", "{\"n\":7}", true),
        ] {
            let found = Pattern::parse(pattern).unwrap().matches(text);
            assert_eq!(found, matches, "{pattern} in {text}");
        }
    }

    #[test]
    fn what_is_no_text_pattern_is_refused() {
        for (pattern, why) in [
            ("{ $.level = 1 }", "a JSON filter pattern is not served"),
            ("[a, b]", "a space-delimited filter pattern is not served"),
            ("%ERR.*%", "a regular expression filter pattern is not served"),
            ("a:b", "Invalid filter pattern: Invalid character(s) in term 'a:b'"),
            ("\"open", "Invalid filter pattern: a quoted term has no end"),
            ("-", "Invalid filter pattern: Invalid character(s) in term ''"),
        ] {
            let error = Pattern::parse(pattern).unwrap_err().to_string();
            assert!(error.ends_with(why), "{pattern}: {error}");
        }
    }
}
