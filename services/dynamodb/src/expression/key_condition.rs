use std::sync::Arc;

use crate::expression::condition::{Comparator, Condition, Operand};
use crate::expression::{Error, Path};
use crate::value::Value;

/// A condition on keys: one or two attributes, each with one test.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KeyCondition(Vec<(String, KeyTest)>);

/// What a key attribute must be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum KeyTest {
    Equal(Arc<Value>),
    Less(Arc<Value>),
    LessOrEqual(Arc<Value>),
    Greater(Arc<Value>),
    GreaterOrEqual(Arc<Value>),
    Between(Arc<Value>, Arc<Value>),
    BeginsWith(Arc<Value>),
    /// One that older parameters can ask for and no order of keys answers.
    NotIndexable,
}

impl KeyCondition {
    /// Looks at a condition as one on keys: tests of attributes, joined by AND.
    pub(crate) fn of(condition: &Condition) -> Result<KeyCondition, Error> {
        let mut found: Vec<(String, KeyTest)> = Vec::new();
        for part in parts(condition)? {
            let (name, test) = key_test(part)?;
            if found.iter().any(|(other, _)| *other == name) {
                return Err(Error::KeyTwice);
            }
            found.push((name, test));
        }
        if found.len() > 2 { Err(Error::KeyCount) } else { Ok(KeyCondition(found)) }
    }

    /// One of tests of different attributes.
    pub(crate) fn of_tests(tests: Vec<(String, KeyTest)>) -> KeyCondition {
        KeyCondition(tests)
    }

    /// The test of an attribute, if there is one.
    pub(crate) fn test(&self, attribute: &str) -> Option<&KeyTest> {
        self.0.iter().find(|(name, _)| name == attribute).map(|(_, test)| test)
    }

    /// How many attributes it tests.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl KeyTest {
    /// The values it compares with.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Value> {
        let (first, second) = match self {
            KeyTest::NotIndexable => (None, None),
            KeyTest::Equal(value)
            | KeyTest::Less(value)
            | KeyTest::LessOrEqual(value)
            | KeyTest::Greater(value)
            | KeyTest::GreaterOrEqual(value)
            | KeyTest::BeginsWith(value) => (Some(value), None),
            KeyTest::Between(low, high) => (Some(low), Some(high)),
        };
        first.into_iter().chain(second).map(|value| &**value)
    }

    /// Whether a value passes.
    pub(crate) fn passes(&self, value: &Value) -> bool {
        let order = |to: &Value| value.order(to);
        match self {
            KeyTest::Equal(to) => value == &**to,
            KeyTest::Less(to) => order(to).is_some_and(std::cmp::Ordering::is_lt),
            KeyTest::LessOrEqual(to) => order(to).is_some_and(std::cmp::Ordering::is_le),
            KeyTest::Greater(to) => order(to).is_some_and(std::cmp::Ordering::is_gt),
            KeyTest::GreaterOrEqual(to) => order(to).is_some_and(std::cmp::Ordering::is_ge),
            KeyTest::Between(low, high) => {
                order(low).is_some_and(std::cmp::Ordering::is_ge)
                    && order(high).is_some_and(std::cmp::Ordering::is_le)
            }
            KeyTest::NotIndexable => false,
            KeyTest::BeginsWith(start) => super::evaluate::begins_with(value, start),
        }
    }
}

/// What AND joins, nested ANDs included.
fn parts(condition: &Condition) -> Result<Vec<&Condition>, Error> {
    match condition {
        Condition::And(all) => {
            let mut found = Vec::new();
            for each in all {
                found.extend(parts(each)?);
            }
            Ok(found)
        }
        Condition::Or(_) => Err(Error::KeyOperator("OR")),
        Condition::Not(_) => Err(Error::KeyOperator("NOT")),
        Condition::In(..) => Err(Error::KeyOperator("IN")),
        Condition::Exists(_) => Err(Error::KeyOperator("attribute_exists")),
        Condition::NotExists(_) => Err(Error::KeyOperator("attribute_not_exists")),
        Condition::Type(..) => Err(Error::KeyOperator("attribute_type")),
        Condition::Contains(..) => Err(Error::KeyOperator("contains")),
        Condition::Compare(Comparator::NotEqual, ..) => Err(Error::KeyOperator("<>")),
        Condition::Compare(..) | Condition::Between(..) | Condition::BeginsWith(..) => {
            Ok(vec![condition])
        }
    }
}

fn key_test(condition: &Condition) -> Result<(String, KeyTest), Error> {
    match condition {
        Condition::Between(operand, low, high) => {
            first_is_path("BETWEEN", operand)?;
            let (name, values) = one_attribute(&[operand, low, high])?;
            match &values[..] {
                [low, high] => Ok((name, KeyTest::Between(low.clone(), high.clone()))),
                _ => Err(Error::KeyMissing),
            }
        }
        Condition::BeginsWith(operand, start) => {
            first_is_path("begins_with", operand)?;
            let (name, values) = one_attribute(&[operand, start])?;
            match &values[..] {
                [start] => Ok((name, KeyTest::BeginsWith(start.clone()))),
                _ => Err(Error::KeyMissing),
            }
        }
        Condition::Compare(comparator, a, b) => {
            let (name, values) = one_attribute(&[a, b])?;
            let [value] = &values[..] else { return Err(Error::KeyMissing) };
            let value = value.clone();
            // `5 < a` says the same as `a > 5`.
            let turned = matches!(b, Operand::Path(_));
            let test = match (comparator, turned) {
                (Comparator::Equal, _) => KeyTest::Equal(value),
                (Comparator::Less, false) | (Comparator::Greater, true) => KeyTest::Less(value),
                (Comparator::Greater, false) | (Comparator::Less, true) => KeyTest::Greater(value),
                (Comparator::LessOrEqual, false) | (Comparator::GreaterOrEqual, true) => {
                    KeyTest::LessOrEqual(value)
                }
                (Comparator::GreaterOrEqual, false) | (Comparator::LessOrEqual, true) => {
                    KeyTest::GreaterOrEqual(value)
                }
                (Comparator::NotEqual, _) => return Err(Error::KeyOperator("<>")),
            };
            Ok((name, test))
        }
        _ => Err(Error::KeyMissing),
    }
}

fn first_is_path(operator: &'static str, operand: &Operand) -> Result<(), Error> {
    match operand {
        Operand::Value(_) => Err(Error::KeyFirst(operator)),
        Operand::Path(_) | Operand::Size(_) => Ok(()),
    }
}

/// The one attribute among operands, and the values that are the others.
fn one_attribute(operands: &[&Operand]) -> Result<(String, Vec<Arc<Value>>), Error> {
    let mut attribute: Option<&Path> = None;
    let mut values = Vec::new();
    for operand in operands {
        match operand {
            Operand::Size(_) => return Err(Error::KeyNestedOperation),
            Operand::Path(_) if attribute.is_some() => return Err(Error::KeyAttributes),
            Operand::Path(path) if !path.steps().is_empty() => {
                return Err(Error::KeyNestedAttribute);
            }
            Operand::Path(path) => attribute = Some(path),
            Operand::Value(value) => values.push(Arc::clone(value)),
        }
    }
    let attribute = attribute.ok_or(Error::KeyMissing)?;
    Ok((attribute.head().to_owned(), values))
}
