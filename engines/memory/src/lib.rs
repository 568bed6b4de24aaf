//! An engine that keeps everything in memory.
