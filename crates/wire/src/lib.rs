//! The AWS protocols and signatures: bytes to values and back.
//!
//! An operation's shapes are plain serde structs. Each protocol is a serde format around them:
//! JSON is serde_json, the Query protocol reads form parameters ([`Input::decode`]) and writes
//! XML ([`encode`]), REST-JSON adds what stands in the path and the query string.

mod decode;
mod encode;
pub mod eventstream;
mod fault;
mod form;
mod leaf;
mod names;
pub mod sigv4;
mod tree;
mod typed;
mod values;
mod xml;

pub use decode::{DecodeError, Input};
pub use encode::{EncodeError, Reply, encode};
pub use fault::{Fault, encode_fault};
pub use names::{Names, Plural, Style};
pub use values::{Blob, Epoch};

/// How a client and a service speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// JSON with the operation in `X-Amz-Target`, `application/x-amz-json-1.0`.
    Json10,
    /// The same, `application/x-amz-json-1.1`.
    Json11,
    /// Form parameters with an `Action`, XML back.
    Query,
    /// The operation in method and path, JSON bodies.
    RestJson,
}
