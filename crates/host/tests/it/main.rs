//! The host with real interpreters behind it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod endings;
mod handlers;
mod keep;
mod life;
mod logs;
mod packs;
mod python;
mod runtime_api;
mod streaming;
mod world;
