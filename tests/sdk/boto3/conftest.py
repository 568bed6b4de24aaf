"""Clients that many ask for, and functions and mappings made for one test."""

import pytest

from package import package

ROLE = "arn:aws:iam::000000000000:role/any"


@pytest.fixture
def db(aws):
    return aws("dynamodb")


@pytest.fixture
def function(aws, name):
    """`function("exports.handler = …")` makes a Node function and gives its name."""
    client = aws("lambda")
    made = []

    def make(code="exports.handler = async (event) => event;", file="index_js", **more):
        each = f"{name}-{len(made)}"
        client.create_function(
            **{
                "FunctionName": each,
                "Runtime": "nodejs20.x",
                "Role": ROLE,
                "Handler": "index.handler",
                "Code": {"ZipFile": package(**{file: code})},
                "Timeout": 10,
                **more,
            }
        )
        made.append(each)
        client.get_waiter("function_active_v2").wait(FunctionName=each)
        return each

    yield make
    for each in made:
        try:
            client.delete_function(FunctionName=each)
        except client.exceptions.ResourceNotFoundException:
            pass  # the test deleted it


@pytest.fixture
def mapping(aws):
    """`mapping(function, arn, …)` makes a mapping and gives what the client was answered."""
    lambda_ = aws("lambda")
    made = []

    def make(function, arn, **more):
        answer = lambda_.create_event_source_mapping(
            FunctionName=function, EventSourceArn=arn, **more
        )
        made.append(answer["UUID"])
        return answer

    yield make
    for uuid in made:
        lambda_.delete_event_source_mapping(UUID=uuid)
