//! Lines that are not stored yet.

use std::collections::HashMap;
use std::sync::Arc;

use base::{Sequence, Time};

use crate::{GroupName, LogLine, StreamName};

/// What one group may have in memory; more is dropped, and a line says how many were.
pub(crate) const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What all groups together may have in memory.
pub(crate) const BYTES_MAX: usize = 32 * 1024 * 1024;
/// What a line costs besides its text.
const LINE_BYTES: usize = 96;

/// A line within its group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    /// Larger than that of every line before it, in any group.
    pub(crate) number: u64,
    pub(crate) time: Time,
    pub(crate) stream: Arc<str>,
    pub(crate) request_id: Option<Arc<str>>,
    pub(crate) text: String,
}

impl Line {
    pub(crate) fn bytes(&self) -> usize {
        self.text.len() + LINE_BYTES
    }
}

#[derive(Default)]
pub(crate) struct Buffer {
    pub(crate) groups: HashMap<GroupName, Pending>,
    bytes: usize,
    sequence: Sequence,
}

/// What one group has in memory.
#[derive(Default)]
pub(crate) struct Pending {
    pub(crate) lines: Vec<Line>,
    /// How many of the lines are being written at this moment: the first ones.
    pub(crate) writing: usize,
    bytes: usize,
    dropped: u64,
    /// The last stream that wrote: its names are shared by its lines.
    last: Option<(Arc<StreamName>, Arc<str>)>,
}

impl Buffer {
    pub(crate) fn push(&mut self, line: LogLine) {
        let full = self.bytes >= BYTES_MAX;
        let group = &line.to.group;
        // Looked up by reference first: this is on the path of every invocation.
        if !self.groups.contains_key(group) {
            self.groups.insert(group.clone(), Pending::default());
        }
        let Some(pending) = self.groups.get_mut(group) else { return };
        if full || pending.bytes >= GROUP_BYTES_MAX {
            pending.dropped += 1;
            return;
        }
        let said = std::mem::take(&mut pending.dropped);
        if said > 0 {
            let text = format!("{said} lines are missing here: they came faster than is stored");
            let notice = LogLine { text, ..line.clone() };
            self.bytes += pending.add(notice, &self.sequence);
        }
        self.bytes += pending.add(line, &self.sequence);
    }

    /// Takes notice that the lines which were being written are stored.
    pub(crate) fn stored(&mut self, group: &GroupName) {
        let Some(pending) = self.groups.get_mut(group) else { return };
        let bytes: usize = pending.lines.drain(..pending.writing).map(|line| line.bytes()).sum();
        pending.writing = 0;
        pending.bytes -= bytes;
        self.bytes -= bytes;
        if pending.lines.is_empty() && pending.dropped == 0 {
            self.groups.remove(group);
        }
    }

    /// Drops what a group has in memory.
    pub(crate) fn forget(&mut self, group: &GroupName) {
        if let Some(pending) = self.groups.remove(group) {
            self.bytes -= pending.bytes;
        }
    }
}

impl Pending {
    fn add(&mut self, line: LogLine, sequence: &Sequence) -> usize {
        let stream = match &self.last {
            Some((name, stream)) if Arc::ptr_eq(name, &line.to) => Arc::clone(stream),
            _ => {
                let stream: Arc<str> = line.to.name.as_str().into();
                self.last = Some((Arc::clone(&line.to), Arc::clone(&stream)));
                stream
            }
        };
        let line = Line {
            number: sequence.next(line.time),
            time: line.time,
            stream,
            request_id: line.request_id,
            text: line.text,
        };
        let bytes = line.bytes();
        self.lines.push(line);
        self.bytes += bytes;
        bytes
    }
}
