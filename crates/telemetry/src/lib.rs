//! The output of functions and our own logs and metrics.
