//! YAML with CloudFormation's tags, as a tree of nodes that know their line.
//!
//! The parser gives events; the tree is ours, because no library keeps both tags and places.
//! Aliases are copied, so a bound on the number of nodes is what defends against alias bombs.

mod load;
mod node;
mod scalar;
mod tags;

pub use load::parse;
pub use node::{Map, Node, Pair, Value};

/// Larger files are refused unread.
pub const TEXT_BYTES_MAX: usize = 4 << 20;
/// Nodes of one document after its aliases are copied.
pub const NODES_MAX: usize = 200_000;
/// How deep maps and lists may nest.
pub const DEPTH_MAX: usize = 64;
