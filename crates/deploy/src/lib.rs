//! From a template to a plan to resources.
//!
//! A reader translates what the user wrote into a [`Template`], which is CloudFormation in memory
//! with the place of every value; everything behind the reader knows only that.

mod apply;
mod assets;
mod calls;
mod diagnostic;
mod endpoints;
mod error;
mod graph;
mod intrinsics;
mod options;
mod package;
mod pin;
mod plan;
mod project;
mod report;
mod serverless;
mod state;
mod template;
mod types;
pub mod yaml;

use std::path::Path;

pub use apply::{Applied, Change, Changed, Machine, apply, remove};
pub use assets::{Asset, Assets, Zip};
pub use calls::Calls;
pub use diagnostic::{Diagnostic, Place};
pub use endpoints::Endpoint;
pub use error::{Error, Failure};
pub use options::Options;
pub use package::{Packager, is_data, is_environment};
pub use project::{Bundling, Function, Layer, LayerContent, Patterns, Project, PythonPackages};
pub use report::{Entry, Report};
pub use template::{Output, Resource, Template};

/// Reads the application in `dir`.
pub fn read(dir: &Path, options: &Options) -> Result<Project, Diagnostic> {
    let mut project = serverless::read(dir, options)?;
    project.report.merge(apply::check(&project.template, &options.account)?);
    Ok(project)
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
        assert_eq!(kinds.len(), 14, "{kinds:?}");
    }
}
