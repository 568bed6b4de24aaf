//! Counts the items of tables and the entries of indexes, and their bytes, from time to time and a
//! bounded number at a time. AWS does so about every six hours.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base::Time;
use kit::Ctx;
use store::{Dir, Key, KeyRange};

use crate::data::index::entries_key;
use crate::data::{self, Stored, Table, Tables};
use crate::error::Error;

/// How many entries are taken from the store at a time: at most 64 KB each.
const STEP_ITEMS_MAX: usize = 64;
/// How many times one tick reads, all tables together.
const STEPS_MAX: usize = 500;
/// How many tables one tick looks at, at a time.
const TABLES_MAX: usize = 100;
/// When something is counted again: the more it has, the later.
const AGAIN_MIN: Duration = Duration::from_secs(60);
const AGAIN_PER_ITEM: Duration = Duration::from_millis(10);
const AGAIN_MAX: Duration = Duration::from_secs(6 * 60 * 60);

/// How many items or entries there were, and the bytes they take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Count {
    pub(crate) items: u64,
    pub(crate) bytes: u64,
}

/// The counts of tables, by number, and of indexes, by the table's number and their own.
#[derive(Debug, Default)]
pub(crate) struct Counts(RwLock<HashMap<Subject, State>>);

type Subject = (u64, Option<u64>);

#[derive(Debug, Clone)]
struct State {
    /// The last count that came to its end.
    last: Count,
    due: Time,
    /// What has been counted since, and what is left to read.
    running: Option<(Count, KeyRange)>,
}

impl Counts {
    /// The last count of a table, or of one of its indexes.
    pub(crate) fn of(&self, table: u64, index: Option<u64>) -> Count {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.get(&(table, index)).map(|state| state.last).unwrap_or_default()
    }

    fn state(&self, subject: Subject) -> Option<State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&subject).cloned()
    }

    fn set(&self, subject: Subject, state: State) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(subject, state);
    }

    fn keep(&self, there: &HashSet<Subject>) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.retain(|subject, _| there.contains(subject));
    }
}

/// Counts what is due, as far as one tick goes.
pub(crate) async fn tick(ctx: &Ctx) -> Result<(), Error> {
    let mut left = STEPS_MAX;
    let mut there = HashSet::new();
    let mut range = data::tables_key(&ctx.account, &ctx.region).prefix();
    loop {
        let found = ctx.store().scan(range.clone(), Dir::Forward, TABLES_MAX).await?;
        for (key, record) in &found {
            let table: Table = store::decode(key, record)?;
            for (subject, below) in subjects(ctx, &table) {
                there.insert(subject);
                count(ctx, subject, &below, &mut left).await?;
            }
        }
        match found.last() {
            Some((last, _)) if found.len() == TABLES_MAX => range = range.after(last),
            _ => break,
        }
    }
    ctx.state::<Arc<Tables>>().counts.keep(&there);
    Ok(())
}

/// What is counted of a table, each with the key below which it stands.
fn subjects(ctx: &Ctx, table: &Table) -> Vec<(Subject, Key)> {
    let items = ((table.number, None), data::items_key(&ctx.account, table.number));
    let of = |index| entries_key(&ctx.account, table.number, index);
    let indexes = table.indexes.iter();
    let entries = indexes.map(|index| ((table.number, Some(index.number)), of(index)));
    std::iter::once(items).chain(entries).collect()
}

/// Counts on if a count is running or due, reading `left` times at most.
async fn count(ctx: &Ctx, subject: Subject, below: &Key, left: &mut usize) -> Result<(), Error> {
    let counts = &ctx.state::<Arc<Tables>>().counts;
    let State { mut last, mut due, running } = counts.state(subject).unwrap_or_else(|| State {
        last: Count::default(),
        due: ctx.now(),
        running: None,
    });
    let mut running = match running {
        None if ctx.now() < due => return Ok(()),
        None => Some((Count::default(), below.prefix())),
        running => running,
    };
    while let Some((mut sum, mut range)) = running.take_if(|_| *left > 0) {
        *left -= 1;
        let found = ctx.store().scan(range.clone(), Dir::Forward, STEP_ITEMS_MAX).await?;
        for (key, stored) in &found {
            let stored: Stored = store::decode(key, stored)?;
            sum.items += 1;
            sum.bytes += stored.body.len();
        }
        match found.last() {
            Some((last, _)) if found.len() == STEP_ITEMS_MAX => {
                range = range.after(last);
                running = Some((sum, range));
            }
            _ => {
                let items = u32::try_from(sum.items).unwrap_or(u32::MAX);
                let wait = AGAIN_PER_ITEM.saturating_mul(items).clamp(AGAIN_MIN, AGAIN_MAX);
                (last, due) = (sum, ctx.now() + wait);
            }
        }
    }
    counts.set(subject, State { last, due, running });
    Ok(())
}
