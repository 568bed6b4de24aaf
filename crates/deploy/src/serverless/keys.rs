//! Which keys a section may have, so that none is read past in silence.

use crate::diagnostic::Diagnostic;
use crate::report::Report;
use crate::yaml::{Map, Node};

/// The keys of one section. Whatever is in no list is reported as unknown.
pub(super) struct Keys {
    /// Read and done.
    pub(super) honoured: &'static [&'static str],
    /// Known to the framework, not done here.
    pub(super) unhonoured: &'static [&'static str],
}

impl Keys {
    /// The section as a map, with its unhonoured and unknown keys reported.
    pub(super) fn check<'n>(
        &self,
        node: &'n Node,
        path: &str,
        report: &mut Report,
    ) -> Result<&'n Map, Diagnostic> {
        let map = node.expect_map(path)?;
        for pair in &map.0 {
            let key = pair.key.as_str();
            let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            // `vpc: null` asks for nothing.
            if self.honoured.contains(&key) || pair.node.is_null() {
                continue;
            }
            if self.unhonoured.contains(&key) {
                report.unhonoured(&pair.at, &path, "is not honoured");
            } else {
                report.unhonoured(&pair.at, &path, "is not a known key and has no effect");
            }
        }
        Ok(map)
    }
}
