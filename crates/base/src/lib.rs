//! The words every part of the platform speaks: accounts, regions, ARNs, time, chance, tasks.
//!
//! Nothing here does I/O. Time and chance are traits, so that the whole server runs on a
//! virtual clock and a seed; their two real implementations are the only places that may ask
//! the operating system (clippy forbids the calls everywhere else).

mod arn;
mod clock;
mod random;
mod sequence;
pub mod task;
mod time;

pub use arn::{AccountId, Arn, InvalidName, Region};
pub use clock::{Clock, SystemClock, VirtualClock, sleep};
pub use random::{Random, SeededRandom, SystemRandom, hex, uuid};
pub use sequence::Sequence;
pub use time::Time;

/// A future on the heap that may move between threads: what `dyn` traits return.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
