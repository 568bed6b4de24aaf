//! What tables with provisioned capacity, or with a most they may use, are held to, if the server
//! is asked to hold them to it: a bucket of capacity units for each table and global index, of
//! reading and of writing each, that fills by its units a second and keeps what nobody has used
//! for five minutes.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use base::Time;

use crate::data::Table;
use crate::data::index::Index;
use crate::error::Error;
use crate::ops::{Units, Usage};

/// How long capacity is kept that nobody has used: AWS's burst capacity.
const KEPT_SECS: f64 = 300.0;

/// The buckets of all tables.
#[derive(Default)]
pub(crate) struct Throttle {
    /// None unless tables are throttled. By the numbers of tables, so that a table that is made
    /// anew begins anew.
    buckets: Option<Mutex<BTreeMap<u64, Buckets>>>,
}

/// Those of one table, by the names of its global indexes, `None` being the table itself.
type Buckets = BTreeMap<(Option<String>, bool), Bucket>;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Bucket {
    /// Units that may be used. Below zero where the last request used more than there was: how
    /// much a request uses is known only once it is done.
    units: f64,
    at: Time,
}

/// What one bucket is filled by.
struct Rate {
    /// Units a second.
    units: f64,
    provisioned: bool,
}

impl Throttle {
    /// Buckets, if tables are to be throttled.
    pub(crate) fn new(throttles: bool) -> Throttle {
        Throttle { buckets: throttles.then(Mutex::default) }
    }

    /// Whether this table is held to anything, so that what a request uses must be known.
    pub(crate) fn holds(&self, table: &Table) -> bool {
        self.buckets.is_some()
            && (table.settings.throughput.is_some() || table.settings.maximum.is_some())
    }

    /// Fails if there is nothing left of what a request wants to use.
    pub(crate) fn check(
        &self,
        table: &Table,
        usage: Usage,
        wanted: &Units,
        now: Time,
    ) -> Result<(), Error> {
        self.each(table, usage, wanted, now, |bucket, rate, index, _| {
            if bucket.units > 0.0 {
                return Ok(());
            }
            Err(match (rate.provisioned, index) {
                (false, _) => Error::OverMaximum,
                (true, None) => Error::OverProvisioned(TABLE),
                (true, Some(_)) => Error::OverProvisioned(INDEX),
            })
        })
    }

    /// Takes what a request has used.
    pub(crate) fn take(&self, table: &Table, usage: Usage, used: &Units, now: Time) {
        let taken = self.each(table, usage, used, now, |bucket, _, _, units| {
            bucket.units -= units;
            Ok(())
        });
        debug_assert!(taken.is_ok(), "taking does not fail");
    }

    /// Forgets a table that is gone.
    pub(crate) fn forget(&self, number: u64) {
        if let Some(buckets) = &self.buckets {
            buckets.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
        }
    }

    /// Does something with each bucket that units are taken of, filled up to now.
    fn each(
        &self,
        table: &Table,
        usage: Usage,
        units: &Units,
        now: Time,
        mut with: impl FnMut(&mut Bucket, &Rate, Option<&Index>, f64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some(buckets) = self.buckets.as_ref().filter(|_| self.holds(table)) else {
            return Ok(());
        };
        let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let buckets = buckets.entry(table.number).or_default();
        // A local index is within the partitions of its table, and uses its capacity.
        let own = units.table + units.local.values().sum::<f64>();
        let global = units.global.iter().filter_map(|(name, units)| {
            let index = table.indexes.iter().find(|index| index.name == *name)?;
            Some((Some(index), *units))
        });
        for (index, units) in std::iter::once((None, own)).chain(global) {
            let Some(rate) = rate(table, index, usage).filter(|_| units > 0.0) else { continue };
            let name = index.map(|index| index.name.clone());
            let fresh = Bucket { units: rate.units, at: now };
            let bucket = buckets.entry((name, usage == Usage::Read)).or_insert(fresh);
            bucket.fill(rate.units, now);
            with(bucket, &rate, index, units)?;
        }
        Ok(())
    }
}

const TABLE: &str = "The level of configured provisioned throughput for the table was exceeded. \
     Consider increasing your provisioning level with the UpdateTable API.";
const INDEX: &str = "The level of configured provisioned throughput for one or more global \
     secondary indexes of the table was exceeded. Consider increasing your provisioning level for \
     the under-provisioned global secondary indexes with the UpdateTable API";

impl Bucket {
    fn fill(&mut self, rate: f64, now: Time) {
        let more = now.since(self.at).as_secs_f64() * rate;
        self.units = (self.units + more).min(rate * KEPT_SECS);
        self.at = now;
    }
}

/// What a table or a global index may use a second; none if that is not limited.
fn rate(table: &Table, index: Option<&Index>, usage: Usage) -> Option<Rate> {
    let reads = usage == Usage::Read;
    let provisioned = match index {
        Some(index) => index.throughput,
        None => table.settings.throughput,
    };
    if let Some((read, write)) = provisioned {
        let units = if reads { read } else { write };
        return Some(Rate { units: as_f64(units), provisioned: true });
    }
    let maximum = table.settings.maximum.filter(|_| index.is_none())?;
    let units = if reads { maximum.read } else { maximum.write }?;
    Some(Rate { units: as_f64(units), provisioned: false })
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53 units a second")]
fn as_f64(units: u64) -> f64 {
    units as f64
}
