//! Text to tokens.

use crate::partiql::Fault;

/// A piece of a statement. The last one is always `End`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A keyword, a function or a name without quotes.
    Word(&'a str),
    /// `"name"`, without its quotes.
    Name(String),
    /// `'text'`, without its quotes.
    Text(String),
    Number(&'a str),
    /// `?`.
    Parameter,
    Symbol(&'static str),
    End,
}

/// A token and where it stands in the text.
#[derive(Debug, Clone)]
pub(crate) struct Spanned<'a> {
    pub(crate) token: Token<'a>,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Longer ones first.
const SYMBOLS: [&str; 24] = [
    "<<", ">>", "<=", ">=", "<>", "!=", "||", "<", ">", "=", "(", ")", "[", "]", "{", "}", ",",
    ":", ";", ".", "*", "+", "-", "/",
];

/// All tokens of a text. Comments are none.
pub(crate) fn tokens(text: &str) -> Result<Vec<Spanned<'_>>, Fault> {
    let mut found = Vec::with_capacity(text.len() / 3 + 1);
    let mut start = 0;
    while let Some(first) = text[start..].chars().next() {
        let rest = &text[start..];
        if first.is_whitespace() {
            start += first.len_utf8();
            continue;
        }
        if let Some(len) = comment(rest)? {
            start += len;
            continue;
        }
        let (token, len) = token(first, rest)?;
        found.push(Spanned { token, start, end: start + len });
        start += len;
    }
    found.push(Spanned { token: Token::End, start, end: start });
    Ok(found)
}

/// The length of a comment, if one begins here.
fn comment(rest: &str) -> Result<Option<usize>, Fault> {
    if rest.starts_with("--") {
        return Ok(Some(rest.find('\n').unwrap_or(rest.len())));
    }
    let Some(content) = rest.strip_prefix("/*") else { return Ok(None) };
    let end = content.find("*/").ok_or(Fault::UNREADABLE)?;
    Ok(Some(end + 4))
}

fn token(first: char, rest: &str) -> Result<(Token<'_>, usize), Fault> {
    let bytes = rest.as_bytes();
    let digit_behind = bytes.get(1).is_some_and(u8::is_ascii_digit);
    match first {
        '\'' => quoted(rest, '\'').map(|(text, len)| (Token::Text(text), len)),
        '"' => quoted(rest, '"').map(|(name, len)| (Token::Name(name), len)),
        '?' => Ok((Token::Parameter, 1)),
        '0'..='9' => Ok(number(rest)),
        '.' if digit_behind => Ok(number(rest)),
        'a'..='z' | 'A'..='Z' | '_' | '$' => {
            let in_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_$".contains(byte);
            let len = bytes.iter().take_while(|byte| in_word(byte)).count();
            Ok((Token::Word(&rest[..len]), len))
        }
        _ => {
            let symbol = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol));
            let symbol = symbol.ok_or(Fault::UNREADABLE)?;
            Ok((Token::Symbol(symbol), symbol.len()))
        }
    }
}

/// What stands between quotes, where two stand for one, and its length with them.
fn quoted(rest: &str, quote: char) -> Result<(String, usize), Fault> {
    let mut content = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, next)) = chars.next() {
        if next != quote {
            content.push(next);
        } else if chars.next_if(|(_, after)| *after == quote).is_some() {
            content.push(quote);
        } else {
            return Ok((content, at + 1));
        }
    }
    Err(Fault::UNREADABLE)
}

/// Digits, a point, digits and an exponent, of which not all need be there.
fn number(rest: &str) -> (Token<'_>, usize) {
    let bytes = rest.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut len = digits(0);
    if bytes.get(len) == Some(&b'.') {
        len += 1 + digits(len + 1);
    }
    if matches!(bytes.get(len), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(len + 1), Some(b'+' | b'-')));
        let exponent = digits(len + 1 + sign);
        if exponent > 0 {
            len += 1 + sign + exponent;
        }
    }
    (Token::Number(&rest[..len]), len)
}
