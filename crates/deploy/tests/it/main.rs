//! Tests through the public face: templates in, operations and diagnostics out.

mod apply;
mod machine;
mod package;
mod reader;
