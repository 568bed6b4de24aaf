use base::{Arn, Time};
use serde::{Deserialize, Serialize};
use store::Record;

use super::{Code, Policy};

/// A layer: the count of its versions, whose numbers are not given again. Key: region, name.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Layer {
    pub(crate) version_last: u64,
}

impl Record for Layer {
    const VERSION: u8 = 1;
}

/// A version of a layer. Key: region, layer name, number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LayerVersion {
    pub(crate) layer: String,
    pub(crate) number: u64,
    pub(crate) description: String,
    pub(crate) license: Option<String>,
    pub(crate) runtimes: Vec<String>,
    pub(crate) architectures: Vec<String>,
    pub(crate) code: Code,
    pub(crate) policy: Policy,
    pub(crate) created: Time,
    /// Nobody sees it any more, but functions that use it go on running with it.
    pub(crate) deleted: bool,
}

impl Record for LayerVersion {
    const VERSION: u8 = 1;
}

/// A version of a layer as a function uses it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LayerUse {
    pub(crate) arn: Arn,
    /// Of its zip.
    pub(crate) size: u64,
}
