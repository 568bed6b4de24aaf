//! What a function has beside itself: versions, aliases, layers, URLs, the ends of its events.

use deploy::{Options, Packager, Project};
use serde_json::Value;
use tempfile::TempDir;

use crate::machine::Fake;
use crate::package::unzip;
use crate::reader;

const FUNCTION: &str = "
Resources:
  Pay:
    Type: AWS::Lambda::Function
    Properties:
      Code: { Asset: pay }
      FunctionName: pay
      Role: r
      Timeout: 6
";

async fn check(fake: &Fake, template: &str, calls: &str) {
    let result = fake.apply(template).await;
    assert_eq!(fake.calls().trim(), calls.trim(), "{result:?}");
    result.unwrap_or_else(|error| panic!("{error}"));
}

/// A machine with the function.
async fn with_function() -> Fake {
    let mut fake = Fake::new().await;
    fake.asset("pay", "one");
    fake.apply(FUNCTION).await.unwrap();
    fake.calls();
    fake
}

#[tokio::test]
async fn a_version_is_published_and_replaced() {
    let mut fake = with_function().await;
    let version = format!(
        "{FUNCTION}  V: {{ Type: AWS::Lambda::Version, Properties: {{ FunctionName: !Ref Pay, \
         Description: first }} }}\nOutputs:\n  Number: {{ Value: !GetAtt V.Version }}\n  \
         Arn: {{ Value: !Ref V }}\n"
    );
    let applied = fake.apply(&version).await.unwrap();
    assert_eq!(
        format!("{:?}", applied.outputs),
        r#"[("Number", "7"), ("Arn", "arn:function:pay:7")]"#
    );
    assert_eq!(
        fake.calls(),
        "lambda.ListVersionsByFunction\n  FunctionName: pay\n\
         lambda.PublishVersion\n  FunctionName: pay\n  Description: first\n"
    );
    // A version does not follow the function.
    fake.asset("pay", "two");
    check(&fake, &version, "lambda.UpdateFunctionCode\n  FunctionName: pay\n  ZipFile: …").await;
    check(
        &fake,
        &version.replace("first", "second"),
        "
lambda.ListVersionsByFunction
  FunctionName: pay
lambda.PublishVersion
  FunctionName: pay
  Description: second
lambda.DeleteFunction
  FunctionName: pay
  Qualifier: 7
",
    )
    .await;
    let retained = version.replace("{ Type", "{ DeletionPolicy: Retain, Type");
    fake.apply(&retained).await.unwrap();
    fake.calls();
    check(&fake, FUNCTION, "").await;
}

#[tokio::test]
async fn a_version_of_a_function_as_it_was_is_refused_in_cloudformations_words() {
    let mut fake = with_function().await;
    fake.answer("ListVersionsByFunction", serde_json::json!({ "Versions": [{ "Version": "7" }] }));
    let version = format!(
        "{FUNCTION}  V: {{ Type: AWS::Lambda::Version, Properties: {{ FunctionName: !Ref Pay }} }}"
    );
    let error = fake.apply(&version).await.unwrap_err().to_string();
    assert!(
        error.contains(
            "A version for this Lambda function exists ( 7 ). Modify the function to create a \
             new version."
        ),
        "{error}"
    );
}

#[tokio::test]
async fn an_alias_is_moved_and_holds_places() {
    let fake = with_function().await;
    let alias = format!(
        "{FUNCTION}  Live:\n    Type: AWS::Lambda::Alias\n    Properties:\n      FunctionName: \
         !Ref Pay\n      Name: live\n      FunctionVersion: 3\n      RoutingConfig: {{ \
         AdditionalVersionWeights: [{{ FunctionVersion: '2', FunctionWeight: 0.5 }}] }}\n      \
         ProvisionedConcurrencyConfig: {{ ProvisionedConcurrentExecutions: '4' }}\n"
    );
    check(
        &fake,
        &alias,
        "
lambda.CreateAlias
  FunctionName: pay
  Name: live
  FunctionVersion: 3
  RoutingConfig.AdditionalVersionWeights.2: 0.5
lambda.PutProvisionedConcurrencyConfig
  FunctionName: pay
  Qualifier: live
  ProvisionedConcurrentExecutions: 4
",
    )
    .await;
    let places = alias.find("      RoutingConfig").unwrap();
    check(
        &fake,
        &alias[..places].replace("Version: 3", "Version: 4"),
        "
lambda.UpdateAlias
  FunctionName: pay
  Name: live
  FunctionVersion: 4
  Description: 
  RoutingConfig.AdditionalVersionWeights: {}
lambda.DeleteProvisionedConcurrencyConfig
  FunctionName: pay
  Qualifier: live
",
    )
    .await;
    check(&fake, FUNCTION, "lambda.DeleteAlias\n  FunctionName: pay\n  Name: live").await;
}

#[tokio::test]
async fn a_layer_is_published_anew_when_its_files_change() {
    let mut fake = Fake::new().await;
    let layer = "
Resources:
  Common:
    Type: AWS::Lambda::LayerVersion
    Properties: { LayerName: common, Content: { Asset: 'layer:common' } }
  Everyone:
    Type: AWS::Lambda::LayerVersionPermission
    Properties: { LayerVersionArn: !Ref Common, Action: lambda:GetLayerVersion, Principal: '*' }
";
    let error = fake.apply(layer).await.unwrap_err().to_string();
    assert!(error.starts_with("t.yml:3:3: Common.Content names no package"), "{error}");
    fake.asset("layer:common", "one");
    check(
        &fake,
        layer,
        "
lambda.PublishLayerVersion
  LayerName: common
  Content: …
lambda.AddLayerVersionPermission
  LayerName: arn:layer:common
  VersionNumber: 3
  StatementId: shop-Everyone-DE15CB0E0A96
  Action: lambda:GetLayerVersion
  Principal: *
",
    )
    .await;
    fake.asset("layer:common", "two");
    check(
        &fake,
        layer,
        "
lambda.PublishLayerVersion
  LayerName: common
  Content: …
lambda.DeleteLayerVersion
  LayerName: arn:layer:common
  VersionNumber: 3
",
    )
    .await;
    fake.remove().await;
    assert!(fake.calls().contains("lambda.RemoveLayerVersionPermission\n"));
}

#[tokio::test]
async fn a_url_is_made_changed_and_shown() {
    let mut fake = with_function().await;
    let url = format!(
        "{FUNCTION}  Url:\n    Type: AWS::Lambda::Url\n    Properties: {{ TargetFunctionArn: \
         !GetAtt Pay.Arn, AuthType: NONE, Cors: {{ AllowOrigins: ['*'] }} }}\nOutputs: {{ U: {{ \
         Value: !GetAtt Url.FunctionUrl }} }}\n"
    );
    let applied = fake.apply(&url).await.unwrap();
    let function = "arn:aws:lambda:us-east-1:000000000000:function:pay";
    assert_eq!(
        fake.calls(),
        format!(
            "lambda.CreateFunctionUrlConfig\n  FunctionName: {function}\n  AuthType: NONE\n  \
             Cors.AllowOrigins: [\"*\"]\n"
        )
    );
    let [endpoint] = &applied.endpoints[..] else { panic!("{:?}", applied.endpoints) };
    assert_eq!(endpoint.url, "http://id.lambda-url.us-east-1.localhost:4566/");
    assert_eq!(applied.outputs[0].1, endpoint.url);
    let cors = url.replace(", Cors: { AllowOrigins: ['*'] }", "");
    check(
        &fake,
        &cors,
        &format!(
            "lambda.UpdateFunctionUrlConfig\n  FunctionName: {function}\n  AuthType: NONE\n  \
             Cors: {{}}\n  InvokeMode: BUFFERED"
        ),
    )
    .await;
    // The platform is somewhere else now, and so is the URL.
    fake.endpoint = "http://127.0.0.1:9999".to_owned();
    let applied = fake.apply(&cors).await.unwrap();
    assert_eq!(applied.outputs[0].1, "http://id.lambda-url.us-east-1.localhost:9999/");
    fake.calls();
    check(&fake, FUNCTION, &format!("lambda.DeleteFunctionUrlConfig\n  FunctionName: {function}"))
        .await;
}

#[tokio::test]
async fn the_ends_of_events_and_what_is_set_apart() {
    let fake = with_function().await;
    let config = format!(
        "{}      ReservedConcurrentExecutions: '5'\n      RecursiveLoop: Allow\n  Config:\n    \
         Type: AWS::Lambda::EventInvokeConfig\n    Properties: {{ FunctionName: !Ref Pay, \
         Qualifier: $LATEST, MaximumRetryAttempts: '0' }}\n",
        FUNCTION
    );
    check(
        &fake,
        &config,
        "
lambda.PutFunctionConcurrency
  FunctionName: pay
  ReservedConcurrentExecutions: 5
lambda.PutFunctionRecursionConfig
  FunctionName: pay
  RecursiveLoop: Allow
lambda.PutFunctionEventInvokeConfig
  FunctionName: pay
  Qualifier: $LATEST
  MaximumRetryAttempts: 0
",
    )
    .await;
    check(
        &fake,
        FUNCTION,
        "
lambda.DeleteFunctionConcurrency
  FunctionName: pay
lambda.PutFunctionRecursionConfig
  FunctionName: pay
  RecursiveLoop: Terminate
lambda.DeleteFunctionEventInvokeConfig
  FunctionName: pay
  Qualifier: $LATEST
",
    )
    .await;
}

#[tokio::test]
async fn a_layer_of_another_account_is_named_and_left_out() {
    let fake = with_function().await;
    let layers = "arn:aws:lambda:us-east-1:017000801446:layer:Powertools:7, \
                  arn:aws:lambda:us-east-1:000000000000:layer:own:1";
    let applied = fake.apply(&format!("{FUNCTION}      Layers: [{layers}]\n")).await.unwrap();
    assert_eq!(
        applied.report.entries[1].to_string(),
        "t.yml:10:16: Pay.Layers are not honoured: this one is another account's, whose layers \
         are not here"
    );
    let calls = fake.calls();
    let own = r#"Layers: ["arn:aws:lambda:us-east-1:000000000000:layer:own:1"]"#;
    assert!(calls.contains(own), "{calls}");
}

const SERVICE: &str = "\
layers:
  common: { path: layer, compatibleRuntimes: [nodejs20.x], allowedAccounts: ['*'], retain: true }
functions:
  f:
    handler: f.h
    layers: [!Ref CommonLambdaLayer]
    url: { authorizer: aws_iam, cors: { allowedOrigins: [a], allowedHeaders: null, maxAge: 5 } }
    reservedConcurrency: 3
    maximumRetryAttempts: 1
    maximumEventAge: 60
    destinations: { onSuccess: g, onFailure: { type: sqs, arn: !GetAtt Dead.Arn } }
  g:
    handler: f.h
    provisionedConcurrency: 2
    versionFunction: true
    url: { invokeMode: RESPONSE_STREAM }
    destinations: { onFailure: other }
    events: [{ httpApi: GET /g }, { schedule: rate(1 minute) }]
resources: { Resources: { Dead: { Type: AWS::SQS::Queue } } }
";

fn properties(project: &Project, id: &str) -> Value {
    let resource = project.template.resource(id).unwrap_or_else(|| panic!("no {id}"));
    let map = deploy::yaml::Value::Map(resource.properties.clone());
    let mut json = resource.at.node(map).to_json();
    json.as_object_mut().unwrap().retain(|key, _| key != "FunctionName");
    json
}

#[test]
fn a_service_becomes_the_frameworks_resources() {
    let project = reader::read(&format!("{}{SERVICE}", reader::HEAD)).unwrap();
    let check = |id: &str, expected: &str| {
        assert_eq!(properties(&project, id).to_string(), expected, "{id}");
    };
    check(
        "CommonLambdaLayer",
        r#"{"LayerName":"common","CompatibleRuntimes":["nodejs20.x"],"Content":{"Asset":"layer:common"}}"#,
    );
    assert!(project.template.resource("CommonLambdaLayer").unwrap().retain);
    check(
        "CommonWildLambdaLayerPermission",
        r#"{"LayerVersionArn":{"Ref":"CommonLambdaLayer"},"Action":"lambda:GetLayerVersion","Principal":"*"}"#,
    );
    check(
        "FLambdaFunctionUrl",
        r#"{"Cors":{"AllowOrigins":["a"],"AllowMethods":["*"],"MaxAge":5},"TargetFunctionArn":{"Fn::GetAtt":["FLambdaFunction","Arn"]},"AuthType":"AWS_IAM"}"#,
    );
    assert!(project.template.resource("FLambdaPermissionFnUrl").is_none());
    check(
        "FLambdaEvConf",
        r#"{"Qualifier":"$LATEST","MaximumEventAgeInSeconds":60,"MaximumRetryAttempts":1,"DestinationConfig":{"OnSuccess":{"Destination":{"Ref":"GProvConcLambdaAlias"}},"OnFailure":{"Destination":{"Fn::GetAtt":["Dead","Arn"]}}}}"#,
    );
    check(
        "GProvConcLambdaAlias",
        r#"{"FunctionVersion":{"Fn::GetAtt":["GLambdaVersion","Version"]},"Name":"provisioned","ProvisionedConcurrencyConfig":{"ProvisionedConcurrentExecutions":2}}"#,
    );
    check("GLambdaVersion", r#"{"Cumulet::Of":"GLambdaFunction"}"#);
    check(
        "GLambdaFunctionUrl",
        r#"{"InvokeMode":"RESPONSE_STREAM","TargetFunctionArn":{"Fn::GetAtt":["GLambdaFunction","Arn"]},"AuthType":"NONE","Qualifier":"provisioned"}"#,
    );
    assert!(project.template.resource("GLambdaPermissionFnUrl").is_some());
    let outputs: Vec<&str> = project.template.outputs.iter().map(|o| o.name.as_str()).collect();
    assert!(outputs.contains(&"GLambdaFunctionUrl"), "{outputs:?}");
    assert!(outputs.contains(&"CommonLambdaLayerQualifiedArn"), "{outputs:?}");
    let api = properties(&project, "HttpApi").to_string();
    assert!(api.contains("functions/${GProvConcLambdaAlias}/invocations"), "{api}");
    assert!(project.report.is_faithful(), "{}", project.report);
}

#[tokio::test]
async fn a_version_asked_for_follows_its_function() {
    let mut fake = Fake::new().await;
    fake.asset("f", "one");
    let text = format!("{}functions: {{ f: {{ handler: f.h, versionFunction: true }} }}\n", {
        reader::HEAD
    });
    let project = reader::read(&text).unwrap();
    fake.apply_template(&project.template).await.unwrap();
    assert!(fake.calls().contains("lambda.PublishVersion\n"));
    fake.apply_template(&project.template).await.unwrap();
    assert_eq!(fake.calls(), "");
    // What was published before is retained.
    fake.asset("f", "two");
    fake.apply_template(&project.template).await.unwrap();
    assert_eq!(
        fake.calls(),
        "lambda.UpdateFunctionCode\n  FunctionName: shop-dev-f\n  ZipFile: …\n\
         lambda.PublishVersion\n  FunctionName: shop-dev-f\n"
    );
}

#[tokio::test]
async fn what_a_failed_deploy_published_is_not_retained() {
    let mut fake = Fake::new().await;
    fake.asset("f", "one");
    let text = format!(
        "{}functions: {{ f: {{ handler: f.h, versionFunction: true, url: true }} }}\n",
        reader::HEAD
    );
    let project = reader::read(&text).unwrap();
    fake.fail("CreateFunctionUrlConfig", "Throttled");
    fake.apply_template(&project.template).await.unwrap_err();
    let calls = fake.calls();
    assert!(
        calls.contains("lambda.DeleteFunction\n  FunctionName: shop-dev-f\n  Qualifier: 7\n"),
        "{calls}"
    );
}

#[test]
fn layers_are_packed_with_their_modules() {
    let dir = TempDir::new().unwrap();
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let layers = "layers: { common: { path: ./layer, package: { patterns: ['!*.md'] } } }\n";
    write("serverless.yml", &format!("{}{layers}", reader::HEAD));
    write("layer/nodejs/node_modules/x/index.js", "1");
    write("layer/README.md", "");
    let package = || {
        let options = Options::new("000000000000".parse().unwrap());
        let project = deploy::read(dir.path(), &options).unwrap();
        Packager::new(dir.path()).package(&project, &|_| {})
    };
    let assets = package().unwrap();
    let files = unzip(&assets["layer:common"]);
    assert_eq!(files.into_keys().collect::<Vec<_>>(), ["nodejs/node_modules/x/index.js"]);
    std::fs::remove_dir_all(dir.path().join("layer")).unwrap();
    assert_eq!(
        package().unwrap_err().to_string(),
        "serverless.yml:4:11: there is no folder layer for the layer\n\
         help: create it, or correct path:"
    );
}
