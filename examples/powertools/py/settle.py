"""Charges, through the queue: the ledger. Those of 13 cents fail."""

import os

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)

logger = Logger()
metrics = Metrics()
tracer = Tracer()
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
table = boto3.resource("dynamodb").Table(os.environ["LEDGER_TABLE"])


@tracer.capture_method
def settle(record):
    charge = record.json_body
    if charge["amountCents"] == 13:
        raise ValueError("13 brings bad luck")
    table.update_item(
        Key={"id": charge["id"]},
        UpdateExpression="SET amountCents = :amount, settledBy = :me ADD times :one",
        ExpressionAttributeValues={
            ":amount": charge["amountCents"], ":me": "python", ":one": 1,
        },
    )
    metrics.add_metric(name="settled", unit=MetricUnit.Count, value=1)
    logger.info("settled", extra=charge)


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def handler(event, context):
    logger.info("batch", extra={"messages": len(event["Records"])})
    return process_partial_response(
        event=event, record_handler=settle, processor=processor, context=context
    )
