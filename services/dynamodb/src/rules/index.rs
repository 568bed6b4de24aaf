//! What secondary indexes may be.

use std::collections::BTreeSet;

use crate::api::table::{
    AttributeDefinition, CreateTableInput, KeySchemaElement, Projection, SecondaryIndex,
    SecondaryIndexUpdate,
};
use crate::data::index::{Index, Phase, Projected, Scope};
use crate::data::{Schema, Table};
use crate::error::Error;
use crate::rules::Violations;
use crate::rules::table::{check_key_schema, check_throughput, schema_of};
use crate::rules::throughput::bounded;

/// How many indexes of each kind a table may have.
const LOCAL_MAX: usize = 5;
const GLOBAL_MAX: usize = 20;
/// How many attributes the `INCLUDE` projections of a table may name, all together.
const PROJECTED_MAX: usize = 100;
/// How many changes of indexes one request may ask for.
const UPDATES_MAX: usize = 5;
const PROJECTION_TYPES: &[&str] = &["ALL", "INCLUDE", "KEYS_ONLY"];

/// Notes what the API's model says against indexes to be made.
pub(crate) fn check_all(violations: &mut Violations, at: &str, given: Option<&[SecondaryIndex]>) {
    for (index, given) in given.unwrap_or_default().iter().enumerate() {
        check_one(violations, &format!("{at}.{}.member", index + 1), given);
    }
}

fn check_one(violations: &mut Violations, at: &str, given: &SecondaryIndex) {
    check_name(violations, at, given.index_name.as_ref());
    let schema = given.key_schema.as_deref();
    violations.required(&format!("{at}.keySchema"), schema.is_some());
    check_key_schema(violations, &format!("{at}.keySchema"), schema);
    violations.required(&format!("{at}.projection"), given.projection.is_some());
    if let Some(projection) = &given.projection {
        check_projection(violations, &format!("{at}.projection"), projection);
    }
    let throughput = given.provisioned_throughput.as_ref();
    check_throughput(violations, &format!("{at}.provisionedThroughput"), throughput);
}

fn check_name(violations: &mut Violations, at: &str, given: Option<&String>) {
    let at = format!("{at}.indexName");
    violations.required(&at, given.is_some());
    violations.name(&at, given.map(String::as_str));
}

fn check_projection(violations: &mut Violations, at: &str, given: &Projection) {
    let kind = given.projection_type.as_deref();
    violations.one_of(&format!("{at}.projectionType"), kind, PROJECTION_TYPES);
    if given.non_key_attributes.as_ref().is_some_and(Vec::is_empty) {
        let at = format!("{at}.nonKeyAttributes");
        violations.note("'[]'", &at, "have length greater than or equal to 1");
    }
}

/// Notes what the API's model says against changes of indexes.
pub(crate) fn check_updates(violations: &mut Violations, given: Option<&[SecondaryIndexUpdate]>) {
    for (index, given) in given.unwrap_or_default().iter().enumerate() {
        let at = format!("globalSecondaryIndexUpdates.{}.member", index + 1);
        if let Some(update) = &given.update {
            let at = format!("{at}.update");
            check_name(violations, &at, update.index_name.as_ref());
            let throughput = update.provisioned_throughput.as_ref();
            let at = format!("{at}.provisionedThroughput");
            violations.required(&at, throughput.is_some());
            check_throughput(violations, &at, throughput);
        }
        if let Some(create) = &given.create {
            check_one(violations, &format!("{at}.create"), create);
        }
        if let Some(delete) = &given.delete {
            check_name(violations, &format!("{at}.delete"), delete.index_name.as_ref());
        }
    }
}

/// The indexes a table is made with. `number` gives each one that no other has.
pub(crate) fn made(
    input: &CreateTableInput,
    table: &Schema,
    number: impl Fn() -> u64,
) -> Result<Vec<Index>, Error> {
    let definitions = input.attribute_definitions.as_deref().unwrap_or_default();
    let on_demand = input.billing_mode.as_deref() == Some("PAY_PER_REQUEST");
    let mut made: Vec<Index> = Vec::new();
    if let Some(given) = &input.local_secondary_indexes {
        if given.is_empty() {
            return Err(Error::invalid("List of LocalSecondaryIndexes is empty"));
        }
        if table.sort.is_none() {
            return Err(Error::invalid(
                "Table KeySchema does not have a range key, which is required when specifying a \
                 LocalSecondaryIndex",
            ));
        }
        for given in given {
            let index = local(given, definitions, table, number())?;
            check_unique(&made, &index)?;
            made.push(index);
        }
        check_count(&made)?;
    }
    if let Some(given) = &input.global_secondary_indexes {
        if given.is_empty() {
            return Err(Error::invalid("List of GlobalSecondaryIndexes is empty"));
        }
        for given in given {
            let index = global(given, definitions, on_demand, number())?;
            check_unique(&made, &index)?;
            made.push(index);
        }
        check_count(&made)?;
    }
    check_projected(&made)?;
    Ok(made)
}

fn check_unique(made: &[Index], index: &Index) -> Result<(), Error> {
    let name = &index.name;
    if made.iter().any(|other| other.name == *name) {
        return Err(Error::invalid(format_args!("Duplicate index name: {name}")));
    }
    Ok(())
}

fn check_count(indexes: &[Index]) -> Result<(), Error> {
    let globals = indexes.iter().filter(|index| index.is_global()).count();
    if indexes.len() - globals > LOCAL_MAX {
        return Err(Error::invalid(format_args!(
            "Number of LocalSecondaryIndexes exceeds per-table limit of {LOCAL_MAX}"
        )));
    }
    if globals > GLOBAL_MAX {
        return Err(Error::invalid(format_args!(
            "GlobalSecondaryIndex count exceeds the per-table limit of {GLOBAL_MAX}"
        )));
    }
    Ok(())
}

fn check_projected(indexes: &[Index]) -> Result<(), Error> {
    let named = |index: &Index| match &index.projection {
        Projected::Include(names) => names.len(),
        Projected::KeysOnly | Projected::All => 0,
    };
    if indexes.iter().map(named).sum::<usize>() > PROJECTED_MAX {
        return Err(Error::invalid(format_args!(
            "Total number of attributes specified to be projected exceeds the per-table limit of \
             {PROJECTED_MAX}"
        )));
    }
    Ok(())
}

fn local(
    given: &SecondaryIndex,
    definitions: &[AttributeDefinition],
    table: &Schema,
    number: u64,
) -> Result<Index, Error> {
    let name = given.index_name.clone().unwrap_or_default();
    let schema = key_schema(given, definitions)?;
    if schema.sort.is_none() {
        return Err(Error::invalid(format_args!(
            "Index KeySchema does not have a range key for index: {name}"
        )));
    }
    let (own, of_table) = (&schema.partition.name, &table.partition.name);
    if own != of_table {
        return Err(Error::invalid(format_args!(
            "Index KeySchema does not have the same leading hash key as table KeySchema for \
             index: {name}. index hash key: {own}, table hash key: {of_table}"
        )));
    }
    let projection = projected(given.projection.as_ref())?;
    let (scope, phase) = (Scope::Local, Phase::Active);
    Ok(Index { name, number, scope, schema, projection, throughput: None, phase })
}

fn global(
    given: &SecondaryIndex,
    definitions: &[AttributeDefinition],
    on_demand: bool,
    number: u64,
) -> Result<Index, Error> {
    let name = given.index_name.clone().unwrap_or_default();
    let schema = key_schema(given, definitions)?;
    let projection = projected(given.projection.as_ref())?;
    let throughput = match &given.provisioned_throughput {
        Some(_) if on_demand => {
            return Err(Error::invalid(format_args!(
                "ProvisionedThroughput should not be specified for index: {name} when \
                 BillingMode is PAY_PER_REQUEST"
            )));
        }
        None if !on_demand => return Err(no_throughput(&name)),
        given => given.as_ref().map(bounded).transpose()?,
    };
    let (scope, phase) = (Scope::Global, Phase::Active);
    Ok(Index { name, number, scope, schema, projection, throughput, phase })
}

/// A table with provisioned capacity has it for all of its global indexes.
pub(crate) fn check_throughput_given(table: &Table) -> Result<(), Error> {
    let lacks = |index: &&Index| index.is_global() && index.throughput.is_none();
    let lacking: Vec<&str> =
        table.kept_indexes().filter(lacks).map(|index| index.name.as_str()).collect();
    if lacking.is_empty() { Ok(()) } else { Err(no_throughput(&lacking.join(","))) }
}

fn no_throughput(indexes: &str) -> Error {
    Error::invalid(format_args!("ProvisionedThroughput must be specified for index: {indexes}"))
}

fn key_schema(
    given: &SecondaryIndex,
    definitions: &[AttributeDefinition],
) -> Result<Schema, Error> {
    let elements: &[KeySchemaElement] = given.key_schema.as_deref().unwrap_or_default();
    let keys: Vec<&str> = elements.iter().filter_map(|e| e.attribute_name.as_deref()).collect();
    let defined: Vec<&str> =
        definitions.iter().filter_map(|d| d.attribute_name.as_deref()).collect();
    if keys.iter().any(|key| !defined.contains(key)) {
        return Err(undefined(&keys, &defined));
    }
    schema_of(elements, definitions)
}

/// What AWS says of key attributes without a definition.
pub(crate) fn undefined(keys: &[&str], defined: &[&str]) -> Error {
    Error::invalid(format_args!(
        "Some index key attributes are not defined in AttributeDefinitions. Keys: [{}], \
         AttributeDefinitions: [{}]",
        keys.join(", "),
        defined.join(", ")
    ))
}

fn projected(given: Option<&Projection>) -> Result<Projected, Error> {
    let kind = given.and_then(|given| given.projection_type.as_deref());
    let more = given.and_then(|given| given.non_key_attributes.as_ref());
    match (kind, more) {
        (None, _) => Err(Error::invalid("Unknown ProjectionType: null")),
        (Some("INCLUDE"), Some(more)) => Ok(Projected::Include(more.clone())),
        (Some("INCLUDE"), None) => {
            Err(Error::invalid("ProjectionType is INCLUDE, but NonKeyAttributes is not specified"))
        }
        (Some(kind), Some(_)) => Err(Error::invalid(format_args!(
            "ProjectionType is {kind}, but NonKeyAttributes is specified"
        ))),
        (Some("ALL"), None) => Ok(Projected::All),
        (Some(_), None) => Ok(Projected::KeysOnly),
    }
}

/// Fails if attributes are defined that are a key of nothing.
pub(crate) fn check_all_used(
    definitions: &[AttributeDefinition],
    table: &Schema,
    indexes: &[Index],
) -> Result<(), Error> {
    let defined: BTreeSet<&str> =
        definitions.iter().filter_map(|d| d.attribute_name.as_deref()).collect();
    let schemas = std::iter::once(table).chain(indexes.iter().map(|index| &index.schema));
    let used: BTreeSet<&str> =
        schemas.flat_map(Schema::attributes).map(|attribute| attribute.name.as_str()).collect();
    if defined == used {
        return Ok(());
    }
    if indexes.is_empty() {
        return Err(Error::invalid(
            "Number of attributes in KeySchema does not exactly match number of attributes \
             defined in AttributeDefinitions",
        ));
    }
    let list = |names: BTreeSet<&str>| names.into_iter().collect::<Vec<_>>().join(", ");
    Err(Error::invalid(format_args!(
        "Some AttributeDefinitions are not used. AttributeDefinitions: [{}], keys used: [{}]",
        list(defined),
        list(used)
    )))
}

/// What the changes of a request say that can be judged without the table.
pub(crate) fn check_named(given: &[SecondaryIndexUpdate]) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for given in given {
        let name = match (&given.update, &given.create, &given.delete) {
            (Some(update), _, _) => &update.index_name,
            (_, Some(create), _) => &create.index_name,
            (_, _, Some(delete)) => &delete.index_name,
            (None, None, None) => {
                return Err(Error::invalid(
                    "One of GlobalSecondaryIndexUpdate.Update, \
                     GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must \
                     not be null",
                ));
            }
        };
        let name = name.as_deref().unwrap_or_default();
        if !seen.insert(name) {
            return Err(Error::invalid(format_args!(
                "Only one global secondary index update per index is allowed simultaneously. \
                 Index: {name}"
            )));
        }
    }
    Ok(())
}

/// A table with the changes of a request, and the index that the background has work with now.
pub(crate) fn changed(
    mut table: Table,
    given: &[SecondaryIndexUpdate],
    definitions: &[AttributeDefinition],
    number: u64,
) -> Result<(Table, Option<u64>), Error> {
    let online = given.iter().filter(|given| given.create.is_some() || given.delete.is_some());
    if given.len() > UPDATES_MAX || online.count() > 1 {
        return Err(Error::OneIndexAtATime);
    }
    let mut work = None;
    for given in given {
        if let Some(update) = &given.update {
            let given = update.provisioned_throughput.as_ref();
            let units = given.map(bounded).transpose().map_err(|_| blocked())?;
            let name = update.index_name.as_deref().unwrap_or_default();
            change_throughput(&mut table, name, units)?;
        }
        if let Some(create) = &given.create {
            create_in(&mut table, create, definitions, number)?;
            work = Some(number);
        }
        if let Some(delete) = &given.delete {
            let name = delete.index_name.as_deref().unwrap_or_default();
            work = Some(delete_from(&mut table, name)?);
        }
    }
    Ok((table, work))
}

/// What AWS says of units beyond its bounds, whether or not there is such an index.
fn blocked() -> Error {
    Error::validation(
        "This operation cannot be performed with given input values. Please contact DynamoDB \
         service team for more info: Action Blocked: IndexUpdate",
    )
}

fn change_throughput(
    table: &mut Table,
    name: &str,
    units: Option<(u64, u64)>,
) -> Result<(), Error> {
    if table.settings.throughput.is_none() {
        return Err(Error::invalid(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode \
             is PAY_PER_REQUEST",
        ));
    }
    let table_name = table.name.clone();
    let index = global_of(table, name, "update")?;
    if index.phase == Phase::Deleting {
        return Err(in_use("deleted", &table_name, name));
    }
    if index.throughput == units {
        let (read, write) = units.unwrap_or_default();
        return Err(Error::validation(format!(
            "The provisioned throughput for the index {name} will not change. The requested value \
             equals the current value. Current ReadCapacityUnits provisioned for index {name}: \
             {read}. Requested ReadCapacityUnits: {read}. Current WriteCapacityUnits provisioned \
             for index {name}: {write}. Requested WriteCapacityUnits: {write}. Refer to the Amazon \
             DynamoDB Developer Guide for current limits and how to request higher limits."
        )));
    }
    index.throughput = units;
    Ok(())
}

fn create_in(
    table: &mut Table,
    given: &SecondaryIndex,
    definitions: &[AttributeDefinition],
    number: u64,
) -> Result<(), Error> {
    let name = given.index_name.clone().unwrap_or_default();
    match table.index(&name).map(|index| index.phase) {
        Some(Phase::Active) => {
            return Err(Error::validation("Attempting to create an index which already exists"));
        }
        Some(Phase::Creating) => return Err(in_use("created", &table.name, &name)),
        Some(Phase::Deleting) => return Err(in_use("deleted", &table.name, &name)),
        None => {}
    }
    check_none_moving(table)?;
    let on_demand = table.settings.throughput.is_none();
    let index = global(given, definitions, on_demand, number)?;
    let schemas = table.indexes.iter().map(|index| &index.schema);
    let known = schemas.chain([&table.schema]).flat_map(Schema::attributes);
    for attribute in known {
        if index.schema.attributes().any(|a| a.name == attribute.name && a.kind != attribute.kind) {
            return Err(Error::invalid(
                "Attributes cannot be redefined. Please check that your attribute has the same \
                 type as previously defined.",
            ));
        }
    }
    table.indexes.push(Index { phase: Phase::Creating, ..index });
    check_count(&table.indexes)?;
    check_projected(&table.indexes)
}

/// An index that is still being made may be deleted, too.
fn delete_from(table: &mut Table, name: &str) -> Result<u64, Error> {
    let table_name = table.name.clone();
    let phase = global_of(table, name, "delete")?.phase;
    match phase {
        Phase::Deleting => return Err(in_use("deleted", &table_name, name)),
        Phase::Active => check_none_moving(table)?,
        Phase::Creating => {}
    }
    let index = global_of(table, name, "delete")?;
    index.phase = Phase::Deleting;
    Ok(index.number)
}

fn check_none_moving(table: &Table) -> Result<(), Error> {
    match table.indexes.iter().any(|index| index.phase != Phase::Active) {
        true => Err(Error::OneIndexAtATime),
        false => Ok(()),
    }
}

/// The global index of a name, to be changed as `verb` says.
fn global_of<'a>(table: &'a mut Table, name: &str, verb: &str) -> Result<&'a mut Index, Error> {
    let missing = Error::NoIndex(name.to_owned(), table.name.clone());
    match table.indexes.iter_mut().find(|index| index.name == name) {
        Some(index) if index.is_global() => Ok(index),
        Some(_) => Err(Error::validation(format!(
            "Cannot {verb} an index that is not a GlobalSecondaryIndex: {name}"
        ))),
        None => Err(missing),
    }
}

fn in_use(verb: &str, table: &str, index: &str) -> Error {
    Error::InUse(format!("Index is being {verb}.  Table: {table} Index: {index}"))
}
