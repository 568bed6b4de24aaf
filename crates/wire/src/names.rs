/// How a service names things on the wire, where its protocol leaves a choice.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// Namespace of XML answers.
    pub xml_namespace: &'static str,
    /// What stands before an error's code in JSON, `com.amazonaws.sqs#`; may be empty.
    pub json_namespace: &'static str,
    /// Whether JSON answers carry `x-amz-crc32`, which DynamoDB's clients check.
    pub crc32: bool,
    /// Whether the ids of requests are 52 letters and digits, as DynamoDB's are, and no UUIDs.
    pub long_request_ids: bool,
    /// Lists and maps that the Query protocol writes without an enclosing element.
    pub plurals: &'static [Plural],
}

impl Names {
    /// The protocols' defaults: lists as `member`, maps as `entry` with `key` and `value`.
    pub const PLAIN: Names = Names {
        xml_namespace: "",
        json_namespace: "",
        crc32: false,
        long_request_ids: false,
        plurals: &[],
    };

    pub(crate) fn of_member(&self, member: &str) -> Option<&Plural> {
        self.plurals.iter().find(|plural| plural.member == member)
    }

    /// The member that form parameters beginning with `element` belong to.
    pub(crate) fn of_element(&self, element: &str) -> Option<&'static str> {
        let found = self.plurals.iter().find(|plural| match plural.element.strip_prefix('*') {
            Some(suffix) => element.ends_with(suffix),
            None => element == plural.element,
        });
        found.map(|plural| plural.member)
    }
}

/// A member that stands for many and the element each of them is written as.
#[derive(Debug, Clone, Copy)]
pub struct Plural {
    /// `Messages`.
    pub member: &'static str,
    /// `Message`. `*ResultEntry` is what follows the operation's name.
    pub element: &'static str,
    pub style: Style,
}

/// What one element of a plural holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// An item of a list.
    List,
    /// A pair of a map, in elements of these names.
    Map { key: &'static str, value: &'static str },
}
