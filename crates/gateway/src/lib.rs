//! The front door. One port serves everything: AWS operations, users' own HTTP APIs, and our own
//! control plane. A request takes the steps listed in [`steps`], in that order, always.

pub mod apis;
mod authorize;
pub mod control;
mod listen;
mod operation;
mod patience;
mod reply;
mod route;
mod spelling;
pub mod steps;
mod strict;
mod throttle;
mod unknown;
mod verify;

pub use listen::Listener;
pub use reply::{Body, streamed, text};
pub use verify::{Credentials, Identity};

use std::sync::Arc;

use kit::Kit;

use crate::apis::Apis;
use crate::control::Control;
use crate::throttle::Throttle;

/// How the front door behaves.
#[derive(Debug, Clone)]
pub struct Config {
    /// Demand a valid signature on every AWS and control request.
    pub auth: bool,
    /// Names we answer to besides loopback addresses, `localhost` and `amazonaws.com`; an entry
    /// that starts with a dot stands for every name below it.
    pub hosts: Vec<String>,
}

/// A public name for loopback that existing tooling uses.
pub const LOCALSTACK_DOMAIN: &str = ".localhost.localstack.cloud";

impl Default for Config {
    fn default() -> Config {
        Config { auth: false, hosts: vec![LOCALSTACK_DOMAIN.to_owned()] }
    }
}

/// What the steps share.
pub struct Gateway {
    pub(crate) kit: Kit,
    pub(crate) config: Config,
    pub(crate) apis: Arc<Apis>,
    pub(crate) control: Arc<dyn Control>,
    pub(crate) credentials: Arc<dyn Credentials>,
    pub(crate) throttle: Throttle,
}

impl Gateway {
    /// A front door before these services, APIs and controls.
    pub fn new(
        kit: Kit,
        config: Config,
        apis: Arc<Apis>,
        control: Arc<dyn Control>,
        credentials: Arc<dyn Credentials>,
    ) -> Gateway {
        let throttle = Throttle::default();
        Gateway { kit, config, apis, control, credentials, throttle }
    }
}
