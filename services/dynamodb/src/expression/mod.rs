//! The expression language: conditions and filters, key conditions, updates, projections.
//!
//! A text goes through [`lexer`] and [`parser`], which knows what all five forms share: tokens,
//! document paths, placeholders and faults. One module per form makes a tree of it and says what
//! the tree means for an item. Parsing ends in a tree without faults or in the one fault AWS
//! would report, so evaluation has nothing left to check but the types in the item.

mod condition;
mod evaluate;
mod fault;
mod key_condition;
pub(crate) mod legacy;
mod lexer;
mod parser;
mod path;
mod placeholders;
mod projection;
mod reserved;
mod update;

pub(crate) use condition::{Comparator, Condition, Operand};
pub(crate) use fault::{Error, Fault, Kind};
pub(crate) use key_condition::{KeyCondition, KeyTest};
pub(crate) use path::{Path, Step};
pub(crate) use placeholders::Placeholders;
pub(crate) use projection::Projection;
pub(crate) use update::{Action, Expression, Update, UpdateFault};
