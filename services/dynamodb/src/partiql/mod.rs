//! PartiQL: statements, read into the trees that expressions become. What a statement means for an
//! item is decided there and nowhere else; here is only what it says.
//!
//! A text goes through [`lexer`] and [`parser`], which knows what all statements share: tokens,
//! parameters, literals, paths. [`keys`] tells which items a condition can be about.

mod condition;
mod fault;
mod keys;
mod lexer;
mod parser;
mod statement;
#[cfg(test)]
mod tests;
mod update;

pub(crate) use fault::Fault;
pub(crate) use keys::{partitions, sort_test, split_key};
pub(crate) use statement::{Column, Select, Statement, table};
