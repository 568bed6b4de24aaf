//! No confinement: for debugging, and until the kernel's is in place.
