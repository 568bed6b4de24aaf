use std::collections::BTreeSet;
use std::sync::Arc;

use crate::expression::{self, Path, Step};
use crate::number::Number;
use crate::partiql::Fault;
use crate::partiql::fault::Place;
use crate::partiql::lexer::{Spanned, Token, tokens};
use crate::value::{self, Item, Value};

/// How deep parentheses, functions and literals may stand in each other. It bounds the stack.
const DEPTH_MAX: usize = 100;
/// How many steps a document path may have below its attribute.
const PATH_STEPS_MAX: usize = 31;
/// Words that end what stands before them and so begin no operand.
const KEYWORDS: &[&str] = &[
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "FROM",
    "INTO",
    "WHERE",
    "ORDER",
    "BY",
    "SET",
    "REMOVE",
    "RETURNING",
];
const OPERATORS: &[&str] = &["AND", "OR", "IN", "BETWEEN", "IS", "LIKE"];

/// A position in the tokens of a statement, and its parameters.
pub(crate) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Spanned<'a>>,
    at: usize,
    parameters: std::slice::Iter<'a, Value>,
    depth: usize,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(text: &'a str, parameters: &'a [Value]) -> Result<Parser<'a>, Fault> {
        let (tokens, parameters) = (tokens(text)?, parameters.iter());
        Ok(Parser { text, tokens, at: 0, parameters, depth: 0 })
    }

    /// Ends parsing: but for a semicolon, all tokens must be read.
    pub(crate) fn finish(mut self) -> Result<(), Fault> {
        self.symbol(";");
        if *self.peek() == Token::End { Ok(()) } else { Err(Fault::LEFTOVER) }
    }

    /// Parses something one level deeper.
    pub(crate) fn deeper<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        if self.depth >= DEPTH_MAX {
            return Err(expression::Fault::Depth(DEPTH_MAX).into());
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn spanned(&self, ahead: usize) -> &Spanned<'a> {
        // The last token is `End`, and nothing goes beyond it.
        &self.tokens[(self.at + ahead).min(self.tokens.len() - 1)]
    }

    pub(crate) fn peek(&self) -> &Token<'a> {
        &self.spanned(0).token
    }

    /// Where the next token stands.
    pub(crate) fn place(&self) -> Place {
        let Spanned { start, end, .. } = *self.spanned(0);
        let before = &self.text[..start];
        let line = before.rfind('\n').map_or(before, |at| &before[at + 1..]);
        Place {
            line: 1 + before.matches('\n').count(),
            column: 1 + line.chars().count(),
            chars: self.text[start..end].chars().count(),
        }
    }

    fn advance(&mut self) {
        self.at += 1;
    }

    pub(crate) fn next_is(&self, symbol: &'static str) -> bool {
        *self.peek() == Token::Symbol(symbol)
    }

    /// Takes a symbol if it comes next.
    pub(crate) fn symbol(&mut self, symbol: &'static str) -> bool {
        let found = self.next_is(symbol);
        self.at += usize::from(found);
        found
    }

    /// Takes a symbol that must come next.
    pub(crate) fn expect(&mut self, symbol: &'static str) -> Result<(), Fault> {
        if self.symbol(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Takes one of some symbols if it comes next.
    pub(crate) fn one_of(&mut self, symbols: &[&'static str]) -> Option<&'static str> {
        symbols.iter().copied().find(|symbol| self.symbol(symbol))
    }

    fn word_is(&self, ahead: usize, keyword: &str) -> bool {
        matches!(self.spanned(ahead).token, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    pub(crate) fn next_keyword_is(&self, keyword: &str) -> bool {
        self.word_is(0, keyword)
    }

    /// Takes a word, in any case, if it comes next.
    pub(crate) fn keyword(&mut self, keyword: &str) -> bool {
        let found = self.word_is(0, keyword);
        self.at += usize::from(found);
        found
    }

    /// Takes two words if they come next, one after the other.
    pub(crate) fn keywords(&mut self, first: &str, second: &str) -> bool {
        let found = self.word_is(0, first) && self.word_is(1, second);
        self.at += 2 * usize::from(found);
        found
    }

    /// What comes next begins no operand.
    pub(crate) fn unexpected(&self) -> Fault {
        let among =
            |words: &[&str], word: &str| words.iter().any(|each| word.eq_ignore_ascii_case(each));
        match self.peek() {
            Token::Word(word) if among(KEYWORDS, word) => Fault::Form("Unexpected keyword"),
            Token::Word(word) if among(OPERATORS, word) => Fault::Form("Unexpected operator"),
            _ => Fault::TERM,
        }
    }

    /// The name of the function that is called next, in lower case, with its opening parenthesis
    /// taken.
    pub(crate) fn function(&mut self) -> Option<(String, Place)> {
        let Token::Word(name) = *self.peek() else { return None };
        if self.spanned(1).token != Token::Symbol("(") || is_reserved(name) {
            return None;
        }
        let place = self.place();
        self.at += 2;
        Some((name.to_ascii_lowercase(), place))
    }

    /// What stands between commas up to a closing symbol.
    pub(crate) fn list<T>(
        &mut self,
        close: &'static str,
        mut parse: impl FnMut(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let mut all = Vec::new();
        if self.symbol(close) {
            return Ok(all);
        }
        loop {
            all.push(parse(self)?);
            if self.symbol(close) {
                return Ok(all);
            }
            self.expect(",")?;
        }
    }

    /// The next word or quoted name, if it can be one.
    pub(crate) fn name(&mut self) -> Option<String> {
        let name = match self.peek() {
            Token::Word(word) if !is_reserved(word) => (*word).to_owned(),
            Token::Name(name) => name.clone(),
            _ => return None,
        };
        self.advance();
        Some(name)
    }

    /// A document path.
    pub(crate) fn path(&mut self) -> Result<Path, Fault> {
        let Some(head) = self.name() else { return Err(self.unexpected()) };
        let mut path = Path::new(head);
        loop {
            if self.symbol(".") {
                let name = self.name().ok_or(Fault::Form("Invalid path dot component"))?;
                path.push(Step::Name(name));
            } else if self.symbol("[") {
                path.push(self.step()?);
                self.expect("]")?;
            } else {
                break;
            }
        }
        let steps = path.steps().len();
        if steps > PATH_STEPS_MAX {
            return Err(expression::Fault::PathDepth(steps + 1).into());
        }
        Ok(path)
    }

    /// What stands between brackets: an index, or a name as text.
    fn step(&mut self) -> Result<Step, Fault> {
        let step = match self.peek() {
            Token::Number(digits) => {
                let out_of_range = || expression::Fault::Index((*digits).to_owned());
                let index = digits.parse::<u32>().map_err(|_| out_of_range())?;
                Step::Index(usize::try_from(index).unwrap_or(usize::MAX))
            }
            Token::Text(name) => Step::Name(name.clone()),
            _ => return Err(self.unexpected()),
        };
        self.advance();
        Ok(step)
    }

    /// A literal or a parameter, if one comes next.
    pub(crate) fn value(&mut self) -> Result<Option<Arc<Value>>, Fault> {
        let value = self.literal("root")?.map(Arc::new);
        if let Some(value) = &value {
            check_depth(value)?;
        }
        Ok(value)
    }

    /// The attributes of a map literal, with its opening brace taken: an item.
    pub(crate) fn item(&mut self) -> Result<Item, Fault> {
        let item = self.members(|_| "root".to_owned())?;
        value::check_depth(&item)?;
        Ok(item)
    }

    fn literal(&mut self, at: &str) -> Result<Option<Value>, Fault> {
        let token = self.peek().clone();
        let value = match token {
            Token::Text(text) => Value::S(text),
            Token::Number(digits) => number(digits, at)?,
            Token::Parameter => self.parameters.next().cloned().ok_or(Fault::Parameters)?,
            Token::Word(word) if word.eq_ignore_ascii_case("true") => Value::Bool(true),
            Token::Word(word) if word.eq_ignore_ascii_case("false") => Value::Bool(false),
            Token::Word(word) if word.eq_ignore_ascii_case("null") => Value::Null,
            Token::Symbol("-" | "+") => return self.signed(at),
            Token::Symbol(open @ ("[" | "{" | "<<")) => {
                self.advance();
                return self.deeper(|parser| parser.collection(open, at)).map(Some);
            }
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some(value))
    }

    fn signed(&mut self, at: &str) -> Result<Option<Value>, Fault> {
        let Token::Number(digits) = self.spanned(1).token else { return Ok(None) };
        let sign = if self.next_is("-") { "-" } else { "" };
        self.at += 2;
        number(&format!("{sign}{digits}"), at).map(Some)
    }

    fn collection(&mut self, open: &str, at: &str) -> Result<Value, Fault> {
        match open {
            "{" => Ok(Value::M(self.members(|name| format!("{at}.{name}"))?)),
            "[" => {
                let mut index = 0;
                let members = self.list("]", |parser| {
                    let member = parser.member(&format!("{at}[{index}]"));
                    index += 1;
                    member
                });
                Ok(Value::L(members?))
            }
            _ => set(self.list(">>", |parser| parser.member(at))?),
        }
    }

    fn members(&mut self, at: impl Fn(&str) -> String) -> Result<Item, Fault> {
        let mut item = Item::new();
        self.list("}", |parser| {
            let Token::Text(name) = parser.peek().clone() else { return Err(parser.unexpected()) };
            parser.advance();
            parser.expect(":")?;
            let value = parser.member(&at(&name))?;
            match item.insert(name.clone(), value) {
                None => Ok(()),
                Some(_) => Err(Fault::KeyTwice(name)),
            }
        })?;
        Ok(item)
    }

    fn member(&mut self, at: &str) -> Result<Value, Fault> {
        self.literal(at)?.ok_or_else(|| self.unexpected())
    }
}

fn is_reserved(word: &str) -> bool {
    let all = KEYWORDS.iter().chain(OPERATORS).chain(&["NOT", "TRUE", "FALSE", "NULL", "MISSING"]);
    all.copied().any(|each| word.eq_ignore_ascii_case(each))
}

fn check_depth(value: &Value) -> Result<(), Fault> {
    Ok(value::Given(Ok(value.clone())).checked().map(|_| ())?)
}

/// A number as a literal has it. AWS cannot read exponents that do not fit 32 bits.
fn number(text: &str, at: &str) -> Result<Value, Fault> {
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let scale = digits.split_once('.').map_or(0, |(_, behind)| behind.len());
    let exponent = exponent.parse::<i32>().map_err(|_| Fault::UNREADABLE)?;
    let scale = i64::try_from(scale).unwrap_or(i64::MAX) - i64::from(exponent);
    i32::try_from(scale).map_err(|_| Fault::UNREADABLE)?;
    // What begins with the point is a number here, and none elsewhere.
    let text = match text.strip_prefix('-').unwrap_or(text) {
        bare if bare.starts_with('.') => text.replacen('.', "0.", 1),
        _ => text.to_owned(),
    };
    let number = text.parse::<Number>();
    number.map(Value::N).map_err(|why| Fault::Number(why, at.to_owned()))
}

/// A set of what stands between `<<` and `>>`.
fn set(members: Vec<Value>) -> Result<Value, Fault> {
    let count = members.len();
    let shown: Vec<String> = members.iter().map(shown).collect();
    let mut all = members.into_iter();
    let set = match all.next().ok_or(Fault::EmptySet)? {
        Value::S(first) => {
            let rest = all.map(|each| if let Value::S(text) = each { Some(text) } else { None });
            let all = std::iter::once(Some(first)).chain(rest);
            Value::Ss(all.collect::<Option<BTreeSet<String>>>().ok_or(Fault::SetMember)?)
        }
        Value::N(first) => {
            let rest =
                all.map(|each| if let Value::N(number) = each { Some(number) } else { None });
            let all = std::iter::once(Some(first)).chain(rest);
            Value::Ns(all.collect::<Option<BTreeSet<Number>>>().ok_or(Fault::SetMember)?)
        }
        Value::B(first) => {
            let rest = all.map(|each| if let Value::B(bytes) = each { Some(bytes) } else { None });
            let all = std::iter::once(Some(first)).chain(rest);
            Value::Bs(all.collect::<Option<BTreeSet<Vec<u8>>>>().ok_or(Fault::SetMember)?)
        }
        _ => return Err(Fault::SetMember),
    };
    let distinct = match &set {
        Value::Ss(set) => set.len(),
        Value::Ns(set) => set.len(),
        Value::Bs(set) => set.len(),
        _ => count,
    };
    if distinct < count {
        let shown = shown.join(", ");
        let why = format!("Input collection [{shown}] contains duplicates.");
        return Err(value::Fault::Invalid(why).into());
    }
    Ok(set)
}

/// A member of a set as messages have it.
fn shown(value: &Value) -> String {
    match value {
        Value::S(text) => text.clone(),
        Value::N(number) => number.to_string(),
        other => other.to_string(),
    }
}
