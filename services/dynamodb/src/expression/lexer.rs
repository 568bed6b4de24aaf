//! Text to tokens. Never fails: what is no token is a [`Token::Bad`] one, refused by the parser.

/// A piece of an expression. The last one is always `End`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A name, a function or a keyword.
    Word(&'a str),
    /// `#name`.
    Name(&'a str),
    /// `:value`.
    Value(&'a str),
    /// Digits, which only stand in a list index.
    Digits(&'a str),
    /// An operator or a bracket.
    Symbol(&'a str),
    /// What belongs to no expression.
    Bad(&'a str),
    End,
}

impl<'a> Token<'a> {
    /// As it stands in a message.
    pub(crate) fn text(self) -> &'a str {
        match self {
            Token::Word(text)
            | Token::Name(text)
            | Token::Value(text)
            | Token::Digits(text)
            | Token::Symbol(text)
            | Token::Bad(text) => text,
            Token::End => "<EOF>",
        }
    }
}

/// A token and where it begins in the text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spanned<'a> {
    pub(crate) token: Token<'a>,
    pub(crate) start: usize,
}

impl Spanned<'_> {
    pub(crate) fn end(&self) -> usize {
        match self.token {
            Token::End => self.start,
            token => self.start + token.text().len(),
        }
    }
}

/// All tokens of a text.
pub(crate) fn tokens(text: &str) -> Vec<Spanned<'_>> {
    let mut found = Vec::with_capacity(text.len() / 3 + 1);
    let mut start = 0;
    while let Some(first) = text[start..].chars().next() {
        let rest = &text[start..];
        let token = match first {
            ' ' | '\t' | '\n' | '\r' => {
                start += 1;
                continue;
            }
            '#' | ':' => match &rest[..1 + word_len(&rest[1..])] {
                alone if alone.len() == 1 => Token::Bad(alone),
                name if first == '#' => Token::Name(name),
                value => Token::Value(value),
            },
            '0'..='9' => {
                let len = rest.bytes().take_while(u8::is_ascii_digit).count();
                Token::Digits(&rest[..len])
            }
            'a'..='z' | 'A'..='Z' | '_' => Token::Word(&rest[..word_len(rest)]),
            '<' if rest.starts_with("<=") || rest.starts_with("<>") => Token::Symbol(&rest[..2]),
            '>' if rest.starts_with(">=") => Token::Symbol(&rest[..2]),
            '(' | ')' | '[' | ']' | ',' | '.' | '=' | '<' | '>' | '+' | '-' => {
                Token::Symbol(&rest[..1])
            }
            other => Token::Bad(&rest[..other.len_utf8()]),
        };
        found.push(Spanned { token, start });
        start += token.text().len();
    }
    found.push(Spanned { token: Token::End, start });
    found
}

fn word_len(text: &str) -> usize {
    text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count()
}
