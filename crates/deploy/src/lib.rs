//! From a template to a plan to resources.
//!
//! A reader translates what the user wrote into a [`Template`], which is CloudFormation in memory
//! with the place of every value; everything behind the reader knows only that.

mod diagnostic;
mod options;
mod project;
mod report;
mod serverless;
mod template;
pub mod yaml;

use std::path::Path;

pub use diagnostic::{Diagnostic, Place};
pub use options::Options;
pub use project::{Bundling, Function, Patterns, Project};
pub use report::{Entry, Report};
pub use template::{Output, Resource, Template};

/// Reads the application in `dir`.
pub fn read(dir: &Path, options: &Options) -> Result<Project, Diagnostic> {
    serverless::read(dir, options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_orders_example_is_read() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/orders");
        let options = Options::new("000000000000".parse().unwrap());
        let project = read(&dir, &options).unwrap_or_else(|error| panic!("{error}"));
        let kinds: std::collections::BTreeSet<&str> =
            project.template.resources.iter().map(|resource| resource.kind.as_str()).collect();
        assert_eq!(kinds.len(), 13, "{kinds:?}");
    }
}
