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
pub(crate) mod stream;
pub(crate) mod table;
pub(crate) mod tag;
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

    fn total(&self) -> f64 {
        self.table + self.local.values().sum::<f64>() + self.global.values().sum::<f64>()
    }
}

/// Units of the table alone.
impl From<f64> for Units {
    fn from(table: f64) -> Units {
        Units { table, ..Units::default() }
    }
}

/// The capacity a request has used, if it wants to know.
fn consumed(
    wanted: Option<&String>,
    table: &Table,
    units: impl Into<Units>,
) -> Option<ConsumedCapacity> {
    let wanted = wanted.filter(|wanted| *wanted != "NONE")?;
    let units = units.into();
    let mut consumed = ConsumedCapacity {
        table_name: table.name.clone(),
        capacity_units: units.total(),
        table: None,
        local_secondary_indexes: BTreeMap::new(),
        global_secondary_indexes: BTreeMap::new(),
    };
    if wanted == "INDEXES" {
        let each = |of: BTreeMap<String, f64>| {
            of.into_iter().map(|(name, units)| (name, Capacity { capacity_units: units })).collect()
        };
        consumed.table = Some(Capacity { capacity_units: units.table });
        consumed.local_secondary_indexes = each(units.local);
        consumed.global_secondary_indexes = each(units.global);
    }
    Some(consumed)
}
