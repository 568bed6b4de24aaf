//! What SET and REMOVE do, as an [`Update`].

use crate::expression::{Action, Expression, Fault as ExpressionFault, Path, Update};
use crate::partiql::Fault;
use crate::partiql::parser::Parser;
use crate::value::Value;

/// Reads clauses, of which there must be one.
pub(crate) fn update(parser: &mut Parser<'_>) -> Result<Update, Fault> {
    let mut actions = Vec::new();
    loop {
        if parser.keyword("SET") {
            actions.push(assignment(parser)?);
            while parser.symbol(",") {
                actions.push(assignment(parser)?);
            }
        } else if parser.keyword("REMOVE") {
            actions.push(Action::Remove(parser.path()?));
            while parser.symbol(",") {
                actions.push(Action::Remove(parser.path()?));
            }
        } else if actions.is_empty() {
            return Err(parser.unexpected());
        } else {
            break;
        }
    }
    check_paths(&actions)?;
    Ok(Update::of(actions))
}

/// No two actions may be about one place.
fn check_paths(actions: &[Action]) -> Result<(), Fault> {
    for (index, one) in actions.iter().enumerate() {
        for two in &actions[index + 1..] {
            let (one, two) = (one.path(), two.path());
            if one.overlaps(two) {
                return Err(ExpressionFault::Overlap(one.to_string(), two.to_string()).into());
            }
            if one.conflicts(two) {
                return Err(ExpressionFault::Conflict(one.to_string(), two.to_string()).into());
            }
        }
    }
    Ok(())
}

fn assignment(parser: &mut Parser<'_>) -> Result<Action, Fault> {
    let path = parser.path()?;
    parser.expect("=")?;
    for (name, shown) in [("set_add", "SET_ADD"), ("set_delete", "SET_DELETE")] {
        if parser.next_keyword_is(name) {
            let value = set_operand(parser, &path, shown)?;
            return Ok(match name {
                "set_add" => Action::Add(path, value),
                _ => Action::Delete(path, value),
            });
        }
    }
    Ok(Action::Set(path, sum(parser)?))
}

/// The second operand of a function on sets. The first is what it is assigned to.
fn set_operand(
    parser: &mut Parser<'_>,
    target: &Path,
    shown: &'static str,
) -> Result<std::sync::Arc<Value>, Fault> {
    let Some((_, place)) = parser.function() else { return Err(parser.unexpected()) };
    let first_place = parser.place();
    let arguments = parser.deeper(|parser| parser.list(")", sum))?;
    let Ok([first, second]) = <[Expression; 2]>::try_from(arguments) else {
        return Err(Fault::SetArguments(shown, place));
    };
    if first != Expression::Path(target.clone()) {
        return Err(Fault::SetTarget(shown, place));
    }
    match second {
        Expression::Value(value) if matches!(value.kind(), "SS" | "NS" | "BS") => Ok(value),
        _ => Err(Fault::SetOperand(shown, first_place)),
    }
}

/// An operand, or the sum or difference of two.
fn sum(parser: &mut Parser<'_>) -> Result<Expression, Fault> {
    let first = operand(parser)?;
    let Some(operator) = parser.one_of(&["+", "-"]) else { return Ok(first) };
    let second = operand(parser)?;
    for each in [&first, &second] {
        wants_kind(operator, each, "N")?;
    }
    let (first, second) = (Box::new(first), Box::new(second));
    Ok(match operator {
        "+" => Expression::Plus(first, second),
        _ => Expression::Minus(first, second),
    })
}

fn operand(parser: &mut Parser<'_>) -> Result<Expression, Fault> {
    if parser.symbol("(") {
        let inner = parser.deeper(sum)?;
        parser.expect(")")?;
        return Ok(inner);
    }
    if let Some((name, place)) = parser.function() {
        let arguments = parser.deeper(|parser| parser.list(")", sum))?;
        let known = ["list_append", "if_not_exists"].into_iter().find(|known| *known == name);
        return call(known.ok_or(Fault::Function(name, place))?, arguments);
    }
    Ok(match parser.value()? {
        Some(value) => Expression::Value(value),
        None => Expression::Path(parser.path()?),
    })
}

fn call(name: &'static str, arguments: Vec<Expression>) -> Result<Expression, Fault> {
    let count = arguments.len();
    let Ok([first, second]) = <[Expression; 2]>::try_from(arguments) else {
        return Err(ExpressionFault::OperandCount(name, count).into());
    };
    match (name, first) {
        ("if_not_exists", Expression::Path(path)) => {
            Ok(Expression::IfNotExists(path, Box::new(second)))
        }
        ("if_not_exists", _) => Err(ExpressionFault::PathRequired(name).into()),
        (_, first) => {
            for each in [&first, &second] {
                wants_kind(name, each, "L")?;
            }
            Ok(Expression::ListAppend(Box::new(first), Box::new(second)))
        }
    }
}

fn wants_kind(name: &'static str, operand: &Expression, wanted: &str) -> Result<(), Fault> {
    match operand.kind().filter(|kind| *kind != wanted) {
        Some(kind) => Err(ExpressionFault::OperandType(name, kind).into()),
        None => Ok(()),
    }
}
