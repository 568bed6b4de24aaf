//! Everything asynchronous: one durable index of work by the time it is due.
//!
//! Work is scheduled within the transaction that causes it and leaves the index within the
//! transaction that records its end, so nothing is lost and nothing ends half. In between it is
//! leased in memory: after a crash all of it is offered again (at least once).
//!
//! The index is divided into named [`Line`]s, such as `lambda.async` or `sqs.visibility`. Each
//! has its own watermark and workers, so that one that is slow or failing delays no other.

mod line;
mod retry;
mod run;

pub use line::{Due, Line, Ticket};
pub use retry::Retry;
pub use run::{Delivery, Handler, Limits};
