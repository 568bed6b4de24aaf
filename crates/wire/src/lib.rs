//! The AWS protocols and signatures: bytes to values and back.
