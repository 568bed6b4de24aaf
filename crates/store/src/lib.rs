//! The face of storage: engines, keys, transactions, records, fifo, watch, blobs.
