//! How busy the machine is at this moment, and what memory it has left.

use std::num::NonZero;
use std::path::{Path, PathBuf};
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

/// Of the memory that is ours to use so much must be left.
const RESERVE: usize = 16;

/// Whether there is too little memory for one more process. `false` where the system does not tell.
pub(crate) fn is_short() -> bool {
    memory().is_some_and(|memory| memory.left < memory.all / RESERVE)
}

/// The memory we may use, where the system tells.
pub(crate) fn memory_bytes() -> Option<usize> {
    memory().map(|memory| memory.all)
}

/// In bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Memory {
    all: usize,
    left: usize,
}

/// The machine's memory, or that of our control group where that may have less.
fn memory() -> Option<Memory> {
    let machine = of_machine(&std::fs::read_to_string("/proc/meminfo").ok()?)?;
    let group = OUR_GROUP.as_deref().and_then(|folder| {
        let read = |file: &str| std::fs::read_to_string(folder.join(file)).ok();
        of_group(&read("memory.max")?, &read("memory.current")?, &read("memory.stat")?)
    });
    let least = |group: Memory| Memory {
        all: group.all.min(machine.all),
        left: group.left.min(machine.left),
    };
    Some(group.map_or(machine, least))
}

/// Our control group, where groups are of version 2. It does not change.
static OUR_GROUP: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let text = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(Path::new("/sys/fs/cgroup").join(path))
});

fn of_machine(meminfo: &str) -> Option<Memory> {
    // `MemAvailable:   21689764 kB`
    let field = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        let kilobytes: usize = line.split_whitespace().next()?.parse().ok()?;
        Some(kilobytes << 10)
    };
    Some(Memory { all: field("MemTotal:")?, left: field("MemAvailable:")? })
}

fn of_group(max: &str, current: &str, stat: &str) -> Option<Memory> {
    // `max` where there is no limit.
    let all: usize = max.trim().parse().ok()?;
    let used: usize = current.trim().parse().ok()?;
    // What was read from files and not of late is given up before anything else.
    let files = stat.lines().find_map(|line| line.strip_prefix("inactive_file "));
    let files: usize = files.and_then(|bytes| bytes.trim().parse().ok()).unwrap_or(0);
    Some(Memory { all, left: all.saturating_sub(used.saturating_sub(files)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_what_system_and_group_leave() {
        let meminfo = "MemTotal:  2000 kB\nMemFree:  10 kB\nMemAvailable:   1500 kB\n";
        assert_eq!(of_machine(meminfo), Some(Memory { all: 2000 << 10, left: 1500 << 10 }));
        assert_eq!(of_machine("MemTotal: much"), None);
        assert_eq!(of_group("max\n", "5\n", ""), None);
        let stat = "anon 600\ninactive_file 300\n";
        assert_eq!(of_group("1000\n", "900\n", stat), Some(Memory { all: 1000, left: 400 }));
        assert!(memory().is_some_and(|memory| 0 < memory.left && memory.left <= memory.all));
    }
}
