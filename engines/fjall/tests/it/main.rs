//! The suite of all engines, on this one, and what only this one promises.

#![expect(clippy::unwrap_used, reason = "tests, and what they share")]

mod folder;
mod loss;

use std::path::Path;
use std::sync::Arc;

use engine_fjall::Fjall;
use store::Engine;

fn open(folder: &Path) -> Arc<dyn Engine> {
    Arc::new(Fjall::open(folder).unwrap())
}

store::conformance!(conformance, super::open);
