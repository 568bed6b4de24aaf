//! Everything asynchronous: one due-time index, retry, dead letters.
