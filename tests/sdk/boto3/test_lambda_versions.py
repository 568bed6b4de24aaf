"""Versions and aliases: what stays, what moves, and who gets the events."""

import io
import json
import urllib.request
import zipfile

import pytest
from botocore.exceptions import ClientError

from package import package

TELL = "exports.handler = async (e, c) => ({ v: c.functionVersion, code: %d });"


@pytest.fixture
def lambda_(aws):
    return aws("lambda")


def code(of):
    return package(index_js=TELL % of)


def run(client, name, **more):
    reply = client.invoke(FunctionName=name, Payload="{}", **more)
    return reply["ExecutedVersion"], json.loads(reply["Payload"].read())


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def test_a_version_stays_what_it_was(lambda_, function):
    made = function(TELL % 1)
    first = lambda_.publish_version(FunctionName=made, Description="first")
    assert first["Version"] == "1" and first["FunctionArn"].endswith(f":{made}:1")
    assert lambda_.publish_version(FunctionName=made)["Version"] == "1"
    updated = lambda_.update_function_code(FunctionName=made, ZipFile=code(2), Publish=True)
    assert updated["Version"] == "2"
    lambda_.update_function_code(FunctionName=made, ZipFile=code(3))
    assert run(lambda_, made) == ("$LATEST", {"v": "$LATEST", "code": 3})
    assert run(lambda_, made, Qualifier="1") == ("1", {"v": "1", "code": 1})
    assert run(lambda_, f"{made}:2") == ("2", {"v": "2", "code": 2})
    assert run(lambda_, first["FunctionArn"]) == ("1", {"v": "1", "code": 1})
    pages = lambda_.get_paginator("list_versions_by_function").paginate(FunctionName=made)
    assert [one["Version"] for page in pages for one in page["Versions"]] == ["$LATEST", "1", "2"]
    assert refused(lambda_.invoke, FunctionName=made, Qualifier="9") == "ResourceNotFoundException"
    lambda_.delete_function(FunctionName=made, Qualifier="1")
    assert refused(lambda_.get_function, FunctionName=f"{made}:1") == "ResourceNotFoundException"


def test_an_alias_moves_and_shares_events_out(lambda_, function):
    made = function(TELL % 1, Publish=True)
    lambda_.update_function_code(FunctionName=made, ZipFile=code(2), Publish=True)
    alias = lambda_.create_alias(FunctionName=made, Name="live", FunctionVersion="1")
    assert run(lambda_, made, Qualifier="live")[0] == "1"
    moved = lambda_.update_alias(
        FunctionName=made, Name="live", FunctionVersion="2", RevisionId=alias["RevisionId"]
    )
    assert run(lambda_, f"{made}:live")[0] == "2"
    stale = {"FunctionName": made, "Name": "live", "RevisionId": alias["RevisionId"]}
    assert refused(lambda_.update_alias, **stale) == "PreconditionFailedException"
    assert moved["RevisionId"] != alias["RevisionId"]
    lambda_.update_alias(
        FunctionName=made,
        Name="live",
        RoutingConfig={"AdditionalVersionWeights": {"1": 0.5}},
    )
    assert {run(lambda_, f"{made}:live")[0] for _ in range(40)} == {"1", "2"}
    got = lambda_.get_alias(FunctionName=made, Name="live")
    assert got["RoutingConfig"] == {"AdditionalVersionWeights": {"1": 0.5}}
    listed = lambda_.list_aliases(FunctionName=made)["Aliases"]
    assert [one["Name"] for one in listed] == ["live"]
    used = {"FunctionName": made, "Qualifier": "1"}
    assert refused(lambda_.delete_function, **used) == "ResourceConflictException"
    lambda_.delete_alias(FunctionName=made, Name="live")
    lambda_.delete_function(**used)


def test_an_alias_has_a_policy_of_its_own(lambda_, function):
    made = function(Publish=True)
    lambda_.create_alias(FunctionName=made, Name="live", FunctionVersion="1")
    lambda_.add_permission(
        FunctionName=made,
        Qualifier="live",
        StatementId="s",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
    )
    policy = lambda_.get_policy(FunctionName=made, Qualifier="live")
    assert json.loads(policy["Policy"])["Statement"][0]["Resource"].endswith(f":{made}:live")
    assert refused(lambda_.get_policy, FunctionName=made) == "ResourceNotFoundException"
    lambda_.remove_permission(
        FunctionName=made, Qualifier="live", StatementId="s", RevisionId=policy["RevisionId"]
    )


def test_code_can_be_fetched(lambda_, function):
    made = function(TELL % 7)
    location = lambda_.get_function(FunctionName=made)["Code"]["Location"]
    with urllib.request.urlopen(location) as answer:
        archive = zipfile.ZipFile(io.BytesIO(answer.read()))
    assert archive.read("index.js").decode() == TELL % 7
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(location[:-4])
    assert caught.value.code == 403


def test_layers_are_published_listed_and_used(lambda_, function, name):
    content = {"ZipFile": package(lib_js="x")}
    made = lambda_.publish_layer_version(
        LayerName=name, Content=content, CompatibleRuntimes=["nodejs20.x"]
    )
    arn = made["LayerVersionArn"]
    assert made["Version"] == 1 and arn.endswith(f":layer:{name}:1")
    assert lambda_.get_layer_version(LayerName=name, VersionNumber=1)["LayerVersionArn"] == arn
    assert lambda_.get_layer_version_by_arn(Arn=arn)["Version"] == 1
    lambda_.publish_layer_version(LayerName=name, Content=content)
    versions = lambda_.list_layer_versions(LayerName=name)["LayerVersions"]
    assert [one["Version"] for one in versions] == [2, 1]
    matching = lambda_.get_paginator("list_layers").paginate(CompatibleRuntime="nodejs20.x")
    latest = {one["LayerName"]: one["LatestMatchingVersion"]["Version"]
              for page in matching for one in page["Layers"]}
    assert latest[name] == 1
    user = function(Layers=[arn])
    assert lambda_.get_function_configuration(FunctionName=user)["Layers"][0]["Arn"] == arn
    lambda_.add_layer_version_permission(
        LayerName=name,
        VersionNumber=1,
        StatementId="all",
        Action="lambda:GetLayerVersion",
        Principal="*",
    )
    policy = lambda_.get_layer_version_policy(LayerName=name, VersionNumber=1)
    assert json.loads(policy["Policy"])["Statement"][0]["Principal"] == "*"
    lambda_.remove_layer_version_permission(LayerName=name, VersionNumber=1, StatementId="all")
    for number in (1, 2):
        lambda_.delete_layer_version(LayerName=name, VersionNumber=number)
    gone = {"LayerName": name, "VersionNumber": 1}
    assert refused(lambda_.get_layer_version, **gone) == "ResourceNotFoundException"
    assert run(lambda_, user)


@pytest.mark.parametrize("runtime", ["nodejs20.x", "python3.11"])
def test_a_function_is_told_what_was_called(lambda_, function, runtime):
    node = "exports.handler = async (e, c) => c.invokedFunctionArn;"
    python = "def handler(event, context):\n    return context.invoked_function_arn\n"
    code, file = (node, "index_js") if runtime.startswith("node") else (python, "index_py")
    made = function(code, file=file, Runtime=runtime, Publish=True)
    lambda_.create_alias(FunctionName=made, Name="live", FunctionVersion="1")
    own = lambda_.get_function_configuration(FunctionName=made)["FunctionArn"]

    def told(**how):
        return json.loads(lambda_.invoke(FunctionName=made, Payload="{}", **how)["Payload"].read())

    # The same environments run all of these: a fork or two, and those that loaded it.
    for _ in range(3):
        assert told() == own
        assert told(Qualifier="$LATEST") == f"{own}:$LATEST"
        assert told(Qualifier="live") == f"{own}:live"
        assert told(Qualifier="1") == f"{own}:1"
