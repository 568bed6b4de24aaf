"""Functions of Java: how they are started, and what is said where AWS's client is missing.

The client itself comes from Maven Central, which not every machine that runs this reaches. In its
place, under its name, is a program that asks the Runtime API as it does.
"""

import json
import shutil
import subprocess

import pytest

from package import zipped

CLIENT = "com/amazonaws/services/lambda/runtime/api/client/AWSLambda"
JAR = "aws-lambda-java-runtime-interface-client-0.0.0.jar"
SOURCE = """
package com.amazonaws.services.lambda.runtime.api.client;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
public class AWSLambda {
    public static void main(String[] args) throws Exception {
        String[] handler = args[0].split("::");
        Class<?> of = Class.forName(handler[0]);
        String api = "http://" + System.getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/";
        HttpClient client = HttpClient.newHttpClient();
        while (true) {
            HttpResponse<String> event = client.send(
                HttpRequest.newBuilder(URI.create(api + "invocation/next")).build(),
                HttpResponse.BodyHandlers.ofString());
            String id = event.headers().firstValue("Lambda-Runtime-Aws-Request-Id").get();
            Object answer = of.getMethod(handler[1], String.class).invoke(null, event.body());
            client.send(
                HttpRequest.newBuilder(URI.create(api + "invocation/" + id + "/response"))
                    .POST(HttpRequest.BodyPublishers.ofString((String) answer)).build(),
                HttpResponse.BodyHandlers.ofString());
        }
    }
}
"""
APP = """
package app;
public class Handler {
    public static String handle(String event) {
        long heap = Runtime.getRuntime().maxMemory() >> 20;
        return "{\\"heapMb\\": " + heap + ", \\"version\\": \\"" + System.getProperty("java.version")
            + "\\", \\"event\\": " + event + "}";
    }
}
"""


def compiled(folder, path, source):
    """The bytes of a class."""
    file = folder / f"{path}.java"
    file.parent.mkdir(parents=True)
    file.write_text(source)
    subprocess.run(["javac", "--release", "11", file], check=True, capture_output=True)
    return file.with_suffix(".class").read_bytes()


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    if not shutil.which("javac"):
        pytest.skip("there is no javac here")
    folder = tmp_path_factory.mktemp("java")
    client = compiled(folder, CLIENT, SOURCE)
    jar = zipped({f"{CLIENT}.class": client})
    return {"client": client, "jar": jar, "app": compiled(folder, "app/Handler", APP)}


@pytest.fixture
def invoke(aws, name, classes):
    """`invoke(files, event)`: deploys the handler with these files, and gives the reply."""
    lambda_ = aws("lambda")

    def run(files, event, **more):
        lambda_.create_function(
            FunctionName=name, Runtime="java17", Handler="app.Handler::handle", Timeout=20,
            Role="arn:aws:iam::000000000000:role/any", MemorySize=256,
            Code={"ZipFile": zipped({"app/Handler.class": classes["app"], **files})}, **more,
        )
        lambda_.get_waiter("function_active_v2").wait(FunctionName=name)
        reply = lambda_.invoke(FunctionName=name, Payload=json.dumps(event))
        return {**reply, "Payload": json.loads(reply["Payload"].read())}

    yield run
    lambda_.delete_function(FunctionName=name)


def check(reply, event):
    assert "FunctionError" not in reply, reply
    answer = reply["Payload"]
    assert answer["event"] == event
    # As on Lambda the heap is most of the function's memory, and not all.
    assert 180 < answer["heapMb"] < 256
    assert int(answer["version"].split(".")[0]) >= 11


def test_the_client_in_the_package(invoke, classes):
    check(invoke({f"{CLIENT}.class": classes["client"]}, {"n": 1}), {"n": 1})


def test_the_client_in_a_jar_of_the_package(invoke, classes):
    check(invoke({f"lib/{JAR}": classes["jar"]}, {"n": 2}), {"n": 2})


def test_the_client_in_a_layer(aws, name, invoke, classes):
    layer = aws("lambda").publish_layer_version(
        LayerName=name, Content={"ZipFile": zipped({f"java/lib/{JAR}": classes["jar"]})}
    )
    try:
        check(invoke({}, {"n": 3}, Layers=[layer["LayerVersionArn"]]), {"n": 3})
    finally:
        aws("lambda").delete_layer_version(LayerName=name, VersionNumber=layer["Version"])


def test_it_is_said_that_the_client_is_missing(invoke):
    reply = invoke({}, {})
    assert reply["FunctionError"] == "Unhandled"
    assert reply["Payload"]["errorType"] == "Runtime.InvalidEntrypoint"
    assert "aws-lambda-java-runtime-interface-client" in reply["Payload"]["errorMessage"]
