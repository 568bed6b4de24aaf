//! The whole server in one process, on a virtual clock.
