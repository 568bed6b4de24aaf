use std::collections::BTreeMap;

use base::Random;
use serde::{Deserialize, Serialize};
use store::Record;

use super::Version;

/// A name for a version, or for two. Key: region, function name, alias name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Alias {
    pub(crate) name: String,
    pub(crate) version: Version,
    pub(crate) description: String,
    /// The share of events that another version gets.
    pub(crate) weights: BTreeMap<Version, f64>,
    pub(crate) revision: String,
}

impl Record for Alias {
    const VERSION: u8 = 1;
}

impl Alias {
    /// The version that gets the next event.
    pub(crate) fn choose(&self, random: &dyn Random) -> Version {
        if self.weights.is_empty() {
            return self.version;
        }
        let mut bytes = [0; 4];
        random.fill(&mut bytes);
        let mut left = f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0);
        for (version, weight) in &self.weights {
            if left < *weight {
                return *version;
            }
            left -= weight;
        }
        self.version
    }
}
