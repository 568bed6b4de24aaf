//! The events service.
