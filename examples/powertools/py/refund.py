"""POST /refunds {amountCents} with an Idempotency-Key: the refund, once per key."""

import json
import os
import uuid

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyValidationError,
)

logger = Logger()
metrics = Metrics()
tracer = Tracer()
app = APIGatewayHttpResolver()
sqs = boto3.client("sqs")
config = IdempotencyConfig(
    event_key_jmespath="key", payload_validation_jmespath="amountCents",
    raise_on_no_idempotency_key=True,
)
store = DynamoDBPersistenceLayer(table_name=os.environ["IDEMPOTENCY_TABLE"])


@idempotent_function(data_keyword_argument="draft", config=config, persistence_store=store)
@tracer.capture_method
def refund(draft):
    made = {"id": str(uuid.uuid4()), "amountCents": draft["amountCents"]}
    sqs.send_message(QueueUrl=os.environ["REFUNDS_QUEUE"], MessageBody=json.dumps(made))
    metrics.add_metric(name="refunded", unit=MetricUnit.Count, value=1)
    logger.info("refunded", extra=made)
    return made


@app.post("/refunds")
def post():
    key = app.current_event.headers.get("idempotency-key")
    amount = (app.current_event.json_body or {}).get("amountCents")
    if not key or not isinstance(amount, int):
        return answer(400, {"message": "an Idempotency-Key and amountCents are required"})
    made = refund(draft={"key": key, "amountCents": amount})
    trace = os.environ.get("_X_AMZN_TRACE_ID", "").partition("Root=")[2].partition(";")[0]
    return answer(201, {**made, "traceId": trace})


@app.exception_handler(IdempotencyAlreadyInProgressError)
def in_progress(_):
    return answer(409, {"message": "it is being refunded"})


@app.exception_handler(IdempotencyValidationError)
def other_amount(_):
    return answer(422, {"message": "the key was used for another amount"})


def answer(status, body):
    return Response(status, "application/json", json.dumps(body))


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
@tracer.capture_lambda_handler
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event, context):
    config.register_lambda_context(context)
    return app.resolve(event, context)
