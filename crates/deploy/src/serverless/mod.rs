//! Reads `serverless.yml` of the Serverless Framework, version 3, and gives the template the
//! framework would have made: same logical ids, same names, same defaults.
//!
//! One thing differs on purpose: an API is one resource with an OpenAPI body, not a resource for
//! each route.

mod compile;
mod events;
mod functions;
mod invocation;
mod keys;
mod layers;
mod naming;
mod openapi;
mod plugins;
mod python;
mod resources;
mod variables;

use std::path::Path;

use compile::Compile;
use keys::Keys;

use crate::diagnostic::{Diagnostic, Place};
use crate::options::Options;
use crate::project::Project;
use crate::report::Report;
use crate::template::Template;
use crate::yaml::{self, Map, Node, Value};

/// The names the file may have, in the order they are tried.
const FILES: &[&str] = &["serverless.yml", "serverless.yaml", "serverless.json"];

const KEYS: Keys = Keys {
    honoured: &[
        "service",
        "provider",
        "functions",
        "layers",
        "resources",
        "custom",
        "plugins",
        "package",
        "params",
        "stages",
        "frameworkVersion",
        "useDotenv",
        "configValidationMode",
        "app",
        "org",
        "tenant",
        "console",
        "disabledDeprecations",
        "deprecationNotificationMode",
        "variablesResolutionMode",
        "licenseKey",
        "projectDir",
        "dashboard",
    ],
    unhonoured: &["build", "outputs", "constructs", "state"],
};

const PROVIDER_KEYS: Keys = Keys {
    honoured: &[
        "name",
        "runtime",
        "stage",
        "region",
        "memorySize",
        "timeout",
        "environment",
        "iam",
        "httpApi",
        "apiGateway",
        "apiName",
        "logRetentionInDays",
        "tags",
        "stackName",
        "tracing",
        "vpc",
        "layers",
        "architecture",
        "kmsKeyArn",
        "role",
        "iamRoleStatements",
        "profile",
        // They say how the framework uploads; there is no upload here.
        "deploymentBucket",
        "deploymentMethod",
        "deploymentPrefix",
        "versionFunctions",
        "lambdaHashingVersion",
        "cfnRole",
        "disableRollback",
        "rollbackConfiguration",
        "credentials",
    ],
    unhonoured: &[
        "alb",
        "cloudFront",
        "ecr",
        "eventBridge",
        "endpointType",
        "logs",
        "notificationArns",
        "resourcePolicy",
        "s3",
        "stackParameters",
        "stackPolicy",
        "stackTags",
        "usagePlan",
        "apiKeys",
        "websocketsApiName",
        "websocketsApiRouteSelectionExpression",
        "websocket",
        "websockets",
        "kinesis",
        "runtimeManagement",
        "vpcEndpointIds",
        "logDataProtectionPolicy",
        "tags.inherit",
        "snapStart",
        "deploymentRole",
        "sns",
        "build",
    ],
};

/// Reads the service in `dir`.
pub(crate) fn read(dir: &Path, options: &Options) -> Result<Project, Diagnostic> {
    let (file, text) = load(dir)?;
    let root = yaml::parse(file, &text)?;
    let mut report = Report::default();
    let mut options = options.clone();
    if root.get("useDotenv").and_then(Node::as_bool) == Some(true) {
        dotenv(dir, &mut options);
    }
    let root = variables::resolve(&root, dir, &options, &mut report)?;
    translate(dir, &root, &options, report)
}

fn load(dir: &Path) -> Result<(&'static str, String), Diagnostic> {
    for file in FILES {
        match std::fs::read_to_string(dir.join(file)) {
            Ok(text) => return Ok((file, text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(Diagnostic::new(
                    &Place::file(file),
                    format!("cannot be read: {error}"),
                ));
            }
        }
    }
    for program in ["serverless.ts", "serverless.js", "serverless.cjs", "serverless.mjs"] {
        if dir.join(program).exists() {
            let message = "is a program, and reading a template runs none";
            return Err(Diagnostic::new(&Place::file(program), message)
                .help("print it as YAML once: npx serverless print > serverless.yml"));
        }
    }
    let folder = dir.display();
    let message = match dir.is_dir() {
        true => format!("there is no serverless.yml in {folder}"),
        false => format!("there is no folder {folder}"),
    };
    Err(Diagnostic::new(&Place::file("serverless.yml"), message)
        .help("name the folder that has one"))
}

/// `.env.<stage>` and `.env`, without hiding what the environment has.
fn dotenv(dir: &Path, options: &mut Options) {
    let stage = options.stage.as_deref().unwrap_or("dev");
    for file in [format!(".env.{stage}"), ".env".to_owned()] {
        let Ok(text) = std::fs::read_to_string(dir.join(file)) else { continue };
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            let line = line.strip_prefix("export ").unwrap_or(line);
            let Some((name, value)) = line.split_once('=') else { continue };
            let value = value.trim().trim_matches(['"', '\'']).to_owned();
            options.env.entry(name.trim().to_owned()).or_insert(value);
        }
    }
}

fn translate(
    dir: &Path,
    root: &Node,
    options: &Options,
    mut report: Report,
) -> Result<Project, Diagnostic> {
    if root.is_null() {
        return Err(Diagnostic::new(&root.at, "the file is empty").help("begin with service: name"));
    }
    KEYS.check(root, "", &mut report)?;
    let service = service_name(root)?;
    let provider = provider(root, &mut report)?;
    let text = |key: &str, given: &Option<String>, default: &str| match (given, provider.get(key)) {
        (Some(given), _) => Ok(given.clone()),
        (None, Some(node)) => node.expect_str(&format!("provider.{key}")).map(str::to_owned),
        (None, None) => Ok(default.to_owned()),
    };
    let stage = text("stage", &options.stage, "dev")?;
    let region = text("region", &options.region, "us-east-1")?;
    let stack = text("stackName", &None, &format!("{service}-{stage}"))?;
    let bundling = plugins::read(root, &mut report)?;
    let python = python::read(root, &mut report)?;
    let patterns = match root.get("package") {
        Some(package) => functions::package_patterns(package, "package")?,
        None => Vec::new(),
    };
    let mut compile = Compile {
        service: service.clone(),
        stage: stage.clone(),
        provider,
        patterns,
        resources: Map::default(),
        outputs: Map::default(),
        functions: Vec::new(),
        layers: Vec::new(),
        function_names: Vec::new(),
        aliased: Default::default(),
        http_routes: Vec::new(),
        rest_routes: Vec::new(),
        report: &mut report,
        payloads: Default::default(),
        schedules: Default::default(),
    };
    sections(&mut compile, root)?;
    let functions = std::mem::take(&mut compile.functions);
    let layers = std::mem::take(&mut compile.layers);
    let mut template = root.at.map([
        ("Resources", root.at.node(Value::Map(std::mem::take(&mut compile.resources)))),
        ("Outputs", root.at.node(Value::Map(std::mem::take(&mut compile.outputs)))),
    ]);
    resources::add(&mut template, root)?;
    let template = Template::read(&template, &mut report)?;
    let dir = dir.to_owned();
    Ok(Project {
        dir,
        service,
        stage,
        region,
        stack,
        template,
        functions,
        layers,
        bundling,
        python,
        report,
    })
}

/// Everything the template has but `resources`.
fn sections(compile: &mut Compile<'_>, root: &Node) -> Result<(), Diagnostic> {
    layers::compile(compile, root)?;
    python::layer(compile, root)?;
    let entries = function_entries(root)?;
    for (name, _, node) in &entries {
        compile.function_names.push(name.clone());
        compile.aliased.extend(invocation::is_aliased(node).then(|| name.clone()));
    }
    for (name, at, node) in entries {
        functions::compile(compile, &name, &at, &node)?;
    }
    compile.role()?;
    events::finish(compile)
}

/// `service: name`, or the older `service: { name: … }`.
fn service_name(root: &Node) -> Result<String, Diagnostic> {
    let Some(node) = root.get("service") else {
        return Err(Diagnostic::new(&root.at, "the service has no name")
            .help("add service: my-service at the top"));
    };
    let name = node.get("name").unwrap_or(node).expect_str("service")?;
    let begins_right = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if !begins_right || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err(Diagnostic::new(&node.at, format!("'{name}' is not a service name"))
            .help("use letters, digits and -, and begin with a letter"));
    }
    Ok(name.to_owned())
}

fn provider(root: &Node, report: &mut Report) -> Result<Node, Diagnostic> {
    let Some(pair) = root.as_map().and_then(|map| map.pair("provider")) else {
        return Err(Diagnostic::new(&root.at, "there is no provider")
            .help("add provider: { name: aws, runtime: nodejs20.x }"));
    };
    // `provider: aws` is the short form.
    if let Some(name) = pair.node.as_str() {
        only_aws(name, &pair.node)?;
        return Ok(pair.at.map([("name", pair.node.clone())]));
    }
    PROVIDER_KEYS.check(&pair.node, "provider", report)?;
    if let Some(name) = pair.node.get("name") {
        only_aws(name.expect_str("provider.name")?, name)?;
    }
    let iam_role = pair.node.get("iam").and_then(|iam| iam.get("role"));
    if let Some(boundary) = iam_role.and_then(|role| role.as_map()?.pair("permissionsBoundary")) {
        let path = "provider.iam.role.permissionsBoundary";
        report.unhonoured(&boundary.at, path, "is not honoured");
    }
    Ok(pair.node.clone())
}

fn only_aws(name: &str, node: &Node) -> Result<(), Diagnostic> {
    if name == "aws" {
        return Ok(());
    }
    Err(Diagnostic::new(&node.at, format!("the provider '{name}' is not served")).help("use aws"))
}

/// `functions` is a map, or a list of maps where it is put together from files.
fn function_entries(root: &Node) -> Result<Vec<(String, Place, Node)>, Diagnostic> {
    let Some(node) = root.get("functions") else { return Ok(Vec::new()) };
    let mut entries: Vec<(String, Place, Node)> = Vec::new();
    for section in node.one_or_many() {
        for pair in &section.expect_map("functions")?.0 {
            if let Some((_, first, _)) = entries.iter().find(|(name, ..)| *name == pair.key) {
                let message = format!("the function '{}' is there twice", pair.key);
                return Err(Diagnostic::new(&pair.at, message)
                    .help(format!("rename one: the other is at {first}")));
            }
            entries.push((pair.key.clone(), pair.at.clone(), pair.node.clone()));
        }
    }
    Ok(entries)
}
