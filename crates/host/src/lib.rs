//! Pools, slots, invocations and pollers of functions; defines Sandbox.
