//! Every mistake names its line and what to do about it.

use std::path::Path;

use crate::reader::{HEAD, options, read, read_files};

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

/// A value of `custom`, at line 4, and what is said of it.
const VARIABLES: &[(&str, &str)] = &[
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
];

#[test]
fn variables_that_cannot_be_resolved() {
    for (variable, expected) in VARIABLES {
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
    assert_eq!(
        deploy::read(Path::new("/nowhere"), &options()).unwrap_err().to_string(),
        "serverless.yml: there is no folder /nowhere\n\
         help: name the folder that has one"
    );
    assert_eq!(
        read_files(&[("serverless.ts", "")], &options()).unwrap_err().to_string(),
        "serverless.ts: is a program, and reading a template runs none\n\
         help: print it as YAML once: npx serverless print > serverless.yml"
    );
}

#[test]
fn functions_that_are_wrong() {
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
        "serverless.yml:4:51: FLambdaFunction.Environment.Variables.A must be a string, but is a \
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
}

/// An event, at line 8, and what is said of it.
const EVENTS: &[(&str, &str)] = &[
    (
        "websocket: { route: $connect }",
        "serverless.yml:8:9: event 'websocket' of function 'f' is not served\n\
             help: remove it or comment it out; served are http, httpApi, sns, sqs, stream and schedule",
    ),
    (
        "s3: bucket",
        "serverless.yml:8:9: event 's3' of function 'f' is not served\n\
             help: remove it or comment it out; served are http, httpApi, sns, sqs, stream and schedule",
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
        "stream: { batchSize: 5 }",
        "serverless.yml:8:9: event 'stream' of function 'f': there is no arn\n\
             help: add arn: !GetAtt Table.StreamArn",
    ),
    (
        "stream: arn:aws:kinesis:us-east-1:000000000000:stream/s",
        "serverless.yml:8:9: event 'stream' of function 'f': streams of the type 'kinesis' are \
             not served\nhelp: remove it or comment it out",
    ),
    (
        "stream: { arn: !Ref Stream }",
        "serverless.yml:8:9: event 'stream' of function 'f': there is no type of what the arn \
             stands for\nhelp: add type: dynamodb",
    ),
    (
        "stream: arn:aws:dynamodb:us-east-1:000000000000",
        "serverless.yml:8:9: event 'stream' of function 'f': the arn names no stream\n\
             help: use !GetAtt Table.StreamArn, or the ARN in full",
    ),
    (
        "stream: { type: dynamodb, arn: !GetAtt T.StreamArn, destinations: { onFailure: {} } }",
        "serverless.yml:8:9: event 'stream' of function 'f': destinations.onFailure has no arn\n\
             help: add arn: !GetAtt Queue.Arn",
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
];

#[test]
fn events_that_are_wrong() {
    for (event, expected) in EVENTS {
        wrong_event(event, expected);
    }
}

/// A resource, at line 6, and what is said of it.
const RESOURCES: &[(&str, &str)] = &[
    (
        "B: { Type: AWS::S3::Bucket }",
        "serverless.yml:6:16: the resource B has the type AWS::S3::Bucket, which is not \
             served\nhelp: remove it or comment it out; served are AWS::ApiGateway::Deployment, \
             AWS::Lambda::EventInvokeConfig, AWS::Events::Rule, AWS::Lambda::EventSourceMapping, \
             AWS::ApiGatewayV2::Api, AWS::IAM::Role, AWS::Lambda::Alias, AWS::Lambda::Function, \
             AWS::Lambda::Permission, AWS::Lambda::Url, AWS::Lambda::Version, \
             AWS::Lambda::LayerVersion, AWS::Lambda::LayerVersionPermission, AWS::Logs::LogGroup, \
             AWS::ApiGateway::RestApi, AWS::SNS::Subscription, AWS::SNS::Topic, AWS::SQS::Queue, \
             AWS::SQS::QueuePolicy, AWS::DynamoDB::Table",
    ),
    (
        "Q: { Type: AWS::SQS::Queue, Properties: { QueName: q } }",
        "serverless.yml:6:47: AWS::SQS::Queue has no property QueName\nhelp: its properties \
             are QueueName, VisibilityTimeout, DelaySeconds, MaximumMessageSize, \
             MessageRetentionPeriod, ReceiveMessageWaitTimeSeconds, RedrivePolicy, FifoQueue, \
             ContentBasedDeduplication, DeduplicationScope, FifoThroughputLimit, \
             RedriveAllowPolicy, KmsMasterKeyId, KmsDataKeyReusePeriodSeconds, \
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
];

#[test]
fn resources_that_are_wrong() {
    for (resources, expected) in RESOURCES {
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
