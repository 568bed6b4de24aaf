//! The parameters that are older than expressions, read into the same trees.
//!
//! They name whole attributes only, in any characters, and carry their values with them. Their
//! faults have words of their own, and are found one attribute after the other.

mod condition;
mod update;

use std::collections::BTreeSet;

use crate::error::Error;
use crate::expression::{Kind, Path, Projection};
use crate::rules::Violations;

pub(crate) use condition::{check_conditions, check_expected, expected, filter, key_condition};
pub(crate) use update::{check_updates, updates};

/// How many attributes `AttributesToGet` may name.
const ATTRIBUTES_MAX: usize = 255;

/// Fails where a request has parameters of both languages.
pub(crate) fn not_mixed(old: &[(&str, bool)], new: &[(Kind, bool)]) -> Result<(), Error> {
    let old: Vec<&str> = old.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    let new = new.iter().filter(|(_, given)| *given);
    let new: Vec<String> = new.map(|(kind, _)| kind.to_string()).collect();
    if old.is_empty() || new.is_empty() {
        return Ok(());
    }
    let (old, new) = (old.join(", "), new.join(", "));
    Err(Error::validation(format!(
        "Can not use both expression and non-expression parameters in the same request: \
         Non-expression parameters: {{{old}}} Expression parameters: {{{new}}}"
    )))
}

/// Fails where `ConditionalOperator` has nothing to join. `joined` is how many conditions the
/// request's filter or `Expected` has, if it has one.
pub(crate) fn check_operator(operator: Option<&str>, joined: Option<usize>) -> Result<(), Error> {
    match (operator, joined) {
        (Some(_), None) => {
            Err(Error::validation("ConditionalOperator cannot be used without Filter or Expected"))
        }
        (Some(_), Some(0 | 1)) => Err(Error::validation(
            "ConditionalOperator can only be used when Filter or Expected has two or more elements",
        )),
        _ => Ok(()),
    }
}

/// Notes a `ConditionalOperator` that is none.
pub(crate) fn check_operator_name(violations: &mut Violations, operator: Option<&str>) {
    violations.one_of("conditionalOperator", operator, &["OR", "AND"]);
}

/// Notes `AttributesToGet` that are too few or too many.
pub(crate) fn check_attributes(violations: &mut Violations, at: &str, given: Option<&[String]>) {
    let Some(given) = given else { return };
    if given.is_empty() {
        violations.note("'[]'", at, "have length greater than or equal to 1");
    }
    if given.len() > ATTRIBUTES_MAX {
        let all = given.join(", ");
        let must = format!("have length less than or equal to {ATTRIBUTES_MAX}");
        violations.note(format!("'[{all}]'"), at, must);
    }
}

/// What `AttributesToGet` wants.
pub(crate) fn projection(names: Option<&Vec<String>>) -> Result<Option<Projection>, Error> {
    let Some(names) = names else { return Ok(None) };
    let mut seen = BTreeSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
        return Err(Error::invalid(format_args!("Duplicate value in attribute name: {twice}")));
    }
    Ok(Some(Projection::of_attributes(names.iter().cloned().map(Path::new).collect())))
}
