"""The server every SDK test talks to, and clients that know nothing but AWS_ENDPOINT_URL."""

import os
import time
import uuid

import boto3
import botocore.config
import pytest

from server import Server, client_env


@pytest.fixture(scope="session")
def endpoint():
    """A server in memory; or, to try the tests themselves, one that CUMULET_TEST_URL names."""
    given = os.environ.get("CUMULET_TEST_URL")
    server = None
    if not given:
        server = Server().start()
        given = server.url
    saved = dict(os.environ)
    for variable in [variable for variable in saved if variable.startswith("AWS_")]:
        del os.environ[variable]
    os.environ.update(client_env(given))
    yield given
    os.environ.clear()
    os.environ.update(saved)
    if server:
        assert server.healthy(), server.log()
        assert server.stop() == 0, server.log()


@pytest.fixture(scope="session")
def aws(endpoint):
    """`aws("sqs")` gives a client. Without retries: an error must be seen, not smoothed over."""
    clients = {}
    config = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=60)

    def client(service):
        if service not in clients:
            clients[service] = boto3.client(service, config=config)
        return clients[service]

    return client


@pytest.fixture
def name():
    """A name no other test uses: all tests share the server."""
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def eventually():
    """`eventually(check)` gives the first result that is not None or False, within the seconds."""

    def wait(check, seconds=15.0):
        deadline = time.monotonic() + seconds
        while True:
            result = check()
            if result is not None and result is not False:
                return result
            assert time.monotonic() < deadline, f"not within {seconds} s: {check}"
            time.sleep(0.05)

    return wait
