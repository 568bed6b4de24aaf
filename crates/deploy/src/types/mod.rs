//! One file per resource type: which properties it has, what becomes of each, and the operations
//! that make, change and end a resource. A new type is a file and a line in [`ALL`].

mod api_deployment;
mod event_invoke_config;
mod event_rule;
mod event_source_mapping;
mod http_api;
mod iam_role;
mod lambda_alias;
mod lambda_function;
mod lambda_permission;
mod lambda_url;
mod lambda_version;
mod layer_version;
mod layer_version_permission;
mod log_group;
mod property;
mod provisioned;
mod rest_api;
mod sns_subscription;
mod sns_topic;
mod sqs_queue;
mod sqs_queue_policy;
mod table;
mod table_indexes;
mod work;

use std::collections::BTreeMap;

use base::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use lambda_function::check_layers;
pub(crate) use lambda_version::OF;
pub(crate) use property::{check, typed};
pub(crate) use work::Work;

use crate::diagnostic::Diagnostic;
use crate::template::Resource;
pub(crate) use property::Property;

/// Resolved properties in the form the operations take.
pub(crate) type Properties = serde_json::Map<String, Value>;

type Future<'a, T> = BoxFuture<'a, Result<T, kit::Error>>;

/// A type of resource.
pub(crate) struct Type {
    /// `AWS::SQS::Queue`
    pub(crate) kind: &'static str,
    pub(crate) properties: &'static [Property],
    /// What `Fn::GetAtt` can ask for.
    pub(crate) attributes: &'static [&'static str],
    /// The property that names the resource. Two resources cannot have one name, so what has a
    /// name of its own cannot be replaced under it.
    pub(crate) name: Option<&'static str>,
    pub(crate) create: for<'a> fn(&'a Work<'a>, &'a Properties) -> Future<'a, Made>,
    /// Called where no property that replaces the resource has changed.
    pub(crate) update: for<'a> fn(&'a Work<'a>, &'a Made, Change<'a>) -> Future<'a, Made>,
    pub(crate) delete: for<'a> fn(&'a Work<'a>, &'a Made, &'a Properties) -> Future<'a, ()>,
}

/// The two sides of an update.
#[derive(Clone, Copy)]
pub(crate) struct Change<'a> {
    pub(crate) old: &'a Properties,
    pub(crate) new: &'a Properties,
}

impl Change<'_> {
    /// Whether one of these properties differs.
    fn touches(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.old.get(*name) != self.new.get(*name))
    }
}

/// A resource that exists.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Made {
    /// The physical id, which is the value of `Ref`.
    pub(crate) id: String,
    /// The values of `Fn::GetAtt`.
    pub(crate) attributes: BTreeMap<String, String>,
}

impl Made {
    fn new<const N: usize>(id: &str, attributes: [(&str, String); N]) -> Made {
        let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value));
        Made { id: id.to_owned(), attributes: attributes.collect() }
    }

    /// The same with one text replaced by another wherever it stands.
    pub(crate) fn replaced(&self, from: &str, to: &str) -> Made {
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|(name, value)| (name.clone(), value.replace(from, to)));
        Made { id: self.id.replace(from, to), attributes: attributes.collect() }
    }
}

const ALL: &[&Type] = &[
    &api_deployment::TYPE,
    &event_invoke_config::TYPE,
    &event_rule::TYPE,
    &event_source_mapping::TYPE,
    &http_api::TYPE,
    &iam_role::TYPE,
    &lambda_alias::TYPE,
    &lambda_function::TYPE,
    &lambda_permission::TYPE,
    &lambda_url::TYPE,
    &lambda_version::TYPE,
    &layer_version::TYPE,
    &layer_version_permission::TYPE,
    &log_group::TYPE,
    &rest_api::TYPE,
    &sns_subscription::TYPE,
    &sns_topic::TYPE,
    &sqs_queue::TYPE,
    &sqs_queue_policy::TYPE,
    &table::TYPE,
];

/// The type with this name.
pub(crate) fn find(kind: &str) -> Option<&'static Type> {
    ALL.iter().find(|known| known.kind == kind).copied()
}

/// The type of a resource, or the refusal of one that is not served.
pub(crate) fn of(resource: &Resource) -> Result<&'static Type, Diagnostic> {
    find(&resource.kind).ok_or_else(|| {
        let message = format!(
            "the resource {} has the type {}, which is not served",
            resource.id, resource.kind
        );
        let served: Vec<&str> = ALL.iter().map(|known| known.kind).collect();
        Diagnostic::new(&resource.kind_at, message)
            .help(format!("remove it or comment it out; served are {}", served.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_properties_are_listed_once_and_in_order() {
        for pair in ALL.windows(2) {
            assert_ne!(pair[0].kind, pair[1].kind);
        }
        for known in ALL {
            let names: Vec<&str> = known.properties.iter().map(|p| p.name).collect();
            for (index, name) in names.iter().enumerate() {
                assert!(!names[..index].contains(name), "{}.{name} twice", known.kind);
            }
            assert!(known.name.is_none_or(|name| names.contains(&name)), "{}", known.kind);
        }
    }
}
