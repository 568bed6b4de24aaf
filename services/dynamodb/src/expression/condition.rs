use std::sync::Arc;

use crate::expression::lexer::Token;
use crate::expression::parser::Parser;
use crate::expression::{Error, Fault, Kind, Path, Placeholders};
use crate::value::Value;

/// How many operands `IN` may have.
const IN_OPERANDS_MAX: usize = 100;

/// A condition on an item: `ConditionExpression`, `FilterExpression`, and what a
/// `KeyConditionExpression` is before it is looked at as such.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    Compare(Comparator, Operand, Operand),
    Between(Operand, Operand, Operand),
    In(Operand, Vec<Operand>),
    Exists(Path),
    NotExists(Path),
    /// The operand is of the type with this name.
    Type(Operand, String),
    BeginsWith(Operand, Operand),
    Contains(Operand, Operand),
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    Path(Path),
    Value(Arc<Value>),
    Size(Box<Operand>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparator {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Comparator::Equal => "=",
            Comparator::NotEqual => "<>",
            Comparator::Less => "<",
            Comparator::LessOrEqual => "<=",
            Comparator::Greater => ">",
            Comparator::GreaterOrEqual => ">=",
        }
    }

    fn from_symbol(symbol: &str) -> Option<Comparator> {
        Some(match symbol {
            "=" => Comparator::Equal,
            "<>" => Comparator::NotEqual,
            "<" => Comparator::Less,
            "<=" => Comparator::LessOrEqual,
            ">" => Comparator::Greater,
            ">=" => Comparator::GreaterOrEqual,
            _ => return None,
        })
    }

    fn takes_any_type(self) -> bool {
        matches!(self, Comparator::Equal | Comparator::NotEqual)
    }
}

impl Condition {
    /// Reads a condition.
    pub(crate) fn parse(
        kind: Kind,
        text: &str,
        placeholders: &mut Placeholders,
    ) -> Result<Condition, Error> {
        let mut parser = Parser::new(kind, text, placeholders)?;
        let term = either(&mut parser)?;
        let condition = condition_of(&mut parser, term)?;
        parser.finish()?;
        Ok(condition)
    }

    /// All document paths in it, in their order in the text.
    pub(crate) fn paths(&self) -> Vec<&Path> {
        let mut found = Vec::new();
        self.collect_paths(&mut found);
        found
    }

    fn collect_paths<'a>(&'a self, found: &mut Vec<&'a Path>) {
        let operands: Vec<&Operand> = match self {
            Condition::Compare(_, a, b)
            | Condition::BeginsWith(a, b)
            | Condition::Contains(a, b) => vec![a, b],
            Condition::Between(a, b, c) => vec![a, b, c],
            Condition::In(a, all) => std::iter::once(a).chain(all).collect(),
            Condition::Type(a, _) => vec![a],
            Condition::Exists(path) | Condition::NotExists(path) => return found.push(path),
            Condition::And(all) | Condition::Or(all) => {
                return all.iter().for_each(|each| each.collect_paths(found));
            }
            Condition::Not(inner) => return inner.collect_paths(found),
        };
        found.extend(operands.into_iter().filter_map(Operand::path));
    }
}

impl Operand {
    fn path(&self) -> Option<&Path> {
        match self {
            Operand::Path(path) => Some(path),
            Operand::Value(_) => None,
            Operand::Size(inner) => inner.path(),
        }
    }

    /// The type, where it does not depend on the item.
    fn kind(&self) -> Option<&'static str> {
        match self {
            Operand::Path(_) => None,
            Operand::Value(value) => Some(value.kind()),
            Operand::Size(_) => Some("N"),
        }
    }
}

/// A part of the text, before it is known whether a condition or an operand is wanted.
struct Term<'a> {
    node: Node,
    /// It stands in parentheses of its own.
    parenthesised: bool,
    /// It is the call of this function and nothing more.
    function: Option<&'a str>,
}

enum Node {
    Condition(Condition),
    Operand(Operand),
}

impl Term<'_> {
    fn plain(node: Node) -> Self {
        Term { node, parenthesised: false, function: None }
    }
}

/// Stands where a fault was noted, so that parsing can go on; no tree with a fault is evaluated.
fn faulty(function: &str) -> Node {
    match function {
        "size" => Node::Operand(Operand::Value(Arc::new(Value::Null))),
        _ => Node::Condition(Condition::Or(Vec::new())),
    }
}

/// Conditions joined by OR of conditions joined by AND, or a lone term.
fn either<'a>(parser: &mut Parser<'a>) -> Result<Term<'a>, Error> {
    let first = negation(parser)?;
    if !matches!(parser.peek_keyword(), Some("AND" | "OR")) {
        return Ok(first);
    }
    let mut alternatives = Vec::new();
    let mut all = vec![condition_of(parser, first)?];
    loop {
        if parser.keyword("OR") {
            alternatives.push(joined(std::mem::take(&mut all), Condition::And));
        } else if !parser.keyword("AND") {
            break;
        }
        let next = negation(parser)?;
        all.push(condition_of(parser, next)?);
    }
    alternatives.push(joined(all, Condition::And));
    Ok(Term::plain(Node::Condition(joined(alternatives, Condition::Or))))
}

fn joined(mut all: Vec<Condition>, join: fn(Vec<Condition>) -> Condition) -> Condition {
    match all.pop() {
        Some(only) if all.is_empty() => only,
        last => {
            all.extend(last);
            join(all)
        }
    }
}

fn negation<'a>(parser: &mut Parser<'a>) -> Result<Term<'a>, Error> {
    let (mut negated, mut negative) = (false, false);
    while parser.keyword("NOT") {
        (negated, negative) = (true, !negative);
    }
    let term = comparison(parser)?;
    if !negated {
        return Ok(term);
    }
    let condition = condition_of(parser, term)?;
    let condition = if negative { Condition::Not(Box::new(condition)) } else { condition };
    Ok(Term::plain(Node::Condition(condition)))
}

fn comparison<'a>(parser: &mut Parser<'a>) -> Result<Term<'a>, Error> {
    let left = primary(parser)?;
    let condition = if let Token::Symbol(symbol) = parser.peek()
        && let Some(comparator) = Comparator::from_symbol(symbol)
    {
        let left = operand_of(parser, left)?;
        parser.advance();
        compare(parser, comparator, left)?
    } else if parser.keyword("BETWEEN") {
        let left = operand_of(parser, left)?;
        between(parser, left)?
    } else if parser.keyword("IN") {
        let left = operand_of(parser, left)?;
        within(parser, left)?
    } else {
        return Ok(left);
    };
    parser.operator();
    Ok(Term::plain(Node::Condition(condition)))
}

fn compare(parser: &mut Parser, comparator: Comparator, left: Operand) -> Result<Condition, Error> {
    let right = operand(parser)?;
    distinct(parser, comparator.symbol(), &left, [&right]);
    if !comparator.takes_any_type() {
        ordered(parser, comparator.symbol(), [&left, &right]);
    }
    Ok(Condition::Compare(comparator, left, right))
}

fn between(parser: &mut Parser, left: Operand) -> Result<Condition, Error> {
    let low = operand(parser)?;
    if !parser.keyword("AND") {
        return Err(parser.unexpected());
    }
    let high = operand(parser)?;
    ordered(parser, "BETWEEN", [&left, &low, &high]);
    if let (Operand::Value(a), Operand::Value(b)) = (&low, &high) {
        if a.kind() != b.kind() {
            parser.note(Fault::BetweenTypes(a.to_string(), b.to_string()));
        } else if a.order(b).is_some_and(std::cmp::Ordering::is_gt) {
            parser.note(Fault::BetweenOrder(a.to_string(), b.to_string()));
        }
    }
    Ok(Condition::Between(left, low, high))
}

fn within(parser: &mut Parser, left: Operand) -> Result<Condition, Error> {
    parser.expect("(")?;
    let all = parser.list(operand)?;
    if all.len() > IN_OPERANDS_MAX {
        parser.note(Fault::InOperands(all.len()));
    }
    distinct(parser, "IN", &left, &all);
    Ok(Condition::In(left, all))
}

/// A parenthesis, a function, a path or a value.
fn primary<'a>(parser: &mut Parser<'a>) -> Result<Term<'a>, Error> {
    if parser.symbol("(") {
        let mut inner = parser.deeper(either)?;
        parser.expect(")")?;
        if inner.parenthesised {
            parser.note(Fault::Parentheses);
        }
        if let Node::Operand(Operand::Path(path)) = &mut inner.node {
            parser.path_rest(path)?;
        }
        return Ok(Term { parenthesised: true, ..inner });
    }
    if let Some(name) = parser.function() {
        let arguments = parser.deeper(|parser| parser.list(operand))?;
        return Ok(Term {
            node: call(parser, name, arguments),
            parenthesised: false,
            function: Some(name),
        });
    }
    let operand = match parser.value() {
        Some(value) => Operand::Value(value),
        None => Operand::Path(parser.path()?),
    };
    Ok(Term::plain(Node::Operand(operand)))
}

fn operand(parser: &mut Parser) -> Result<Operand, Error> {
    let term = primary(parser)?;
    operand_of(parser, term)
}

/// A term where only an operand may stand.
fn operand_of(parser: &mut Parser, term: Term) -> Result<Operand, Error> {
    match (term.node, term.function) {
        (Node::Operand(operand), _) => Ok(operand),
        (Node::Condition(_), Some(function)) => {
            parser.note(Fault::MisusedFunction(function.to_owned()));
            Ok(Operand::Value(Arc::new(Value::Null)))
        }
        (Node::Condition(_), None) => Err(parser.unexpected()),
    }
}

/// A term where only a condition may stand.
fn condition_of(parser: &mut Parser, term: Term) -> Result<Condition, Error> {
    match (term.node, term.function) {
        (Node::Condition(condition), _) => Ok(condition),
        (Node::Operand(_), Some(function)) => {
            parser.note(Fault::MisusedFunction(function.to_owned()));
            Ok(Condition::Or(Vec::new()))
        }
        (Node::Operand(_), None) => Err(parser.unexpected()),
    }
}

/// The call of a function, with its faults noted.
fn call(parser: &mut Parser, name: &str, arguments: Vec<Operand>) -> Node {
    let (name, wanted) = match name {
        "attribute_exists" => ("attribute_exists", 1),
        "attribute_not_exists" => ("attribute_not_exists", 1),
        "attribute_type" => ("attribute_type", 2),
        "begins_with" => ("begins_with", 2),
        "contains" => ("contains", 2),
        "size" => ("size", 1),
        unknown => {
            parser.note(Fault::UnknownFunction(unknown.to_owned()));
            return faulty(unknown);
        }
    };
    if arguments.len() != wanted {
        parser.note(Fault::OperandCount(name, arguments.len()));
        return faulty(name);
    }
    let mut arguments = arguments.into_iter();
    match (arguments.next(), arguments.next()) {
        (Some(operand), None) if name == "size" => {
            if let Some(kind @ ("N" | "BOOL" | "NULL")) = operand.kind() {
                parser.note(Fault::OperandType(name, kind));
            }
            Node::Operand(Operand::Size(Box::new(operand)))
        }
        (Some(Operand::Path(path)), None) => Node::Condition(match name {
            "attribute_exists" => Condition::Exists(path),
            _ => Condition::NotExists(path),
        }),
        (Some(first), Some(second)) => {
            distinct(parser, name, &first, [&second]);
            Node::Condition(match name {
                "begins_with" => begins_with(parser, first, second),
                "contains" => Condition::Contains(first, second),
                _ => Condition::Type(first, type_name(parser, &second)),
            })
        }
        _ => {
            parser.note(Fault::PathRequired(name));
            faulty(name)
        }
    }
}

fn begins_with(parser: &mut Parser, first: Operand, second: Operand) -> Condition {
    for operand in [&first, &second] {
        if let Some(kind) = operand.kind().filter(|kind| !matches!(*kind, "S" | "B")) {
            parser.note(Fault::OperandType("begins_with", kind));
        }
    }
    Condition::BeginsWith(first, second)
}

/// The second operand of `attribute_type`: a text that names a type.
fn type_name(parser: &mut Parser, operand: &Operand) -> String {
    const NAMES: [&str; 10] = ["S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"];
    match operand {
        Operand::Value(value) => match &**value {
            Value::S(name) => {
                if !NAMES.contains(&name.as_str()) {
                    parser.note(Fault::TypeName(name.clone()));
                }
                return name.clone();
            }
            other => parser.note(Fault::OperandType("attribute_type", other.kind())),
        },
        other => {
            let kind = other.kind().unwrap_or("{NS,SS,L,BS,N,M,B,BOOL,NULL,S}");
            parser.note(Fault::OperandType("attribute_type", kind));
        }
    }
    String::new()
}

/// Notes when an operand is compared with itself.
fn distinct<'b>(
    parser: &mut Parser,
    operator: &'static str,
    first: &Operand,
    others: impl IntoIterator<Item = &'b Operand>,
) {
    if let Operand::Path(path) = first
        && others.into_iter().any(|other| other == first)
    {
        parser.note(Fault::Distinct(operator, path.to_string()));
    }
}

/// Notes when an operand is of a type that has no order.
fn ordered<'b>(
    parser: &mut Parser,
    operator: &'static str,
    operands: impl IntoIterator<Item = &'b Operand>,
) {
    let kinds = operands.into_iter().filter_map(Operand::kind);
    if let Some(kind) = kinds.into_iter().find(|kind| !matches!(*kind, "S" | "N" | "B")) {
        parser.note(Fault::OperandType(operator, kind));
    }
}

#[cfg(test)]
pub(in crate::expression) mod tests;
