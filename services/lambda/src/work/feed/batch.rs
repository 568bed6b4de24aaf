//! What goes into one batch: records in order, until there are enough of them.

use base::{Sequence, Time};
use kit::streams::{Numbered, Page};

use super::window::Open;
use crate::rules::filter::Filters;

/// A record, written out.
pub(super) struct Item {
    pub(super) number: u64,
    pub(super) sequence: String,
    pub(super) at: Time,
    pub(super) json: Vec<u8>,
}

/// A batch as it is collected.
pub(super) struct Batch {
    pub(super) items: Vec<Item>,
    pub(super) bytes: usize,
    /// All records before this number are in it, or are not wanted.
    pub(super) next: u64,
    /// When the window of its records is over, where there are windows.
    pub(super) until: Option<Time>,
    /// How many records were not wanted.
    pub(super) skipped: usize,
}

/// Which records belong together.
pub(super) struct Terms<'a> {
    pub(super) filters: &'a Filters,
    pub(super) bytes_max: usize,
    /// The length of windows of time; 0 where there are none.
    pub(super) tumbling_secs: u32,
}

impl Batch {
    pub(super) fn new(next: u64, until: Option<Time>) -> Batch {
        Batch { items: Vec::new(), bytes: 0, next, until, skipped: 0 }
    }

    /// Takes the records of a page, as far as they belong to the batch; whether all of them do.
    pub(super) fn take(&mut self, page: Page, terms: &Terms<'_>) -> bool {
        for Numbered { number, sequence, at, record } in page.records {
            if !terms.filters.want_whole(&record) {
                self.skipped += 1;
                self.next = number + 1;
                continue;
            }
            let json = record.to_string().into_bytes();
            let is_full = !self.items.is_empty() && self.bytes + json.len() + 1 > terms.bytes_max;
            if is_full || self.until.is_some_and(|until| at >= until) {
                self.next = number;
                return false;
            }
            if terms.tumbling_secs > 0 && self.until.is_none() {
                self.until = Some(Open::around(at, terms.tumbling_secs).end());
            }
            self.bytes += json.len() + 1;
            self.next = number + 1;
            self.items.push(Item { number, sequence, at, json });
        }
        self.next = self.next.max(page.next);
        true
    }

    /// Whether all records of its window that there will ever be have been looked at.
    pub(super) fn window_is_over(&self) -> bool {
        self.until.is_some_and(|until| self.next >= Sequence::first_at(until))
    }
}
