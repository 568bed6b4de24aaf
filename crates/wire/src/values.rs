use base::Time;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that are base64 text on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blob(pub Bytes);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Blob, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        match STANDARD.decode(text.as_bytes()) {
            Ok(bytes) => Ok(Blob(bytes.into())),
            Err(error) => Err(D::Error::custom(format_args!("Invalid base64: {error}"))),
        }
    }
}

/// A timestamp: seconds with a fraction in JSON, ISO 8601 in XML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch(pub Time);

/// By this name the XML format knows a number to be a timestamp.
pub(crate) const EPOCH: &str = "wire::Epoch";

impl Serialize for Epoch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(EPOCH, &self.0.as_secs_f64())
    }
}
