use std::sync::Arc;

use crate::expression::lexer::{Spanned, Token, tokens};
use crate::expression::path::{Path, Step};
use crate::expression::reserved::is_reserved;
use crate::expression::{Error, Fault, Kind, Placeholders};
use crate::value::Value;

/// How long an expression may be.
const EXPRESSION_BYTES_MAX: usize = 4 * 1024;
/// How many operators and functions it may have.
const OPERATORS_MAX: usize = 300;
/// How deep parentheses, functions and negations may stand in each other. It bounds the stack.
const DEPTH_MAX: usize = 100;
/// How many steps a document path may have below its attribute.
const PATH_STEPS_MAX: usize = 31;

/// Words of conditions and of updates that end an operand and so can never begin one.
const CONDITION_KEYWORDS: &[&str] = &["AND", "OR", "NOT", "BETWEEN", "IN"];
const UPDATE_KEYWORDS: &[&str] = &["SET", "REMOVE", "ADD", "DELETE"];

/// What all forms share: a position in the tokens, the placeholders, and the faults found.
///
/// A syntax error ends parsing at once. Every other fault is noted and parsing goes on, because
/// which of several faults AWS reports is decided by their rank.
pub(crate) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Spanned<'a>>,
    at: usize,
    kind: Kind,
    placeholders: &'a mut Placeholders,
    worst: Option<Fault>,
    operators: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(
        kind: Kind,
        text: &'a str,
        placeholders: &'a mut Placeholders,
    ) -> Result<Parser<'a>, Error> {
        if text.len() > EXPRESSION_BYTES_MAX {
            return Err(Error::Invalid(kind, Fault::Size(text.len())));
        }
        let tokens = tokens(text);
        if tokens.len() == 1 {
            return Err(Error::Invalid(kind, Fault::Empty));
        }
        let (worst, operators) = (None, 0);
        Ok(Parser { text, tokens, at: 0, kind, placeholders, worst, operators, depth: 0 })
    }

    /// Notes a fault, unless a worse one is known.
    pub(crate) fn note(&mut self, fault: Fault) {
        let rank = fault.rank(self.kind);
        if self.worst.as_ref().is_none_or(|worst| rank < worst.rank(self.kind)) {
            self.worst = Some(fault);
        }
    }

    /// Ends parsing: all tokens must be read and no fault noted.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        if self.peek() != Token::End {
            return Err(self.unexpected());
        }
        if self.operators > OPERATORS_MAX {
            self.note(Fault::Operators(self.operators));
        }
        match self.worst {
            Some(fault) => Err(Error::Invalid(self.kind, fault)),
            None => Ok(()),
        }
    }

    /// Counts an operator or a function.
    pub(crate) fn operator(&mut self) {
        self.operators += 1;
    }

    /// Parses something one level deeper.
    pub(crate) fn deeper<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.depth >= DEPTH_MAX {
            return Err(Error::Invalid(self.kind, Fault::Depth(DEPTH_MAX)));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    pub(crate) fn peek(&self) -> Token<'a> {
        self.tokens.get(self.at).map_or(Token::End, |spanned| spanned.token)
    }

    fn peek_second(&self) -> Token<'a> {
        self.tokens.get(self.at + 1).map_or(Token::End, |spanned| spanned.token)
    }

    pub(crate) fn advance(&mut self) {
        self.at += 1;
    }

    /// Takes a symbol if it comes next.
    pub(crate) fn symbol(&mut self, symbol: &str) -> bool {
        let found = self.peek() == Token::Symbol(symbol);
        self.at += usize::from(found);
        found
    }

    /// Takes a symbol that must come next.
    pub(crate) fn expect(&mut self, symbol: &str) -> Result<(), Error> {
        if self.symbol(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The keyword that comes next, if one does.
    pub(crate) fn peek_keyword(&self) -> Option<&'static str> {
        let Token::Word(word) = self.peek() else { return None };
        self.keyword_of(word)
    }

    fn keyword_of(&self, word: &str) -> Option<&'static str> {
        let keywords = match self.kind {
            Kind::Condition | Kind::Filter | Kind::KeyCondition => CONDITION_KEYWORDS,
            Kind::Update => UPDATE_KEYWORDS,
            Kind::Projection => &[],
        };
        keywords.iter().copied().find(|keyword| word.eq_ignore_ascii_case(keyword))
    }

    /// Takes a word, in any case, if it comes next.
    pub(crate) fn keyword(&mut self, keyword: &str) -> bool {
        let found = matches!(self.peek(), Token::Word(word) if word.eq_ignore_ascii_case(keyword));
        self.at += usize::from(found);
        found
    }

    /// The next token may not stand here. `near` goes from the token before to the one behind.
    pub(crate) fn unexpected(&self) -> Error {
        let last = self.tokens.len() - 1;
        let at = self.at.min(last);
        let near = self.tokens[at.saturating_sub(1)].start..self.tokens[(at + 1).min(last)].end();
        let fault = Fault::Syntax {
            token: self.tokens[at].token.text().to_owned(),
            near: self.text[near].to_owned(),
        };
        Error::Invalid(self.kind, fault)
    }

    /// The name of the function that is called next, with its opening parenthesis taken.
    pub(crate) fn function(&mut self) -> Option<&'a str> {
        match (self.peek(), self.peek_second()) {
            (Token::Word(name), Token::Symbol("(")) if self.keyword_of(name).is_none() => {
                self.at += 2;
                self.operator();
                Some(name)
            }
            _ => None,
        }
    }

    /// What stands between commas up to the closing parenthesis; at least one.
    pub(crate) fn list<T>(
        &mut self,
        parse: impl Fn(&mut Self) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut all = vec![parse(self)?];
        while self.symbol(",") {
            all.push(parse(self)?);
        }
        self.expect(")")?;
        Ok(all)
    }

    /// A document path.
    pub(crate) fn path(&mut self) -> Result<Path, Error> {
        let mut path = Path::new(self.path_name()?);
        self.path_rest(&mut path)?;
        Ok(path)
    }

    /// The steps that follow a path's beginning.
    pub(crate) fn path_rest(&mut self, path: &mut Path) -> Result<(), Error> {
        loop {
            if self.symbol(".") {
                let name = self.path_name()?;
                path.push(Step::Name(name));
            } else if self.symbol("[") {
                let Token::Digits(digits) = self.peek() else { return Err(self.unexpected()) };
                self.advance();
                self.expect("]")?;
                let Ok(index) = digits.parse::<u32>() else {
                    return Err(Error::Invalid(self.kind, Fault::Index(digits.to_owned())));
                };
                path.push(Step::Index(usize::try_from(index).unwrap_or(usize::MAX)));
            } else {
                break;
            }
        }
        if path.steps().len() > PATH_STEPS_MAX {
            self.note(Fault::PathDepth(path.steps().len() + 1));
        }
        Ok(())
    }

    fn path_name(&mut self) -> Result<String, Error> {
        match self.peek() {
            Token::Word(word) if self.keyword_of(word).is_none() => {
                self.advance();
                if is_reserved(word) {
                    self.note(Fault::Reserved(word.to_owned()));
                }
                Ok(word.to_owned())
            }
            Token::Name(key) => {
                self.advance();
                Ok(self.placeholders.name(key).unwrap_or_else(|| {
                    self.note(Fault::UndefinedName(key.to_owned()));
                    key.to_owned()
                }))
            }
            _ => Err(self.unexpected()),
        }
    }

    /// A `:value`, if one comes next. An undefined one is noted and stands for NULL.
    pub(crate) fn value(&mut self) -> Option<Arc<Value>> {
        let Token::Value(key) = self.peek() else { return None };
        self.advance();
        Some(self.placeholders.value(key).unwrap_or_else(|| {
            self.note(Fault::UndefinedValue(key.to_owned()));
            Arc::new(Value::Null)
        }))
    }
}
