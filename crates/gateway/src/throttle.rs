//! Requests in flight are bounded, so that a flood costs bounded memory and an honest answer.

use std::sync::Arc;

use http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::reply::Refusal;

/// Requests being worked on at once, long polls included.
const REQUESTS_IN_FLIGHT_MAX: usize = 10_000;

pub(crate) struct Throttle(Arc<Semaphore>);

impl Default for Throttle {
    fn default() -> Throttle {
        Throttle(Arc::new(Semaphore::new(REQUESTS_IN_FLIGHT_MAX)))
    }
}

impl Throttle {
    /// A place for one request, given back on drop.
    pub(crate) fn enter(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        Arc::clone(&self.0).try_acquire_owned().map_err(|_full| {
            Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailable",
                "Too many requests are in flight: try again.",
            )
        })
    }
}
