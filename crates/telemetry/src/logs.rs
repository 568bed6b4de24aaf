use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use base::{Clock, sleep, task};
use store::{Engine, Epoch, Result};
use tokio::sync::broadcast;

use crate::buffer::Buffer;
use crate::metrics::Pending;
use crate::write::Writer;
use crate::{LogLine, LogSink, data};

/// How often lines are written to the engine.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// Lines a live reader may be behind; a slower one misses some.
const LIVE_LINES_MAX: usize = 4096;

/// How much is kept, and how long.
#[derive(Debug, Clone)]
pub struct Config {
    /// Compressed bytes of all lines; the oldest are forgotten first. Default 256 MB.
    pub bytes_max: u64,
    /// Default 14 days.
    pub age_max: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config { bytes_max: 256 * 1024 * 1024, age_max: Duration::from_secs(14 * 24 * 3600) }
    }
}

/// The lines of all functions. A cheap handle.
#[derive(Clone)]
pub struct LogStore(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) epoch: Epoch,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: Config,
    buffer: Mutex<Buffer>,
    figures: Mutex<Pending>,
    /// Held by whoever changes what is stored.
    pub(crate) writer: tokio::sync::Mutex<Writer>,
    live: broadcast::Sender<Arc<LogLine>>,
}

impl LogStore {
    /// Logs on an engine that holds nothing else. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the engine fails.
    pub async fn open(
        engine: Arc<dyn Engine>,
        clock: Arc<dyn Clock>,
        config: Config,
    ) -> Result<LogStore> {
        let epoch = engine.acquire(&data::shard(), "telemetry").await?;
        let writer = tokio::sync::Mutex::new(Writer::open(&*engine).await?);
        let live = broadcast::Sender::new(LIVE_LINES_MAX);
        let (buffer, figures) = (Mutex::default(), Mutex::default());
        let inner = Inner { engine, epoch, clock, config, buffer, figures, writer, live };
        let inner = Arc::new(inner);
        task::spawn("telemetry.flush", flush_until_gone(Arc::downgrade(&inner)));
        Ok(LogStore(inner))
    }

    /// Lines as they are written, from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<LogLine>> {
        self.0.live.subscribe()
    }

    /// Stores what is in memory.
    ///
    /// # Errors
    /// If the engine fails; the lines are kept in memory then, within its limit.
    pub async fn flush(&self) -> Result<()> {
        self.0.flush().await?;
        self.0.flush_figures().await
    }

    /// Stores what is in memory and leaves the engine in order.
    ///
    /// # Errors
    /// If the engine fails.
    pub async fn close(&self) -> Result<()> {
        self.flush().await?;
        self.0.engine.close().await
    }
}

impl LogSink for LogStore {
    fn write(&self, line: LogLine) {
        if self.0.live.receiver_count() > 0 {
            let _nobody_listens_any_more = self.0.live.send(Arc::new(line.clone()));
        }
        self.0.buffer().push(line);
    }
}

impl Inner {
    pub(crate) fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn figures(&self) -> MutexGuard<'_, Pending> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn flush_all(&self) -> Result<()> {
        self.flush().await?;
        self.flush_figures().await?;
        self.forget_figures().await
    }
}

/// Stores what is in memory at a rhythm. A failure is told once and tried again: lines wait in
/// memory, within its limit.
async fn flush_until_gone(logs: Weak<Inner>) {
    let mut failing = false;
    loop {
        let Some(clock) = logs.upgrade().map(|logs| Arc::clone(&logs.clock)) else { return };
        sleep(&*clock, FLUSH_EVERY).await;
        let Some(logs) = logs.upgrade() else { return };
        match logs.flush_all().await {
            Ok(()) => failing = false,
            Err(store::Error::Closed) => return,
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(%error, "function logs cannot be stored");
            }
            Err(_) => {}
        }
    }
}
