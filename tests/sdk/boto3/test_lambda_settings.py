"""What is set for functions: concurrency, retries and destinations, URLs."""

import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError


@pytest.fixture
def lambda_(aws):
    return aws("lambda")


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response


def test_reserved_concurrency_is_the_most_that_runs(lambda_, function):
    made = function("exports.handler = () => new Promise((r) => setTimeout(r, 1000, 1));")
    lambda_.put_function_concurrency(FunctionName=made, ReservedConcurrentExecutions=1)
    got = lambda_.get_function_concurrency(FunctionName=made)
    assert got["ReservedConcurrentExecutions"] == 1
    assert lambda_.get_function(FunctionName=made)["Concurrency"] == {
        "ReservedConcurrentExecutions": 1
    }

    def one(_):
        try:
            return lambda_.invoke(FunctionName=made)["StatusCode"]
        except lambda_.exceptions.TooManyRequestsException as error:
            assert error.response["ResponseMetadata"]["HTTPHeaders"]["retry-after"]
            return error.response["Reason"]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(one, range(4)))
    assert answers.count(200) >= 1
    assert set(answers) == {200, "ReservedFunctionConcurrentInvocationLimitExceeded"}
    lambda_.put_function_concurrency(FunctionName=made, ReservedConcurrentExecutions=0)
    assert one(0) == "ReservedFunctionConcurrentInvocationLimitExceeded"
    lambda_.delete_function_concurrency(FunctionName=made)
    assert one(0) == 200


def test_provisioned_concurrency_becomes_ready(lambda_, function, eventually):
    made = function(
        "exports.handler = async () => process.env.AWS_LAMBDA_INITIALIZATION_TYPE;", Publish=True
    )
    target = {"FunctionName": made, "Qualifier": "1"}
    put = lambda_.put_provisioned_concurrency_config(**target, ProvisionedConcurrentExecutions=2)
    assert put["Status"] == "IN_PROGRESS"

    def ready():
        got = lambda_.get_provisioned_concurrency_config(**target)
        return (got["Status"], got["AllocatedProvisionedConcurrentExecutions"]) == ("READY", 2)

    assert eventually(ready)

    def kind(qualifier):
        reply = lambda_.invoke(FunctionName=made, Qualifier=qualifier)
        return json.loads(reply["Payload"].read())

    # Some of them are forks.
    assert [kind("1") for _ in range(4)] == ["provisioned-concurrency"] * 4
    assert kind("$LATEST") == "on-demand"
    listed = lambda_.list_provisioned_concurrency_configs(FunctionName=made)
    assert listed["ProvisionedConcurrencyConfigs"][0]["FunctionArn"].endswith(f":{made}:1")
    lambda_.delete_provisioned_concurrency_config(**target)
    error = refused(lambda_.get_provisioned_concurrency_config, **target)
    assert error["Error"]["Code"] == "ProvisionedConcurrencyConfigNotFoundException"


def test_destinations_are_told(aws, lambda_, function, name, eventually):
    sqs = aws("sqs")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    arn = arn["Attributes"]["QueueArn"]
    made = function("exports.handler = async (e) => { if (e.fail) throw new Error('no'); return 7 };")
    both = {"OnSuccess": {"Destination": arn}, "OnFailure": {"Destination": arn}}
    put = lambda_.put_function_event_invoke_config(
        FunctionName=made, MaximumRetryAttempts=0, DestinationConfig=both
    )
    assert put["DestinationConfig"] == both
    assert put["FunctionArn"].endswith(f":{made}:$LATEST")

    def told(event):
        lambda_.invoke(FunctionName=made, InvocationType="Event", Payload=json.dumps(event))

        def take():
            for message in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", []):
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                return json.loads(message["Body"])

        return eventually(take)

    success = told({"n": 1})
    assert success["requestContext"]["condition"] == "Success"
    assert (success["requestPayload"], success["responsePayload"]) == ({"n": 1}, 7)
    failure = told({"fail": True})
    assert failure["requestContext"]["condition"] == "RetriesExhausted"
    assert failure["requestContext"]["approximateInvokeCount"] == 1
    assert failure["responseContext"]["functionError"] == "Unhandled"
    assert failure["responsePayload"]["errorMessage"] == "no"
    updated = lambda_.update_function_event_invoke_config(
        FunctionName=made, MaximumEventAgeInSeconds=60
    )
    assert (updated["MaximumRetryAttempts"], updated["MaximumEventAgeInSeconds"]) == (0, 60)
    listed = lambda_.list_function_event_invoke_configs(FunctionName=made)
    assert len(listed["FunctionEventInvokeConfigs"]) == 1
    lambda_.delete_function_event_invoke_config(FunctionName=made)
    error = refused(lambda_.get_function_event_invoke_config, FunctionName=made)
    assert error["Error"]["Code"] == "ResourceNotFoundException"


def test_the_old_asynchronous_form(lambda_, function):
    assert lambda_.invoke_async(FunctionName=function(), InvokeArgs=b"{}")["Status"] == 202


def ask(endpoint, url, method="GET", data=None, headers=None):
    """Asks a function URL: its host is below `localhost`, which is told apart by `Host`."""
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    request = urllib.request.Request(
        f"{endpoint}{parts.path}{query}",
        method=method,
        data=data,
        headers={"Host": parts.netloc, **(headers or {})},
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def test_a_url_answers_http(endpoint, lambda_, function):
    made = function(
        "exports.handler = async (e) => { if (e.rawPath === '/fail') throw new Error('no');"
        " return { statusCode: 201, headers: { 'x-a': '1' }, body: JSON.stringify(e) } };"
    )
    config = lambda_.create_function_url_config(
        FunctionName=made,
        AuthType="NONE",
        Cors={"AllowOrigins": ["http://page"], "AllowMethods": ["POST"]},
    )
    url = config["FunctionUrl"]
    assert ".lambda-url.us-east-1." in url
    status, headers, body = ask(
        endpoint, f"{url}a/b?x=1&x=2", "POST", b"hello", {"Content-Type": "text/plain"}
    )
    event = json.loads(body)
    assert (status, headers["x-a"]) == (201, "1")
    assert (event["version"], event["rawPath"], event["rawQueryString"]) == ("2.0", "/a/b", "x=1&x=2")
    assert (event["body"], event["isBase64Encoded"]) == ("hello", False)
    context = event["requestContext"]
    assert (context["accountId"], context["stage"]) == ("anonymous", "$default")
    assert context["http"]["method"] == "POST"
    assert url.startswith(f"http://{context['apiId']}.")
    status, headers, _ = ask(endpoint, f"{url}fail")
    assert status == 502
    preflight = {"Origin": "http://page", "Access-Control-Request-Method": "POST"}
    _, headers, _ = ask(endpoint, url, "OPTIONS", headers=preflight)
    assert headers["access-control-allow-origin"] == "http://page"
    by_path = f"{endpoint}/_aws/lambda-url/{context['apiId']}/c"
    with urllib.request.urlopen(by_path) as answer:
        assert json.loads(answer.read())["rawPath"] == "/c"

    lambda_.update_function_url_config(FunctionName=made, AuthType="AWS_IAM")
    assert ask(endpoint, url)[0] == 403
    signed = AWSRequest("GET", url)
    SigV4Auth(Credentials("test", "test"), "lambda", "us-east-1").add_auth(signed)
    status, _, body = ask(endpoint, url, headers=dict(signed.headers))
    iam = json.loads(body)["requestContext"]["authorizer"]["iam"]
    assert (status, iam["accessKey"], iam["accountId"]) == (201, "test", "000000000000")
    assert lambda_.get_function_url_config(FunctionName=made)["AuthType"] == "AWS_IAM"
    assert len(lambda_.list_function_url_configs(FunctionName=made)["FunctionUrlConfigs"]) == 1
    lambda_.delete_function_url_config(FunctionName=made)
    assert ask(endpoint, url)[0] == 403


def test_settings_are_kept(lambda_, function):
    made = function()
    assert lambda_.get_function_recursion_config(FunctionName=made)["RecursiveLoop"] == "Terminate"
    lambda_.put_function_recursion_config(FunctionName=made, RecursiveLoop="Allow")
    assert lambda_.get_function_recursion_config(FunctionName=made)["RecursiveLoop"] == "Allow"
    assert lambda_.get_runtime_management_config(FunctionName=made)["UpdateRuntimeOn"] == "Auto"
    lambda_.put_runtime_management_config(FunctionName=made, UpdateRuntimeOn="FunctionUpdate")
    got = lambda_.get_runtime_management_config(FunctionName=made)
    assert got["UpdateRuntimeOn"] == "FunctionUpdate"
    assert "CodeSigningConfigArn" not in lambda_.get_function_code_signing_config(FunctionName=made)
    assert lambda_.get_account_settings()["AccountUsage"]["FunctionCount"] >= 1
