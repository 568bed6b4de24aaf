//! `${…}` in a string as a list of parts. Pure: nothing is looked up here.
//!
//! Only `${source:address}` and `${source(params):address}` with a lower-case source are
//! variables; `${AWS::Region}`, `${Queue.Arn}` and `${name}` belong to `Fn::Sub` and stay.

use serde_json::Value;

/// A piece of a string.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    Text(String),
    Variable(Variable),
}

/// `${a:b, c:d, 'e'}`: sources in the order they are tried.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Variable {
    /// As it was written, for messages.
    pub(super) text: String,
    pub(super) sources: Vec<Source>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Source {
    /// `'dev'`, `5`, `true`, `null`
    Literal(Value),
    /// `${opt:stage, ${self:custom.stage}}`, the form of older versions.
    Nested(Variable),
    Address {
        kind: String,
        /// What stands in parentheses; may itself hold variables.
        params: Vec<Part>,
        address: Vec<Part>,
    },
}

/// The parts of a string; one text where it holds no variable.
pub(super) fn parse(text: &str) -> Result<Vec<Part>, String> {
    let mut scanner = Scanner { text, at: 0, depth: 0 };
    let parts = scanner.parts(&[])?;
    Ok(parts)
}

/// How deep variables may stand in the addresses of variables.
const DEPTH_MAX: usize = 10;

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Scanner<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Text and variables up to one of the characters in `ends`, or the end of the string.
    fn parts(&mut self, ends: &[char]) -> Result<Vec<Part>, String> {
        let mut parts = Vec::new();
        let mut text = String::new();
        while let Some(next) = self.peek() {
            if ends.contains(&next) {
                break;
            }
            if next == '\\' && self.escape(&mut text) {
                continue;
            }
            if let Some(variable) = self.variable()? {
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                }
                parts.push(Part::Variable(variable));
                continue;
            }
            text.push(next);
            self.at += next.len_utf8();
        }
        if !text.is_empty() || parts.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(parts)
    }

    /// `\${` is a dollar that begins nothing, `\\${` a backslash before a variable.
    fn escape(&mut self, text: &mut String) -> bool {
        let slashes = self.rest().len() - self.rest().trim_start_matches('\\').len();
        if !self.rest()[slashes..].starts_with("${") {
            return false;
        }
        text.push_str(&"\\".repeat(slashes / 2));
        self.at += slashes;
        if slashes % 2 == 1 {
            text.push_str("${");
            self.at += 2;
        }
        true
    }

    /// A whole variable, where one begins here.
    fn variable(&mut self) -> Result<Option<Variable>, String> {
        let Some(inside) = self.rest().strip_prefix("${") else { return Ok(None) };
        if kind_of(inside.trim_start()).is_none() {
            return Ok(None);
        }
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("variables nest more than {DEPTH_MAX} deep"));
        }
        let start = self.at;
        self.at += 2;
        let mut sources = vec![self.source()?];
        loop {
            match self.peek() {
                Some(',') => {
                    self.at += 1;
                    sources.push(self.source()?);
                }
                Some('}') => break,
                _ => {
                    return Err(format!(
                        "`{}` is not closed: `}}` is missing",
                        &self.text[start..]
                    ));
                }
            }
        }
        self.at += 1;
        self.depth -= 1;
        Ok(Some(Variable { text: self.text[start..self.at].to_owned(), sources }))
    }

    fn source(&mut self) -> Result<Source, String> {
        self.skip_space();
        if let Some(nested) = self.variable()? {
            self.skip_space();
            return Ok(Source::Nested(nested));
        }
        if let Some(quote @ ('\'' | '"')) = self.peek() {
            let source = self.quoted(quote)?;
            self.skip_space();
            return Ok(source);
        }
        let Some(kind) = kind_of(self.rest()).map(str::to_owned) else { return self.literal() };
        self.at += kind.len();
        let mut params = Vec::new();
        if self.peek() == Some('(') {
            self.at += 1;
            params = trimmed(self.parts(&[')'])?);
            if self.peek() != Some(')') {
                return Err(format!("`{}` is not closed: `)` is missing", self.text));
            }
            self.at += 1;
        }
        let mut address = Vec::new();
        if self.peek() == Some(':') {
            self.at += 1;
            address = trimmed(self.parts(&[',', '}'])?);
        }
        self.skip_space();
        Ok(Source::Address { kind, params, address })
    }

    fn quoted(&mut self, quote: char) -> Result<Source, String> {
        let body = &self.rest()[1..];
        let Some(end) = body.find(quote) else {
            return Err(format!("in `{}` a quote is not closed", self.text));
        };
        let text = body[..end].to_owned();
        self.at += end + 2;
        Ok(Source::Literal(text.into()))
    }

    /// A number, `true`, `false` or `null`.
    fn literal(&mut self) -> Result<Source, String> {
        let end = self.rest().find([',', '}']).unwrap_or_else(|| self.rest().len());
        let text = self.rest()[..end].trim().to_owned();
        let value: Option<Value> = serde_json::from_str(&text).ok();
        match value.filter(|value| !value.is_array() && !value.is_object()) {
            Some(value) => {
                self.at += end;
                Ok(Source::Literal(value))
            }
            None if text.is_empty() => Err(format!("in `{}` a fallback is missing", self.text)),
            None => Err(format!("in `{}` the fallback {text} needs quotes: '{text}'", self.text)),
        }
    }
}

/// The source's name where `text` begins with one: `self:`, `file(`, but not `AWS::`.
fn kind_of(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.'))?;
    let (kind, rest) = text.split_at(end);
    let is_source = kind.starts_with(|c: char| c.is_ascii_lowercase())
        && (rest.starts_with('(') || rest.starts_with(':') && !rest.starts_with("::"));
    is_source.then_some(kind)
}

/// Parts without the space around them.
fn trimmed(mut parts: Vec<Part>) -> Vec<Part> {
    if let Some(Part::Text(text)) = parts.first_mut() {
        *text = text.trim_start().to_owned();
    }
    if let Some(Part::Text(text)) = parts.last_mut() {
        *text = text.trim_end().to_owned();
    }
    parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(parts: &[Part]) -> String {
        parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => format!("<{text}>"),
                Part::Variable(variable) => {
                    let sources: Vec<String> = variable.sources.iter().map(show_source).collect();
                    format!("{{{}}}", sources.join(" | "))
                }
            })
            .collect()
    }

    fn show_source(source: &Source) -> String {
        match source {
            Source::Literal(value) => value.to_string(),
            Source::Nested(variable) => show(&[Part::Variable(variable.clone())]),
            Source::Address { kind, params, address } => {
                format!("{kind}({}):{}", show(params), show(address))
            }
        }
    }

    fn check(text: &str, expected: &str) {
        let found = parse(text).map_or_else(|error| format!("error: {error}"), |p| show(&p));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn variables_are_those_of_the_framework() {
        for (text, expected) in [
            ("plain", "<plain>"),
            ("", "<>"),
            ("${self:a.b}", "{self():<a.b>}"),
            ("${self: a}", "{self():<a>}"),
            ("${self:}", "{self():}"),
            ("x${self:a}y${opt:b}", "<x>{self():<a>}<y>{opt():<b>}"),
            ("${opt:stage, 'dev'}", "{opt():<stage> | \"dev\"}"),
            ("${opt:stage, \"dev\"}", "{opt():<stage> | \"dev\"}"),
            ("${env:X, ''}", "{env():<X> | \"\"}"),
            ("${self:a, 'x,}y'}", "{self():<a> | \"x,}y\"}"),
            ("${env:A, self:b.c, 3}", "{env():<A> | self():<b.c> | 3}"),
            ("${env:A, null}", "{env():<A> | null}"),
            ("${opt:s, ${self:a}}", "{opt():<s> | {self():<a>}}"),
            ("${self:c.${opt:stage}.x}", "{self():<c.>{opt():<stage>}<.x>}"),
            ("${file(./${opt:s}.yml):a}", "{file(<./>{opt():<s>}<.yml>):<a>}"),
            ("${file(./x.yml)}", "{file(<./x.yml>):}"),
            ("${strToBool(true)}", "{strToBool(<true>):}"),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn what_belongs_to_sub_stays() {
        for text in
            ["${AWS::Region}", "${foo}", "${Foo.Arn}", "${!x}", "${}", "${a.b}", "#{A}", "$"]
        {
            check(text, &format!("<{text}>"));
        }
        check("\\${self:a}", "<${self:a}>");
        check("\\\\${self:a}", "<\\>{self():<a>}");
        check("a\\b", "<a\\b>");
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("${self:a", "error: `${self:a` is not closed: `}` is missing"),
            ("${file(a", "error: `${file(a` is not closed: `)` is missing"),
            ("${env:A,}", "error: in `${env:A,}` a fallback is missing"),
            (
                "${self:a, us-east-1}",
                "error: in `${self:a, us-east-1}` the fallback us-east-1 needs quotes: 'us-east-1'",
            ),
            ("${self:a, 'x}", "error: in `${self:a, 'x}` a quote is not closed"),
        ] {
            check(text, expected);
        }
        let deep = format!("{}x{}", "${self:".repeat(11), "}".repeat(11));
        check(&deep, "error: variables nest more than 10 deep");
    }
}
