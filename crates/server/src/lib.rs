//! The composition root: configuration and the lists of plug-ins.
