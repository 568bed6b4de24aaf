//! The lines of one invocation: START, what the function wrote, END and REPORT, in that order.

use std::sync::Arc;

use base::Clock;
use telemetry::{FunctionName, LogLine, LogSink, Measure, MetricSink, StreamName};

use crate::slot::Began;
use crate::worker::LINE_BYTES_MAX;

/// What `LogType=Tail` gives.
const TAIL_BYTES_MAX: usize = 4 * 1024;

/// Writes to one stream and keeps the tail of one invocation.
pub(crate) struct Journal<'a> {
    pub(crate) sink: &'a dyn LogSink,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) stream: &'a Arc<StreamName>,
    pub(crate) request_id: Option<Arc<str>>,
    /// What is to be written before anything else, and is not of the tail.
    pub(crate) first: Option<String>,
    /// Kept where it is wanted.
    pub(crate) tail: Option<Tail>,
}

impl Journal<'_> {
    pub(crate) fn write(&mut self, mut text: String) {
        self.write_first();
        if text.len() > LINE_BYTES_MAX {
            text.truncate(text.floor_char_boundary(LINE_BYTES_MAX));
        }
        if let Some(tail) = &mut self.tail {
            tail.push(&text);
        }
        self.put(text);
    }

    /// Writes what is to be first, where that was not done yet.
    pub(crate) fn write_first(&mut self) {
        if let Some(first) = self.first.take() {
            self.put(first);
        }
    }

    fn put(&self, text: String) {
        self.sink.write(LogLine {
            to: Arc::clone(self.stream),
            time: self.clock.now(),
            request_id: self.request_id.clone(),
            text,
        });
    }
}

/// The last 4 KB of some text.
#[derive(Default)]
pub(crate) struct Tail(String);

impl Tail {
    fn push(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
        // Cut now and then, not with every line.
        if self.0.len() > 4 * TAIL_BYTES_MAX {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let from = self.0.ceil_char_boundary(self.0.len().saturating_sub(TAIL_BYTES_MAX));
        self.0.drain(..from);
    }

    pub(crate) fn into_text(mut self) -> String {
        self.cut();
        self.0
    }
}

/// The figures of an invocation.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Figures {
    pub(crate) duration_ms: f64,
    pub(crate) began: Began,
    pub(crate) memory_kb: u32,
}

impl Figures {
    /// Whole milliseconds, loading included.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few minutes in milliseconds, never negative"
    )]
    pub(crate) fn billed_ms(&self) -> u64 {
        let began = self.began.init_ms.or(self.began.restore_ms).unwrap_or(0.0);
        (self.duration_ms + began).ceil().max(1.0) as u64
    }

    /// Counts the invocation.
    pub(crate) fn record(&self, sink: &dyn MetricSink, of: &Arc<FunctionName>, failed: bool) {
        let mut samples = [(Measure::Invocations, 1.0); 5];
        samples[1] = (Measure::Errors, f64::from(u8::from(failed)));
        samples[2] = (Measure::Duration, self.duration_ms);
        let mut count = 3;
        let Began { init_ms, restore_ms } = self.began;
        let began = [(Measure::InitDuration, init_ms), (Measure::RestoreDuration, restore_ms)];
        let began = began.into_iter().find_map(|(measure, ms)| Some((measure, ms?)));
        let memory = (self.memory_kb > 0).then(|| (Measure::MemoryUsed, f64::from(self.memory_kb)));
        for sample in began.into_iter().chain(memory) {
            samples[count] = sample;
            count += 1;
        }
        sink.record(of, &samples[..count]);
    }

    /// `REPORT …`, with a status where the end was not a good one.
    pub(crate) fn report(&self, request_id: &str, memory_mb: u32, status: &str) -> String {
        let Figures { duration_ms, began, memory_kb } = self;
        let init = match *began {
            Began { init_ms: Some(ms), .. } => format!("Init Duration: {ms:.2} ms\t"),
            Began { restore_ms: Some(ms), .. } => {
                format!("Restore Duration: {ms:.2} ms\tBilled Restore Duration: {} ms\t", ms.ceil(),)
            }
            Began { .. } => String::new(),
        };
        format!(
            "REPORT RequestId: {request_id}\tDuration: {duration_ms:.2} ms\t\
             Billed Duration: {billed} ms\tMemory Size: {memory_mb} MB\t\
             Max Memory Used: {used} MB\t{init}{status}",
            billed = self.billed_ms(),
            used = memory_kb.div_ceil(1024),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_reads_as_lambda_writes_it() {
        let warm = Figures { duration_ms: 1.234, began: Began::default(), memory_kb: 40 * 1024 };
        assert_eq!(
            warm.report("id", 128, ""),
            "REPORT RequestId: id\tDuration: 1.23 ms\tBilled Duration: 2 ms\t\
             Memory Size: 128 MB\tMax Memory Used: 40 MB\t"
        );
        let began = Began { init_ms: Some(100.5), restore_ms: None };
        let cold = Figures { began, ..warm };
        assert_eq!(cold.billed_ms(), 102);
        let late = cold.report("id", 128, "Status: timeout");
        assert!(late.ends_with("MB\tInit Duration: 100.50 ms\tStatus: timeout"));
    }

    #[test]
    fn the_tail_is_the_last_four_kilobytes_of_whole_characters() {
        let mut tail = Tail::default();
        for _ in 0..10_000 {
            tail.push("é");
        }
        let text = tail.into_text();
        assert!((TAIL_BYTES_MAX - 2..=TAIL_BYTES_MAX).contains(&text.len()));
        assert!(text.ends_with("é\n"));
    }
}
