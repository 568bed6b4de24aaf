use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::legacy;
use crate::error::Error;
use crate::expression::condition::{Comparator, Condition, Operand};
use crate::expression::key_condition::{KeyCondition, KeyTest};
use crate::expression::{Error as Fault, Path};
use crate::rules::Violations;
use crate::value::{Given, Value};

/// In the order in which AWS lists them.
const OPERATORS: &[&str] = &[
    "IN",
    "NULL",
    "BETWEEN",
    "LT",
    "NOT_CONTAINS",
    "EQ",
    "GT",
    "NOT_NULL",
    "NE",
    "LE",
    "BEGINS_WITH",
    "GE",
    "CONTAINS",
];

/// Notes comparisons that have no operator, or one that AWS does not have.
pub(crate) fn check_conditions(
    violations: &mut Violations,
    at: &str,
    given: Option<&BTreeMap<String, legacy::Condition>>,
) {
    for (name, condition) in given.into_iter().flatten() {
        let at = format!("{at}.{name}.member.comparisonOperator");
        let operator = condition.comparison_operator.as_deref();
        violations.required(&at, operator.is_some());
        violations.one_of(&at, operator, OPERATORS);
    }
}

/// Notes operators of `Expected` that AWS does not have.
pub(crate) fn check_expected(
    violations: &mut Violations,
    given: Option<&BTreeMap<String, legacy::ExpectedAttributeValue>>,
) {
    for (name, condition) in given.into_iter().flatten() {
        let at = format!("expected.{name}.member.comparisonOperator");
        violations.one_of(&at, condition.comparison_operator.as_deref(), OPERATORS);
    }
}

/// What `Expected` demands of an item; nothing if it names no attribute.
pub(crate) fn expected(
    given: Option<BTreeMap<String, legacy::ExpectedAttributeValue>>,
    operator: Option<&str>,
) -> Result<Option<Condition>, Error> {
    let each = |(name, condition)| expectation(name, condition);
    let all = given.into_iter().flatten().map(each).collect::<Result<Vec<_>, Error>>()?;
    Ok(joined(all, operator))
}

/// What `QueryFilter` or `ScanFilter` demands of an item; nothing if it names no attribute.
pub(crate) fn filter(
    given: Option<BTreeMap<String, legacy::Condition>>,
    operator: Option<&str>,
) -> Result<Option<Condition>, Error> {
    let each = |(name, condition): (String, legacy::Condition)| {
        let comparison = Comparison::of(condition)?;
        Ok(comparison.on(name))
    };
    let all = given.into_iter().flatten().map(each).collect::<Result<Vec<_>, Error>>()?;
    Ok(joined(all, operator))
}

/// What `KeyConditions` demand.
pub(crate) fn key_condition(
    given: BTreeMap<String, legacy::Condition>,
) -> Result<KeyCondition, Error> {
    let each = |(name, condition): (String, legacy::Condition)| {
        Ok((name, Comparison::of(condition)?.key_test()))
    };
    let tests = given.into_iter().map(each).collect::<Result<Vec<_>, Error>>()?;
    match tests.len() {
        1 | 2 => Ok(KeyCondition::of_tests(tests)),
        _ => Err(Fault::KeyCount.into()),
    }
}

fn joined(mut all: Vec<Condition>, operator: Option<&str>) -> Option<Condition> {
    match (all.len(), operator) {
        (0 | 1, _) => all.pop(),
        (_, Some("OR")) => Some(Condition::Or(all)),
        _ => Some(Condition::And(all)),
    }
}

/// One attribute of `Expected`: a comparison, or a value, or whether there is one.
fn expectation(name: String, given: legacy::ExpectedAttributeValue) -> Result<Condition, Error> {
    let (value, exists, list) = (given.value, given.exists, given.attribute_value_list);
    if value.is_some() && list.is_some() {
        return Err(Error::invalid(format_args!(
            "Value and AttributeValueList cannot be used together for Attribute: {name}"
        )));
    }
    if let Some(operator) = given.comparison_operator {
        if exists.is_some() {
            return Err(Error::invalid(format_args!(
                "Exists and ComparisonOperator cannot be used together for Attribute: {name}"
            )));
        }
        let takes_none = matches!(operator.as_str(), "NULL" | "NOT_NULL");
        let values = match (value, list) {
            (None, None) if !takes_none => {
                return Err(Error::invalid(format_args!(
                    "Value or AttributeValueList must be used with ComparisonOperator: {operator} \
                     for Attribute: {name}"
                )));
            }
            (Some(value), _) => vec![value],
            (None, list) => list.unwrap_or_default(),
        };
        return Ok(Comparison::new(&operator, values)?.on(name));
    }
    if list.is_some() {
        return Err(Error::invalid(format_args!(
            "AttributeValueList can only be used with a ComparisonOperator for Attribute: {name}"
        )));
    }
    match (exists, value) {
        (Some(false), None) => Ok(Condition::NotExists(Path::new(name))),
        (Some(false), Some(_)) => Err(Error::invalid(format_args!(
            "Value cannot be used when Exists is false for Attribute: {name}"
        ))),
        (Some(true) | None, Some(value)) => {
            Ok(Comparison::Order(Comparator::Equal, Arc::new(value.checked()?)).on(name))
        }
        (exists @ (Some(true) | None), None) => {
            let exists = exists.map_or("null", |_| "true");
            Err(Error::invalid(format_args!(
                "Value must be provided when Exists is {exists} for Attribute: {name}"
            )))
        }
    }
}

/// An operator and its values, as many as it takes and of the types that it takes.
enum Comparison {
    Exists,
    NotExists,
    Order(Comparator, Arc<Value>),
    Contains(Arc<Value>),
    NotContains(Arc<Value>),
    BeginsWith(Arc<Value>),
    In(Vec<Arc<Value>>),
    Between(Arc<Value>, Arc<Value>),
}

impl Comparison {
    fn of(given: legacy::Condition) -> Result<Comparison, Error> {
        let operator = given.comparison_operator.unwrap_or_default();
        Comparison::new(&operator, given.attribute_value_list.unwrap_or_default())
    }

    fn new(operator: &str, values: Vec<Given<Value>>) -> Result<Comparison, Error> {
        let checked = |value: Given<Value>| value.checked().map(Arc::new);
        let values = values.into_iter().map(checked).collect::<Result<Vec<_>, _>>()?;
        let enough = match operator {
            "NULL" | "NOT_NULL" => values.is_empty(),
            "IN" => !values.is_empty(),
            "BETWEEN" => values.len() == 2,
            _ => values.len() == 1,
        };
        if !enough {
            return Err(Error::invalid(format_args!(
                "Invalid number of argument(s) for the {operator} ComparisonOperator"
            )));
        }
        if values.windows(2).any(|pair| pair[0].kind() != pair[1].kind()) {
            return Err(Error::invalid(
                "AttributeValues inside AttributeValueList must be of same type",
            ));
        }
        if let Some(value) = values.iter().find(|value| !takes(operator, value)) {
            let kind = value.kind();
            return Err(Error::invalid(format_args!(
                "ComparisonOperator {operator} is not valid for {kind} AttributeValue type"
            )));
        }
        Comparison::with(operator, values)
    }

    /// Of values that fit the operator.
    fn with(operator: &str, values: Vec<Arc<Value>>) -> Result<Comparison, Error> {
        if operator == "IN" {
            return Ok(Comparison::In(values));
        }
        let mut values = values.into_iter();
        Ok(match (operator, values.next(), values.next()) {
            ("BETWEEN", Some(low), Some(high)) => {
                if low.order(&high).is_some_and(std::cmp::Ordering::is_gt) {
                    return Err(Error::validation(
                        "The BETWEEN condition was provided a range where the lower bound is \
                         greater than the upper bound",
                    ));
                }
                Comparison::Between(low, high)
            }
            ("CONTAINS", Some(value), _) => Comparison::Contains(value),
            ("NOT_CONTAINS", Some(value), _) => Comparison::NotContains(value),
            ("BEGINS_WITH", Some(value), _) => Comparison::BeginsWith(value),
            ("NE", Some(value), _) => Comparison::Order(Comparator::NotEqual, value),
            ("LT", Some(value), _) => Comparison::Order(Comparator::Less, value),
            ("LE", Some(value), _) => Comparison::Order(Comparator::LessOrEqual, value),
            ("GT", Some(value), _) => Comparison::Order(Comparator::Greater, value),
            ("GE", Some(value), _) => Comparison::Order(Comparator::GreaterOrEqual, value),
            (_, Some(value), _) => Comparison::Order(Comparator::Equal, value),
            ("NULL", None, _) => Comparison::NotExists,
            (_, None, _) => Comparison::Exists,
        })
    }

    /// The condition that an attribute passes the comparison.
    fn on(self, attribute: String) -> Condition {
        let path = Path::new(attribute);
        let attribute = || Operand::Path(path.clone());
        let value = Operand::Value;
        match self {
            Comparison::Exists => Condition::Exists(path),
            Comparison::NotExists => Condition::NotExists(path),
            Comparison::Order(comparator, to) => {
                Condition::Compare(comparator, attribute(), value(to))
            }
            Comparison::Contains(part) => Condition::Contains(attribute(), value(part)),
            Comparison::NotContains(part) => {
                Condition::Not(Box::new(Condition::Contains(attribute(), value(part))))
            }
            Comparison::BeginsWith(start) => Condition::BeginsWith(attribute(), value(start)),
            Comparison::In(all) => Condition::In(attribute(), all.into_iter().map(value).collect()),
            Comparison::Between(low, high) => {
                Condition::Between(attribute(), value(low), value(high))
            }
        }
    }

    fn key_test(self) -> KeyTest {
        match self {
            Comparison::Order(Comparator::Equal, to) => KeyTest::Equal(to),
            Comparison::Order(Comparator::Less, to) => KeyTest::Less(to),
            Comparison::Order(Comparator::LessOrEqual, to) => KeyTest::LessOrEqual(to),
            Comparison::Order(Comparator::Greater, to) => KeyTest::Greater(to),
            Comparison::Order(Comparator::GreaterOrEqual, to) => KeyTest::GreaterOrEqual(to),
            Comparison::Between(low, high) => KeyTest::Between(low, high),
            Comparison::BeginsWith(start) => KeyTest::BeginsWith(start),
            Comparison::Order(Comparator::NotEqual, _)
            | Comparison::Exists
            | Comparison::NotExists
            | Comparison::Contains(_)
            | Comparison::NotContains(_)
            | Comparison::In(_) => KeyTest::NotIndexable,
        }
    }
}

/// Whether an operator compares with values of this type.
fn takes(operator: &str, value: &Value) -> bool {
    match operator {
        "EQ" | "NE" => true,
        "BEGINS_WITH" => matches!(value, Value::S(_) | Value::B(_)),
        _ => matches!(value, Value::S(_) | Value::N(_) | Value::B(_)),
    }
}
