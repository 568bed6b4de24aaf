//! Lambda: functions, their invocation, and the queues and streams that feed them. What runs
//! them is the `host`; this service keeps them, prepares their code, and decides what becomes
//! of an event.

mod api;
mod code;
pub mod credentials;
mod data;
mod downloads;
mod error;
mod functions;
mod ops;
mod rules;
mod run;
mod stream;
mod usage;
mod work;

use std::sync::Arc;

use delivery::{Delivery, Limits};
use host::Host;
use http::Method;
use kit::{Api, Every, Kit, Service};
use wire::{Names, Protocol};

use crate::functions::Lambda;
use crate::ops::{
    account, alias, concurrency, event_config, function, invocation, layer, layer_permission,
    mapping, permission, provisioned, settings, tag, touched, url, version,
};
use crate::work::{event, mappings, provision, sweep};

pub use crate::run::Runner;

/// Asynchronous events worked on at once: the concurrency of an account.
const EVENTS_CONCURRENT_MAX: u32 = 1000;

/// The lambda service, with its functions run by the host. It makes functions invocable through
/// [`Kit::functions`] and takes events for them through `kit.targets`.
pub fn service(kit: &Kit, delivery: &Delivery, host: &Host) -> Service {
    service_on(kit, delivery, Arc::new(host.clone()))
}

/// The same with functions run by anything.
pub fn service_on(kit: &Kit, delivery: &Delivery, runner: Arc<dyn Runner>) -> Service {
    let line = delivery.line("lambda.async");
    let lambda = Arc::new(Lambda::new(kit, line.clone(), runner));
    let limits = Limits { batch_max: 1, concurrent_max: EVENTS_CONCURRENT_MAX };
    delivery.serve(&line, limits, Arc::new(event::Deliver(Arc::clone(&lambda))));
    kit.targets.register("lambda", Arc::new(event::Functions(Arc::clone(&lambda))));
    kit.set_functions(Arc::clone(&lambda) as Arc<dyn kit::functions::Functions>);
    let api = Api {
        id: "lambda",
        protocols: &[Protocol::RestJson],
        target_prefix: "",
        version: "2015-03-31",
        names: &Names::PLAIN,
    };
    let service = Service::new(api, lambda)
        .unserved(include_str!("../unserved.txt"))
        .worker("poll", Every::secs(60), mappings::tick)
        .worker("provision", Every::secs(60), provision::tick)
        .worker("sweep", Every::secs(600), sweep::tick);
    urls(events(concurrencies(mappings(layers(permissions(versions(functions(service))))))))
}

fn functions(service: Service) -> Service {
    const ALL: &str = "/2015-03-31/functions";
    const ONE: &str = "/2015-03-31/functions/{FunctionName}";
    const CODE: &str = "/2015-03-31/functions/{FunctionName}/code";
    const CONFIGURATION: &str = "/2015-03-31/functions/{FunctionName}/configuration";
    const INVOCATIONS: &str = "/2015-03-31/functions/{FunctionName}/invocations";
    const ASYNC: &str = "/2014-11-13/functions/{FunctionName}/invoke-async";
    const SETTINGS: &str = "/2016-08-19/account-settings";
    const STREAMING: &str = "/2021-11-15/functions/{FunctionName}/response-streaming-invocations";
    service
        .op("CreateFunction", function::create, |ctx, i| touched(ctx, &i.function_name, None))
        .rest("CreateFunction", Method::POST, ALL, 201)
        .op("ListFunctions", function::list, |_, _| Vec::new())
        .rest("ListFunctions", Method::GET, ALL, 200)
        .op("GetFunction", function::get, |ctx, i| {
            touched(ctx, &i.function_name, i.qualifier.as_deref())
        })
        .rest("GetFunction", Method::GET, ONE, 200)
        .op("GetFunctionConfiguration", function::get_configuration, |ctx, i| {
            touched(ctx, &i.function_name, i.qualifier.as_deref())
        })
        .rest("GetFunctionConfiguration", Method::GET, CONFIGURATION, 200)
        .op("UpdateFunctionCode", function::update_code, |ctx, i| {
            touched(ctx, &i.function_name, None)
        })
        .rest("UpdateFunctionCode", Method::PUT, CODE, 200)
        .op("UpdateFunctionConfiguration", function::update_configuration, |ctx, i| {
            touched(ctx, &i.function_name, None)
        })
        .rest("UpdateFunctionConfiguration", Method::PUT, CONFIGURATION, 200)
        .op("DeleteFunction", function::delete, |ctx, i| {
            touched(ctx, &i.function_name, i.qualifier.as_deref())
        })
        .rest("DeleteFunction", Method::DELETE, ONE, 204)
        .raw_op("InvokeAsync", invocation::invoke_async, invocation::resources)
        .action("InvokeAsync", "lambda:InvokeFunction")
        .rest("InvokeAsync", Method::POST, ASYNC, 202)
        .raw_op("Invoke", invocation::invoke, invocation::resources)
        .action("Invoke", "lambda:InvokeFunction")
        .rest("Invoke", Method::POST, INVOCATIONS, 200)
        .raw_op("InvokeWithResponseStream", invocation::stream, invocation::resources)
        .action("InvokeWithResponseStream", "lambda:InvokeFunction")
        .rest("InvokeWithResponseStream", Method::POST, STREAMING, 200)
        .op("GetAccountSettings", account::settings, |_, _| Vec::new())
        .rest("GetAccountSettings", Method::GET, SETTINGS, 200)
}

fn versions(service: Service) -> Service {
    const VERSIONS: &str = "/2015-03-31/functions/{FunctionName}/versions";
    const ALIASES: &str = "/2015-03-31/functions/{FunctionName}/aliases";
    const ALIAS: &str = "/2015-03-31/functions/{FunctionName}/aliases/{Name}";
    service
        .op("PublishVersion", version::publish, |ctx, i| touched(ctx, &i.function_name, None))
        .rest("PublishVersion", Method::POST, VERSIONS, 201)
        .op("ListVersionsByFunction", version::list, |ctx, i| touched(ctx, &i.function_name, None))
        .rest("ListVersionsByFunction", Method::GET, VERSIONS, 200)
        .op("CreateAlias", alias::create, |ctx, i| touched(ctx, &i.function_name, None))
        .rest("CreateAlias", Method::POST, ALIASES, 201)
        .op("ListAliases", alias::list, |ctx, i| touched(ctx, &i.function_name, None))
        .rest("ListAliases", Method::GET, ALIASES, 200)
        .op("GetAlias", alias::get, |ctx, i| touched(ctx, &i.function_name, None))
        .rest("GetAlias", Method::GET, ALIAS, 200)
        .op("UpdateAlias", alias::update, |ctx, i| touched(ctx, &i.function_name, None))
        .rest("UpdateAlias", Method::PUT, ALIAS, 200)
        .op("DeleteAlias", alias::delete, |ctx, i| touched(ctx, &i.function_name, None))
        .rest("DeleteAlias", Method::DELETE, ALIAS, 204)
}

fn permissions(service: Service) -> Service {
    const POLICY: &str = "/2015-03-31/functions/{FunctionName}/policy";
    const STATEMENT: &str = "/2015-03-31/functions/{FunctionName}/policy/{StatementId}";
    const TAGS: &str = "/2017-03-31/tags/{Resource}";
    service
        .op("AddPermission", permission::add, |ctx, i| {
            touched(ctx, &i.function_name, i.qualifier.as_deref())
        })
        .rest("AddPermission", Method::POST, POLICY, 201)
        .op("RemovePermission", permission::remove, |ctx, i| {
            touched(ctx, &i.function_name, i.qualifier.as_deref())
        })
        .rest("RemovePermission", Method::DELETE, STATEMENT, 204)
        .op("GetPolicy", permission::get, |ctx, i| {
            touched(ctx, &i.function_name, i.qualifier.as_deref())
        })
        .rest("GetPolicy", Method::GET, POLICY, 200)
        .op("ListTags", tag::list, |ctx, i| tag::touched(ctx, &i.resource))
        .rest("ListTags", Method::GET, TAGS, 200)
        .op("TagResource", tag::add, |ctx, i| tag::touched(ctx, &i.resource))
        .rest("TagResource", Method::POST, TAGS, 204)
        .op("UntagResource", tag::remove, |ctx, i| tag::touched(ctx, &i.resource))
        .rest("UntagResource", Method::DELETE, TAGS, 204)
}

fn layers(service: Service) -> Service {
    const ALL: &str = "/2018-10-31/layers";
    const BY_ARN: &str = "/2018-10-31/layers?find=LayerVersion";
    const VERSIONS: &str = "/2018-10-31/layers/{LayerName}/versions";
    const VERSION: &str = "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}";
    const POLICY: &str = "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}/policy";
    const STATEMENT: &str =
        "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}/policy/{StatementId}";
    service
        .op("PublishLayerVersion", layer::publish, |ctx, i| {
            layer::touched(ctx, &i.layer_name, None)
        })
        .rest("PublishLayerVersion", Method::POST, VERSIONS, 201)
        .op("GetLayerVersion", layer::get, |ctx, i| {
            layer::touched(ctx, &i.layer_name, Some(i.version_number))
        })
        .rest("GetLayerVersion", Method::GET, VERSION, 200)
        .op("GetLayerVersionByArn", layer::get_by_arn, |_, i| i.arn.parse().into_iter().collect())
        .action("GetLayerVersionByArn", "lambda:GetLayerVersion")
        .rest("GetLayerVersionByArn", Method::GET, BY_ARN, 200)
        .op("DeleteLayerVersion", layer::delete, |ctx, i| {
            layer::touched(ctx, &i.layer_name, Some(i.version_number))
        })
        .rest("DeleteLayerVersion", Method::DELETE, VERSION, 204)
        .op("ListLayers", layer::list, |_, _| Vec::new())
        .rest("ListLayers", Method::GET, ALL, 200)
        .op("ListLayerVersions", layer::list_versions, |ctx, i| {
            layer::touched(ctx, &i.layer_name, None)
        })
        .rest("ListLayerVersions", Method::GET, VERSIONS, 200)
        .op("AddLayerVersionPermission", layer_permission::add, |ctx, i| {
            layer::touched(ctx, &i.layer_name, Some(i.version_number))
        })
        .rest("AddLayerVersionPermission", Method::POST, POLICY, 201)
        .op("RemoveLayerVersionPermission", layer_permission::remove, |ctx, i| {
            layer::touched(ctx, &i.layer_name, Some(i.version_number))
        })
        .rest("RemoveLayerVersionPermission", Method::DELETE, STATEMENT, 204)
        .op("GetLayerVersionPolicy", layer_permission::get, |ctx, i| {
            layer::touched(ctx, &i.layer_name, Some(i.version_number))
        })
        .rest("GetLayerVersionPolicy", Method::GET, POLICY, 200)
}

fn mappings(service: Service) -> Service {
    const ALL: &str = "/2015-03-31/event-source-mappings";
    const ONE: &str = "/2015-03-31/event-source-mappings/{UUID}";
    service
        .op("CreateEventSourceMapping", mapping::create, |ctx, i| {
            touched(ctx, &i.function_name, None)
        })
        .rest("CreateEventSourceMapping", Method::POST, ALL, 202)
        .op("ListEventSourceMappings", mapping::list, |_, _| Vec::new())
        .rest("ListEventSourceMappings", Method::GET, ALL, 200)
        .op("GetEventSourceMapping", mapping::get, |ctx, i| mapping::touched(ctx, &i.uuid))
        .rest("GetEventSourceMapping", Method::GET, ONE, 200)
        .op("UpdateEventSourceMapping", mapping::update, |ctx, i| mapping::touched(ctx, &i.uuid))
        .rest("UpdateEventSourceMapping", Method::PUT, ONE, 202)
        .op("DeleteEventSourceMapping", mapping::delete, |ctx, i| mapping::touched(ctx, &i.uuid))
        .rest("DeleteEventSourceMapping", Method::DELETE, ONE, 202)
}

fn concurrencies(service: Service) -> Service {
    const RESERVED: &str = "/2017-10-31/functions/{FunctionName}/concurrency";
    const RESERVED_NOW: &str = "/2019-09-30/functions/{FunctionName}/concurrency";
    const PROVISIONED: &str = "/2019-09-30/functions/{FunctionName}/provisioned-concurrency";
    const PROVISIONED_ALL: &str =
        "/2019-09-30/functions/{FunctionName}/provisioned-concurrency?List=ALL";
    service
        .op("PutFunctionConcurrency", concurrency::put, |ctx, i| {
            touched(ctx, &i.function_name, None)
        })
        .rest("PutFunctionConcurrency", Method::PUT, RESERVED, 200)
        .op("GetFunctionConcurrency", concurrency::get, |ctx, i| {
            touched(ctx, &i.function_name, None)
        })
        .rest("GetFunctionConcurrency", Method::GET, RESERVED_NOW, 200)
        .op("DeleteFunctionConcurrency", concurrency::delete, |ctx, i| {
            touched(ctx, &i.function_name, None)
        })
        .rest("DeleteFunctionConcurrency", Method::DELETE, RESERVED, 204)
        .op("PutProvisionedConcurrencyConfig", provisioned::put, |ctx, i| {
            touched(ctx, &i.function_name, Some(&i.qualifier))
        })
        .rest("PutProvisionedConcurrencyConfig", Method::PUT, PROVISIONED, 202)
        .op("GetProvisionedConcurrencyConfig", provisioned::get, |ctx, i| {
            touched(ctx, &i.function_name, Some(&i.qualifier))
        })
        .rest("GetProvisionedConcurrencyConfig", Method::GET, PROVISIONED, 200)
        .op("DeleteProvisionedConcurrencyConfig", provisioned::delete, |ctx, i| {
            touched(ctx, &i.function_name, Some(&i.qualifier))
        })
        .rest("DeleteProvisionedConcurrencyConfig", Method::DELETE, PROVISIONED, 204)
        .op("ListProvisionedConcurrencyConfigs", provisioned::list, |ctx, i| {
            touched(ctx, &i.function_name, None)
        })
        .rest("ListProvisionedConcurrencyConfigs", Method::GET, PROVISIONED_ALL, 200)
}

fn events(service: Service) -> Service {
    const ONE: &str = "/2019-09-25/functions/{FunctionName}/event-invoke-config";
    const ALL: &str = "/2019-09-25/functions/{FunctionName}/event-invoke-config/list";
    service
        .op("PutFunctionEventInvokeConfig", event_config::put, |ctx, i| {
            touched(ctx, &i.function_name, i.qualifier.as_deref())
        })
        .rest("PutFunctionEventInvokeConfig", Method::PUT, ONE, 200)
        .op("UpdateFunctionEventInvokeConfig", event_config::update, |ctx, i| {
            touched(ctx, &i.function_name, i.qualifier.as_deref())
        })
        .rest("UpdateFunctionEventInvokeConfig", Method::POST, ONE, 200)
        .op("GetFunctionEventInvokeConfig", event_config::get, |ctx, i| {
            touched(ctx, &i.function_name, i.qualifier.as_deref())
        })
        .rest("GetFunctionEventInvokeConfig", Method::GET, ONE, 200)
        .op("DeleteFunctionEventInvokeConfig", event_config::delete, |ctx, i| {
            touched(ctx, &i.function_name, i.qualifier.as_deref())
        })
        .rest("DeleteFunctionEventInvokeConfig", Method::DELETE, ONE, 204)
        .op("ListFunctionEventInvokeConfigs", event_config::list, |ctx, i| {
            touched(ctx, &i.function_name, None)
        })
        .rest("ListFunctionEventInvokeConfigs", Method::GET, ALL, 200)
}

fn urls(service: Service) -> Service {
    const URL: &str = "/2021-10-31/functions/{FunctionName}/url";
    const URLS: &str = "/2021-10-31/functions/{FunctionName}/urls";
    const RECURSION: &str = "/2024-08-31/functions/{FunctionName}/recursion-config";
    const RUNTIME: &str = "/2021-07-20/functions/{FunctionName}/runtime-management-config";
    const SIGNING: &str = "/2020-06-30/functions/{FunctionName}/code-signing-config";
    service
        .op("CreateFunctionUrlConfig", url::create, |ctx, i| {
            touched(ctx, &i.function_name, i.qualifier.as_deref())
        })
        .rest("CreateFunctionUrlConfig", Method::POST, URL, 201)
        .op("GetFunctionUrlConfig", url::get, |ctx, i| {
            touched(ctx, &i.function_name, i.qualifier.as_deref())
        })
        .rest("GetFunctionUrlConfig", Method::GET, URL, 200)
        .op("UpdateFunctionUrlConfig", url::update, |ctx, i| {
            touched(ctx, &i.function_name, i.qualifier.as_deref())
        })
        .rest("UpdateFunctionUrlConfig", Method::PUT, URL, 200)
        .op("DeleteFunctionUrlConfig", url::delete, |ctx, i| {
            touched(ctx, &i.function_name, i.qualifier.as_deref())
        })
        .rest("DeleteFunctionUrlConfig", Method::DELETE, URL, 204)
        .op("ListFunctionUrlConfigs", url::list, |ctx, i| touched(ctx, &i.function_name, None))
        .rest("ListFunctionUrlConfigs", Method::GET, URLS, 200)
        .op("PutFunctionRecursionConfig", settings::put_recursion, |ctx, i| {
            touched(ctx, &i.function_name, None)
        })
        .rest("PutFunctionRecursionConfig", Method::PUT, RECURSION, 200)
        .op("GetFunctionRecursionConfig", settings::get_recursion, |ctx, i| {
            touched(ctx, &i.function_name, None)
        })
        .rest("GetFunctionRecursionConfig", Method::GET, RECURSION, 200)
        .op("PutRuntimeManagementConfig", settings::put_runtime_management, |ctx, i| {
            touched(ctx, &i.function_name, i.qualifier.as_deref())
        })
        .rest("PutRuntimeManagementConfig", Method::PUT, RUNTIME, 200)
        .op("GetRuntimeManagementConfig", settings::get_runtime_management, |ctx, i| {
            touched(ctx, &i.function_name, i.qualifier.as_deref())
        })
        .rest("GetRuntimeManagementConfig", Method::GET, RUNTIME, 200)
        .op("GetFunctionCodeSigningConfig", settings::get_code_signing, |ctx, i| {
            touched(ctx, &i.function_name, None)
        })
        .rest("GetFunctionCodeSigningConfig", Method::GET, SIGNING, 200)
}
