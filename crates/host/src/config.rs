use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use crate::load;

/// How many slots live, how long, and how many invocations may wait.
#[derive(Debug, Clone)]
pub struct Config {
    /// Slots of all functions together, if memory lasts. Default 1,000, as an AWS account has.
    pub slots_max: usize,
    /// Slots of one revision that are started however short its events are. With fewer, processors
    /// fall asleep between an event and the next. Default twice the number of processors.
    pub slots_eager: usize,
    /// Slots of one revision that are woken while its events take less time than waking one more
    /// process; the others join after 2 ms. Default half the number of processors: the other half
    /// is for the server and its clients.
    pub slots_brief: usize,
    /// Slots of one revision that are started at the same time, and half of those of all; one more
    /// after two seconds of waiting. Default the number of processors, and at least two.
    pub starts_max: usize,
    /// Whether the machine has more to run than it can: then no function that has a slot gets
    /// another that has to be loaded before somebody has waited two seconds. Default: as the system
    /// tells.
    pub is_saturated: fn() -> bool,
    /// Whether memory is short: then idle slots end, those of least use first, and no template is
    /// made. Default: when a sixteenth of the machine's memory is left, or of what we may have of
    /// it.
    pub is_short: fn() -> bool,
    /// Invocations that wait for a slot; one more is throttled. Default 1,000.
    pub waiting_max: usize,
    /// Booted workers kept ready per runtime when load has shown the need. Default 4.
    pub booted_max: usize,
    /// Templates of all functions together. Default as many as a quarter of the machine's memory
    /// holds at 32 MB each, which is what one with an SDK has for itself.
    pub templates_max: usize,
    /// Where code packs are kept. Default nowhere: none are made.
    pub packs: Option<PathBuf>,
    /// How long a slot may be idle before it ends, while little is known of when its function's
    /// events come. Default 10 minutes.
    pub keep_alive: Duration,
    /// How long loading a function may take outside of its own timeout. Default 10 s.
    pub init_timeout: Duration,
    /// Where interpreters are looked for: the `PATH` of the server.
    pub search_path: OsString,
    /// Where `~` in the lookup of interpreters is: the `HOME` of the server. Default nowhere.
    pub home: Option<PathBuf>,
}

/// What a template with an SDK has for itself.
const TEMPLATE_BYTES: usize = 32 << 20;

impl Default for Config {
    fn default() -> Config {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Config {
            slots_max: 1_000,
            slots_eager: 2 * processors,
            starts_max: processors.max(2),
            is_saturated: load::is_saturated,
            is_short: load::is_short,
            slots_brief: (processors / 2).max(1),
            waiting_max: 1_000,
            booted_max: 4,
            templates_max: load::memory_bytes().map_or(64, |bytes| bytes / 4 / TEMPLATE_BYTES),
            packs: None,
            keep_alive: Duration::from_secs(600),
            init_timeout: Duration::from_secs(10),
            search_path: OsString::from("/usr/local/bin:/usr/bin:/bin"),
            home: None,
        }
    }
}
