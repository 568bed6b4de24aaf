//! The operations, one file per noun, and what they share: finding the table a request names.

pub(crate) mod account;
pub(crate) mod backup;
pub(crate) mod batch;
pub(crate) mod capture;
pub(crate) mod collection;
pub(crate) mod expiry;
pub(crate) mod index;
pub(crate) mod item;
pub(crate) mod page;
pub(crate) mod policy;
pub(crate) mod query;
pub(crate) mod recovery;
pub(crate) mod restore;
pub(crate) mod statement;
pub(crate) mod stream;
pub(crate) mod table;
pub(crate) mod tag;
pub(crate) mod transact;
pub(crate) mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Arn;
use kit::Ctx;

use crate::api::{Capacity, ConsumedCapacity};
use crate::data::index::Index;
use crate::data::{Table, Tables};
use crate::error::Error;

/// The table a request is about, by name or ARN: what `authorize` looks at.
pub(crate) fn touched(ctx: &Ctx, table: Option<&String>) -> Vec<Arn> {
    table.map(|table| arn(ctx, table)).into_iter().collect()
}

/// The ARN of a table that is named or is an ARN already.
pub(crate) fn arn(ctx: &Ctx, table: &str) -> Arn {
    table.parse().unwrap_or_else(|_| ctx.arn("dynamodb", format!("table/{table}")))
}

/// The name of a table that is named or is an ARN. `None` for an ARN of something else, or of
/// another account or region, where we have no tables.
fn name<'a>(ctx: &Ctx, table: &'a str) -> Option<&'a str> {
    let Ok(arn) = table.parse::<Arn>() else { return Some(table) };
    let (_, name) = table.rsplit_once('/')?;
    (arn == ctx.arn("dynamodb", format!("table/{name}"))).then_some(name)
}

/// The table whose items a request is about.
async fn find(ctx: &Ctx, table: Option<&String>) -> Result<Arc<Table>, Error> {
    let name = table.and_then(|table| name(ctx, table)).ok_or(Error::NoTable)?;
    let table = ctx.state::<Arc<Tables>>().get(ctx, name).await?;
    table.filter(|table| !table.is_creating()).ok_or(Error::NoTable)
}

/// Capacity units that were used, of a table and of its indexes.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Units {
    pub(crate) table: f64,
    pub(crate) local: BTreeMap<String, f64>,
    pub(crate) global: BTreeMap<String, f64>,
}

impl Units {
    /// Adds units of an index.
    pub(crate) fn count(&mut self, index: &Index, units: f64) {
        let of = if index.is_global() { &mut self.global } else { &mut self.local };
        *of.entry(index.name.clone()).or_default() += units;
    }

    /// Adds what something else has used.
    pub(crate) fn add(&mut self, other: Units) {
        self.table += other.table;
        for (own, other) in [(&mut self.local, other.local), (&mut self.global, other.global)] {
            for (name, units) in other {
                *own.entry(name).or_default() += units;
            }
        }
    }

    /// The same, so many times.
    pub(crate) fn times(mut self, factor: f64) -> Units {
        self.table *= factor;
        let indexes = self.local.values_mut().chain(self.global.values_mut());
        indexes.for_each(|units| *units *= factor);
        self
    }

    fn total(&self) -> f64 {
        self.table + self.local.values().sum::<f64>() + self.global.values().sum::<f64>()
    }
}

/// Whether capacity units are those of reading or of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usage {
    Read,
    Write,
}

/// Units of the table alone.
impl From<f64> for Units {
    fn from(table: f64) -> Units {
        Units { table, ..Units::default() }
    }
}

/// Fails if a throttled table has nothing left of the capacity that a request wants to use.
fn check_capacity(ctx: &Ctx, table: &Table, usage: Usage, units: &Units) -> Result<(), Error> {
    ctx.state::<Arc<Tables>>().throttle.check(table, usage, units, ctx.now())
}

/// Takes the capacity that a request has used.
fn take_capacity(ctx: &Ctx, table: &Table, usage: Usage, units: &Units) {
    ctx.state::<Arc<Tables>>().throttle.take(table, usage, units, ctx.now());
}

/// Both, for what has been read.
fn charge(ctx: &Ctx, table: &Table, units: &Units) -> Result<(), Error> {
    check_capacity(ctx, table, Usage::Read, units)?;
    take_capacity(ctx, table, Usage::Read, units);
    Ok(())
}

/// Whether the capacity that a write uses must be known: because the request wants to know, or
/// because the table is throttled.
fn needs_capacity(ctx: &Ctx, wanted: Option<&String>, table: &Table) -> bool {
    wanted.is_some_and(|wanted| wanted != "NONE")
        || ctx.state::<Arc<Tables>>().throttle.holds(table)
}

/// The capacity a request has used, if it wants to know.
fn consumed(
    wanted: Option<&String>,
    table: &Table,
    units: impl Into<Units>,
) -> Option<ConsumedCapacity> {
    let wanted = wanted.filter(|wanted| *wanted != "NONE")?;
    Some(consumed_as(None, wanted == "INDEXES", table, units.into()))
}

/// Capacity as replies have it. Only transactions say what it was used for.
fn consumed_as(
    usage: Option<Usage>,
    with_indexes: bool,
    table: &Table,
    units: Units,
) -> ConsumedCapacity {
    let of = |wanted: Usage, units: f64| (usage == Some(wanted)).then_some(units);
    let capacity = |units: f64| Capacity {
        capacity_units: units,
        read_capacity_units: of(Usage::Read, units),
        write_capacity_units: of(Usage::Write, units),
    };
    let each = |all: BTreeMap<String, f64>| match with_indexes {
        true => all.into_iter().map(|(name, units)| (name, capacity(units))).collect(),
        false => BTreeMap::new(),
    };
    let total = capacity(units.total());
    ConsumedCapacity {
        table_name: table.name.clone(),
        capacity_units: total.capacity_units,
        read_capacity_units: total.read_capacity_units,
        write_capacity_units: total.write_capacity_units,
        table: with_indexes.then(|| capacity(units.table)),
        local_secondary_indexes: each(units.local),
        global_secondary_indexes: each(units.global),
    }
}
