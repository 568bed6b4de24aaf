//! The one way out of this crate: operations by name, and the code of functions.

use base::{Arn, BoxFuture};
use bytes::Bytes;
use serde_json::Value;

/// Who runs operations: a machine's [`kit::Kit`], or a list of answers in a test.
pub trait Calls: Send + Sync {
    /// Runs an operation with JSON input.
    fn call<'a>(
        &'a self,
        service: &'a str,
        operation: &'a str,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, kit::Error>>;

    /// The zip of a function's code, which no operation gives.
    fn package<'a>(&'a self, function: &'a Arn) -> BoxFuture<'a, Result<Bytes, kit::Error>>;
}

impl Calls for kit::Kit {
    fn call<'a>(
        &'a self,
        service: &'a str,
        operation: &'a str,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, kit::Error>> {
        kit::Kit::call(self, service, operation, input)
    }

    fn package<'a>(&'a self, function: &'a Arn) -> BoxFuture<'a, Result<Bytes, kit::Error>> {
        Box::pin(async move { self.functions()?.package(function).await })
    }
}
