//! What `serverless.yml` becomes, and what is said where it is wrong.

use deploy::{Diagnostic, Options, Project};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The head of a small service; what is appended begins at line 4.
pub(crate) const HEAD: &str = "service: shop\nprovider: { name: aws, runtime: nodejs20.x }\n\n";

pub(crate) fn options() -> Options {
    let mut options = Options::new("000000000000".parse().unwrap());
    options.env.insert("SET".to_owned(), "from env".to_owned());
    options.params.insert("given".to_owned(), "by hand".to_owned());
    options
}

pub(crate) fn read_files(files: &[(&str, &str)], options: &Options) -> Result<Project, Diagnostic> {
    let dir = TempDir::new().unwrap();
    for (path, text) in files {
        std::fs::write(dir.path().join(path), text).unwrap();
    }
    deploy::read(dir.path(), options)
}

pub(crate) fn read(text: &str) -> Result<Project, Diagnostic> {
    read_files(&[("serverless.yml", text)], &options())
}

fn good(text: &str) -> Project {
    read(&format!("{HEAD}{text}")).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The properties of a resource as JSON.
fn properties(project: &Project, id: &str) -> Value {
    let resource = project.template.resource(id).unwrap_or_else(|| {
        let ids: Vec<&str> = project.template.resources.iter().map(|r| r.id.as_str()).collect();
        panic!("no {id} in {ids:?}")
    });
    let at = resource.at.clone();
    at.node(deploy::yaml::Value::Map(resource.properties.clone())).to_json()
}

fn event(event: &str) -> Project {
    good(&format!("functions:\n  f-x:\n    handler: f.h\n    events:\n      - {event}\n"))
}

/// What a variable comes to.
fn value(variable: &str, expected: &str) {
    let text = format!(
        "custom:\n  a: {{ b: [x, y], n: 5, t: true, dev: d1 }}\n  s: ${{opt:stage, 'dev'}}\n  \
         loop: ${{self:custom.s}}-${{self:custom.a.n}}\n  result: {variable}\n\
         params: {{ default: {{ p: base }}, prod: {{ p: prod }} }}\n\
         resources: {{ Outputs: {{ R: {{ Value: '${{self:custom.result}}' }} }} }}"
    );
    let project = good(&text);
    assert_eq!(project.template.outputs[0].value.to_json().to_string(), expected, "{variable}");
}

#[test]
fn variables_have_the_values_of_the_framework() {
    for (variable, expected) in [
        ("${self:service}", r#""shop""#),
        ("${self:custom.a.b.1}", r#""y""#),
        ("${self:custom.a.n}", "5"),
        ("${self:custom.a.t}", "true"),
        ("${self:custom.a.b}", r#"["x","y"]"#),
        ("x-${self:custom.a.n}-${self:custom.a.t}", r#""x-5-true""#),
        ("${self:custom.loop}", r#""dev-5""#),
        ("${self:custom.a.${self:custom.s}}", r#""d1""#),
        ("${self:custom.a.prod, self:custom.a.dev}", r#""d1""#),
        ("${self:custom.none, ${self:custom.a.dev}}", r#""d1""#),
        ("${opt:stage, self:provider.stage}", r#""dev""#),
        ("${opt:other, 'fallback'}", r#""fallback""#),
        ("${opt:other, 7}", "7"),
        ("${env:SET}", r#""from env""#),
        ("${env:UNSET, ''}", r#""""#),
        ("${env:UNSET, env:SET}", r#""from env""#),
        ("${sls:stage}", r#""dev""#),
        ("${sls:instanceId}", r#""local""#),
        ("${aws:accountId}", r#""000000000000""#),
        ("${aws:region}", r#""us-east-1""#),
        ("${param:given}", r#""by hand""#),
        ("${param:p}", r#""base""#),
        ("${strToBool(true)}", "true"),
        ("${strToBool(${env:UNSET, '0'})}", "false"),
        ("${ssm:/path, 'local'}", r#""local""#),
        ("'\\${self:service}'", r#""${self:service}""#),
        ("'${AWS::Region} ${Queue.Arn} ${name}'", r#""${AWS::Region} ${Queue.Arn} ${name}""#),
    ] {
        value(variable, expected);
    }
}

#[test]
fn files_are_brought_in() {
    let files = [
        (
            "serverless.yml",
            "service: shop\nprovider: ${file(provider.yml)}\ncustom: ${file(./custom.yml)}\n\
             functions:\n  - ${file(functions.yml)}\n\
             resources:\n  - ${file(one.json)}\n  - Outputs:\n      \
             T: { Value: '${file(text.txt)}' }\n      \
             M: { Value: \"${file(none.yml):a, 'absent'}\" }\n",
        ),
        ("provider.yml", "name: aws\nruntime: nodejs20.x\n"),
        ("custom.yml", "stage: ${opt:stage, 'dev'}\nname: q-${self:custom.stage}\n"),
        ("functions.yml", "f: { handler: f.h }\n"),
        (
            "one.json",
            "{\t\"Resources\": { \"Q\": { \"Type\": \"AWS::SQS::Queue\", \"Properties\": \
             { \"QueueName\": \"${self:custom.name}\" } } } }",
        ),
        ("text.txt", "plain"),
    ];
    let project = read_files(&files, &options()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(properties(&project, "Q").to_string(), r#"{"QueueName":"q-dev"}"#);
    let outputs: Vec<String> =
        project.template.outputs.iter().map(|output| output.value.to_json().to_string()).collect();
    assert_eq!(outputs, [r#""plain""#, r#""absent""#]);
}

#[test]
fn the_stage_decides() {
    let text = format!(
        "{HEAD}params: {{ default: {{ p: base }}, prod: {{ p: prod }} }}\n\
         functions:\n  f:\n    handler: f.h\n    \
         environment: {{ S: '${{sls:stage}}', P: '${{param:p}}' }}\n"
    );
    let options = Options { stage: Some("prod".to_owned()), ..options() };
    let project = read_files(&[("serverless.yml", &text)], &options).unwrap();
    assert_eq!(project.stack, "shop-prod");
    let function = properties(&project, "FLambdaFunction");
    assert_eq!(function["FunctionName"], "shop-prod-f");
    assert_eq!(function["Environment"]["Variables"].to_string(), r#"{"S":"prod","P":"prod"}"#);
}

const STREAM: &str = "
functions:
  f-x:
    handler: f.h
    events:
      - stream: { type: dynamodb, arn: !GetAtt Orders.StreamArn, batchSize: 7, batchWindow: 3,
          startingPosition: LATEST, enabled: false, parallelizationFactor: 2,
          maximumRetryAttempts: 0, maximumRecordAgeInSeconds: 60,
          bisectBatchOnFunctionError: true, functionResponseType: ReportBatchItemFailures,
          tumblingWindowInSeconds: 30, filterPatterns: [{ eventName: [INSERT] }],
          destinations: { onFailure: { type: sqs, arn: !GetAtt Q.Arn } } }
resources:
  Resources:
    Q: { Type: AWS::SQS::Queue }
    Orders:
      Type: AWS::DynamoDB::Table
      Properties:
        KeySchema: [{ AttributeName: PK, KeyType: HASH }]
        StreamSpecification: { StreamViewType: NEW_IMAGE }
";

#[test]
fn events_of_streams_become_mappings() {
    let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/my-table/stream/1";
    let stream = event(&format!("stream: {arn}"));
    assert_eq!(
        properties(&stream, "FDashxEventSourceMappingDynamodbMytable"),
        json!({
            "BatchSize": 10,
            "EventSourceArn": arn,
            "FunctionName": {"Fn::GetAtt": ["FDashxLambdaFunction", "Arn"]},
            "StartingPosition": "TRIM_HORIZON",
            "Enabled": true,
        })
    );
    let stream = read(&format!("{HEAD}{STREAM}")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        properties(&stream, "FDashxEventSourceMappingDynamodbOrders"),
        json!({
            "BatchSize": 7,
            "EventSourceArn": {"Fn::GetAtt": ["Orders", "StreamArn"]},
            "FunctionName": {"Fn::GetAtt": ["FDashxLambdaFunction", "Arn"]},
            "StartingPosition": "LATEST",
            "Enabled": false,
            "MaximumBatchingWindowInSeconds": 3,
            "ParallelizationFactor": 2,
            "MaximumRetryAttempts": 0,
            "MaximumRecordAgeInSeconds": 60,
            "BisectBatchOnFunctionError": true,
            "TumblingWindowInSeconds": 30,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "FilterCriteria": {"Filters": [{"Pattern": "{\"eventName\":[\"INSERT\"]}"}]},
            "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["Q", "Arn"]}}},
        })
    );
}

#[test]
fn events_become_resources() {
    let sqs = event("sqs: arn:aws:sqs:us-east-1:000000000000:my-queue");
    assert_eq!(
        properties(&sqs, "FDashxEventSourceMappingSQSMyqueue"),
        json!({
            "BatchSize": 10,
            "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:my-queue",
            "FunctionName": {"Fn::GetAtt": ["FDashxLambdaFunction", "Arn"]},
            "Enabled": true,
        })
    );
    let sns = event("sns: { topicName: t.x, filterPolicy: { a: [b] } }");
    assert_eq!(properties(&sns, "SNSTopicTx").to_string(), r#"{"TopicName":"t.x"}"#);
    assert_eq!(
        properties(&sns, "FDashxSnsSubscriptionTx")["FilterPolicy"].to_string(),
        r#"{"a":["b"]}"#
    );
    let schedule = event(
        "schedule: { rate: [rate(1 hour), 'cron(0 12 * * ? *)'], enabled: false, input: { a: 1 } }",
    );
    assert_eq!(
        properties(&schedule, "FDashxEventsRuleSchedule2"),
        json!({
            "ScheduleExpression": "cron(0 12 * * ? *)",
            "State": "DISABLED",
            "Targets": [
                {
                    "Arn": {"Fn::GetAtt": ["FDashxLambdaFunction", "Arn"]},
                    "Id": "f-xSchedule",
                    "Input": "{\"a\":1}",
                },
            ],
        })
    );
    let all = event("httpApi: '*'");
    let body = &properties(&all, "HttpApi")["Body"];
    assert_eq!(
        body["paths"]["/$default"]["x-amazon-apigateway-any-method"]["isDefaultRoute"],
        true
    );
    let version = |more: &str| {
        let text = format!(
            "service: a\nprovider: {{ name: aws, httpApi: {{ payload: '1.0' }} }}\nfunctions:\n  \
             f: {{ handler: f.h, events: [httpApi: GET /a]{more} }}\n"
        );
        let read = read(&text).unwrap_or_else(|error| panic!("{error}"));
        let body = properties(&read, "HttpApi")["Body"].clone();
        body["paths"]["/a"]["get"]["x-amazon-apigateway-integration"]["payloadFormatVersion"]
            .clone()
    };
    assert_eq!(version(""), "1.0");
    assert_eq!(version(", httpApi: { payload: '2.0' }"), "2.0");
    let rest = event(
        "http:\n          { method: ANY, path: '/{proxy+}', \
         cors: { origin: 'https://a.b', headers: X-A, allowCredentials: true } }",
    );
    let path = &properties(&rest, "ApiGatewayRestApi")["Body"]["paths"]["/{proxy+}"];
    let preflight = &path["options"]["x-amazon-apigateway-integration"]["responses"]["default"];
    let header = |name: &str| format!("method.response.header.Access-Control-Allow-{name}");
    assert_eq!(
        preflight["responseParameters"],
        json!({
            header("Credentials"): "'true'",
            header("Headers"): "'X-A'",
            header("Methods"): "'DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT'",
            header("Origin"): "'https://a.b'",
        })
    );
}

#[test]
fn functions_take_what_the_provider_says() {
    let text = "service: shop\n\
        provider:\n  name: aws\n  runtime: nodejs18.x\n  memorySize: 512\n  timeout: 9\n  \
        stackName: my-stack\n  environment: { A: 1, B: two, C: gone }\n  tags: { team: x }\n  \
        logRetentionInDays: 7\n\
        functions:\n  f:\n    handler: f.h\n    name: own\n    timeout: 3\n    \
        environment: { B: 2, C: null }\n    reservedConcurrency: 2\n    tags: { kind: y }\n";
    let project = read(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(project.stack, "my-stack");
    assert_eq!(
        properties(&project, "FLambdaFunction"),
        json!({
            "Code": {"Asset": "f"},
            "Handler": "f.h",
            "Runtime": "nodejs18.x",
            "FunctionName": "own",
            "MemorySize": 512,
            "Timeout": 3,
            "ReservedConcurrentExecutions": 2,
            "Environment": {"Variables": {"A": 1, "B": 2}},
            "Tags": [{"Key": "team", "Value": "x"}, {"Key": "kind", "Value": "y"}],
            "Role": {"Fn::GetAtt": ["IamRoleLambdaExecution", "Arn"]},
        })
    );
    assert_eq!(
        properties(&project, "FLogGroup").to_string(),
        r#"{"LogGroupName":"/aws/lambda/own","RetentionInDays":7}"#
    );
}

#[test]
fn resources_are_laid_over_what_functions_made() {
    let project = good(
        "functions: { f: { handler: f.h } }\n\
         resources:\n  Resources:\n    FLogGroup: { Properties: { RetentionInDays: 3 } }\n  \
         extensions:\n    FLambdaFunction: { Properties: { MemorySize: 64 } }\n",
    );
    assert_eq!(properties(&project, "FLogGroup")["RetentionInDays"], 3);
    assert_eq!(properties(&project, "FLambdaFunction")["MemorySize"], 64);
}

#[test]
fn the_report_names_what_is_not_honoured() {
    let text = "\
service: shop
plugins: [serverless-esbuild, serverless-offline, serverless-wat]
frameworkVersion: '3'
provider:
  name: aws
  runtime: nodejs20.x
  deploymentBucket: b
  tracing: { lambda: true }
  iam: { role: { statements: [{ Effect: Allow, Action: '*', Resource: '*' }] } }
  colour: red
  memorySize: 512
functions:
  g: { handler: f.g }
  h: { handler: f.h, ephemeralStorageSize: 1024, role: 'arn:aws:iam::000000000000:role/r' }
  f:
    handler: f.h
    vpc: { securityGroupIds: [a], subnetIds: [b] }
    url: true
    events:
      - httpApi: { method: GET, path: /a, authorizer: { type: aws_iam } }
      - http: { method: get, path: a, authorizer: aws_iam, private: true }
resources:
  Resources:
    T:
      Type: AWS::SNS::Topic
      Properties: { Tags: [] }
  Outputs: { O: { Value: x, Export: { Name: y } } }
";
    let report = read(text).unwrap_or_else(|error| panic!("{error}")).report;
    assert!(!report.is_faithful());
    assert_eq!(
        report.to_string(),
        "\
serverless.yml:10:3: provider.colour is not a known key and has no effect
serverless.yml:2:51: plugins.serverless-wat is not known here and does not run
serverless.yml:20:43: functions.f.events.httpApi.authorizer is not honoured
serverless.yml:21:39: functions.f.events.http.authorizer is not honoured
serverless.yml:21:60: functions.f.events.http.private is not honoured
serverless.yml:27:29: Outputs.O.Export is not honoured: nothing imports it
serverless.yml:8:22: GLambdaFunction.TracingConfig is not honoured (also in 2 more resources)
serverless.yml:14:56: HLambdaFunction.Role neither grants nor denies anything
serverless.yml:17:10: FLambdaFunction.VpcConfig is not honoured
serverless.yml:9:30: IamRoleLambdaExecution.Policies neither grant nor deny anything
serverless.yml:26:21: T.Tags are not kept
"
    );
    let notes: Vec<String> = report.notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes.join("\n"),
        "\
serverless.yml:2:11: plugins.serverless-esbuild is covered: functions are bundled with esbuild
serverless.yml:2:31: plugins.serverless-offline is covered by the platform itself"
    );
}
