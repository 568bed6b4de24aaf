use serde_json::json;

use super::*;

/// A document with one route `GET /a` to a function, in which the value is set at the pointer.
fn document(pointer: &str, value: &Value) -> Value {
    let function = "arn:aws:lambda:us-east-1:000000000000:function:create";
    let uri = format!(
        "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"
    );
    let mut document = json!({
        "openapi": "3.0.1",
        "info": { "title": "t", "version": "1" },
        "components": {},
        "paths": {
            "/a": { "get": { INTEGRATION: { "type": "aws_proxy", "uri": uri } } },
            "/m": { "options": { INTEGRATION: {
                "type": "mock",
                "requestTemplates": {},
                "responses": { "default": { "statusCode": "204" } },
            } } },
        },
    });
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[name.replace("~1", "/")] = value.clone();
    document
}

/// The routes in order, or why there are none.
fn found(document: &Value, kind: Kind) -> String {
    let definition = match parse(&document.to_string(), kind) {
        Ok(definition) => definition,
        Err(error) => return error.to_string(),
    };
    let routes = definition.routes.iter().map(|route| format!("{} {}", route.method, route.path));
    let mut routes: Vec<String> = routes.collect();
    routes.sort();
    routes.join(", ")
}

#[track_caller]
fn check(kind: Kind, pointer: &str, value: &Value, expected: &str) {
    assert_eq!(found(&document(pointer, value), kind), expected, "{pointer}: {value}");
}

/// Both kinds of API take it.
#[track_caller]
fn taken(pointer: &str, value: Value) {
    for kind in [Kind::Http, Kind::Rest] {
        check(kind, pointer, &value, "GET /a, OPTIONS /m");
    }
}

/// Both kinds of API refuse it, at the same place or the one below.
#[track_caller]
fn unserved(pointer: &str, value: Value, below: &str) {
    for kind in [Kind::Http, Kind::Rest] {
        check(kind, pointer, &value, &format!("#{pointer}{below} is not served"));
    }
}

const GET: &str = "/paths/~1a/get";
const FUNCTION: &str = "/paths/~1a/get/x-amazon-apigateway-integration";
const MOCK: &str = "/paths/~1m/options/x-amazon-apigateway-integration";

#[test]
fn what_changes_nothing_on_aws_is_taken() {
    taken("/info/description", json!("d"));
    taken("/tags", json!([{ "name": "t" }]));
    taken("/servers", json!([{ "url": "/v1" }]));
    taken("/security", json!([]));
    taken("/security", json!([{}]));
    taken("/components/schemas", json!({ "Order": { "type": "object" } }));
    taken("/components/securitySchemes", json!({}));
    taken("/x-other-tool", json!({ "any": "thing" }));
    taken("/x-amazon-apigateway-importexport-version", json!("1.0"));
    taken("/paths/x-other-tool", json!("v"));
    taken("/paths/~1a/parameters", json!([{ "name": "p", "in": "query", "required": true }]));
    taken("/paths/~1a/x-other-tool", json!("v"));
    taken(&format!("{GET}/operationId"), json!("getA"));
    taken(&format!("{GET}/responses"), json!({ "200": { "description": "ok" } }));
    taken(&format!("{GET}/requestBody"), json!({ "content": {} }));
    taken(&format!("{FUNCTION}/httpMethod"), json!("POST"));
    taken(&format!("{FUNCTION}/passthroughBehavior"), json!("when_no_match"));
    taken(&format!("{FUNCTION}/contentHandling"), json!("CONVERT_TO_TEXT"));
    taken(&format!("{FUNCTION}/connectionType"), json!("INTERNET"));
    taken(&format!("{FUNCTION}/requestParameters"), json!({}));
    taken(&format!("{FUNCTION}/responses"), json!({ "default": { "statusCode": "200" } }));
    let template =
        json!({ "application/json": "{ \"statusCode\" : 200 }\n", "text/x": "{statusCode:200}" });
    taken(&format!("{MOCK}/requestTemplates"), template);
    taken(&format!("{MOCK}/httpMethod"), json!("OPTIONS"));
}

#[test]
fn what_aws_has_and_we_do_not_is_refused_with_its_place() {
    unserved("/security", json!([{ "key": [] }]), "");
    unserved("/securityDefinitions", json!({ "key": { "type": "apiKey" } }), "");
    unserved("/components/securitySchemes", json!({ "key": { "type": "apiKey" } }), "");
    unserved("/components/x-amazon-apigateway-integrations", json!({ "one": {} }), "");
    unserved("/x-amazon-apigateway-policy", json!({ "Version": "2012-10-17" }), "");
    unserved("/x-amazon-apigateway-request-validators", json!({ "all": {} }), "");
    unserved("/x-amazon-apigateway-request-validator", json!("all"), "");
    unserved("/x-amazon-apigateway-minimum-compression-size", json!(0), "");
    unserved("/x-amazon-apigateway-of-next-year", json!(true), "");
    let tag = json!([{ "name": "t", "x-amazon-apigateway-tag-value": "v" }]);
    unserved("/tags", tag, "/0/x-amazon-apigateway-tag-value");
    let server =
        json!([{ "x-amazon-apigateway-endpoint-configuration": { "vpcEndpointIds": [1] } }]);
    unserved("/servers", server, "/0/x-amazon-apigateway-endpoint-configuration");
    unserved("/paths/~1a/$ref", json!("#/components/x"), "");
    unserved("/paths/~1a/x-amazon-apigateway-integration", json!({ "type": "mock" }), "");
    unserved(&format!("{GET}/security"), json!([{ "key": [] }]), "");
    unserved(&format!("{GET}/x-amazon-apigateway-auth"), json!({ "type": "AWS_IAM" }), "");
    unserved(&format!("{GET}/x-amazon-apigateway-request-validator"), json!("all"), "");
    for (name, value) in [
        ("$ref", json!("#/components/x-amazon-apigateway-integrations/one")),
        ("cacheKeyParameters", json!(["a"])),
        ("credentials", json!("arn:aws:iam::000000000000:role/r")),
        ("integrationSubtype", json!("SQS-SendMessage")),
        ("connectionId", json!("link")),
        ("requestParameters", json!({ "append:header.a": "b" })),
        ("responseParameters", json!({ "200": { "append:header.a": "b" } })),
        ("requestTemplates", json!({ "application/json": "{}" })),
        ("tlsConfig", json!({ "serverNameToVerify": "a" })),
    ] {
        unserved(&format!("{FUNCTION}/{name}"), value, "");
    }
    for (name, value, below) in [
        ("type", "http", " 'http'"),
        ("type", "HTTP_PROXY", " 'HTTP_PROXY'"),
        ("httpMethod", "GET", " 'GET'"),
        ("connectionType", "VPC_LINK", " 'VPC_LINK'"),
        ("contentHandling", "CONVERT_TO_BINARY", " 'CONVERT_TO_BINARY'"),
        ("payloadFormatVersion", "3.0", " '3.0'"),
        ("responseTransferMode", "STREAM", " 'STREAM'"),
    ] {
        unserved(&format!("{FUNCTION}/{name}"), json!(value), below);
    }
    unserved(&format!("{FUNCTION}/timeoutInMillis"), json!(1000), " '1000'");
    let response = json!({ "default": { "responseTemplates": { "application/json": "{}" } } });
    unserved(&format!("{FUNCTION}/responses"), response.clone(), "/default/responseTemplates");
    unserved(&format!("{MOCK}/responses"), response, "/default/responseTemplates");
    unserved(&format!("{MOCK}/responses"), json!({ "4\\d{2}": {} }), "/4\\d{2}");
    unserved(&format!("{MOCK}/passthroughBehavior"), json!("never"), " 'never'");
    let template = json!({ "application/json": "#set($a = 1)" });
    unserved(&format!("{MOCK}/requestTemplates"), template, "/application~1json");
    let at = "/paths/~1m/options/x-amazon-apigateway-integration/responses/default";
    let mapped = json!({ "method.response.header.a": "integration.response.header.a" });
    unserved(&format!("{at}/responseParameters"), mapped, "/method.response.header.a");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let wrong = |pointer: &str, value: Value, expected: &str| {
        check(Kind::Http, pointer, &value, expected);
        check(Kind::Rest, pointer, &value, expected);
    };
    wrong("/openapi", json!("3.1.0"), "#/openapi '3.1.0' is no version 3.0");
    wrong("/openapi", Value::Null, "The API definition has no openapi");
    wrong("/info/title", json!(""), "The API definition has no info.title");
    wrong("/info/titel", json!("t"), "#/info/titel is unexpected");
    wrong("/infos", json!({}), "#/infos is unexpected");
    wrong("/paths", Value::Null, "The API definition has no paths");
    wrong("/paths/~1a", json!("x"), "#/paths/~1a is not an object");
    wrong("/paths/a", json!({}), "#/paths/a does not begin with a slash");
    wrong("/paths/~1a/trace", json!({}), "#/paths/~1a/trace is unexpected");
    wrong(GET, json!({}), &format!("#{FUNCTION} is missing"));
    wrong(&format!("{GET}/sumary"), json!("s"), &format!("#{GET}/sumary is unexpected"));
    let types = "is none of aws, aws_proxy, http, http_proxy, mock";
    wrong(&format!("{FUNCTION}/type"), json!("x"), &format!("#{FUNCTION}/type {types}"));
    wrong(
        &format!("{FUNCTION}/uri"),
        json!("x"),
        &format!("#{FUNCTION}/uri 'x' names no function"),
    );
    let version = "payloadFormatVersion";
    let text = format!("#{FUNCTION}/{version} is not a text");
    wrong(&format!("{FUNCTION}/{version}"), json!(2.0), &text);
    let at = format!("{MOCK}/responses/default/statusCode");
    wrong(&at, json!("x"), &format!("#{at} is not a status"));
    wrong(&at, json!(1000), &format!("#{at} is not a status"));
}

#[test]
fn the_two_kinds_of_apis_differ() {
    let cors = json!({ "allowOrigins": ["*"] });
    let pointer = "/x-amazon-apigateway-cors";
    check(Kind::Http, pointer, &cors, "GET /a, OPTIONS /m");
    check(Kind::Rest, pointer, &cors, "#/x-amazon-apigateway-cors is not served");
    let types = json!(["image/png"]);
    let pointer = "/x-amazon-apigateway-binary-media-types";
    check(Kind::Rest, pointer, &types, "GET /a, OPTIONS /m");
    check(Kind::Http, pointer, &types, "#/x-amazon-apigateway-binary-media-types is not served");
    check(Kind::Rest, "/produces", &types, "GET /a, OPTIONS /m");
    check(Kind::Http, "/produces", &types, "#/produces is unexpected");
    let pointer = "/paths/~1a/get/x-amazon-apigateway-integration/payloadFormatVersion";
    check(Kind::Http, pointer, &json!("2.0"), "GET /a, OPTIONS /m");
    check(Kind::Rest, pointer, &json!("2.0"), &format!("#{pointer} '2.0' is not served"));
    let pointer = "/paths/~1a/get/x-amazon-apigateway-integration/timeoutInMillis";
    check(Kind::Http, pointer, &json!(30_000), "GET /a, OPTIONS /m");
    check(Kind::Rest, pointer, &json!(29_000), "GET /a, OPTIONS /m");
    let pointer = "/paths/~1a/get/isDefaultRoute";
    check(Kind::Http, pointer, &json!(false), "GET /a, OPTIONS /m");
    check(Kind::Http, pointer, &json!(true), &format!("#{pointer} 'true' is not served"));
    check(Kind::Rest, pointer, &json!(true), &format!("#{pointer} is unexpected"));
    let mut old = document("/swagger", &json!("2.0"));
    old["openapi"] = Value::Null;
    assert_eq!(found(&old, Kind::Rest), "GET /a, OPTIONS /m");
    assert_eq!(found(&old, Kind::Http), "#/swagger '2.0' is no version of this kind of API");
}

#[test]
fn a_default_route_and_any_method_are_read() {
    let function = document("/x-none", &Value::Null).pointer(FUNCTION).cloned();
    let route = json!({ INTEGRATION: function, "isDefaultRoute": true });
    let value = json!({ "x-amazon-apigateway-any-method": route });
    check(Kind::Http, "/paths/~1$default", &value, "ANY $default, GET /a, OPTIONS /m");
}

#[test]
fn a_mock_answers_the_status_and_headers_written_out() {
    for code in [json!("204"), json!(204)] {
        let mut document = document("/x-none", &Value::Null);
        *document.pointer_mut(&format!("{MOCK}/responses/default")).unwrap() = json!({
            "statusCode": code,
            "responseParameters": { "method.response.header.Allow": "'GET'" },
        });
        let definition = parse(&document.to_string(), Kind::Rest).unwrap();
        let headers = vec![("Allow".to_owned(), "GET".to_owned())];
        let mock = super::super::Integration::Mock { status: 204, headers };
        assert!(definition.routes.iter().any(|route| route.integration == mock), "{definition:?}");
    }
}
