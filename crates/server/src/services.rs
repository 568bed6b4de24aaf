//! The list of services: a new one is one line here and one in the manifest.

use std::sync::Arc;

use delivery::Delivery;
use gateway::apis::Apis;
use host::Host;
use kit::{Kit, Services};
use telemetry::LogStore;

pub(crate) fn all(
    kit: &Kit,
    delivery: &Delivery,
    host: &Host,
    logs: &LogStore,
    apis: &Arc<Apis>,
    throttle_tables: bool,
) -> Services {
    let [dynamodb, dynamodbstreams] = service_dynamodb::services(kit, delivery, throttle_tables);
    Services::new(vec![
        service_apigateway::service(Arc::clone(apis)),
        service_apigatewayv2::service(Arc::clone(apis)),
        dynamodb,
        dynamodbstreams,
        service_events::service(kit, delivery),
        service_lambda::service(kit, delivery, host),
        service_logs::service(kit, logs.clone()),
        service_sns::service(kit, delivery),
        service_sqs::service(kit, delivery),
        service_sts::service(kit),
    ])
}
