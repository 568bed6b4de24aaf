//! From a template to a plan to resources.
//!
//! A reader translates what the user wrote into a [`yaml::Node`] tree that is a CloudFormation
//! template; everything behind it knows only that.

mod diagnostic;
mod options;
mod report;
mod serverless;
pub mod yaml;

pub use diagnostic::{Diagnostic, Place};
pub use options::Options;
pub use report::{Entry, Report};
