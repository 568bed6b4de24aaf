//! What a service is given ([`Kit`], [`Ctx`]) and what it must give ([`Service`] with its
//! operations, workers and errors).
//!
//! A service never imports another. What crosses between services is named by an ARN and goes
//! through one of four faces: [`targets`] (append this to that transaction), [`sources`] (give
//! me the next records), [`streams`] (give me the records from here on) and [`functions`] (run this
//! function).

mod context;
mod error;
pub mod functions;
pub mod members;
mod operation;
mod service;
pub mod sources;
pub mod streams;
pub mod targets;
pub mod unserved;
mod worker;

pub use context::{Caller, Closing, Ctx, Kit, Parts};
pub use error::Error;
pub use operation::{Call, Handler, RawHandler};
pub use service::{Api, Operation, Service, Services};
pub use worker::{Every, Worker};
