//! How long clients are waited for once the machine closes.
//!
//! Accepted requests end, however long their functions run. But a client that does not take its
//! response, or does not send the rest of its request, would never let the machine go: what it
//! makes others wait after closing has begun is counted, and when it is too much it is cut off.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use base::{BoxFuture, Clock, Time};
use kit::{Closing, Kit};
use tokio::io::AsyncWrite;

/// How long one client may hold up a machine that closes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Resolves when a machine that closes has waited long enough.
pub(crate) async fn ended(kit: &Kit) {
    kit.closing().wait().await;
    base::sleep(&*kit.clock, PATIENCE).await;
}

/// A writer that fails when its reader has held up a machine that closes for too long.
pub(crate) struct Patient<W> {
    inner: W,
    clock: Arc<dyn Clock>,
    closing: Closing,
    /// What may be waited yet, all waits together: who takes a byte now and then is no better.
    left: Duration,
    wait: Option<Wait>,
}

struct Wait {
    since: Time,
    end: BoxFuture<'static, ()>,
}

impl<W> Patient<W> {
    pub(crate) fn new(inner: W, kit: &Kit) -> Patient<W> {
        let (clock, closing) = (Arc::clone(&kit.clock), kit.closing());
        Patient { inner, clock, closing, left: PATIENCE, wait: None }
    }

    /// Notes whether the reader is waited for. The connection is polled again when closing begins,
    /// and so is this.
    fn note<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if let Some(wait) = self.wait.take() {
                self.left = self.left.saturating_sub(self.clock.now().since(wait.since));
            }
            return written;
        }
        if !self.closing.begun() {
            return Poll::Pending;
        }
        let (clock, left) = (&self.clock, self.left);
        let wait = self.wait.get_or_insert_with(|| {
            let since = clock.now();
            Wait { since, end: clock.sleep_until(since + left) }
        });
        let late = || Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read"));
        wait.end.as_mut().poll(cx).map(|()| late())
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Patient<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.note(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, parts);
        self.note(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
