//! How busy the machine is at this moment.

use std::num::NonZero;
use std::sync::LazyLock;

/// Found out once: that takes as long as a warm invocation.
static PROCESSORS: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(1, NonZero::get));

/// Whether more wants to run than twice the number of processors, us included. Another process
/// would then only slow down those that are there. `false` where the system does not tell.
pub(crate) fn is_saturated() -> bool {
    // `0.52 0.41 0.38 3/289 4711`: of 289 threads 3 want to run.
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let running = text.split(' ').nth(3).and_then(|field| field.split('/').next()?.parse().ok());
    running.is_some_and(|running: usize| running > 2 * *PROCESSORS)
}

/// The memory of the machine, where the system tells.
pub(crate) fn memory_bytes() -> Option<usize> {
    // `MemTotal:       24689764 kB`, first.
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kilobytes: usize = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes << 10)
}
