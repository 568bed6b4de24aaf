//! What an item must be for the indexes of its table.

use crate::data::index::Index;
use crate::data::{Attribute, Table};
use crate::error::Error;
use crate::rules;
use crate::value::{Item, Value};

/// Whether an item that is put can be in the indexes: what it has of their keys must fit.
pub(crate) fn check_item(table: &Table, item: &Item) -> Result<(), Error> {
    for (index, attribute) in keys(table) {
        let Some(value) = item.get(&attribute.name) else { continue };
        if value.kind() != attribute.kind {
            return Err(mismatch(index, attribute, value.kind()));
        }
        check_value(index, attribute, value)?;
    }
    Ok(())
}

/// The same for the item after an update. Only what the update has changed is looked at.
pub(crate) fn check_updated(table: &Table, old: Option<&Item>, new: &Item) -> Result<(), Error> {
    for (index, attribute) in keys(table) {
        let Some(value) = new.get(&attribute.name) else { continue };
        if old.and_then(|old| old.get(&attribute.name)) == Some(value) {
            continue;
        }
        if value.kind() != attribute.kind {
            return Err(Error::validation(
                "The update expression attempted to update the secondary index key to \
                 unsupported type",
            ));
        }
        check_value(index, attribute, value)?;
    }
    Ok(())
}

/// Whether the types that an update gives to attributes, as far as the request tells them, fit.
pub(crate) fn check_set(
    table: &Table,
    kind_of: impl Fn(&str) -> Option<&'static str>,
) -> Result<(), Error> {
    for (index, attribute) in keys(table) {
        let Some(kind) = kind_of(&attribute.name) else { continue };
        if kind != attribute.kind {
            return Err(mismatch(index, attribute, kind));
        }
    }
    Ok(())
}

/// The key attributes of a table's indexes, in the order in which AWS looks at them.
fn keys(table: &Table) -> impl Iterator<Item = (&Index, &Attribute)> {
    let of = |index| index_keys(index);
    let (globals, locals): (Vec<&Index>, Vec<&Index>) =
        table.kept_indexes().partition(|index| index.is_global());
    globals.into_iter().chain(locals).flat_map(of)
}

fn index_keys(index: &Index) -> impl Iterator<Item = (&Index, &Attribute)> {
    index.schema.attributes().map(move |attribute| (index, attribute))
}

fn mismatch(index: &Index, attribute: &Attribute, actual: &str) -> Error {
    let Attribute { name, kind } = attribute;
    Error::invalid(format_args!(
        "Type mismatch for Index Key {name} Expected: {kind} Actual: {actual} IndexName: {}",
        index.name
    ))
}

fn check_value(index: &Index, attribute: &Attribute, value: &Value) -> Result<(), Error> {
    let Attribute { name, .. } = attribute;
    if let Some(what) = rules::empty(value) {
        return Err(Error::validation(format!(
            "One or more parameter values are not valid. A value specified for a secondary index \
             key is not supported. The AttributeValue for a key attribute cannot contain an empty \
             {what} value. IndexName: {}, IndexKey: {name}",
            index.name
        )));
    }
    let bytes = rules::key_bytes(value);
    match *attribute == index.schema.partition {
        true => rules::check_partition_bytes(&bytes),
        false => rules::check_sort_bytes(&bytes),
    }
}
