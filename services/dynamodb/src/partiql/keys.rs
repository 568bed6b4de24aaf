//! Which items a condition can be about, as far as keys tell.

use std::sync::Arc;

use crate::data::{Attribute, Schema};
use crate::expression::{Comparator, Condition, KeyCondition, KeyTest, Operand};
use crate::partiql::Fault;
use crate::value::{Item, Value};

/// Divides the condition of a statement about one item into its key and what else must be true.
pub(crate) fn split_key(
    schema: &Schema,
    condition: Option<Condition>,
) -> Result<(Item, Vec<Condition>), Fault> {
    let mut key = Item::new();
    let mut rest = Vec::new();
    for part in condition.into_iter().flat_map(parts) {
        match equality(&part) {
            Some((name, value))
                if !key.contains_key(name) && schema.attributes().any(|a| a.name == name) =>
            {
                key.insert(name.to_owned(), Value::clone(value));
            }
            _ => rest.push(part),
        }
    }
    if key.len() < schema.attributes().count() {
        return Err(Fault::Keys);
    }
    Ok((key, rest))
}

/// What AND joins, nested ANDs included.
fn parts(condition: Condition) -> Vec<Condition> {
    match condition {
        Condition::And(all) => all.into_iter().flat_map(parts).collect(),
        other => vec![other],
    }
}

/// An attribute and the value it must have.
fn equality(condition: &Condition) -> Option<(&str, &Arc<Value>)> {
    match condition {
        Condition::Compare(Comparator::Equal, Operand::Path(path), Operand::Value(value))
        | Condition::Compare(Comparator::Equal, Operand::Value(value), Operand::Path(path))
            if path.steps().is_empty() =>
        {
            Some((path.head(), value))
        }
        _ => None,
    }
}

/// The values of the partition key that items can have for which a condition holds, without
/// doubles; `None` if that can be any.
pub(crate) fn partitions(partition: &Attribute, condition: &Condition) -> Option<Vec<Arc<Value>>> {
    let mut found = all_partitions(partition, condition)?;
    let mut distinct: Vec<Arc<Value>> = Vec::new();
    for value in found.drain(..) {
        if !distinct.contains(&value) {
            distinct.push(value);
        }
    }
    Some(distinct)
}

fn all_partitions(partition: &Attribute, condition: &Condition) -> Option<Vec<Arc<Value>>> {
    match condition {
        Condition::And(all) => all.iter().find_map(|each| all_partitions(partition, each)),
        Condition::Or(all) => {
            let each = all.iter().map(|each| all_partitions(partition, each));
            Some(each.collect::<Option<Vec<_>>>()?.concat())
        }
        Condition::In(Operand::Path(path), all)
            if path.steps().is_empty() && path.head() == partition.name =>
        {
            let values = all.iter().map(|each| match each {
                Operand::Value(value) => Some(Arc::clone(value)),
                _ => None,
            });
            values.collect()
        }
        other => {
            let (name, value) = equality(other)?;
            (name == partition.name).then(|| vec![Arc::clone(value)])
        }
    }
}

/// A test that the sort key of every item passes for which a condition holds.
pub(crate) fn sort_test(sort: &Attribute, condition: &Condition) -> Option<KeyTest> {
    match condition {
        Condition::And(all) => all.iter().find_map(|each| sort_test(sort, each)),
        Condition::Or(_) | Condition::Not(_) => None,
        other => {
            let test = KeyCondition::of(other).ok()?;
            let test = test.test(&sort.name)?.clone();
            let is_of_kind = test.values().all(|value| value.kind() == sort.kind);
            is_of_kind.then_some(test)
        }
    }
}
