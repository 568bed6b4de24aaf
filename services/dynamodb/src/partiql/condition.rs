//! What follows WHERE, as a [`Condition`].

use std::sync::Arc;

use crate::expression::{Comparator, Condition, Fault as ExpressionFault, Operand};
use crate::partiql::Fault;
use crate::partiql::fault::Place;
use crate::partiql::parser::Parser;
use crate::value::Value;

/// How many operands `IN` may have.
const IN_OPERANDS_MAX: usize = 100;
const COMPARATORS: &[&str] = &["=", "<>", "!=", "<=", ">=", "<", ">"];
/// What `IS` may ask for besides MISSING, by the type it means. Two words are one name.
const TYPES: &[(&str, &str)] = &[
    ("NULL", "NULL"),
    ("BOOL", "BOOL"),
    ("BOOLEAN", "BOOL"),
    ("STRING", "S"),
    ("NUMERIC", "N"),
    ("DECIMAL", "N"),
    ("INT", "N"),
    ("INTEGER", "N"),
    ("FLOAT", "N"),
    ("BLOB", "B"),
    ("STRUCT", "M"),
    ("TUPLE", "M"),
    ("LIST", "L"),
];
const TYPE_NAMES: [&str; 10] = ["S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"];

/// A part of the text, before it is known whether a condition or an operand is wanted.
enum Term {
    Condition(Condition),
    Operand(Operand),
}

/// Reads a condition.
pub(crate) fn condition(parser: &mut Parser<'_>) -> Result<Condition, Fault> {
    let term = either(parser)?;
    condition_of(term)
}

fn either(parser: &mut Parser<'_>) -> Result<Term, Fault> {
    joined(parser, "OR", Condition::Or, |parser| joined(parser, "AND", Condition::And, negation))
}

/// What a word joins, or a lone term.
fn joined(
    parser: &mut Parser<'_>,
    word: &str,
    join: fn(Vec<Condition>) -> Condition,
    parse: impl Fn(&mut Parser<'_>) -> Result<Term, Fault>,
) -> Result<Term, Fault> {
    let first = parse(parser)?;
    if !parser.next_keyword_is(word) {
        return Ok(first);
    }
    let mut all = vec![condition_of(first)?];
    while parser.keyword(word) {
        if *parser.peek() == crate::partiql::lexer::Token::End {
            return Err(Fault::Form("Missing right-hand side expression of infix operator"));
        }
        let next = parse(parser)?;
        all.push(condition_of(next)?);
    }
    Ok(Term::Condition(join(all)))
}

fn negation(parser: &mut Parser<'_>) -> Result<Term, Fault> {
    let (mut negated, mut negative) = (false, false);
    while parser.keyword("NOT") {
        (negated, negative) = (true, !negative);
    }
    let term = comparison(parser)?;
    if !negated {
        return Ok(term);
    }
    let condition = condition_of(term)?;
    Ok(Term::Condition(if negative { Condition::Not(Box::new(condition)) } else { condition }))
}

fn comparison(parser: &mut Parser<'_>) -> Result<Term, Fault> {
    let left = primary(parser)?;
    if let Some(symbol) = parser.one_of(COMPARATORS) {
        return compare(parser, symbol, left).map(Term::Condition);
    }
    if parser.keyword("IS") {
        let left = operand_of(left)?;
        return is(parser, left).map(Term::Condition);
    }
    let negated = parser
        .keywords("NOT", "IN")
        .then_some("IN")
        .or_else(|| parser.keywords("NOT", "BETWEEN").then_some("BETWEEN"));
    let condition = if negated == Some("IN") || (negated.is_none() && parser.keyword("IN")) {
        let left = operand_of(left)?;
        within(parser, left)?
    } else if negated.is_some() || parser.keyword("BETWEEN") {
        let left = operand_of(left)?;
        between(parser, left)?
    } else {
        return Ok(left);
    };
    Ok(Term::Condition(match negated {
        Some(_) => Condition::Not(Box::new(condition)),
        None => condition,
    }))
}

fn compare(parser: &mut Parser<'_>, symbol: &'static str, left: Term) -> Result<Condition, Fault> {
    let right = operand(parser)?;
    let comparator = match symbol {
        "=" => Comparator::Equal,
        "<" => Comparator::Less,
        "<=" => Comparator::LessOrEqual,
        ">" => Comparator::Greater,
        ">=" => Comparator::GreaterOrEqual,
        _ => Comparator::NotEqual,
    };
    let left = match left {
        Term::Operand(left) => left,
        // A condition is compared with what it can be.
        Term::Condition(condition) => return judged(condition, comparator, &right),
    };
    if !matches!(comparator, Comparator::Equal | Comparator::NotEqual) {
        ordered(comparator.symbol(), [&left, &right])?;
    }
    Ok(Condition::Compare(comparator, left, right))
}

fn judged(
    condition: Condition,
    comparator: Comparator,
    with: &Operand,
) -> Result<Condition, Fault> {
    let Operand::Value(value) = with else { return Err(Fault::TERM) };
    match (comparator, &**value) {
        (Comparator::Equal, Value::Bool(true)) | (Comparator::NotEqual, Value::Bool(false)) => {
            Ok(condition)
        }
        (Comparator::Equal, Value::Bool(false)) | (Comparator::NotEqual, Value::Bool(true)) => {
            Ok(Condition::Not(Box::new(condition)))
        }
        _ => Err(Fault::TERM),
    }
}

/// What follows `IS`.
fn is(parser: &mut Parser<'_>, left: Operand) -> Result<Condition, Fault> {
    let negated = parser.keyword("NOT");
    let condition = if parser.keyword("MISSING") {
        match left {
            Operand::Path(path) if negated => return Ok(Condition::Exists(path)),
            Operand::Path(path) => return Ok(Condition::NotExists(path)),
            _ => return Err(ExpressionFault::PathRequired("IS MISSING").into()),
        }
    } else {
        let found = TYPES.iter().find(|(name, _)| parser.keyword(name));
        let (_, kind) = found.ok_or(Fault::Form("Expected type name"))?;
        Condition::Type(left, (*kind).to_owned())
    };
    Ok(if negated { Condition::Not(Box::new(condition)) } else { condition })
}

fn between(parser: &mut Parser<'_>, left: Operand) -> Result<Condition, Fault> {
    let low = operand(parser)?;
    if !parser.keyword("AND") {
        return Err(parser.unexpected());
    }
    let high = operand(parser)?;
    ordered("BETWEEN", [&left, &low, &high])?;
    Ok(Condition::Between(left, low, high))
}

/// What follows `IN`: operands in brackets or parentheses, or a list.
fn within(parser: &mut Parser<'_>, left: Operand) -> Result<Condition, Fault> {
    let all = if parser.symbol("(") {
        parser.deeper(|parser| parser.list(")", operand))?
    } else if parser.symbol("[") {
        parser.deeper(|parser| parser.list("]", operand))?
    } else {
        match parser.value()?.as_deref() {
            Some(Value::L(list)) => {
                list.iter().map(|each| Operand::Value(Arc::new(each.clone()))).collect()
            }
            _ => return Err(parser.unexpected()),
        }
    };
    if all.is_empty() || all.len() > IN_OPERANDS_MAX {
        return Err(ExpressionFault::InOperands(all.len()).into());
    }
    Ok(Condition::In(left, all))
}

fn primary(parser: &mut Parser<'_>) -> Result<Term, Fault> {
    if parser.symbol("(") {
        let inner = parser.deeper(either)?;
        parser.expect(")")?;
        return Ok(inner);
    }
    if let Some((name, place)) = parser.function() {
        let arguments = parser.deeper(|parser| parser.list(")", operand))?;
        return call(&name, place, arguments);
    }
    Ok(Term::Operand(match parser.value()? {
        Some(value) => Operand::Value(value),
        None => Operand::Path(parser.path()?),
    }))
}

fn operand(parser: &mut Parser<'_>) -> Result<Operand, Fault> {
    let term = primary(parser)?;
    operand_of(term)
}

fn operand_of(term: Term) -> Result<Operand, Fault> {
    match term {
        Term::Operand(operand) => Ok(operand),
        Term::Condition(_) => Err(Fault::TERM),
    }
}

fn condition_of(term: Term) -> Result<Condition, Fault> {
    match term {
        Term::Condition(condition) => Ok(condition),
        Term::Operand(_) => Err(Fault::TERM),
    }
}

/// The call of a function.
fn call(name: &str, place: Place, arguments: Vec<Operand>) -> Result<Term, Fault> {
    let (name, wanted) = match name {
        "attribute_exists" => ("attribute_exists", 1),
        "attribute_not_exists" => ("attribute_not_exists", 1),
        "attribute_type" => ("attribute_type", 2),
        "begins_with" => ("begins_with", 2),
        "contains" => ("contains", 2),
        "size" => ("size", 1),
        other => return Err(Fault::Function(other.to_owned(), place)),
    };
    let count = arguments.len();
    let mut arguments = arguments.into_iter();
    let (Some(first), second) = (arguments.next(), arguments.next()) else {
        return Err(ExpressionFault::OperandCount(name, count).into());
    };
    if count != wanted {
        return Err(ExpressionFault::OperandCount(name, count).into());
    }
    let Some(second) = second else { return one_operand(name, first) };
    Ok(Term::Condition(match name {
        "begins_with" => {
            for operand in [&first, &second] {
                refuse_kind(name, operand, |kind| matches!(kind, "S" | "B"))?;
            }
            Condition::BeginsWith(first, second)
        }
        "contains" => Condition::Contains(first, second),
        _ => Condition::Type(first, type_name(&second)?),
    }))
}

fn one_operand(name: &'static str, operand: Operand) -> Result<Term, Fault> {
    match (name, operand) {
        ("size", operand) => {
            refuse_kind(name, &operand, |kind| !matches!(kind, "N" | "BOOL" | "NULL"))?;
            Ok(Term::Operand(Operand::Size(Box::new(operand))))
        }
        ("attribute_exists", Operand::Path(path)) => Ok(Term::Condition(Condition::Exists(path))),
        (_, Operand::Path(path)) => Ok(Term::Condition(Condition::NotExists(path))),
        _ => Err(ExpressionFault::PathRequired(name).into()),
    }
}

fn type_name(operand: &Operand) -> Result<String, Fault> {
    let Operand::Value(value) = operand else { return Err(Fault::TERM) };
    match &**value {
        Value::S(name) if TYPE_NAMES.contains(&name.as_str()) => Ok(name.clone()),
        Value::S(name) => Err(ExpressionFault::TypeName(name.clone()).into()),
        other => Err(ExpressionFault::OperandType("attribute_type", other.kind()).into()),
    }
}

/// Fails when an operand is of a type that has no order.
fn ordered<'b>(
    operator: &'static str,
    operands: impl IntoIterator<Item = &'b Operand>,
) -> Result<(), Fault> {
    let mut operands = operands.into_iter();
    operands
        .try_for_each(|each| refuse_kind(operator, each, |kind| matches!(kind, "S" | "N" | "B")))
}

fn refuse_kind(
    name: &'static str,
    operand: &Operand,
    allowed: impl Fn(&str) -> bool,
) -> Result<(), Fault> {
    match operand {
        Operand::Value(value) if !allowed(value.kind()) => {
            Err(ExpressionFault::OperandType(name, value.kind()).into())
        }
        _ => Ok(()),
    }
}
