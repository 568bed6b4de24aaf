//! From a template to a plan to resources.
