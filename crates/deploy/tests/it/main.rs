//! Tests through the public face: templates in, operations and diagnostics out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod apply;
mod functions;
mod machine;
mod mistakes;
mod package;
mod python;
mod reader;
mod undo;
