//! What makes a process a function's. It is decided before there is a process, because some need it
//! from their start.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use base::hex;
use bytes::BytesMut;
use telemetry::{GroupName, StreamName};

use crate::environment::Origin;
use crate::function::FunctionSpec;
use crate::packs::Pack;
use crate::protocol;
use crate::runtimes::Runtime;
use crate::slot::{Surroundings, timestamp};
use crate::{Sandbox, Shown};

/// Where functions send their traces. On Lambda somebody listens at an address like this one.
const XRAY_DAEMON_HOST: &str = "127.0.0.1";
const XRAY_DAEMON_PORT: &str = "2000";

pub(crate) struct Assignment {
    pub(crate) spec: Arc<FunctionSpec>,
    /// Where it logs to.
    pub(crate) stream: Arc<StreamName>,
    /// The whole environment.
    pub(crate) env: BTreeMap<String, String>,
    /// Where it finds its package.
    pub(crate) code: PathBuf,
    /// And its layers, the uppermost first.
    layers: Vec<PathBuf>,
    pub(crate) purpose: Purpose,
    pub(crate) pack: Option<Pack>,
    /// Where it finds that.
    pack_shown: Option<PathBuf>,
}

/// What a process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To run events: as many are to be ready, or because one waits.
    Slot { provisioned: bool },
    /// The same with a debugger.
    Debug,
    /// To be forked.
    Template,
    /// To make the function's code pack, and nothing else.
    Pack,
}

impl Assignment {
    pub(crate) fn new(
        around: Surroundings<'_>,
        runtime: &Runtime,
        spec: &Arc<FunctionSpec>,
        purpose: Purpose,
        pack: Option<Pack>,
    ) -> Assignment {
        let stream = stream_name(around, spec);
        let code = around.sandbox.shown(Shown::Code, &spec.code);
        let shown = |layer: &PathBuf| around.sandbox.shown(Shown::Layers, layer);
        let mut layers: Vec<_> = spec.layers.iter().rev().map(shown).collect();
        layers.dedup();
        let mut env = environment(around.sandbox, runtime, spec, &stream, &layers);
        let provisioned = purpose == Purpose::Slot { provisioned: true };
        let initialization = Origin::initialization(provisioned).to_owned();
        env.insert("AWS_LAMBDA_INITIALIZATION_TYPE".to_owned(), initialization);
        let outside = pack.as_ref().and_then(|pack| pack.path.as_ref());
        let pack_shown = outside.map(|path| around.sandbox.shown(Shown::Pack, path));
        let (spec, stream) = (Arc::clone(spec), Arc::new(stream));
        Assignment { spec, stream, env, code, layers, purpose, pack, pack_shown }
    }

    /// As a worker that speaks frames is told.
    pub(crate) fn frame(&self) -> BytesMut {
        let spec = &*self.spec;
        protocol::assign(&protocol::Assign {
            code: &self.code,
            layers: &self.layers,
            handler: &spec.handler,
            template: self.purpose == Purpose::Template,
            debug: self.purpose == Purpose::Debug,
            pack: self
                .pack
                .as_ref()
                .map(|pack| protocol::Pack { path: self.pack_shown.clone(), name: &pack.name }),
            env: &self.env,
            function: protocol::Function {
                function_name: &spec.name,
                function_version: &spec.version,
                invoked_function_arn: spec.arn.to_string(),
                memory_limit: spec.memory_mb.to_string(),
                log_group_name: &spec.log_group,
                log_stream_name: &self.stream.name,
            },
        })
    }
}

/// `2026/11/21/[$LATEST]` and 32 hexadecimal digits.
pub(crate) fn stream_name(around: Surroundings<'_>, spec: &FunctionSpec) -> StreamName {
    let day = timestamp(around.clock.now()).strftime("%Y/%m/%d");
    StreamName {
        group: GroupName {
            account: spec.account.clone(),
            region: spec.region.clone(),
            name: spec.log_group.clone(),
        },
        name: format!("{day}/[{}]{}", spec.version, hex(&**around.random, 16)),
    }
}

/// The user's variables over ours, so that a function may choose its endpoint or its PATH. What
/// Lambda reserves cannot be in the user's.
fn environment(
    sandbox: &dyn Sandbox,
    runtime: &Runtime,
    spec: &FunctionSpec,
    stream: &StreamName,
    layers: &[PathBuf],
) -> BTreeMap<String, String> {
    let code = sandbox.shown(Shown::Code, &spec.code);
    let code = code.to_string_lossy();
    let runtime = runtime.shown(sandbox);
    let runtime = runtime.to_string_lossy();
    let each = |folder: &str| {
        layers.iter().map(|layer| format!(":{}/{folder}", layer.display())).collect::<String>()
    };
    let ours = [
        ("AWS_ACCESS_KEY_ID", spec.credentials.access_key.clone()),
        ("AWS_DEFAULT_REGION", spec.region.to_string()),
        ("AWS_ENDPOINT_URL", sandbox.endpoint(&spec.endpoint_url)),
        ("AWS_EXECUTION_ENV", format!("AWS_Lambda_{}", spec.runtime)),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", spec.memory_mb.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", spec.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", spec.version.clone()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", spec.log_group.clone()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", stream.name.clone()),
        ("AWS_REGION", spec.region.to_string()),
        ("AWS_SECRET_ACCESS_KEY", spec.credentials.secret.clone()),
        ("AWS_SESSION_TOKEN", spec.credentials.token.clone()),
        // There is no daemon, and to speak to one that is not there is no error at this address.
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR".to_owned()),
        ("AWS_XRAY_DAEMON_ADDRESS", format!("{XRAY_DAEMON_HOST}:{XRAY_DAEMON_PORT}")),
        ("LAMBDA_RUNTIME_DIR", runtime.clone().into_owned()),
        ("LAMBDA_TASK_ROOT", code.clone().into_owned()),
        ("LANG", "en_US.UTF-8".to_owned()),
        (
            "LD_LIBRARY_PATH",
            format!("/lib64:/usr/lib64:{runtime}:{runtime}/lib:{code}:{code}/lib{}", each("lib")),
        ),
        ("PATH", format!("/usr/local/bin:/usr/bin:/bin{}:{code}/bin", each("bin"))),
        ("TZ", ":UTC".to_owned()),
        ("_AWS_XRAY_DAEMON_ADDRESS", XRAY_DAEMON_HOST.to_owned()),
        ("_AWS_XRAY_DAEMON_PORT", XRAY_DAEMON_PORT.to_owned()),
        ("_HANDLER", spec.handler.clone()),
    ];
    let ours = ours.into_iter().map(|(name, value)| (name.to_owned(), value));
    ours.chain(spec.env.clone()).collect()
}
