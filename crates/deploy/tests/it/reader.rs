//! What `serverless.yml` becomes, and what is said where it is wrong.

use std::path::Path;

use deploy::{Diagnostic, Options, Project};
use serde_json::Value;
use tempfile::TempDir;

/// The head of a small service; what is appended begins at line 4.
const HEAD: &str = "service: shop\nprovider: { name: aws, runtime: nodejs20.x }\n\n";

fn options() -> Options {
    let mut options = Options::new("000000000000".parse().unwrap());
    options.env.insert("SET".to_owned(), "from env".to_owned());
    options.params.insert("given".to_owned(), "by hand".to_owned());
    options
}

fn read_files(files: &[(&str, &str)], options: &Options) -> Result<Project, Diagnostic> {
    let dir = TempDir::new().unwrap();
    for (path, text) in files {
        std::fs::write(dir.path().join(path), text).unwrap();
    }
    deploy::read(dir.path(), options)
}

fn read(text: &str) -> Result<Project, Diagnostic> {
    read_files(&[("serverless.yml", text)], &options())
}

fn refused(text: &str, expected: &str) {
    let found = match read(text) {
        Ok(project) => format!("no mistake was found; report:\n{}", project.report),
        Err(diagnostic) => diagnostic.to_string(),
    };
    assert_eq!(found, expected, "{text}");
}

/// What is wrong in the text that follows [`HEAD`].
fn wrong(text: &str, expected: &str) {
    refused(&format!("{HEAD}{text}"), expected);
}

/// What is wrong with one event of function `f`; it stands at line 8.
fn wrong_event(event: &str, expected: &str) {
    wrong(&format!("functions:\n  f:\n    handler: f.h\n    events:\n      - {event}\n"), expected);
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
         functions: {{ f: {{ handler: f.h, environment: {{ S: '${{sls:stage}}', P: '${{param:p}}' }} }} }}\n"
    );
    let options = Options { stage: Some("prod".to_owned()), ..options() };
    let project = read_files(&[("serverless.yml", &text)], &options).unwrap();
    assert_eq!(project.stack, "shop-prod");
    let function = properties(&project, "FLambdaFunction");
    assert_eq!(function["FunctionName"], "shop-prod-f");
    assert_eq!(function["Environment"]["Variables"].to_string(), r#"{"S":"prod","P":"prod"}"#);
}

#[test]
fn variables_that_cannot_be_resolved() {
    for (variable, expected) in [
        (
            "${self:custom.none}",
            "serverless.yml:4:14: ${self:custom.none} has no value: there is no 'custom.none' in \
             serverless.yml\nhelp: add custom.none, or give the variable a fallback: , 'value'",
        ),
        (
            "${env:UNSET}",
            "serverless.yml:4:14: ${env:UNSET} has no value: the environment has no UNSET\n\
             help: set UNSET, or give the variable a fallback: ${env:UNSET, ''}",
        ),
        (
            "${opt:stage}",
            "serverless.yml:4:14: ${opt:stage} has no value: --stage was not given\n\
             help: run with --stage, or give the variable a fallback: , 'value'",
        ),
        (
            "${param:none}",
            "serverless.yml:4:14: ${param:none} has no value: there is no parameter none\n\
             help: run with --param none=value, or add it under params.default",
        ),
        (
            "${file(no.yml):a}",
            "serverless.yml:4:14: ${file(no.yml):a} has no value: the file no.yml does not exist",
        ),
        (
            "${file(config.js):a}",
            "serverless.yml:4:14: config.js is a program, and reading a template runs none\n\
             help: write its result to a .yml or .json file",
        ),
        (
            "${wat:x}",
            "serverless.yml:4:14: the variable source 'wat' of ${wat:x} is not known\n\
             help: use self, opt, env, file, param, sls, aws or strToBool, or give it a fallback",
        ),
        (
            "${self:custom.x",
            "serverless.yml:4:14: `${self:custom.x` is not closed: `}` is missing\n\
             help: a variable is ${source:address} or ${source:address, 'fallback'}",
        ),
        (
            "${opt:stage, dev}",
            "serverless.yml:4:14: in `${opt:stage, dev}` the fallback dev needs quotes: 'dev'\n\
             help: a variable is ${source:address} or ${source:address, 'fallback'}",
        ),
        (
            "${self:custom.x}",
            "serverless.yml:4:14: variables refer to each other in a circle: ${self:custom.x} \
             (line 4) → ${self:custom.x} (line 4)\nhelp: give one of them a value of its own",
        ),
        (
            "a${self:provider}",
            "serverless.yml:4:14: ${self:provider} is a map, and stands inside a string\n\
             help: let it be the whole value, or refer to a string inside it",
        ),
    ] {
        let diagnostic =
            read(&format!("{HEAD}custom: {{ x: '{}' }}", variable.replace('\'', "''")))
                .unwrap_err()
                .to_string();
        assert!(diagnostic.starts_with(expected), "{diagnostic}\n{expected}");
    }
    wrong(
        "custom:\n  a: ${self:custom.b}\n  b: x${self:custom.a}\n",
        "serverless.yml:5:6: variables refer to each other in a circle: ${self:custom.b} (line 5) \
         → x${self:custom.a} (line 6) → ${self:custom.b} (line 5)\n\
         help: give one of them a value of its own",
    );
    let mut bomb = "custom:\n  a0: x\n".to_owned();
    for n in 1..30 {
        let before = format!("${{self:custom.a{}}}", n - 1);
        bomb += &format!("  a{n}: '{before}{before}'\n");
    }
    let diagnostic = read(&format!("{HEAD}{bomb}")).unwrap_err().to_string();
    assert!(diagnostic.contains("refer to each other too often"), "{diagnostic}");
}

#[test]
fn sections_that_are_wrong() {
    refused("", "serverless.yml: the file is empty\nhelp: begin with service: name");
    refused(
        "service: shop\nprovider:\n\tname: aws\n",
        "serverless.yml:3:1: a tab is used for indentation, which YAML does not allow\n\
         help: indent with spaces: most editors have a setting that does it for you",
    );
    refused(
        "provider: aws\n",
        "serverless.yml:1:1: the service has no name\nhelp: add service: my-service at the top",
    );
    refused(
        "service: my shop\nprovider: aws\n",
        "serverless.yml:1:10: 'my shop' is not a service name\n\
         help: use letters, digits and -, and begin with a letter",
    );
    refused(
        "service: shop\n",
        "serverless.yml:1:1: there is no provider\n\
         help: add provider: { name: aws, runtime: nodejs20.x }",
    );
    refused(
        "service: shop\nprovider: { name: google }\n",
        "serverless.yml:2:19: the provider 'google' is not served\nhelp: use aws",
    );
    wrong("functions: 5\n", "serverless.yml:4:12: functions must be a map, but is a number");
    wrong(
        "functions:\n  f: { runtime: nodejs20.x }\n",
        "serverless.yml:5:3: function 'f' has no handler\n\
         help: add handler: src/file.exportedFunction",
    );
    wrong(
        "functions:\n  f: { image: x }\n",
        "serverless.yml:5:8: function 'f' is a container image, which is not served\n\
         help: give it a handler and a runtime, or remove it",
    );
    wrong(
        "functions:\n  f g: { handler: f.h }\n",
        "serverless.yml:5:3: 'f g' is not a function name\nhelp: use letters, digits, - and _",
    );
    wrong(
        "functions:\n  f: { handler: f.h }\n  f: { handler: g.h }\n",
        "serverless.yml:6:3: the key 'f' stands twice in this map\n\
         help: keep one: the first is at line 5",
    );
    wrong(
        "functions:\n  - f: { handler: f.h }\n  - f: { handler: g.h }\n",
        "serverless.yml:6:5: the function 'f' is there twice\n\
         help: rename one: the other is at serverless.yml:5:5",
    );
    wrong(
        "functions: { f: { handler: f.h, environment: { A: [1] } } }\n",
        "serverless.yml:4:52: FLambdaFunction.Environment.Variables.A must be a string, but is a \
         list",
    );
    wrong(
        "functions: { f: { handler: f.h, timeout: soon } }\n",
        "serverless.yml:4:42: FLambdaFunction.Timeout must be a whole number, but is a string",
    );
    wrong(
        "package: { patterns: yes }\n",
        "serverless.yml:4:22: package.patterns must be a list, but is a string",
    );
    assert_eq!(
        deploy::read(Path::new("/nowhere"), &options()).unwrap_err().to_string(),
        "serverless.yml: there is no serverless.yml in /nowhere\n\
         help: name the folder that has one: cumulet dev path/to/service"
    );
    assert_eq!(
        read_files(&[("serverless.ts", "")], &options()).unwrap_err().to_string(),
        "serverless.ts: is a program, and reading a template runs none\n\
         help: print it as YAML once: npx serverless print > serverless.yml"
    );
}

#[test]
fn events_that_are_wrong() {
    for (event, expected) in [
        (
            "websocket: { route: $connect }",
            "serverless.yml:8:9: event 'websocket' of function 'f' is not served\n\
             help: remove it or comment it out; served are http, httpApi, sns, sqs and schedule",
        ),
        (
            "s3: bucket",
            "serverless.yml:8:9: event 's3' of function 'f' is not served\n\
             help: remove it or comment it out; served are http, httpApi, sns, sqs and schedule",
        ),
        (
            "http:\n        path: x",
            "serverless.yml:9:9: an event of function 'f' has 2 kinds\nhelp: begin each event with \
             a dash of its own, and indent what belongs to 'http' below it",
        ),
        ("5", "serverless.yml:8:9: an event of function 'f' must be a map, but is a number"),
        (
            "httpApi: /orders",
            "serverless.yml:8:9: event 'httpApi' of function 'f': '/orders' is not a method and a \
             path\nhelp: write GET /path, or '*' for all",
        ),
        (
            "httpApi: FETCH /orders",
            "serverless.yml:8:9: 'FETCH' is not an HTTP method\n\
             help: use one of GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS or ANY",
        ),
        (
            "httpApi: GET orders",
            "serverless.yml:8:9: event 'httpApi' of function 'f': the path 'orders' does not begin \
             with /\nhelp: write /orders",
        ),
        (
            "http: { path: x }",
            "serverless.yml:8:9: event 'http' of function 'f': there is no method\n\
             help: an http event has a method and a path",
        ),
        (
            "http: { path: x, method: get, integration: lambda }",
            "serverless.yml:8:52: the integration 'lambda' is not served\n\
             help: use lambda-proxy, which is also the default",
        ),
        (
            "sqs: { batchSize: 5 }",
            "serverless.yml:8:9: event 'sqs' of function 'f': there is no arn\n\
             help: add arn: !GetAtt Queue.Arn",
        ),
        (
            "sqs: { arn: 'arn:aws:sqs:us-east-1:000000000000:q', filterPatterns: [{ a: [1] }] }",
            "serverless.yml:8:77: FEventSourceMappingSQSQ.FilterCriteria is not served: every \
             message would reach the function\nhelp: remove it",
        ),
        (
            "sns: { arn: !Ref Topic }",
            "serverless.yml:8:9: event 'sns' of function 'f': the topic has no name\n\
             help: add topicName: it is needed unless arn is written out in full",
        ),
        (
            "schedule: every day",
            "serverless.yml:8:19: 'every day' is not a schedule\n\
             help: write rate(5 minutes), or cron(0 12 * * ? *)",
        ),
        (
            "schedule: { enabled: true }",
            "serverless.yml:8:9: event 'schedule' of function 'f': there is no rate\n\
             help: add rate: rate(5 minutes)",
        ),
        (
            "schedule: { rate: rate(1 day), method: scheduler }",
            "serverless.yml:8:9: event 'schedule' of function 'f': method: scheduler is not \
             served\nhelp: remove it: the rule is then one of EventBridge",
        ),
        (
            "httpApi: GET /a\n      - httpApi: GET /a",
            "serverless.yml:9:9: GET /a is routed twice\n\
             help: remove one: the other is at line 8",
        ),
        (
            "sns: topic\n      - sns: topic",
            "serverless.yml:9:9: two events make the same resource FSnsSubscriptionTopic\n\
             help: remove one: the other is at line 8",
        ),
    ] {
        wrong_event(event, expected);
    }
}

#[test]
fn resources_that_are_wrong() {
    for (resources, expected) in [
        (
            "B: { Type: AWS::S3::Bucket }",
            "serverless.yml:6:16: the resource B has the type AWS::S3::Bucket, which is not \
             served\nhelp: remove it or comment it out; served are AWS::ApiGateway::Deployment, \
             AWS::Events::Rule, AWS::Lambda::EventSourceMapping, AWS::ApiGatewayV2::Api, \
             AWS::IAM::Role, AWS::Lambda::Function, AWS::Lambda::Permission, AWS::Logs::LogGroup, \
             AWS::ApiGateway::RestApi, AWS::SNS::Subscription, AWS::SNS::Topic, AWS::SQS::Queue, \
             AWS::SQS::QueuePolicy, AWS::DynamoDB::Table",
        ),
        (
            "Q: { Type: AWS::SQS::Queue, Properties: { QueName: q } }",
            "serverless.yml:6:47: AWS::SQS::Queue has no property QueName\nhelp: its properties \
             are QueueName, VisibilityTimeout, DelaySeconds, MaximumMessageSize, \
             MessageRetentionPeriod, ReceiveMessageWaitTimeSeconds, RedrivePolicy, \
             RedriveAllowPolicy, FifoQueue, ContentBasedDeduplication, DeduplicationScope, \
             FifoThroughputLimit, KmsMasterKeyId, KmsDataKeyReusePeriodSeconds, \
             SqsManagedSseEnabled, Tags",
        ),
        (
            "Q: { Type: AWS::SQS::Queue, QueueName: q }",
            "serverless.yml:6:33: 'QueueName' is not an attribute of the resource Q\n\
             help: did you mean to indent it below Properties?",
        ),
        (
            "Q: { Properties: {} }",
            "serverless.yml:6:5: the resource Q has no Type\nhelp: add Type: AWS::…",
        ),
        (
            "my-queue: { Type: AWS::SQS::Queue }",
            "serverless.yml:6:5: 'my-queue' is not a logical id\nhelp: use letters and digits only",
        ),
        (
            "Q: { Type: AWS::SQS::Queue, Properties: { QueueName: !Ref Nmae } }",
            "serverless.yml:6:58: this refers to Nmae, and there is no such resource or \
             parameter\nhelp: check its spelling",
        ),
        (
            "Q: { Type: AWS::SQS::Queue, Properties: { QueueName: !Sub '${q.Arn}' } }",
            "serverless.yml:6:58: this refers to q, and there is no such resource or parameter\n\
             help: did you mean Q?",
        ),
        (
            "Q: { Type: AWS::SQS::Queue, Properties: { QueueName: !GetAtt Q.Size } }",
            "serverless.yml:6:58: Q (AWS::SQS::Queue) has no attribute Size\n\
             help: its attributes are Arn, QueueName, QueueUrl",
        ),
        (
            "Q: { Type: AWS::SQS::Queue, Condition: Prod }",
            "serverless.yml:6:5: there is no condition Prod\nhelp: add it to Conditions",
        ),
        (
            "Q: { Type: AWS::SQS::Queue, DependsOn: R }",
            "serverless.yml:6:5: DependsOn names R, and there is no such resource or parameter\n\
             help: check its spelling",
        ),
        (
            "Q: { Type: AWS::SQS::Queue, Properties: { QueueName: !ImportValue x } }",
            "serverless.yml:6:58: Fn::ImportValue is not served: stacks export nothing yet\n\
             help: write the value itself",
        ),
        (
            "Q: { Type: AWS::SQS::Queue, Properties: { QueueName: { 'Fn::Jion': [] } } }",
            "serverless.yml:6:72: Fn::Jion is not a function of CloudFormation\n\
             help: check its spelling",
        ),
        (
            "Q: { Type: AWS::SQS::Queue, Properties: { QueueName: !Ref R } }\n    \
             R: { Type: AWS::SQS::Queue, DependsOn: Q }",
            "serverless.yml:6:5: resources need each other in a circle: Q → R → Q\n\
             help: break it: give one of them a name of its own and write that name instead",
        ),
        (
            "T: { Type: AWS::DynamoDB::Table }",
            "serverless.yml:6:5: T has no KeySchema\n\
             help: AWS::DynamoDB::Table needs the property KeySchema",
        ),
        (
            "Q: { Type: AWS::SQS::Queue, DeletionPolicy: Snapshot }",
            "serverless.yml:6:49: Q.DeletionPolicy: Snapshot is not served\n\
             help: use Delete or Retain",
        ),
    ] {
        wrong(&format!("resources:\n  Resources:\n    {resources}\n"), expected);
    }
    wrong(
        "resources:\n  Queue: { Type: AWS::SQS::Queue }\n",
        "serverless.yml:5:3: 'Queue' stands directly below resources\n\
         help: indent resources below resources.Resources",
    );
    wrong(
        "resources: { Transform: AWS::Serverless-2016-10-31 }\n",
        "serverless.yml:4:14: the section Transform is not served\nhelp: remove it",
    );
    wrong(
        "resources: { extensions: { Nope: { Properties: {} } } }\n",
        "serverless.yml:4:28: there is no resource Nope to extend\n\
         help: extensions are for resources made from functions and events",
    );
}

#[test]
fn events_become_resources() {
    let sqs = event("sqs: arn:aws:sqs:us-east-1:000000000000:my-queue");
    assert_eq!(
        properties(&sqs, "FDashxEventSourceMappingSQSMyqueue").to_string(),
        r#"{"BatchSize":10,"EventSourceArn":"arn:aws:sqs:us-east-1:000000000000:my-queue","FunctionName":{"Fn::GetAtt":["FDashxLambdaFunction","Arn"]},"Enabled":true}"#
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
        properties(&schedule, "FDashxEventsRuleSchedule2").to_string(),
        r#"{"ScheduleExpression":"cron(0 12 * * ? *)","State":"DISABLED","Targets":[{"Arn":{"Fn::GetAtt":["FDashxLambdaFunction","Arn"]},"Id":"f-xSchedule","Input":"{\"a\":1}"}]}"#
    );
    let all = event("httpApi: '*'");
    let body = &properties(&all, "HttpApi")["Body"];
    assert_eq!(
        body["paths"]["/$default"]["x-amazon-apigateway-any-method"]["isDefaultRoute"],
        true
    );
    let rest = event(
        "http: { method: ANY, path: '/{proxy+}', cors: { origin: 'https://a.b', allowCredentials: true } }",
    );
    let body = &properties(&rest, "ApiGatewayRestApi")["Body"]["paths"]["/{proxy+}"];
    assert_eq!(
        body["options"]["x-amazon-apigateway-integration"]["responses"]["default"]["responseParameters"]
            .to_string(),
        r#"{"method.response.header.Access-Control-Allow-Credentials":"'true'","method.response.header.Access-Control-Allow-Headers":"'Content-Type,X-Amz-Date,Authorization,X-Api-Key,X-Amz-Security-Token,X-Amz-User-Agent,X-Amzn-Trace-Id'","method.response.header.Access-Control-Allow-Methods":"'DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT'","method.response.header.Access-Control-Allow-Origin":"'https://a.b'"}"#
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
        properties(&project, "FLambdaFunction").to_string(),
        r#"{"Code":{"Asset":"f"},"Handler":"f.h","Runtime":"nodejs18.x","FunctionName":"own","MemorySize":512,"Timeout":3,"ReservedConcurrentExecutions":2,"Environment":{"Variables":{"A":1,"B":2}},"Tags":[{"Key":"team","Value":"x"},{"Key":"kind","Value":"y"}],"Role":{"Fn::GetAtt":["IamRoleLambdaExecution","Arn"]}}"#
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
functions:
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
serverless.yml:15:5: functions.f.url is read but not honoured
serverless.yml:17:43: functions.f.events.httpApi.authorizer is read but not honoured
serverless.yml:18:39: functions.f.events.http.authorizer is read but not honoured
serverless.yml:18:60: functions.f.events.http.private is read but not honoured
serverless.yml:24:29: Outputs.O.Export is stored but not honoured: nothing imports it
serverless.yml:8:22: FLambdaFunction.TracingConfig is stored but not honoured
serverless.yml:14:10: FLambdaFunction.VpcConfig is stored but not honoured
serverless.yml:9:30: IamRoleLambdaExecution.Policies is stored but not honoured
serverless.yml:23:21: T.Tags is stored but not honoured
serverless.yml:2:11: plugins.serverless-esbuild is covered: functions are bundled with esbuild
serverless.yml:2:31: plugins.serverless-offline is covered by the platform itself
"
    );
}
