//! What a function has beside itself: a URL, versions, places held ready, and what becomes of its
//! asynchronous events.

use crate::diagnostic::{Diagnostic, Place};
use crate::yaml::{Map, Node, Value};

use super::compile::Compile;
use super::keys::Keys;
use super::naming;

const URL_KEYS: Keys = Keys { honoured: &["authorizer", "cors", "invokeMode"], unhonoured: &[] };
const CORS_KEYS: Keys = Keys {
    honoured: &[
        "allowCredentials",
        "allowedHeaders",
        "allowedMethods",
        "allowedOrigins",
        "exposedResponseHeaders",
        "maxAge",
    ],
    unhonoured: &[],
};
const DESTINATION_KEYS: Keys = Keys { honoured: &["onSuccess", "onFailure"], unhonoured: &[] };

/// What the framework calls the alias that has provisioned concurrency.
const ALIAS: &str = "provisioned";

/// What the framework allows where `cors: true`.
const CORS_HEADERS: [&str; 6] = [
    "Content-Type",
    "X-Amz-Date",
    "Authorization",
    "X-Api-Key",
    "X-Amz-Security-Token",
    "X-Amzn-Trace-Id",
];

/// Adds what one function asks for.
pub(super) fn compile(
    compile: &mut Compile<'_>,
    name: &str,
    at: &Place,
    node: &Node,
) -> Result<(), Diagnostic> {
    versions(compile, name, at, node)?;
    if let Some(url) = node.get("url").filter(|url| url.as_bool() != Some(false)) {
        self::url(compile, name, url)?;
    }
    event_config(compile, name, node)
}

/// Whether the function is called by its alias: then its places are those of the alias.
pub(super) fn is_aliased(node: &Node) -> bool {
    node.get("provisionedConcurrency").is_some_and(|number| !number.is_null())
}

/// The framework publishes a version with each deploy unless it is told not to. Nobody refers to
/// most of them, and a deploy here may be every few seconds, so one is published where somebody
/// asks for it.
fn versions(
    compile: &mut Compile<'_>,
    name: &str,
    at: &Place,
    node: &Node,
) -> Result<(), Diagnostic> {
    let own = node.get("versionFunction").or_else(|| node.get("versionFunctions"));
    let asked = match own.or_else(|| compile.provider.get("versionFunctions")) {
        Some(asked) => asked.expect_bool("versionFunctions")?,
        None => false,
    };
    if !asked && !is_aliased(node) {
        return Ok(());
    }
    let (function, version) = (naming::lambda(name), naming::version(name));
    let mut properties = Map::default();
    properties.set("FunctionName", at.reference(&function));
    properties.set(crate::types::OF, at.string(&function));
    properties.set_some("Description", node.get("description"));
    let mut resource = Map::default();
    resource.set("Type", at.string("AWS::Lambda::Version"));
    resource.set("DeletionPolicy", at.string("Retain"));
    resource.set_some("Condition", node.get("condition"));
    resource.set("Properties", at.node(Value::Map(properties)));
    compile.resource(&version, at.node(Value::Map(resource)))?;
    let output = format!("{function}QualifiedArn");
    compile.output(&output, "Current Lambda function version", at.reference(&version));
    match node.get("provisionedConcurrency").filter(|number| !number.is_null()) {
        Some(number) => provisioned(compile, name, at, number, node.get("condition")),
        None => Ok(()),
    }
}

fn provisioned(
    compile: &mut Compile<'_>,
    name: &str,
    at: &Place,
    number: &Node,
    condition: Option<&Node>,
) -> Result<(), Diagnostic> {
    let executions = number.at.map([("ProvisionedConcurrentExecutions", number.clone())]);
    let mut properties = Map::default();
    properties.set("FunctionName", at.reference(&naming::lambda(name)));
    properties.set("FunctionVersion", at.get_att(&naming::version(name), "Version"));
    properties.set("Name", at.string(ALIAS));
    properties.set("ProvisionedConcurrencyConfig", executions);
    let mut resource = Map::default();
    resource.set("Type", at.string("AWS::Lambda::Alias"));
    resource.set_some("Condition", condition);
    resource.set("Properties", at.node(Value::Map(properties)));
    compile.resource(&naming::alias(name), at.node(Value::Map(resource)))
}

fn url(compile: &mut Compile<'_>, name: &str, url: &Node) -> Result<(), Diagnostic> {
    let at = &url.at;
    let path = format!("functions.{name}.url");
    let mut properties = Map::default();
    let mut signed = false;
    if url.as_bool() != Some(true) {
        URL_KEYS.check(url, &path, compile.report)?;
        if let Some(authorizer) = url.get("authorizer") {
            signed = match authorizer.expect_str(&format!("{path}.authorizer"))? {
                "aws_iam" => true,
                other => {
                    let message = format!("{path}.authorizer: {other} is not served");
                    return Err(
                        Diagnostic::new(&authorizer.at, message).help("use aws_iam, or remove it")
                    );
                }
            };
        }
        properties.set_some("InvokeMode", url.get("invokeMode"));
        if let Some(cors) = url.get("cors").filter(|cors| cors.as_bool() != Some(false)) {
            let cors = self::cors(compile, cors, &format!("{path}.cors"))?;
            properties.set("Cors", cors);
        }
    }
    let auth = if signed { "AWS_IAM" } else { "NONE" };
    properties.set("TargetFunctionArn", at.get_att(&naming::lambda(name), "Arn"));
    properties.set("AuthType", at.string(auth));
    let mut depends = Vec::new();
    if compile.aliased.contains(name) {
        properties.set("Qualifier", at.string(ALIAS));
        depends.push(at.string(naming::alias(name)));
    }
    let id = naming::url(name);
    compile.resource(
        &id,
        at.map([
            ("Type", at.string("AWS::Lambda::Url")),
            ("DependsOn", at.list(depends)),
            ("Properties", at.node(Value::Map(properties))),
        ]),
    )?;
    compile.output(&id, "Lambda Function URL", at.get_att(&id, "FunctionUrl"));
    if signed {
        return Ok(());
    }
    let permission = at.map([
        ("FunctionName", compile.function_arn(at, name)),
        ("Action", at.string("lambda:InvokeFunctionUrl")),
        ("Principal", at.string("*")),
        ("FunctionUrlAuthType", at.string(auth)),
    ]);
    let id = format!("{}LambdaPermissionFnUrl", naming::function(name));
    let permission =
        at.map([("Type", at.string("AWS::Lambda::Permission")), ("Properties", permission)]);
    compile.resource(&id, permission)
}

/// The settings of a map over what `cors: true` means; `null` takes one away.
fn cors(compile: &mut Compile<'_>, cors: &Node, path: &str) -> Result<Node, Diagnostic> {
    let at = &cors.at;
    let all = || at.list([at.string("*")]);
    let mut found = Map::default();
    found.set("AllowOrigins", all());
    found.set("AllowHeaders", at.list(CORS_HEADERS.map(|name| at.string(name))));
    found.set("AllowMethods", all());
    if cors.as_bool() != Some(true) {
        let given = CORS_KEYS.check(cors, path, compile.report)?;
        for (member, key) in [
            ("AllowOrigins", "allowedOrigins"),
            ("AllowHeaders", "allowedHeaders"),
            ("AllowMethods", "allowedMethods"),
            ("AllowCredentials", "allowCredentials"),
            ("ExposeHeaders", "exposedResponseHeaders"),
            ("MaxAge", "maxAge"),
        ] {
            found.set_some(member, given.get(key));
        }
        found.0.retain(|pair| !pair.node.is_null());
    }
    Ok(at.node(Value::Map(found)))
}

fn event_config(compile: &mut Compile<'_>, name: &str, node: &Node) -> Result<(), Diagnostic> {
    let path = format!("functions.{name}.destinations");
    let keys = ["destinations", "maximumEventAge", "maximumRetryAttempts"];
    let [destinations, age, retries] =
        keys.map(|key| node.get(key).filter(|setting| !setting.is_null()));
    let Some(first) = destinations.or(age).or(retries) else { return Ok(()) };
    let at = &first.at;
    let mut properties = Map::default();
    properties.set("FunctionName", at.reference(&naming::lambda(name)));
    let aliased = compile.aliased.contains(name);
    properties.set("Qualifier", at.string(if aliased { ALIAS } else { "$LATEST" }));
    properties.set_some("MaximumEventAgeInSeconds", age);
    properties.set_some("MaximumRetryAttempts", retries);
    if let Some(destinations) = destinations {
        let map = DESTINATION_KEYS.check(destinations, &path, compile.report)?;
        let mut config = Map::default();
        for (member, key) in [("OnSuccess", "onSuccess"), ("OnFailure", "onFailure")] {
            let Some(target) = map.get(key).filter(|target| !target.is_null()) else { continue };
            let target = destination(compile, target, &format!("{path}.{key}"))?;
            config.set(member, target.at.map([("Destination", target.clone())]));
        }
        properties.set("DestinationConfig", destinations.at.node(Value::Map(config)));
    }
    let depends = aliased.then(|| at.string(naming::alias(name)));
    compile.resource(
        &format!("{}LambdaEvConf", naming::function(name)),
        at.map([
            ("Type", at.string("AWS::Lambda::EventInvokeConfig")),
            ("DependsOn", at.list(depends)),
            ("Properties", at.node(Value::Map(properties))),
        ]),
    )
}

/// An ARN, a function of this service, another function by its name, or `{ type, arn }`.
fn destination(compile: &Compile<'_>, target: &Node, path: &str) -> Result<Node, Diagnostic> {
    let at = &target.at;
    if target.intrinsic().is_some() {
        return Ok(target.clone());
    }
    if target.as_map().is_some() {
        return target.get("arn").cloned().ok_or_else(|| {
            Diagnostic::new(at, format!("{path} has no arn")).help("add arn: !GetAtt Queue.Arn")
        });
    }
    let text = target.expect_str(path)?;
    if text.starts_with("arn:") {
        return Ok(target.clone());
    }
    if compile.function_names.iter().any(|name| name == text) {
        return Ok(compile.function_arn(at, text));
    }
    let account = "${AWS::Region}:${AWS::AccountId}";
    Ok(at.sub(format!("arn:${{AWS::Partition}}:lambda:{account}:function:{text}")))
}
