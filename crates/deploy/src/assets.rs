//! The packaged code of functions, on its way from the folder to the platform.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// Name of the function → its code.
pub type Assets = BTreeMap<String, Asset>;

/// One package.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asset {
    /// Hexadecimal, of the zip. A package of the same files has the same one.
    pub sha256: String,
    pub zip: Zip,
}

/// The bytes of a zip archive.
#[derive(Clone, Debug, PartialEq)]
pub struct Zip(pub Vec<u8>);

impl Asset {
    /// An asset around a zip archive.
    pub fn new(zip: Vec<u8>) -> Asset {
        let sha256 = Sha256::digest(&zip).iter().map(|byte| format!("{byte:02x}")).collect();
        Asset { sha256, zip: Zip(zip) }
    }

    /// As operations take it.
    pub(crate) fn base64(&self) -> String {
        STANDARD.encode(&self.zip.0)
    }
}

impl Serialize for Zip {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Zip {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Zip, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map(Zip).map_err(D::Error::custom)
    }
}
