use std::sync::Arc;

use crate::expression::lexer::Token;
use crate::expression::parser::Parser;
use crate::expression::path::{Path, Step};
use crate::expression::projection::{note_collisions, project};
use crate::expression::{Error, Fault, Kind, Placeholders};
use crate::item::ITEM_BYTES_MAX;
use crate::number::{self, Number};
use crate::value::{Item, Value};

/// What an update does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Update {
    /// In the order of the text.
    actions: Vec<Action>,
    /// It was given as `AttributeUpdates`, whose faults have other words.
    of_attributes: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    Set(Path, Expression),
    Remove(Path),
    Add(Path, Arc<Value>),
    Delete(Path, Arc<Value>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    Path(Path),
    Value(Arc<Value>),
    IfNotExists(Path, Box<Expression>),
    ListAppend(Box<Expression>, Box<Expression>),
    Plus(Box<Expression>, Box<Expression>),
    Minus(Box<Expression>, Box<Expression>),
}

/// Why an update cannot be done to an item. The messages are AWS's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UpdateFault {
    #[error("The provided expression refers to an attribute that does not exist in the item")]
    Missing,
    #[error("The document path provided in the update expression is invalid for update")]
    Path,
    #[error("An operand in the update expression has an incorrect data type")]
    Type,
    #[error("Type mismatch for attribute to update")]
    AttributeType,
    #[error(transparent)]
    Number(#[from] number::Invalid),
    #[error("Item size to update has exceeded the maximum allowed size")]
    Size,
}

impl Update {
    /// Reads the sections of an update.
    pub(crate) fn parse(text: &str, placeholders: &mut Placeholders) -> Result<Update, Error> {
        let mut parser = Parser::new(Kind::Update, text, placeholders)?;
        let mut actions = Vec::new();
        let mut seen = Vec::new();
        while parser.peek() != Token::End {
            let section = section(&mut parser)?;
            if seen.contains(&section) {
                parser.note(Fault::Section(section));
            }
            seen.push(section);
            actions.push(action(&mut parser, section)?);
            while parser.symbol(",") {
                actions.push(action(&mut parser, section)?);
            }
        }
        note_collisions(&mut parser, actions.iter().map(Action::path));
        parser.finish()?;
        Ok(Update { actions, of_attributes: false })
    }

    /// Of `AttributeUpdates`, one action for each attribute.
    pub(crate) fn of_attributes(actions: Vec<Action>) -> Update {
        Update { actions, of_attributes: true }
    }

    /// Does these actions, of which no two are about one place.
    pub(crate) fn of(actions: Vec<Action>) -> Update {
        Update { actions, of_attributes: false }
    }

    /// The places it changes, in the order of the text.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> + Clone {
        self.actions.iter().map(Action::path)
    }

    /// The type that a whole attribute will have, where it does not depend on the item.
    pub(crate) fn kind_of(&self, attribute: &str) -> Option<&'static str> {
        let is_whole = |path: &Path| path.head() == attribute && path.steps().is_empty();
        self.actions.iter().find_map(|action| match action {
            Action::Set(path, expression) if is_whole(path) => expression.kind(),
            Action::Add(path, value) if is_whole(path) => Some(value.kind()),
            _ => None,
        })
    }

    /// The places it changes or reads.
    pub(crate) fn all_paths(&self) -> Vec<&Path> {
        let mut found: Vec<&Path> = self.paths().collect();
        for action in &self.actions {
            if let Action::Set(_, expression) = action {
                expression.collect_paths(&mut found);
            }
        }
        found
    }

    /// What an item has at these places.
    pub(crate) fn touched(&self, item: &Item) -> Item {
        project(item, self.paths())
    }

    /// Whether it makes an item where there is none: one that only takes away does not.
    pub(crate) fn creates(&self) -> bool {
        self.actions.iter().any(|a| matches!(a, Action::Set(..) | Action::Add(..)))
    }

    fn worded(&self, fault: UpdateFault) -> UpdateFault {
        match fault {
            UpdateFault::Type if self.of_attributes => UpdateFault::AttributeType,
            fault => fault,
        }
    }

    /// The item after the update. All operands are read from the item before it.
    pub(crate) fn apply(&self, old: &Item) -> Result<Item, UpdateFault> {
        let mut written: Vec<(&Path, Value)> = Vec::new();
        let mut removed: Vec<&Path> = Vec::new();
        let mut bytes = 0;
        for action in &self.actions {
            match action.outcome(old).map_err(|fault| self.worded(fault))? {
                Some(value) => {
                    bytes += value.size();
                    written.push((action.path(), value));
                }
                None => removed.push(action.path()),
            }
            if bytes > ITEM_BYTES_MAX {
                return Err(UpdateFault::Size);
            }
        }
        // Elements behind a list's end are appended in the order of their indices. Removals come
        // last and from the back, so that all indices are those of the old list.
        written.sort_by_key(|(path, _)| *path);
        removed.sort_by_key(|path| std::cmp::Reverse(*path));
        let mut new = old.clone();
        for (path, value) in written {
            write(&mut new, path, value)?;
        }
        for path in removed {
            remove(&mut new, path)?;
        }
        Ok(new)
    }
}

impl Action {
    /// The place it changes.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Action::Set(path, _)
            | Action::Remove(path)
            | Action::Add(path, _)
            | Action::Delete(path, _) => path,
        }
    }

    /// The value the path will have, or `None` if it will have none.
    fn outcome(&self, old: &Item) -> Result<Option<Value>, UpdateFault> {
        match self {
            Action::Set(_, expression) => expression.evaluate(old).map(Some),
            Action::Remove(_) => Ok(None),
            Action::Add(path, value) => match path.get(old) {
                Some(before) => add(before, value).map(Some),
                None => Ok(Some(Value::clone(value))),
            },
            Action::Delete(path, value) => match path.get(old) {
                Some(before) => subtract(before, value),
                None => Ok(None),
            },
        }
    }
}

fn add(before: &Value, value: &Value) -> Result<Value, UpdateFault> {
    Ok(match (before, value) {
        (Value::N(a), Value::N(b)) => Value::N(a.add(*b)?),
        (Value::Ss(a), Value::Ss(b)) => Value::Ss(a | b),
        (Value::Ns(a), Value::Ns(b)) => Value::Ns(a | b),
        (Value::Bs(a), Value::Bs(b)) => Value::Bs(a | b),
        _ => return Err(UpdateFault::Type),
    })
}

/// What is left of a set; a set without members does not exist.
fn subtract(before: &Value, value: &Value) -> Result<Option<Value>, UpdateFault> {
    let (left, empty) = match (before, value) {
        (Value::Ss(a), Value::Ss(b)) => (Value::Ss(a - b), a.is_subset(b)),
        (Value::Ns(a), Value::Ns(b)) => (Value::Ns(a - b), a.is_subset(b)),
        (Value::Bs(a), Value::Bs(b)) => (Value::Bs(a - b), a.is_subset(b)),
        _ => return Err(UpdateFault::Type),
    };
    Ok((!empty).then_some(left))
}

impl Expression {
    fn evaluate(&self, old: &Item) -> Result<Value, UpdateFault> {
        match self {
            Expression::Path(path) => path.get(old).cloned().ok_or(UpdateFault::Missing),
            Expression::Value(value) => Ok(Value::clone(value)),
            Expression::IfNotExists(path, otherwise) => match path.get(old) {
                Some(value) => Ok(value.clone()),
                None => otherwise.evaluate(old),
            },
            Expression::ListAppend(first, second) => {
                let (Value::L(mut list), Value::L(more)) =
                    (first.evaluate(old)?, second.evaluate(old)?)
                else {
                    return Err(UpdateFault::Type);
                };
                list.extend(more);
                let value = Value::L(list);
                // Checked here too, so that nested calls cannot pile up.
                if value.size() > ITEM_BYTES_MAX { Err(UpdateFault::Size) } else { Ok(value) }
            }
            Expression::Plus(a, b) => arithmetic(a, b, old, Number::add),
            Expression::Minus(a, b) => arithmetic(a, b, old, Number::subtract),
        }
    }

    fn collect_paths<'a>(&'a self, found: &mut Vec<&'a Path>) {
        match self {
            Expression::Path(path) => found.push(path),
            Expression::Value(_) => {}
            Expression::IfNotExists(path, otherwise) => {
                found.push(path);
                otherwise.collect_paths(found);
            }
            Expression::ListAppend(a, b) | Expression::Plus(a, b) | Expression::Minus(a, b) => {
                a.collect_paths(found);
                b.collect_paths(found);
            }
        }
    }

    /// The type, where it does not depend on the item.
    pub(crate) fn kind(&self) -> Option<&'static str> {
        match self {
            Expression::Path(_) | Expression::IfNotExists(..) => None,
            Expression::Value(value) => Some(value.kind()),
            Expression::ListAppend(..) => Some("L"),
            Expression::Plus(..) | Expression::Minus(..) => Some("N"),
        }
    }
}

fn arithmetic(
    a: &Expression,
    b: &Expression,
    old: &Item,
    operation: impl Fn(Number, Number) -> Result<Number, number::Invalid>,
) -> Result<Value, UpdateFault> {
    match (a.evaluate(old)?, b.evaluate(old)?) {
        (Value::N(a), Value::N(b)) => Ok(Value::N(operation(a, b)?)),
        _ => Err(UpdateFault::Type),
    }
}

/// The value that holds the last step of a path.
fn parent<'a>(item: &'a mut Item, path: &Path) -> Result<&'a mut Value, UpdateFault> {
    let between = path.steps().split_last().map_or(&[][..], |(_, between)| between);
    let head = item.get_mut(path.head()).ok_or(UpdateFault::Path)?;
    between.iter().try_fold(head, |value, step| {
        match (value, step) {
            (Value::M(map), Step::Name(name)) => map.get_mut(name),
            (Value::L(list), Step::Index(index)) => list.get_mut(*index),
            _ => None,
        }
        .ok_or(UpdateFault::Path)
    })
}

fn write(item: &mut Item, path: &Path, value: Value) -> Result<(), UpdateFault> {
    let Some(last) = path.steps().last() else {
        item.insert(path.head().to_owned(), value);
        return Ok(());
    };
    match (parent(item, path)?, last) {
        (Value::M(map), Step::Name(name)) => {
            map.insert(name.clone(), value);
        }
        (Value::L(list), Step::Index(index)) => match list.get_mut(*index) {
            Some(element) => *element = value,
            None => list.push(value),
        },
        _ => return Err(UpdateFault::Path),
    }
    Ok(())
}

fn remove(item: &mut Item, path: &Path) -> Result<(), UpdateFault> {
    let Some(last) = path.steps().last() else {
        item.remove(path.head());
        return Ok(());
    };
    match (parent(item, path)?, last) {
        (Value::M(map), Step::Name(name)) => {
            map.remove(name);
        }
        (Value::L(list), Step::Index(index)) if *index < list.len() => {
            list.remove(*index);
        }
        (Value::L(_), Step::Index(_)) => {}
        _ => return Err(UpdateFault::Path),
    }
    Ok(())
}

fn section(parser: &mut Parser) -> Result<&'static str, Error> {
    let sections = ["SET", "REMOVE", "ADD", "DELETE"];
    sections.into_iter().find(|name| parser.keyword(name)).ok_or_else(|| parser.unexpected())
}

fn action(parser: &mut Parser, section: &'static str) -> Result<Action, Error> {
    let path = parser.path()?;
    Ok(match section {
        "SET" => {
            parser.expect("=")?;
            Action::Set(path, sum(parser)?)
        }
        "REMOVE" => Action::Remove(path),
        "ADD" => Action::Add(path, clause_value(parser, "ADD", &["N", "SS", "NS", "BS"])?),
        _ => Action::Delete(path, clause_value(parser, "DELETE", &["SS", "NS", "BS"])?),
    })
}

fn clause_value(
    parser: &mut Parser,
    clause: &'static str,
    kinds: &[&str],
) -> Result<Arc<Value>, Error> {
    let Some(value) = parser.value() else { return Err(parser.unexpected()) };
    if !kinds.contains(&value.kind()) {
        parser.note(Fault::ClauseType { clause, kind: long_kind(&value) });
    }
    Ok(value)
}

/// The name of a type as messages about ADD and DELETE have it.
fn long_kind(value: &Value) -> &'static str {
    match value {
        Value::S(_) => "STRING",
        Value::N(_) => "NUMBER",
        Value::B(_) => "BINARY",
        Value::Bool(_) => "BOOLEAN",
        Value::Null => "NULL",
        Value::M(_) => "MAP",
        Value::L(_) => "LIST",
        Value::Ss(_) => "STRING_SET",
        Value::Ns(_) => "NUMBER_SET",
        Value::Bs(_) => "BINARY_SET",
    }
}

/// An operand, or the sum or difference of two.
fn sum(parser: &mut Parser) -> Result<Expression, Error> {
    sum_or_parentheses(parser).map(|(expression, _)| expression)
}

/// A sum, and whether it is nothing but something in parentheses.
fn sum_or_parentheses(parser: &mut Parser) -> Result<(Expression, bool), Error> {
    let (first, parenthesised) = operand(parser)?;
    let operator = match parser.peek() {
        Token::Symbol("+") => "+",
        Token::Symbol("-") => "-",
        _ => return Ok((first, parenthesised)),
    };
    parser.advance();
    parser.operator();
    let (second, _) = operand(parser)?;
    for each in [&first, &second] {
        wants_kind(parser, operator, each, "N");
    }
    let (first, second) = (Box::new(first), Box::new(second));
    let sum = match operator {
        "+" => Expression::Plus(first, second),
        _ => Expression::Minus(first, second),
    };
    Ok((sum, false))
}

fn operand(parser: &mut Parser) -> Result<(Expression, bool), Error> {
    if parser.symbol("(") {
        let (inner, parenthesised) = parser.deeper(sum_or_parentheses)?;
        parser.expect(")")?;
        if parenthesised {
            parser.note(Fault::Parentheses);
        }
        return Ok((inner, true));
    }
    if let Some(name) = parser.function() {
        let arguments = parser.deeper(|parser| parser.list(sum))?;
        return Ok((call(parser, name, arguments), false));
    }
    let operand = match parser.value() {
        Some(value) => Expression::Value(value),
        None => Expression::Path(parser.path()?),
    };
    Ok((operand, false))
}

fn call(parser: &mut Parser, name: &str, arguments: Vec<Expression>) -> Expression {
    let name = match name {
        "if_not_exists" => "if_not_exists",
        "list_append" => "list_append",
        unknown => {
            parser.note(Fault::UnknownFunction(unknown.to_owned()));
            return Expression::Value(Arc::new(Value::Null));
        }
    };
    let count = arguments.len();
    let Ok([first, second]) = <[Expression; 2]>::try_from(arguments) else {
        parser.note(Fault::OperandCount(name, count));
        return Expression::Value(Arc::new(Value::Null));
    };
    match (name, first) {
        ("if_not_exists", Expression::Path(path)) => {
            Expression::IfNotExists(path, Box::new(second))
        }
        ("if_not_exists", _) => {
            parser.note(Fault::PathRequired(name));
            second
        }
        (_, first) => {
            for each in [&first, &second] {
                wants_kind(parser, name, each, "L");
            }
            Expression::ListAppend(Box::new(first), Box::new(second))
        }
    }
}

fn wants_kind(parser: &mut Parser, name: &'static str, operand: &Expression, wanted: &str) {
    if let Some(kind) = operand.kind().filter(|kind| *kind != wanted) {
        parser.note(Fault::OperandType(name, kind));
    }
}

#[cfg(test)]
mod tests;
