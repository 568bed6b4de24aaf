//! The one place that starts tasks: each has a name, and a panic in one is logged, never lost.

use futures_util::FutureExt as _;
use tokio::task::JoinHandle;
use tracing::Instrument as _;

/// Starts a named task on the current runtime. Its panic is logged as an error a person must see.
#[expect(clippy::disallowed_methods, reason = "the home of spawn")]
pub fn spawn<F>(name: &'static str, future: F) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let guarded = std::panic::AssertUnwindSafe(future).catch_unwind();
    tokio::spawn(
        async move {
            if guarded.await.is_err() {
                tracing::error!(task = name, "task panicked");
            }
        }
        .instrument(tracing::info_span!("task", name)),
    )
}
