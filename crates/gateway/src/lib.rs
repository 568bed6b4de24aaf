//! The front door, one file per step.
