//! Pure decisions: what a request may say, what a key must be, what an operation costs.

pub(crate) mod entry;
pub(crate) mod expiry;
pub(crate) mod index;
pub(crate) mod page;
pub(crate) mod policy;
pub(crate) mod stream;
pub(crate) mod table;
pub(crate) mod tag;
pub(crate) mod throughput;

use std::fmt::Display;

use crate::data::{Attribute, Schema, Settings, Table};
use crate::error::Error;
use crate::item::ITEM_BYTES_MAX;
use crate::value::{Item, Value, size};

/// How long the two attributes of a primary key may be.
const PARTITION_BYTES_MAX: usize = 2_048;
const SORT_BYTES_MAX: usize = 1_024;
/// What one capacity unit pays for.
const READ_UNIT_BYTES: usize = 4 * 1024;
const WRITE_UNIT_BYTES: usize = 1024;
/// The capacity of a partition, and what a batch reads from one.
const READ_UNITS_PER_PARTITION: u64 = 3_000;
const WRITE_UNITS_PER_PARTITION: u64 = 1_000;
const BATCH_PARTITION_BYTES_MAX: usize = 1024 * 1024 + ITEM_BYTES_MAX - 3;
const NAME_CHARS_MIN: usize = 3;
const NAME_CHARS_MAX: usize = 255;
/// How many violations AWS reports at once.
const VIOLATIONS_MAX: usize = 10;
const NAME_PATTERN: &str = "[a-zA-Z0-9_.-]+";
/// What [`is_table`] asks for, in AWS's words.
pub(crate) const TABLE_NAMES: &str = "Map keys must satisfy constraint: [Member must have length \
     less than or equal to 255, Member must have length greater than or equal to 3, Member must \
     satisfy regular expression pattern: [a-zA-Z0-9_.-]+]";

/// Members that break the constraints of the API's model. AWS reports the first of them together,
/// before anything else.
#[derive(Debug, Default)]
pub(crate) struct Violations(Vec<String>);

impl Violations {
    /// A member and what it must.
    pub(crate) fn note(&mut self, given: impl Display, at: &str, must: impl Display) {
        self.0.push(format!(
            "Value {given} at '{at}' failed to satisfy constraint: Member must {must}"
        ));
    }

    /// A map whose keys or values break a constraint. The message names the keys only.
    pub(crate) fn note_members<'a>(
        &mut self,
        at: &str,
        keys: impl Iterator<Item = &'a String>,
        constraint: &str,
    ) {
        let keys: Vec<String> = keys.map(|key| format!("{key}=...")).collect();
        let keys = keys.join(", ");
        self.0.push(format!(
            "Value '{{{keys}}}' at '{at}' failed to satisfy constraint: {constraint}"
        ));
    }

    /// A member that must be given.
    pub(crate) fn required(&mut self, at: &str, is_given: bool) {
        if !is_given {
            self.note("null", at, "not be null");
        }
    }

    /// A member with a fixed set of values.
    pub(crate) fn one_of(&mut self, at: &str, given: Option<&str>, values: &[&str]) {
        if let Some(given) = given.filter(|given| !values.contains(given)) {
            let must = format!("satisfy enum value set: [{}]", values.join(", "));
            self.note(format!("'{given}'"), at, must);
        }
    }

    /// A number with bounds.
    pub(crate) fn range(&mut self, at: &str, given: Option<i64>, min: i64, max: i64) {
        let Some(given) = given else { return };
        if given < min {
            self.note(
                format!("'{given}'"),
                at,
                format!("have value greater than or equal to {min}"),
            );
        }
        if given > max {
            self.note(format!("'{given}'"), at, format!("have value less than or equal to {max}"));
        }
    }

    /// A name that may have any length.
    pub(crate) fn plain(&mut self, at: &str, given: Option<&str>) {
        if let Some(given) = given.filter(|given| !is_name(given)) {
            let must = format!("satisfy regular expression pattern: {NAME_PATTERN}");
            self.note(format!("'{given}'"), at, must);
        }
    }

    /// A text with a shortest and a longest length.
    pub(crate) fn length(&mut self, at: &str, given: Option<&str>, min: usize, max: usize) {
        let Some(given) = given else { return };
        let chars = given.chars().count();
        if chars < min {
            let must = format!("have length greater than or equal to {min}");
            self.note(format!("'{given}'"), at, must);
        }
        if chars > max {
            let must = format!("have length less than or equal to {max}");
            self.note(format!("'{given}'"), at, must);
        }
    }

    /// The name of a table or index; of an ARN, only the form is checked here.
    pub(crate) fn name(&mut self, at: &str, given: Option<&str>) {
        let Some(given) = given.filter(|given| !given.starts_with("arn:")) else { return };
        let quoted = format!("'{given}'");
        if !is_name(given) {
            self.note(&quoted, at, format!("satisfy regular expression pattern: {NAME_PATTERN}"));
        }
        if given.len() < NAME_CHARS_MIN {
            let must = format!("have length greater than or equal to {NAME_CHARS_MIN}");
            self.note(&quoted, at, must);
        }
        if given.len() > NAME_CHARS_MAX {
            let must = format!("have length less than or equal to {NAME_CHARS_MAX}");
            self.note(&quoted, at, must);
        }
    }

    /// The name of the table an operation on items is about.
    pub(crate) fn table_name(&mut self, given: Option<&String>) {
        self.required("tableName", given.is_some());
        self.name("tableName", given.map(String::as_str));
    }

    pub(crate) fn return_consumed_capacity(&mut self, given: Option<&String>) {
        let given = given.map(String::as_str);
        self.one_of("returnConsumedCapacity", given, &["INDEXES", "TOTAL", "NONE"]);
    }

    pub(crate) fn return_item_collection_metrics(&mut self, given: Option<&String>) {
        let given = given.map(String::as_str);
        self.one_of("returnItemCollectionMetrics", given, &["SIZE", "NONE"]);
    }

    /// A list that must be given, with bounds for its length.
    pub(crate) fn list<T>(&mut self, at: &str, given: Option<&Vec<T>>, max: usize) {
        self.required(at, given.is_some());
        match given.map_or(1, Vec::len) {
            0 => self.note("'[]'", at, "have length greater than or equal to 1"),
            many if many > max => {
                self.note("'[...]'", at, format!("have length less than or equal to {max}"));
            }
            _ => {}
        }
    }

    /// All violations as one error.
    pub(crate) fn finish(self) -> Result<(), Error> {
        let first = &self.0[..self.0.len().min(VIOLATIONS_MAX)];
        let count = first.len();
        match count {
            0 => Ok(()),
            _ => {
                let plural = if count == 1 { "" } else { "s" };
                let all = first.join("; ");
                Err(Error::Validation(format!("{count} validation error{plural} detected: {all}")))
            }
        }
    }
}

/// Whether a text can be the name or the ARN of a table.
pub(crate) fn is_table(text: &str) -> bool {
    let length = NAME_CHARS_MIN..=NAME_CHARS_MAX;
    text.starts_with("arn:") || (is_name(text) && length.contains(&text.len()))
}

fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

/// The table name of an operation on the table itself, which AWS checks in other words.
pub(crate) fn own_table_name(given: Option<&String>) -> Result<&str, Error> {
    let name = given.ok_or_else(|| {
        Error::validation(
            "The parameter 'TableName' is required but was not present in the request",
        )
    })?;
    if !name.starts_with("arn:") && !(NAME_CHARS_MIN..=NAME_CHARS_MAX).contains(&name.len()) {
        return Err(Error::validation(format!(
            "TableName must be at least {NAME_CHARS_MIN} characters long and at most \
             {NAME_CHARS_MAX} characters long"
        )));
    }
    Ok(name)
}

/// A primary key as bytes that are equal, and for the sort key ordered, as the values are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PrimaryKey {
    pub(crate) partition: Vec<u8>,
    /// Empty where the table has no sort key.
    pub(crate) sort: Vec<u8>,
}

/// The key of an item that is to be written.
pub(crate) fn key_of_item(schema: &Schema, item: &Item) -> Result<PrimaryKey, Error> {
    for attribute in schema.attributes() {
        let Attribute { name, kind } = attribute;
        let value = item
            .get(name)
            .ok_or_else(|| Error::invalid(format_args!("Missing the key {name} in the item")))?;
        if value.kind() != kind {
            let actual = value.kind();
            return Err(Error::invalid(format_args!(
                "Type mismatch for key {name} expected: {kind} actual: {actual}"
            )));
        }
        check_not_empty(name, value)?;
    }
    primary_key(schema, item)
}

/// Fails if a key attribute is empty. Others that are missing or of another type may pass.
pub(crate) fn check_keys_not_empty(schema: &Schema, item: &Item) -> Result<(), Error> {
    for Attribute { name, .. } in schema.attributes() {
        if let Some(value) = item.get(name) {
            check_not_empty(name, value)?;
        }
    }
    Ok(())
}

fn check_not_empty(name: &str, value: &Value) -> Result<(), Error> {
    let Some(what) = empty(value) else { return Ok(()) };
    Err(Error::validation(format!(
        "One or more parameter values are not valid. The AttributeValue for a key attribute \
         cannot contain an empty {what} value. Key: {name}"
    )))
}

/// The key a request gives: exactly the attributes of the schema.
pub(crate) fn key_of_request(schema: &Schema, key: &Item) -> Result<PrimaryKey, Error> {
    key_matches(schema, key)?;
    for Attribute { name, .. } in schema.attributes() {
        if let Some(what) = key.get(name).and_then(empty) {
            return Err(Error::invalid(format_args!(
                "The AttributeValue for a key attribute cannot contain an empty {what} value. \
                 Key: {name}"
            )));
        }
    }
    primary_key(schema, key)
}

/// Whether a key has exactly the attributes of the schema, of their types.
pub(crate) fn key_matches(schema: &Schema, key: &Item) -> Result<(), Error> {
    let matches = |a: &Attribute| key.get(&a.name).is_some_and(|value| value.kind() == a.kind);
    if key.len() == schema.attributes().count() && schema.attributes().all(matches) {
        Ok(())
    } else {
        Err(Error::validation("The provided key element does not match the schema"))
    }
}

/// The key attributes of an item.
pub(crate) fn key_attributes(schema: &Schema, item: &Item) -> Item {
    let attribute = |a: &Attribute| Some((a.name.clone(), item.get(&a.name)?.clone()));
    schema.attributes().filter_map(attribute).collect()
}

/// The key an item has by a schema that it need not fulfil, as an index's.
pub(crate) fn key_within(schema: &Schema, item: &Item) -> Option<PrimaryKey> {
    let fits = |attribute: &Attribute| {
        let value = item.get(&attribute.name);
        value.is_some_and(|value| value.kind() == attribute.kind && empty(value).is_none())
    };
    if !schema.attributes().all(fits) {
        return None;
    }
    primary_key(schema, item).ok()
}

fn primary_key(schema: &Schema, item: &Item) -> Result<PrimaryKey, Error> {
    let bytes = |attribute: &Attribute| item.get(&attribute.name).map(key_bytes);
    let partition = bytes(&schema.partition).unwrap_or_default();
    let sort = schema.sort.as_ref().and_then(bytes).unwrap_or_default();
    check_partition_bytes(&partition)?;
    check_sort_bytes(&sort)?;
    Ok(PrimaryKey { partition, sort })
}

// Numbers are short in any form; of the others the bytes are the value's own.
fn check_partition_bytes(partition: &[u8]) -> Result<(), Error> {
    if partition.len() > PARTITION_BYTES_MAX {
        return Err(Error::invalid(format_args!(
            "Size of hashkey has exceeded the maximum size limit of{PARTITION_BYTES_MAX} bytes"
        )));
    }
    Ok(())
}

fn check_sort_bytes(sort: &[u8]) -> Result<(), Error> {
    if sort.len() > SORT_BYTES_MAX {
        return Err(Error::invalid(format_args!(
            "Aggregated size of all range keys has exceeded the size limit of {SORT_BYTES_MAX} \
             bytes"
        )));
    }
    Ok(())
}

/// A key attribute's value as bytes in its order. Persisted in keys, so must stay as it is.
pub(crate) fn key_bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::S(text) => text.clone().into_bytes(),
        Value::B(bytes) => bytes.clone(),
        Value::N(number) => number.ordered(),
        // Not reached: no key attribute is of another type.
        _ => Vec::new(),
    }
}

fn empty(value: &Value) -> Option<&'static str> {
    match value {
        Value::S(text) if text.is_empty() => Some("string"),
        Value::B(bytes) if bytes.is_empty() => Some("binary"),
        _ => None,
    }
}

/// Whether an item is small enough to be stored.
pub(crate) fn check_size(item: &Item) -> Result<(), Error> {
    if size(item) > ITEM_BYTES_MAX {
        return Err(Error::validation("Item size has exceeded the maximum allowed size"));
    }
    Ok(())
}

/// Fails if a path goes into a key attribute of the table or of one of its indexes.
pub(crate) fn check_key_paths<'a>(
    table: &Table,
    paths: impl IntoIterator<Item = &'a crate::expression::Path> + Clone,
) -> Result<(), Error> {
    let is_key = |schema: &Schema, head: &str| schema.attributes().any(|a| a.name == head);
    let deep = || paths.clone().into_iter().filter(|path| !path.steps().is_empty());
    let refuse = |what: &str, head: &str| {
        Err(Error::validation(format!(
            "Key attributes must be scalars; list random access '[]' and map lookup '.' are not \
             allowed: {what}: {head}"
        )))
    };
    if let Some(path) = deep().find(|path| is_key(&table.schema, path.head())) {
        return refuse("Key", path.head());
    }
    let is_index_key = |head: &str| table.kept_indexes().any(|index| is_key(&index.schema, head));
    match deep().find(|path| is_index_key(path.head())) {
        Some(path) => refuse("IndexKey", path.head()),
        None => Ok(()),
    }
}

/// How many bytes a batch reads from one table; nothing where only the batch as a whole is
/// bounded. AWS reads 1 MB, and what the item at that border has more, from each partition; a
/// provisioned table has as many as its capacity needs, an on-demand one as many as are asked.
pub(crate) fn batch_bytes_max(settings: &Settings) -> Option<usize> {
    let (read, write) = settings.throughput?;
    let load = read.div_ceil(READ_UNITS_PER_PARTITION) + write.div_ceil(WRITE_UNITS_PER_PARTITION);
    // Each rounds up, so together they are one too many.
    let partitions = usize::try_from(load.saturating_sub(1).max(1)).unwrap_or(usize::MAX);
    Some(partitions.saturating_mul(BATCH_PARTITION_BYTES_MAX))
}

/// Capacity units for reading so many bytes. Reads that need not be consistent cost half.
pub(crate) fn read_units(bytes: usize, consistent: bool) -> f64 {
    units(bytes, READ_UNIT_BYTES) * if consistent { 1.0 } else { 0.5 }
}

/// Capacity units for writing so many bytes.
pub(crate) fn write_units(bytes: usize) -> f64 {
    units(bytes, WRITE_UNIT_BYTES)
}

fn units(bytes: usize, unit: usize) -> f64 {
    f64::from(u32::try_from(bytes.div_ceil(unit).max(1)).unwrap_or(u32::MAX))
}
