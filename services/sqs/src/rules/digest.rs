//! The MD5 sums by which SDKs check what they sent and got.

use std::collections::BTreeMap;

use md5::{Digest as _, Md5};

use crate::data::{Attribute, Value};

/// The sum of a body.
pub(crate) fn of_text(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

/// The sum of attributes, in the order of their names; none if there are none. Each of name, type
/// and value goes in with its length before it, and a 1 (text) or 2 (binary) before the value.
pub(crate) fn of_attributes<'a>(
    attributes: impl IntoIterator<Item = (&'a String, &'a Attribute)>,
) -> Option<String> {
    // Names are ordered by their bytes, which is the order of the map they come from.
    let sorted: BTreeMap<_, _> = attributes.into_iter().collect();
    if sorted.is_empty() {
        return None;
    }
    let mut sum = Md5::new();
    for (name, Attribute { data_type, value }) in sorted {
        put(&mut sum, name.as_bytes());
        put(&mut sum, data_type.as_bytes());
        match value {
            Value::Text(text) => {
                sum.update([1]);
                put(&mut sum, text.as_bytes());
            }
            Value::Binary(bytes) => {
                sum.update([2]);
                put(&mut sum, bytes);
            }
        }
    }
    Some(hex(&sum.finalize()))
}

fn put(sum: &mut Md5, bytes: &[u8]) {
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    sum.update(len.to_be_bytes());
    sum.update(bytes);
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn check(attributes: &[(&str, &str, Value)], expected: Option<&str>) {
        let attributes: BTreeMap<String, Attribute> = attributes
            .iter()
            .map(|(name, data_type, value)| {
                let (data_type, value) = ((*data_type).to_owned(), value.clone());
                ((*name).to_owned(), Attribute { data_type, value })
            })
            .collect();
        assert_eq!(of_attributes(&attributes).as_deref(), expected);
    }

    /// The expected sums were computed by a few lines of Python after the description in the SQS
    /// guide, not by this code.
    #[test]
    fn sums_are_those_of_the_guide() {
        assert_eq!(of_text("This is a test message"), "fafb00f5732ab283681e124bf8747ed1");
        check(&[], None);
        let text = |text: &str| Value::Text(text.into());
        check(&[("a", "String", text("grüße"))], Some("54f409c1b9bb9887d032aada3777055b"));
        check(
            &[
                ("raw", "Binary", Value::Binary(Bytes::from_static(&[0, 255]))),
                ("amount", "Number.int", text("42")),
                ("text", "String", text("grüße")),
            ],
            Some("bc63bfc9ee2374fde1be2ddf8c22b520"),
        );
    }
}
