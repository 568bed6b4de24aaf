//! What a table may be.

use base::Time;

use crate::api::table::{
    AttributeDefinition, CreateTableInput, KeySchemaElement, ProvisionedThroughput,
    SseSpecification, UpdateTableInput,
};
use crate::data::index::Phase;
use crate::data::{Attribute, Schema, Settings, Table};
use crate::error::Error;
use crate::rules::throughput::bounded;
use crate::rules::{Violations, index, stream, throughput};

const KEY_NAME_BYTES_MAX: usize = 255;
pub(crate) const BILLING_MODES: &[&str] = &["PROVISIONED", "PAY_PER_REQUEST"];
const TABLE_CLASSES: &[&str] = &["STANDARD", "STANDARD_INFREQUENT_ACCESS"];

/// The constraints of the API's model.
pub(crate) fn check_create(input: &CreateTableInput) -> Result<(), Error> {
    let mut violations = Violations::default();
    violations.name("tableName", input.table_name.as_deref());
    violations.one_of("billingMode", input.billing_mode.as_deref(), BILLING_MODES);
    violations.one_of("tableClass", input.table_class.as_deref(), TABLE_CLASSES);
    let throughput = input.provisioned_throughput.as_ref();
    check_throughput(&mut violations, "provisionedThroughput", throughput);
    violations.required("attributeDefinitions", input.attribute_definitions.is_some());
    check_definitions(&mut violations, input.attribute_definitions.as_deref());
    violations.required("keySchema", input.key_schema.is_some());
    check_key_schema(&mut violations, "keySchema", input.key_schema.as_deref());
    check_encryption(&mut violations, input.sse_specification.as_ref());
    stream::check(&mut violations, input.stream_specification.as_ref());
    let indexes = input.global_secondary_indexes.as_deref();
    index::check_all(&mut violations, "globalSecondaryIndexes", indexes);
    let indexes = input.local_secondary_indexes.as_deref();
    index::check_all(&mut violations, "localSecondaryIndexes", indexes);
    violations.finish()
}

/// The same for a change of a table.
pub(crate) fn check_update(input: &UpdateTableInput) -> Result<(), Error> {
    let mut violations = Violations::default();
    violations.name("tableName", input.table_name.as_deref());
    violations.one_of("billingMode", input.billing_mode.as_deref(), BILLING_MODES);
    violations.one_of("tableClass", input.table_class.as_deref(), TABLE_CLASSES);
    let throughput = input.provisioned_throughput.as_ref();
    check_throughput(&mut violations, "provisionedThroughput", throughput);
    check_definitions(&mut violations, input.attribute_definitions.as_deref());
    check_encryption(&mut violations, input.sse_specification.as_ref());
    stream::check(&mut violations, input.stream_specification.as_ref());
    let updates = input.global_secondary_index_updates.as_deref().unwrap_or_default();
    index::check_updates(&mut violations, Some(updates).filter(|all| !all.is_empty()));
    violations.finish()?;
    throughput::check_update(input, !updates.is_empty())?;
    index::check_named(updates)
}

pub(crate) fn check_throughput(
    violations: &mut Violations,
    at: &str,
    given: Option<&ProvisionedThroughput>,
) {
    let Some(given) = given else { return };
    for (name, units) in [
        ("writeCapacityUnits", given.write_capacity_units),
        ("readCapacityUnits", given.read_capacity_units),
    ] {
        let at = format!("{at}.{name}");
        violations.required(&at, units.is_some());
        violations.range(&at, units, 1, i64::MAX);
    }
}

fn check_definitions(violations: &mut Violations, given: Option<&[AttributeDefinition]>) {
    for (index, definition) in given.unwrap_or_default().iter().enumerate() {
        let at = |member| format!("attributeDefinitions.{}.member.{member}", index + 1);
        let (name, kind) = (&definition.attribute_name, definition.attribute_type.as_deref());
        check_key_name(violations, &at("attributeName"), name.as_deref());
        violations.required(&at("attributeType"), kind.is_some());
        violations.one_of(&at("attributeType"), kind, &["B", "N", "S"]);
    }
}

pub(crate) fn check_key_schema(
    violations: &mut Violations,
    at: &str,
    given: Option<&[KeySchemaElement]>,
) {
    match given.map(<[_]>::len) {
        Some(0) => {
            violations.note("'[]'", at, "have length greater than or equal to 1");
        }
        Some(3..) => {
            violations.note("'[...]'", at, "have length less than or equal to 2");
        }
        _ => {}
    }
    for (index, element) in given.unwrap_or_default().iter().enumerate() {
        let at = |member| format!("{at}.{}.member.{member}", index + 1);
        check_key_name(violations, &at("attributeName"), element.attribute_name.as_deref());
        let kind = element.key_type.as_deref();
        violations.required(&at("keyType"), kind.is_some());
        violations.one_of(&at("keyType"), kind, &["HASH", "RANGE"]);
    }
}

fn check_key_name(violations: &mut Violations, at: &str, given: Option<&str>) {
    violations.required(at, given.is_some());
    let Some(given) = given else { return };
    if given.is_empty() {
        violations.note("''", at, "have length greater than or equal to 1");
    }
    if given.len() > KEY_NAME_BYTES_MAX {
        let must = format!("have length less than or equal to {KEY_NAME_BYTES_MAX}");
        violations.note(format!("'{given}'"), at, must);
    }
}

fn check_encryption(violations: &mut Violations, given: Option<&SseSpecification>) {
    let kind = given.and_then(|given| given.sse_type.as_deref());
    violations.one_of("sSESpecification.sSEType", kind, &["AES256", "KMS"]);
}

/// The primary key a table is made with.
pub(crate) fn schema(input: &CreateTableInput) -> Result<Schema, Error> {
    check_billing(input)?;
    let definitions = input.attribute_definitions.as_deref().unwrap_or_default();
    let elements = input.key_schema.as_deref().unwrap_or_default();
    let keys: Vec<&str> = elements.iter().filter_map(|e| e.attribute_name.as_deref()).collect();
    let defined: Vec<&str> =
        definitions.iter().filter_map(|d| d.attribute_name.as_deref()).collect();
    let undefined = keys.iter().any(|key| !defined.contains(key));
    if undefined && (keys.len() > 1 || defined.is_empty()) || defined.len() < keys.len() {
        return Err(Error::validation(
            "Invalid KeySchema: Some index key attribute have no definition",
        ));
    }
    if undefined {
        return Err(index::undefined(&keys, &defined));
    }
    let schema = schema_of(elements, definitions)?;
    if input.local_secondary_indexes.is_none() && input.global_secondary_indexes.is_none() {
        index::check_all_used(definitions, &schema, &[])?;
    }
    Ok(schema)
}

/// The keys of a table or an index, all of which are defined.
pub(crate) fn schema_of(
    elements: &[KeySchemaElement],
    definitions: &[AttributeDefinition],
) -> Result<Schema, Error> {
    if let [partition, sort] = elements
        && partition.attribute_name == sort.attribute_name
    {
        return Err(Error::validation(
            "Both the Hash Key and the Range Key element in the KeySchema have the same name",
        ));
    }
    for (element, (wanted, place)) in elements.iter().zip([("HASH", "first"), ("RANGE", "second")])
    {
        if element.key_type.as_deref() != Some(wanted) {
            return Err(Error::validation(format!(
                "Invalid KeySchema: The {place} KeySchemaElement is not a {wanted} key type"
            )));
        }
    }
    let mut attributes = elements.iter().filter_map(|element| {
        let name = element.attribute_name.clone()?;
        let definition = definitions.iter().find(|d| d.attribute_name.as_ref() == Some(&name))?;
        Some(Attribute { name, kind: definition.attribute_type.clone()? })
    });
    let partition = attributes
        .next()
        .ok_or_else(|| Error::validation("Invalid KeySchema: No Hash Key specified"))?;
    Ok(Schema { partition, sort: attributes.next() })
}

fn check_billing(input: &CreateTableInput) -> Result<(), Error> {
    let on_demand = input.billing_mode.as_deref() == Some("PAY_PER_REQUEST");
    match &input.provisioned_throughput {
        None if !on_demand => Err(Error::invalid(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is \
             PROVISIONED",
        )),
        Some(_) if on_demand => Err(throughput::on_demand()),
        Some(given) => bounded(given).map(|_| ()),
        None => Ok(()),
    }
}

/// The settings a table is made with.
pub(crate) fn settings(input: &CreateTableInput, now: Time) -> Result<Settings, Error> {
    let throughput = input.provisioned_throughput.as_ref().map(bounded).transpose()?;
    let mut settings = Settings {
        throughput,
        on_demand_since: throughput.is_none().then_some(now),
        deletion_protected: input.deletion_protection_enabled == Some(true),
        class: input.table_class.clone(),
        encryption: input.sse_specification.as_ref().and_then(encryption),
        ..Settings::default()
    };
    if let Some(given) = &input.on_demand_throughput {
        settings.maximum = throughput::maximum(given, &settings, false)?;
    }
    let warm = input.warm_throughput.as_ref();
    settings.warm = warm.map(|given| throughput::warm(given, throughput)).transpose()?;
    Ok(settings)
}

/// A table after a change, and the index that the background has work with now. `number` is for
/// an index that is made.
pub(crate) fn changed(
    mut table: Table,
    input: &UpdateTableInput,
    now: Time,
    number: u64,
) -> Result<(Table, Option<u64>), Error> {
    let moves = input.billing_mode.is_some() || input.provisioned_throughput.is_some();
    let going = table.indexes.iter().find(|index| index.phase == Phase::Deleting);
    if let Some(index) = going.filter(|_| moves) {
        return Err(Error::InUse(format!(
            "Can't change table IOPS when an index is being deleted.  Table: {} Indexes: [{}]",
            table.name, index.name
        )));
    }
    let was_on_demand = table.settings.throughput.is_none();
    table.settings = changed_settings(table.settings, input, now)?;
    let updates = input.global_secondary_index_updates.as_deref().unwrap_or_default();
    let definitions = input.attribute_definitions.as_deref().unwrap_or_default();
    let (mut table, work) = index::changed(table, updates, definitions, number)?;
    match table.settings.throughput {
        None => table.indexes.iter_mut().for_each(|index| index.throughput = None),
        Some(_) if was_on_demand => index::check_throughput_given(&table)?,
        Some(_) => {}
    }
    Ok((table, work))
}

fn changed_settings(
    before: Settings,
    input: &UpdateTableInput,
    now: Time,
) -> Result<Settings, Error> {
    let mut settings = before;
    throughput::change(&mut settings, input, now)?;
    if let Some(protected) = input.deletion_protection_enabled {
        settings.deletion_protected = protected;
    }
    if let Some(class) = &input.table_class {
        settings.class = Some(class.clone());
    }
    if let Some(given) = &input.sse_specification {
        let encryption = encryption(given);
        check_encryption_changes(&settings, encryption.as_ref())?;
        settings.encryption = encryption;
    }
    Ok(settings)
}

fn check_encryption_changes(
    before: &Settings,
    after: Option<&Option<String>>,
) -> Result<(), Error> {
    match (before.encryption.as_ref(), after) {
        (None, None) => Err(Error::invalid("Table is already encrypted by default")),
        (Some(before), Some(after)) if before == after => Err(Error::invalid(
            "Table is already encrypted with given KMSMasterKeyId. Use KMSMasterKeyId parameter \
             if you want to change Master Key",
        )),
        _ => Ok(()),
    }
}

/// The settings of a table that is made of a copy of another.
pub(crate) fn restored_settings(
    before: &Settings,
    billing: Option<&str>,
    throughput: Option<&ProvisionedThroughput>,
    sse: Option<&SseSpecification>,
    now: Time,
) -> Result<Settings, Error> {
    let refused = |why: &str| Err(Error::validation(format!("Invalid Request: {why}")));
    let given = throughput.map(bounded).transpose()?;
    let throughput = match (billing, given) {
        (Some("PROVISIONED"), None) => {
            return refused(
                "Must override ProvisionedThroughput if BillingMode is overridden to PROVISIONED",
            );
        }
        (Some("PAY_PER_REQUEST"), Some(_)) => {
            return refused(
                "Cannot override ProvisionedThroughput if BillingMode is overridden to \
                 PAY_PER_REQUEST",
            );
        }
        (None, Some(_)) if before.throughput.is_none() => {
            return refused(
                "Cannot override ProvisionedThroughput unless BillingMode is PROVISIONED",
            );
        }
        (Some("PAY_PER_REQUEST"), None) => None,
        (_, given) => given.or(before.throughput),
    };
    Ok(Settings {
        throughput,
        on_demand_since: throughput.is_none().then_some(now),
        deletion_protected: false,
        class: None,
        encryption: sse.map_or_else(|| before.encryption.clone(), encryption),
        maximum: before.maximum.filter(|_| throughput.is_none()),
        ..Settings::default()
    })
}

/// A moment as messages have it.
pub(crate) fn seconds(time: Time) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX).to_string()
}

fn encryption(given: &SseSpecification) -> Option<Option<String>> {
    (given.enabled == Some(true)).then(|| given.kms_master_key_id.clone())
}
