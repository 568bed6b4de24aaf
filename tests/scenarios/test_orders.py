"""The orders example, deployed and used as its README says."""

import json
import os
import signal
import subprocess
import time
import urllib.request

import boto3
import pytest

from server import Server, clean_env, client_env, example


def demo(server, folder, *options):
    return subprocess.run(
        ["node", "demo.mjs", *options], cwd=folder, text=True, capture_output=True, timeout=150,
        env={**clean_env(), **client_env(server.url)},
    )


def client(server, service):
    return boto3.client(
        service, endpoint_url=server.url, region_name="us-east-1",
        aws_access_key_id="x", aws_secret_access_key="x",
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A server with the shop deployed, and the shop's folder."""
    tmp = tmp_path_factory.mktemp("orders")
    folder = example("orders", tmp)
    with Server(data=tmp / "data") as server:
        done = server.cli("deploy", folder)
        assert done.returncode == 0, done.stdout + done.stderr
        yield server, folder, done.stdout + done.stderr


def url(server, stack, path):
    api = stack["outputs"]["HttpApiId"]
    return f"{server.url}/_aws/execute-api/{api}/$default{path}"


def test_the_deploy_says_what_it_made(shop):
    server, _, said = shop
    for word in ("POST", "/orders", "createOrder", "GET", "/v1/orders/{id}", "getOrder"):
        assert word in said, said
    [stack] = server.stacks()
    assert stack["name"] == "orders-dev"
    outputs = stack["outputs"]
    assert outputs["TableName"] == "orders-dev"
    assert outputs["TableArn"] == "arn:aws:dynamodb:us-east-1:000000000000:table/orders-dev"
    assert outputs["OrderPaidTopicName"] == "orders-dev-order-paid"
    assert outputs["DeadLetterQueueArn"] == (
        "arn:aws:sqs:us-east-1:000000000000:orders-dev-confirmations-dead"
    )
    assert outputs["ConfirmationQueueUrl"].endswith("/000000000000/orders-dev-confirmations")
    routes = {(each["method"], each["function"]) for each in stack["endpoints"]}
    assert ("POST", "orders-dev-createOrder") in routes
    assert ("PUT", "orders-dev-setPaymentMethod") in routes
    attributes = client(server, "sqs").get_queue_attributes(
        QueueUrl=outputs["ConfirmationQueueUrl"], AttributeNames=["All"]
    )["Attributes"]
    assert attributes["VisibilityTimeout"] == "4"
    assert json.loads(attributes["RedrivePolicy"])["maxReceiveCount"] in (3, "3")


def test_the_demo_ends_well(shop):
    server, folder, _ = shop
    done = demo(server, folder)
    assert done.returncode == 0, done.stdout + done.stderr + server.log()
    assert done.stdout.strip().splitlines()[-1] == "ok"
    assert "19 paid, 1 refused, 0 pending" in done.stdout


def test_an_order_by_hand(shop):
    server, _, _ = shop
    [stack] = server.stacks()
    request = urllib.request.Request(
        url(server, stack, "/orders"), b'{"userId": "eve"}', {"content-type": "application/json"}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 400
    answer = json.load(caught.value)
    assert answer["problems"] == ["items: at least one is required"]


def test_the_report(shop):
    server, folder, _ = shop
    done = server.cli("invoke", "dailyReport", "--data", '{"time":"2100-01-01T00:00:00Z"}')
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "since": "2099-12-31T00:00:00.000Z",
        "orders": {"PENDING": 0, "PAID": 0, "PAYMENT_FAILED": 0},
        "paidCents": 0,
    }
    done = server.cli("logs", "dailyReport")
    assert done.returncode == 0
    assert "daily report" in done.stdout
    assert "REPORT RequestId" in done.stdout


def test_deployed_again_nothing_is_lost(shop):
    server, folder, _ = shop
    table = client(server, "dynamodb")
    before = table.scan(TableName="orders-dev", Select="COUNT")["Count"]
    assert before > 0
    done = server.cli("deploy", folder)
    assert done.returncode == 0, done.stderr
    assert table.scan(TableName="orders-dev", Select="COUNT")["Count"] == before


def test_another_stage_stands_beside(shop):
    server, folder, _ = shop
    assert server.cli("deploy", folder, "--stage", "test").returncode == 0
    assert {each["name"] for each in server.stacks()} == {"orders-dev", "orders-test"}
    attributes = client(server, "sqs").get_queue_attributes(
        QueueUrl=client(server, "sqs").get_queue_url(QueueName="orders-test-confirmations")[
            "QueueUrl"
        ],
        AttributeNames=["VisibilityTimeout"],
    )["Attributes"]
    assert attributes["VisibilityTimeout"] == "12"  # the default of a stage without its own
    assert server.cli("remove", folder, "--stage", "test").returncode == 0
    assert [each["name"] for each in server.stacks()] == ["orders-dev"]


def test_a_restart_keeps_everything(shop):
    server, folder, _ = shop
    table = client(server, "dynamodb")
    before = table.scan(TableName="orders-dev", Select="COUNT")["Count"]
    assert server.stop() == 0
    server.start()
    assert table.scan(TableName="orders-dev", Select="COUNT")["Count"] == before
    done = demo(server, folder)
    assert done.returncode == 0, done.stdout + done.stderr + server.log()


def test_removed_nothing_is_left(shop):
    server, folder, _ = shop
    assert server.cli("remove", folder).returncode == 0
    assert server.stacks() == []
    assert client(server, "dynamodb").list_tables()["TableNames"] == []
    assert "QueueUrls" not in client(server, "sqs").list_queues()
    assert client(server, "sns").list_topics()["Topics"] == []
    assert client(server, "lambda").list_functions()["Functions"] == []
    assert client(server, "lambda").list_event_source_mappings()["EventSourceMappings"] == []
    assert client(server, "events").list_rules()["Rules"] == []


def test_functions_end_with_a_killed_server(tmp_path):
    """A function process must not outlive the server, however that ends."""
    folder = example("orders", tmp_path)
    server = Server(data=tmp_path / "data").start()
    assert server.cli("deploy", folder).returncode == 0
    assert server.cli("invoke", "dailyReport", "--data", '{"time":"2100-01-01"}').returncode == 0
    session = os.getsid(server.process.pid)
    server.kill()

    def members():
        found = subprocess.run(
            ["ps", "-o", "pid=,stat=,args=", "-s", str(session)], text=True, capture_output=True
        ).stdout.splitlines()
        return [line for line in found if " Z" not in line]

    deadline = time.monotonic() + 5
    while members() and time.monotonic() < deadline:
        time.sleep(0.05)
    left = members()
    for line in left:
        os.kill(int(line.split()[0]), signal.SIGKILL)
    assert left == []
