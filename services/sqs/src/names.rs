//! The Query protocol of this service writes no list or map inside an element of its own.

use wire::{Names, Plural, Style};

const fn list(member: &'static str, element: &'static str) -> Plural {
    Plural { member, element, style: Style::List }
}

const fn map(member: &'static str, element: &'static str, key: &'static str) -> Plural {
    Plural { member, element, style: Style::Map { key, value: "Value" } }
}

pub(crate) const NAMES: Names = Names {
    xml_namespace: "http://queue.amazonaws.com/doc/2012-11-05/",
    json_namespace: "com.amazonaws.sqs#",
    crc32: false,
    long_request_ids: false,
    plurals: &[
        map("Attributes", "Attribute", "Name"),
        map("MessageAttributes", "MessageAttribute", "Name"),
        map("MessageSystemAttributes", "MessageSystemAttribute", "Name"),
        map("Tags", "Tag", "Key"),
        list("AttributeNames", "AttributeName"),
        list("MessageAttributeNames", "MessageAttributeName"),
        list("MessageSystemAttributeNames", "MessageSystemAttributeName"),
        list("TagKeys", "TagKey"),
        list("QueueUrls", "QueueUrl"),
        list("queueUrls", "QueueUrl"),
        list("Messages", "Message"),
        list("Entries", "*BatchRequestEntry"),
        list("Successful", "*ResultEntry"),
        list("Failed", "BatchResultErrorEntry"),
    ],
};
