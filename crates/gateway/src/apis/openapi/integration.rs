use base::Arn;
use serde_json::Value;

use super::place::{Keys, Place};
use super::{InvalidDefinition, Result};
use crate::apis::serve::integration_timeout;
use crate::apis::{Format, Integration, Kind};

/// Of every integration.
const KEYS: Keys = Keys {
    read: &["type", "httpMethod", "connectionType", "contentHandling", "timeoutInMillis"],
    inert: &[],
    unserved: &[
        "$ref",
        "cacheKeyParameters",
        "cacheNamespace",
        "connectionId",
        "credentials",
        "integrationSubtype",
        "integrationTarget",
        "requestParameters",
        "responseParameters",
        "tlsConfig",
    ],
};

/// Of a function's.
const FUNCTION: Keys = Keys {
    read: &["uri", "payloadFormatVersion", "responseTransferMode", "responses"],
    // A function gets every request as it is.
    inert: &["passthroughBehavior"],
    unserved: &["requestTemplates"],
};

/// Of a mock.
const MOCK: Keys = Keys {
    read: &["passthroughBehavior", "requestTemplates", "responses"],
    // There is nothing to call.
    inert: &["payloadFormatVersion"],
    unserved: &["uri", "responseTransferMode"],
};

/// Of the one response of a mock.
const MOCK_RESPONSE: Keys = Keys {
    read: &["statusCode", "responseParameters"],
    inert: &[],
    unserved: &["responseTemplates", "contentHandling"],
};

/// Of the responses of a function, which answers for itself.
const FUNCTION_RESPONSE: Keys = Keys {
    read: &[],
    inert: &["statusCode"],
    unserved: &["responseParameters", "responseTemplates", "contentHandling"],
};

/// Reads an integration, of which nothing is left over.
pub(super) fn parse(place: &Place, kind: Kind) -> Result<Integration> {
    let given = place.text("type")?.unwrap_or_default();
    let integration = match given.to_ascii_lowercase().as_str() {
        "aws_proxy" => {
            place.check(&[&KEYS, &FUNCTION])?;
            place.only("httpMethod", &["POST"])?;
            place.only("responseTransferMode", &["BUFFERED"])?;
            function(place, kind)?
        }
        "mock" => {
            place.check(&[&KEYS, &MOCK])?;
            place.only("passthroughBehavior", &["when_no_match"])?;
            mock(place)?
        }
        "aws" | "http" | "http_proxy" => return Err(place.unserved("type", given)),
        _ => return Err(place.wrong("type", "is none of aws, aws_proxy, http, http_proxy, mock")),
    };
    place.only("connectionType", &["INTERNET"])?;
    place.only("contentHandling", &["CONVERT_TO_TEXT"])?;
    let most = integration_timeout(kind).as_millis().to_string();
    place.only("timeoutInMillis", &[&most])?;
    Ok(integration)
}

fn function(place: &Place, kind: Kind) -> Result<Integration> {
    let uri = place.text("uri")?.unwrap_or_default();
    let Some(arn) = function_of(uri) else {
        return Err(place.wrong("uri", &format!("'{uri}' names no function")));
    };
    let format = match (place.text("payloadFormatVersion")?, kind) {
        (Some("2.0"), Kind::Http) => Format::V2,
        (Some("1.0"), _) | (None, _) => Format::V1,
        (Some(other), _) => return Err(place.unserved("payloadFormatVersion", other)),
    };
    if let Some(responses) = place.object("responses")? {
        for name in responses.names() {
            let response = responses.object(name)?;
            response.map_or(Ok(()), |response| response.check(&[&FUNCTION_RESPONSE]))?;
        }
    }
    Ok(Integration::Function { arn, format })
}

/// The function of `arn:aws:apigateway:…:path/2015-03-31/functions/{arn}/invocations`, or of a
/// bare function ARN.
fn function_of(uri: &str) -> Option<Arn> {
    let inner = match uri.split_once("/functions/") {
        Some((_, rest)) => rest.strip_suffix("/invocations")?,
        None => uri,
    };
    inner.parse().ok().filter(|arn: &Arn| arn.service == "lambda")
}

/// The default response of a mock integration: its status and its literal headers. Templates can
/// only choose it, for there is no other.
fn mock(place: &Place) -> Result<Integration> {
    if let Some(templates) = place.object("requestTemplates")? {
        for name in templates.names() {
            if !templates.text(name)?.is_some_and(is_status) {
                return Err(InvalidDefinition::Unserved(templates.at(name)));
            }
        }
    }
    let (mut status, mut headers) = (200, Vec::new());
    let Some(responses) = place.object("responses")? else {
        return Ok(Integration::Mock { status, headers });
    };
    if let Some(other) = responses.names().find(|name| *name != "default") {
        return Err(InvalidDefinition::Unserved(responses.at(other)));
    }
    if let Some(response) = responses.object("default")? {
        response.check(&[&MOCK_RESPONSE])?;
        status = status_of(&response)?.unwrap_or(status);
        if let Some(parameters) = response.object("responseParameters")? {
            headers = literals(&parameters)?;
        }
    }
    Ok(Integration::Mock { status, headers })
}

/// Whether a request template is `{"statusCode": 200}`, with or without its quotes.
fn is_status(template: &str) -> bool {
    let bare: String =
        template.chars().filter(|c| !c.is_whitespace() && !matches!(c, '"' | '\'')).collect();
    let code = bare.strip_prefix("{statusCode:").and_then(|rest| rest.strip_suffix('}'));
    code.is_some_and(|code| code.parse::<u16>().is_ok())
}

/// A status, which AWS takes as a text and as a number.
fn status_of(response: &Place) -> Result<Option<u16>> {
    let status = response.get("statusCode").map(|value| match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|number| u16::try_from(number).ok()),
    });
    match status {
        None => Ok(None),
        Some(Some(status @ 100..=599)) => Ok(Some(status)),
        Some(_) => Err(response.wrong("statusCode", "is not a status")),
    }
}

/// Headers with values that are written out.
fn literals(parameters: &Place) -> Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    for name in parameters.names() {
        let header = name.strip_prefix("method.response.header.");
        let literal = parameters.text(name)?.and_then(|v| v.strip_prefix('\'')?.strip_suffix('\''));
        match (header, literal) {
            (Some(header), Some(literal)) => headers.push((header.into(), literal.into())),
            _ => return Err(InvalidDefinition::Unserved(parameters.at(name))),
        }
    }
    Ok(headers)
}
