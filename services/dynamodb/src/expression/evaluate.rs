//! Whether a condition holds for an item. An absent attribute makes every test false but `<>` and
//! `attribute_not_exists`, and so does a type the test does not know.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::expression::condition::{Comparator, Condition, Operand};
use crate::number::Number;
use crate::value::{Item, Value};

impl Condition {
    /// Whether it holds. An item that does not exist is one without attributes.
    pub(crate) fn holds(&self, item: &Item) -> bool {
        match self {
            Condition::Compare(comparator, a, b) => compare(*comparator, a, b, item),
            Condition::Between(operand, low, high) => {
                compare(Comparator::GreaterOrEqual, operand, low, item)
                    && compare(Comparator::LessOrEqual, operand, high, item)
            }
            Condition::In(operand, all) => {
                all.iter().any(|each| compare(Comparator::Equal, operand, each, item))
            }
            Condition::Exists(path) => path.get(item).is_some(),
            Condition::NotExists(path) => path.get(item).is_none(),
            Condition::Type(operand, kind) => {
                operand.get(item).is_some_and(|value| value.kind() == kind)
            }
            Condition::BeginsWith(operand, start) => pair(operand, start, item, begins_with),
            Condition::Contains(operand, part) => pair(operand, part, item, contains),
            Condition::And(all) => all.iter().all(|each| each.holds(item)),
            Condition::Or(all) => all.iter().any(|each| each.holds(item)),
            Condition::Not(inner) => !inner.holds(item),
        }
    }
}

impl Operand {
    fn get<'a>(&'a self, item: &'a Item) -> Option<Cow<'a, Value>> {
        match self {
            Operand::Path(path) => path.get(item).map(Cow::Borrowed),
            Operand::Value(value) => Some(Cow::Borrowed(value)),
            Operand::Size(inner) => {
                let size = size(&*inner.get(item)?)?;
                Some(Cow::Owned(Value::N(Number::from(size))))
            }
        }
    }
}

/// What `size()` says: the length of text and bytes, how many members a set or document has.
fn size(value: &Value) -> Option<usize> {
    match value {
        Value::S(text) => Some(text.encode_utf16().count()),
        Value::B(bytes) => Some(bytes.len()),
        Value::M(map) => Some(map.len()),
        Value::L(list) => Some(list.len()),
        Value::Ss(set) => Some(set.len()),
        Value::Ns(set) => Some(set.len()),
        Value::Bs(set) => Some(set.len()),
        Value::N(_) | Value::Bool(_) | Value::Null => None,
    }
}

fn compare(comparator: Comparator, a: &Operand, b: &Operand, item: &Item) -> bool {
    let order =
        |wanted: fn(Ordering) -> bool| pair(a, b, item, |a, b| a.order(b).is_some_and(wanted));
    match comparator {
        Comparator::Equal => pair(a, b, item, |a, b| a == b),
        Comparator::NotEqual => !pair(a, b, item, |a, b| a == b),
        Comparator::Less => order(Ordering::is_lt),
        Comparator::LessOrEqual => order(Ordering::is_le),
        Comparator::Greater => order(Ordering::is_gt),
        Comparator::GreaterOrEqual => order(Ordering::is_ge),
    }
}

/// A test of two values; false if one of them does not exist.
fn pair(a: &Operand, b: &Operand, item: &Item, test: impl Fn(&Value, &Value) -> bool) -> bool {
    match (a.get(item), b.get(item)) {
        (Some(a), Some(b)) => test(&a, &b),
        _ => false,
    }
}

/// Whether a text or bytes begin with others. Key conditions ask the same.
pub(crate) fn begins_with(value: &Value, start: &Value) -> bool {
    match (value, start) {
        (Value::S(text), Value::S(start)) => text.starts_with(start.as_str()),
        (Value::B(bytes), Value::B(start)) => bytes.starts_with(start),
        _ => false,
    }
}

fn contains(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::S(text), Value::S(part)) => text.contains(part.as_str()),
        (Value::B(bytes), Value::B(part)) => {
            part.is_empty() || bytes.windows(part.len()).any(|window| window == part)
        }
        (Value::Ss(set), Value::S(member)) => set.contains(member),
        (Value::Ns(set), Value::N(member)) => set.contains(member),
        (Value::Bs(set), Value::B(member)) => set.contains(member),
        (Value::L(list), member) => list.contains(member),
        _ => false,
    }
}
