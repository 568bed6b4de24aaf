//! A machine whose services answer from a list and note what they were asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base::{AccountId, Arn, BoxFuture, Region};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use deploy::{Applied, Asset, Assets, Calls, Error, Machine, Report, Template, yaml};
use serde_json::{Value, json};
use store::{Blobs, Store};

const HANG: &str = "Hang";

pub(crate) struct Fake {
    store: Store,
    account: AccountId,
    region: Region,
    pub(crate) assets: Assets,
    pub(crate) endpoint: String,
    calls: Mutex<Vec<String>>,
    /// An operation that fails, with the code it fails with.
    failing: Mutex<Vec<(String, &'static str)>>,
    /// Answers other than the usual ones, by operation.
    answers: BTreeMap<&'static str, Value>,
    /// Name of the function → the zip it was last given.
    packages: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Fake {
    pub(crate) async fn new() -> Fake {
        let engine = Arc::new(engine_memory::Memory::new());
        Fake {
            store: Store::open(engine, Blobs::memory(), "test").await.unwrap(),
            account: "000000000000".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            assets: Assets::default(),
            endpoint: "http://localhost:4566".to_owned(),
            calls: Mutex::default(),
            failing: Mutex::default(),
            answers: BTreeMap::new(),
            packages: Mutex::default(),
        }
    }

    pub(crate) fn asset(&mut self, name: &str, zip: &str) {
        self.assets.insert(name.to_owned(), Asset::new(zip.into()));
    }

    /// Lets calls that contain `call` fail until [`Fake::mend`].
    pub(crate) fn fail(&self, call: &str, code: &'static str) {
        self.failing.lock().unwrap().push((call.to_owned(), code));
    }

    /// Lets an operation answer this.
    pub(crate) fn answer(&mut self, operation: &'static str, answer: Value) {
        self.answers.insert(operation, answer);
    }

    pub(crate) fn mend(&self) {
        self.failing.lock().unwrap().clear();
    }

    /// Lets calls that contain `call` never come back until [`Fake::mend`].
    pub(crate) fn hang(&self, call: &str) {
        self.fail(call, HANG);
    }

    /// The calls since the last time this was asked: the operation, then its input, a line each.
    pub(crate) fn calls(&self) -> String {
        std::mem::take(&mut *self.calls.lock().unwrap()).concat()
    }

    /// What a function would run, as text.
    pub(crate) fn code(&self, function: &str) -> String {
        String::from_utf8(self.packages.lock().unwrap()[function].clone()).unwrap()
    }

    pub(crate) fn lose_packages(&self) {
        self.packages.lock().unwrap().clear();
    }

    fn machine(&self) -> Machine<'_> {
        Machine {
            calls: self,
            store: &self.store,
            account: &self.account,
            region: &self.region,
            endpoint: &self.endpoint,
        }
    }

    pub(crate) async fn apply(&self, template: &str) -> Result<Applied, Error> {
        let node = yaml::parse("t.yml", template)?;
        let template = Template::read(&node, &mut Report::default())?;
        self.apply_template(&template).await
    }

    pub(crate) async fn apply_template(&self, template: &Template) -> Result<Applied, Error> {
        deploy::apply(self.machine(), "shop", template, &self.assets).await
    }

    pub(crate) async fn remove(&self) -> Applied {
        deploy::remove(self.machine(), "shop").await.unwrap()
    }
}

impl Calls for Fake {
    fn call<'a>(
        &'a self,
        service: &'a str,
        operation: &'a str,
        mut input: Value,
    ) -> BoxFuture<'a, Result<Value, kit::Error>> {
        Box::pin(async move {
            let answer = self.answers.get(operation).cloned();
            let answer = answer.unwrap_or_else(|| self::answer(operation, &input));
            let name = input["FunctionName"].as_str().unwrap_or_default().to_owned();
            let zip = input["ZipFile"].as_str().or_else(|| input["Code"]["ZipFile"].as_str());
            let zip = zip.map(|zip| STANDARD.decode(zip).unwrap());
            shorten(&mut input);
            let mut call = format!("{service}.{operation}\n");
            write("", &input, &mut call);
            let call = call.replace("arn:aws:sqs:us-east-1:000000000000:", "…");
            let failing = self.failing.lock().unwrap().clone();
            let failure = failing.into_iter().find(|(part, _)| call.contains(part.as_str()));
            self.calls.lock().unwrap().push(call);
            match failure {
                Some((_, HANG)) => std::future::pending().await,
                Some((_, code)) => Err(kit::Error::sender(code, "as the test wants it")),
                None => {
                    self.packages.lock().unwrap().extend(zip.map(|zip| (name, zip)));
                    Ok(answer)
                }
            }
        })
    }

    fn package<'a>(&'a self, function: &'a Arn) -> BoxFuture<'a, Result<Bytes, kit::Error>> {
        let name = function.resource_after("function:").unwrap();
        let found = self.packages.lock().unwrap().get(name).cloned();
        let found = found.ok_or_else(|| kit::Error::sender("ResourceNotFoundException", "gone"));
        Box::pin(async move { Ok(found?.into()) })
    }
}

/// `  Attributes.DelaySeconds: 5`
fn write(path: &str, value: &Value, text: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                write(&path, value, text);
            }
        }
        Value::String(value) => *text += &format!("  {path}: {value}\n"),
        other => *text += &format!("  {path}: {other}\n"),
    }
}

/// Documents and packages are checked where they are made.
fn shorten(input: &mut Value) {
    for key in ["body", "ZipFile"] {
        if input.get(key).is_some() {
            input[key] = json!("…");
        }
    }
    for key in ["Code", "Content"] {
        if input[key]["ZipFile"].is_string() {
            input[key] = json!("…");
        }
    }
    if input.get("openapi").is_some() {
        *input = json!({ "mode": input["mode"], "restapi_id": input["restapi_id"] });
    }
}

fn answer(operation: &str, input: &Value) -> Value {
    let text = |key: &str| input[key].as_str().unwrap_or_default().to_owned();
    match operation {
        "CreateQueue" | "GetQueueUrl" => {
            let name = text("QueueName");
            json!({ "QueueUrl": format!("http://localhost:4566/000000000000/{name}") })
        }
        "CreateTopic" => json!({ "TopicArn": format!("arn:topic:{}", text("Name")) }),
        "Subscribe" => {
            json!({ "SubscriptionArn": format!("{}:{}", text("TopicArn"), text("Endpoint")) })
        }
        "CreateFunction" | "UpdateFunctionCode" => {
            json!({ "FunctionArn": format!(
                "arn:aws:lambda:us-east-1:000000000000:function:{}",
                text("FunctionName")
            ) })
        }
        "CreateEventSourceMapping" => {
            json!({ "UUID": "uuid", "EventSourceMappingArn": "arn:mapping" })
        }
        "DescribeTable" => {
            let name = text("TableName");
            let arn = format!("arn:aws:dynamodb:us-east-1:000000000000:table/{name}/stream/1");
            json!({ "Table": { "TableName": name, "LatestStreamArn": arn } })
        }
        "PublishVersion" => json!({
            "FunctionArn": format!("arn:function:{}:7", text("FunctionName")), "Version": "7"
        }),
        "ListVersionsByFunction" => json!({ "Versions": [{ "Version": "$LATEST" }] }),
        "CreateAlias" | "UpdateAlias" => {
            json!({ "AliasArn": format!("arn:{}:{}", text("FunctionName"), text("Name")) })
        }
        "PublishLayerVersion" => {
            json!({ "LayerVersionArn": format!("arn:layer:{}:3", text("LayerName")) })
        }
        "CreateFunctionUrlConfig" | "UpdateFunctionUrlConfig" => json!({
            "FunctionArn": format!("{}:{}", text("FunctionName"), text("Qualifier")),
            "FunctionUrl": "http://id.lambda-url.us-east-1.localhost:4566/"
        }),
        "PutRule" => json!({ "RuleArn": format!("arn:rule/{}", text("Name")) }),
        "ImportApi" | "ReimportApi" => {
            let endpoint = "http://localhost:4566/_aws/execute-api/http1";
            json!({ "apiId": "http1", "apiEndpoint": endpoint })
        }
        "ImportRestApi" => json!({ "id": "rest1" }),
        "CreateDeployment" => json!({ "id": "deployment1" }),
        _ => json!({}),
    }
}
