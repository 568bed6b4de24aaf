//! Wire shapes. The REST-JSON of this service writes members in camelCase; the body of an import
//! is the OpenAPI document itself, so its members stand beside those of the path and the query.

use std::fmt;

use kit::unserved::{Member, Unserved};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

#[derive(Deserialize)]
pub(crate) struct ImportRestApiInput {
    /// `import`; without it the request is CreateRestApi.
    pub(crate) mode: Option<String>,
    #[serde(rename = "failonwarnings")]
    pub(crate) fail_on_warnings: Unserved,
    #[serde(flatten)]
    pub(crate) body: Document,
}

#[derive(Deserialize)]
pub(crate) struct PutRestApiInput {
    pub(crate) restapi_id: String,
    /// `merge` (AWS's default) or `overwrite`.
    pub(crate) mode: Option<String>,
    #[serde(rename = "failonwarnings")]
    pub(crate) fail_on_warnings: Unserved,
    #[serde(flatten)]
    pub(crate) body: Document,
}

/// What an OpenAPI document of version 2 or 3 has at its top, besides extensions.
const DOCUMENT: &[&str] = &[
    "openapi",
    "swagger",
    "info",
    "paths",
    "components",
    "servers",
    "security",
    "tags",
    "externalDocs",
    "host",
    "basePath",
    "schemes",
    "consumes",
    "produces",
    "definitions",
    "parameters",
    "responses",
    "securityDefinitions",
];

/// An OpenAPI document.
pub(crate) struct Document {
    pub(crate) members: Map<String, Value>,
    /// What is no member of a document came with the query string, where AWS takes directions for
    /// the import by any name; we know none of them.
    pub(crate) others: Vec<(String, Unserved)>,
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Document, D::Error> {
        deserializer.deserialize_map(DocumentVisitor)
    }
}

struct DocumentVisitor;

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an OpenAPI document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut given: A) -> Result<Document, A::Error> {
        let (mut members, mut others) = (Map::new(), Vec::new());
        while let Some(name) = given.next_key::<String>()? {
            if DOCUMENT.contains(&name.as_str()) || name.starts_with("x-") {
                members.insert(name, given.next_value()?);
            } else {
                others.push((name, given.next_value()?));
            }
        }
        Ok(Document { members, others })
    }
}

#[derive(Deserialize)]
pub(crate) struct CreateDeploymentInput {
    pub(crate) restapi_id: String,
    #[serde(rename = "stageName")]
    pub(crate) stage_name: String,
    #[serde(flatten)]
    pub(crate) stage: StageSettings,
}

/// What AWS would set on the stage and its deployment.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StageSettings {
    stage_description: Unserved,
    description: Unserved,
    cache_cluster_enabled: Unserved,
    cache_cluster_size: Unserved,
    variables: Unserved,
    canary_settings: Unserved,
    tracing_enabled: Unserved,
}

impl StageSettings {
    pub(crate) fn unserved(&self) -> [Member<'_>; 7] {
        [
            ("stageDescription", &self.stage_description),
            ("description", &self.description),
            ("cacheClusterEnabled", &self.cache_cluster_enabled),
            ("cacheClusterSize", &self.cache_cluster_size),
            ("variables", &self.variables),
            ("canarySettings", &self.canary_settings),
            ("tracingEnabled", &self.tracing_enabled),
        ]
    }
}

#[derive(Deserialize)]
pub(crate) struct GetRestApiInput {
    pub(crate) restapi_id: String,
}

#[derive(Deserialize)]
pub(crate) struct DeleteRestApiInput {
    pub(crate) restapi_id: String,
}

#[derive(Deserialize)]
pub(crate) struct GetRestApisInput {
    pub(crate) position: Option<String>,
    pub(crate) limit: Option<u32>,
}

/// What every operation on one API answers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RestApiOutput {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) created_date: u64,
}

#[derive(Serialize)]
pub(crate) struct GetRestApisOutput {
    pub(crate) item: Vec<RestApiOutput>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) position: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateDeploymentOutput {
    pub(crate) id: String,
    pub(crate) created_date: u64,
}

#[derive(Serialize)]
pub(crate) struct DeleteRestApiOutput {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_part_of_a_document_is_kept_apart() {
        let body = r#"{"openapi":"3.0.1","info":{"title":"t"},"paths":{},"x-ours":[1]}"#;
        let given = body.replacen('{', r#"{"mode":"import","basepath":"split","#, 1);
        let input: ImportRestApiInput = serde_json::from_str(&given).unwrap();
        assert_eq!(Value::Object(input.body.members).to_string(), body);
        let [(name, given)] = &input.body.others[..] else { panic!("one is no member") };
        assert_eq!((name.as_str(), given.given()), ("basepath", Some(&Value::from("split"))));
    }
}
