//! `functions:` → AWS::Lambda::Function and AWS::Logs::LogGroup, and what packaging must know.

use crate::diagnostic::{Diagnostic, Place};
use crate::project::{Function, Patterns};
use crate::yaml::{Map, Node, Value};

use super::compile::Compile;
use super::keys::Keys;
use super::{events, invocation, naming};

/// What the framework assumes where nothing is written.
const MEMORY_MB: u64 = 1024;
const TIMEOUT_SECONDS: u64 = 6;
const RUNTIME: &str = "nodejs16.x";

/// Keys of a function that become properties of AWS::Lambda::Function are honoured here; whether
/// the platform honours the property is that resource type's business.
const KEYS: Keys = Keys {
    honoured: &[
        "handler",
        "runtime",
        "memorySize",
        "timeout",
        "environment",
        "events",
        "name",
        "description",
        "reservedConcurrency",
        "layers",
        "package",
        "role",
        "tags",
        "vpc",
        "tracing",
        "architecture",
        "ephemeralStorageSize",
        "onError",
        "kmsKeyArn",
        "condition",
        "dependsOn",
        "logRetentionInDays",
        "disableLogs",
        "httpApi",
        "module",
        "provisionedConcurrency",
        "versionFunction",
        "versionFunctions",
        "url",
        "destinations",
        "maximumEventAge",
        "maximumRetryAttempts",
    ],
    unhonoured: &[
        "fileSystemConfig",
        "snapStart",
        "runtimeManagement",
        "iamRoleStatements",
        "iamRoleStatementsInherit",
        "warmup",
        "logDataProtectionPolicy",
        "logs",
    ],
};

const HTTP_API_KEYS: Keys = Keys { honoured: &["payload"], unhonoured: &[] };

const PACKAGE_KEYS: Keys = Keys {
    honoured: &["patterns", "include", "exclude", "artifact", "individually"],
    unhonoured: &["path", "deploymentBucket", "excludeDevDependencies"],
};

/// Reads one function of the `functions` map.
pub(super) fn compile(
    compile: &mut Compile<'_>,
    name: &str,
    at: &Place,
    node: &Node,
) -> Result<(), Diagnostic> {
    let path = format!("functions.{name}");
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
        return Err(Diagnostic::new(at, format!("'{name}' is not a function name"))
            .help("use letters, digits, - and _"));
    }
    if let Some(image) = node.as_map().and_then(|map| map.pair("image")) {
        let message = format!("function '{name}' is a container image, which is not served");
        return Err(Diagnostic::new(&image.at, message)
            .help("give it a handler and a runtime, or remove it"));
    }
    let map = KEYS.check(node, &path, compile.report)?;
    let Some(handler) = node.get("handler") else {
        return Err(Diagnostic::new(at, format!("function '{name}' has no handler"))
            .help("add handler: src/file.exportedFunction"));
    };
    handler.expect_str(&format!("{path}.handler"))?;
    let id = naming::lambda(name);
    let properties = properties(compile, name, at, node, handler)?;
    let mut depends = vec![];
    if node.get("disableLogs").and_then(Node::as_bool) != Some(true) {
        let group = log_group(compile, name, node);
        compile.resource(&naming::log_group(name), group)?;
        depends.push(at.string(naming::log_group(name)));
    }
    match node.get("dependsOn").map(|node| (&node.value, node)) {
        Some((Value::List(list), _)) => depends.extend(list.iter().cloned()),
        Some((_, one)) => depends.push(one.clone()),
        None => {}
    }
    let mut resource = Map::default();
    resource.set("Type", at.string("AWS::Lambda::Function"));
    resource.set("DependsOn", at.list(depends));
    resource.set_some("Condition", node.get("condition"));
    resource.set("Properties", at.node(Value::Map(properties)));
    compile.resource(&id, at.node(Value::Map(resource)))?;
    let source = source(compile, name, node, handler)?;
    compile.functions.push(source);
    invocation::compile(compile, name, at, node)?;
    if let Some(http_api) = node.get("httpApi") {
        HTTP_API_KEYS.check(http_api, &format!("{path}.httpApi"), compile.report)?;
        let payload = http_api.get("payload").and_then(Node::scalar_text);
        compile.payloads.extend(payload.map(|payload| (name.to_owned(), payload)));
    }
    if let Some(pair) = map.pair("events").filter(|pair| !pair.node.is_null()) {
        for event in pair.node.expect_list(&format!("{path}.events"))? {
            events::compile(compile, name, event)?;
        }
    }
    Ok(())
}

fn properties(
    compile: &mut Compile<'_>,
    name: &str,
    at: &Place,
    node: &Node,
    handler: &Node,
) -> Result<Map, Diagnostic> {
    let provider = compile.provider.clone();
    let either = |key: &str| node.get(key).or_else(|| provider.get(key));
    let or = |key: &str, default: Value| either(key).cloned().unwrap_or_else(|| at.node(default));
    let mut map = Map::default();
    map.set("Code", at.map([("Asset", at.string(name))]));
    map.set("Handler", handler.clone());
    map.set("Runtime", or("runtime", Value::String(RUNTIME.to_owned())));
    map.set("FunctionName", full_name(compile, name, at, node));
    map.set("MemorySize", or("memorySize", Value::Number(MEMORY_MB.into())));
    map.set("Timeout", or("timeout", Value::Number(TIMEOUT_SECONDS.into())));
    map.set_some("Description", node.get("description"));
    map.set_some("ReservedConcurrentExecutions", node.get("reservedConcurrency"));
    map.set_some("Layers", either("layers"));
    map.set_some("KmsKeyArn", either("kmsKeyArn"));
    if let Some(variables) = environment(&provider, name, node)? {
        map.set("Environment", at.map([("Variables", variables)]));
    }
    if let Some(architecture) = either("architecture") {
        map.set("Architectures", architecture.at.list([architecture.clone()]));
    }
    if let Some(size) = node.get("ephemeralStorageSize") {
        map.set("EphemeralStorage", size.at.map([("Size", size.clone())]));
    }
    if let Some(target) = node.get("onError") {
        map.set("DeadLetterConfig", target.at.map([("TargetArn", target.clone())]));
    }
    let provider_tracing = provider.get("tracing").and_then(|tracing| tracing.get("lambda"));
    if let Some(mode) = node.get("tracing").or(provider_tracing) {
        let mode = match mode.as_bool() {
            Some(true) => mode.at.string("Active"),
            Some(false) => mode.at.string("PassThrough"),
            None => mode.clone(),
        };
        map.set("TracingConfig", mode.at.map([("Mode", mode.clone())]));
    }
    if let Some(vpc) = either("vpc").filter(|vpc| vpc.as_map().is_some()) {
        let mut config = Map::default();
        config.set_some("SecurityGroupIds", vpc.get("securityGroupIds"));
        config.set_some("SubnetIds", vpc.get("subnetIds"));
        map.set("VpcConfig", vpc.at.node(Value::Map(config)));
    }
    if let Some(tags) = compile.tags(node.get("tags"))? {
        map.set("Tags", tags);
    }
    map.set("Role", role(compile, node, at));
    Ok(map)
}

/// What a function is called once it is deployed.
fn full_name(compile: &Compile<'_>, name: &str, at: &Place, node: &Node) -> Node {
    let made_up = || format!("{}-{}-{name}", compile.service, compile.stage);
    node.get("name").cloned().unwrap_or_else(|| at.string(made_up()))
}

/// The provider's variables, then the function's; `NAME: null` takes one away.
fn environment(provider: &Node, name: &str, node: &Node) -> Result<Option<Node>, Diagnostic> {
    let mut variables = Map::default();
    let sections = [
        ("provider.environment".to_owned(), provider.get("environment")),
        (format!("functions.{name}.environment"), node.get("environment")),
    ];
    let Some(at) = sections.iter().rev().find_map(|(_, section)| section.map(|s| s.at.clone()))
    else {
        return Ok(None);
    };
    for (path, section) in &sections {
        let Some(section) = section else { continue };
        for pair in &section.expect_map(path)?.0 {
            variables.set(&pair.key, pair.node.clone());
        }
    }
    variables.0.retain(|pair| !pair.node.is_null());
    Ok(Some(at.node(Value::Map(variables))))
}

fn role(compile: &Compile<'_>, node: &Node, at: &Place) -> Node {
    match node.get("role").or_else(|| compile.provider_role()) {
        None => at.get_att(naming::ROLE, "Arn"),
        Some(role) => match role.as_str() {
            // A plain word is the logical id of a role in the template.
            Some(id) if !id.starts_with("arn:") => role.at.get_att(id, "Arn"),
            _ => role.clone(),
        },
    }
}

fn log_group(compile: &Compile<'_>, name: &str, node: &Node) -> Node {
    let at = &node.at;
    let full_name = full_name(compile, name, at, node);
    let group = match full_name.as_str() {
        Some(text) => at.string(format!("/aws/lambda/{text}")),
        None => at.map([(
            "Fn::Join",
            at.list([at.string(""), at.list([at.string("/aws/lambda/"), full_name])]),
        )]),
    };
    let mut properties = Map::default();
    properties.set("LogGroupName", group);
    let days =
        node.get("logRetentionInDays").or_else(|| compile.provider.get("logRetentionInDays"));
    properties.set_some("RetentionInDays", days);
    at.map([
        ("Type", at.string("AWS::Logs::LogGroup")),
        ("Properties", at.node(Value::Map(properties))),
    ])
}

fn source(
    compile: &mut Compile<'_>,
    name: &str,
    node: &Node,
    handler: &Node,
) -> Result<Function, Diagnostic> {
    let runtime = node.get("runtime").or_else(|| compile.provider.get("runtime"));
    let runtime = match runtime {
        Some(node) => node.expect_str(&format!("functions.{name}.runtime"))?.to_owned(),
        None => RUNTIME.to_owned(),
    };
    let mut patterns = compile.patterns.clone();
    let mut artifact = None;
    let module =
        node.get("module").map(|module| module.expect_str(&format!("functions.{name}.module")));
    let module = module.transpose()?.map(str::to_owned);
    if let Some(package) = node.get("package") {
        let path = format!("functions.{name}.package");
        PACKAGE_KEYS.check(package, &path, compile.report)?;
        patterns.extend(package_patterns(package, &path)?);
        artifact = package.get("artifact").and_then(Node::as_str).map(str::to_owned);
    }
    Ok(Function {
        name: name.to_owned(),
        full_name: full_name(compile, name, &node.at, node).scalar_text().unwrap_or_default(),
        handler: handler.as_str().unwrap_or_default().to_owned(),
        handler_at: handler.at.clone(),
        runtime,
        patterns,
        artifact,
        module,
    })
}

/// `patterns`, and the older `include` and `exclude`.
pub(super) fn package_patterns(package: &Node, path: &str) -> Result<Patterns, Diagnostic> {
    let mut patterns = Vec::new();
    for (key, prefix) in [("exclude", "!"), ("include", ""), ("patterns", "")] {
        let Some(list) = package.get(key) else { continue };
        for item in list.expect_list(&format!("{path}.{key}"))? {
            patterns.push(format!("{prefix}{}", item.expect_str(&format!("{path}.{key}"))?));
        }
    }
    Ok(patterns)
}
