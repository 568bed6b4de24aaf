//! STS: who is asking.

mod api;
mod ops;

use kit::{Api, Kit, Service};
use wire::{Names, Protocol};

use crate::ops::identity;

/// The sts service.
pub fn service(_: &Kit) -> Service {
    let api = Api {
        id: "sts",
        protocols: &[Protocol::Query],
        target_prefix: "",
        version: "2011-06-15",
        names: &Names {
            xml_namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
            ..Names::PLAIN
        },
    };
    Service::new(api, ()).op("GetCallerIdentity", identity::get, |_, _| Vec::new())
}
