//! The list of services: a new one is one line here and one in the manifest.

use std::sync::Arc;

use delivery::Delivery;
use gateway::apis::Apis;
use host::Host;
use kit::{Kit, Services};
use telemetry::LogStore;

/// What services are made of, besides the kit.
pub(crate) struct Parts<'a> {
    pub(crate) kit: &'a Kit,
    pub(crate) delivery: &'a Delivery,
    pub(crate) host: &'a Host,
    pub(crate) logs: &'a LogStore,
    pub(crate) apis: &'a Arc<Apis>,
}

pub(crate) fn all(parts: &Parts<'_>, lambda: kit::Service) -> Services {
    let Parts { kit, delivery, logs, apis, .. } = parts;
    Services::new(vec![
        service_apigateway::service(Arc::clone(apis)),
        service_apigatewayv2::service(Arc::clone(apis)),
        service_dynamodb::service(kit),
        service_events::service(kit, delivery),
        lambda,
        service_logs::service(kit, (*logs).clone()),
        service_sns::service(kit, delivery),
        service_sqs::service(kit, delivery),
        service_sts::service(kit),
    ])
}
