//! One service against its model.

use kit::Service;
use kit::members::{Fate, Step};

use crate::coverage::model::{Model, Operation, Reference};

/// How deep members are followed; none of ours is deeper, and some of AWS's have no end.
const DEPTH_MAX: usize = 4;

/// A service and its model.
pub(crate) struct Compared {
    pub(crate) id: &'static str,
    /// In order.
    pub(crate) served: Vec<Served>,
    /// Names of the operations we do not serve, in order.
    pub(crate) unserved: Vec<String>,
    /// Where the two disagree, a line each.
    pub(crate) wrong: Vec<String>,
}

/// An operation that is served.
pub(crate) struct Served {
    pub(crate) operation: &'static str,
    /// `None` where the input is opaque bytes.
    pub(crate) members: Option<Members>,
}

/// Members by the names of the model; those within members as `Code.S3Key`.
#[derive(Default, Debug, PartialEq, Eq)]
pub(crate) struct Members {
    pub(crate) read: Vec<String>,
    pub(crate) refused: Vec<String>,
}

/// Compares a service with its model.
pub(crate) fn service(service: &Service, model: &Model) -> Compared {
    let id = service.api().id;
    let mut wrong = Vec::new();
    let (ours, theirs) = (service.api().target_prefix, model.metadata.target_prefix.as_deref());
    if model.metadata.protocol == "json" && theirs != Some(ours) {
        let theirs = theirs.unwrap_or_default();
        wrong.push(format!("{id}: X-Amz-Target begins with {ours}, in the model with {theirs}"));
    }
    let mut served = Vec::new();
    for operation in service.operations() {
        let Some(about) = model.operations.get(operation) else {
            wrong.push(format!("{id}.{operation}: the model has no such operation"));
            continue;
        };
        if model.metadata.protocol == "rest-json" {
            wrong.extend(rest(service, operation, about));
        }
        let members = (!service.is_raw(operation)).then(|| {
            let mut walk =
                Walk { service, model, operation, found: Members::default(), wrong: &mut wrong };
            walk.input(about);
            walk.found
        });
        served.push(Served { operation, members });
    }
    let is_served = |name: &String| served.iter().any(|one| one.operation == name);
    let unserved = model.operations.keys().filter(|name| !is_served(name)).cloned().collect();
    Compared { id, served, unserved, wrong }
}

/// How a REST operation is found, and the status of its success.
fn rest(service: &Service, operation: &str, about: &Operation) -> Option<String> {
    let at = format!("{}.{operation}", service.api().id);
    let Some((method, path, status)) = service.rest_of(operation) else {
        return Some(format!("{at}: has no method and path"));
    };
    let ours = format!("{method} {path} {}", status.as_u16());
    // What the model writes as a constant query distinguishes operations only for itself.
    let path = about.http.request_uri.split('?').next().unwrap_or_default();
    let path = if path == "/" { path } else { path.trim_end_matches('/') };
    let theirs = format!("{} {path} {}", about.http.method, about.http.response_code);
    (ours != theirs).then(|| format!("{at}: is `{ours}`, in the model `{theirs}`"))
}

/// On the way through the members of one input.
struct Walk<'a> {
    service: &'a Service,
    model: &'a Model,
    operation: &'static str,
    found: Members,
    wrong: &'a mut Vec<String>,
}

impl<'a> Walk<'a> {
    fn input(&mut self, about: &'a Operation) {
        let Some(shape) = about.input.as_ref().and_then(|input| self.model.shape(input)) else {
            return;
        };
        for (name, member) in &shape.members {
            let wire = member.wire_name(name);
            let path = vec![Step::Member(wire)];
            let is_map = || self.model.shape(member).is_some_and(|shape| shape.kind == "map");
            let fate = match member.location.as_deref() {
                // An input is decoded from the body, the path and the query string.
                Some("header" | "headers") => Some(Fate::Ignored),
                // Its keys are variables of the query string by names of their own.
                Some("querystring") if is_map() => Some(Fate::Ignored),
                _ => self.service.fate_of(self.operation, &path),
            };
            let is_payload = shape.payload.as_ref() == Some(name);
            match fate {
                // What takes all takes the body, but gives no meaning to what stands beside it.
                Some(Fate::Taken) if is_payload => self.found.read.push(name.clone()),
                Some(Fate::Taken) => self.ignored(name),
                fate => self.fate(fate, path, name.clone(), member),
            }
        }
    }

    fn fate(
        &mut self,
        fate: Option<Fate>,
        path: Vec<Step<'a>>,
        label: String,
        member: &'a Reference,
    ) {
        match fate {
            Some(Fate::Read) => {
                if !label.contains('.') {
                    self.found.read.push(label.clone());
                }
                self.within(path, &label, member);
            }
            Some(Fate::Taken) => {}
            Some(Fate::Refused) => self.found.refused.push(label),
            Some(Fate::Ignored) => self.ignored(&label),
            None => {
                let at = format!("{}.{}", self.service.api().id, self.operation);
                self.wrong.push(format!("{at}: its input cannot be asked about {label}"));
            }
        }
    }

    /// The members within a member that is read.
    fn within(&mut self, mut path: Vec<Step<'a>>, label: &str, mut used: &'a Reference) {
        let model = self.model;
        let members = loop {
            let Some(shape) = model.shape(used) else { return };
            let (step, inner) = match (shape.kind.as_str(), &shape.member, &shape.value) {
                ("structure", ..) => break &shape.members,
                ("list", Some(inner), _) => (Step::Element, inner),
                ("map", _, Some(inner)) => (Step::Entry, inner),
                _ => return,
            };
            path.push(step);
            used = inner;
        };
        if path.iter().filter(|step| matches!(step, Step::Member(_))).count() >= DEPTH_MAX {
            return;
        }
        for (name, member) in members {
            let mut path = path.clone();
            path.push(Step::Member(member.wire_name(name)));
            let fate = self.service.fate_of(self.operation, &path);
            self.fate(fate, path, format!("{label}.{name}"), member);
        }
    }

    fn ignored(&mut self, label: &str) {
        let at = format!("{}.{}", self.service.api().id, self.operation);
        self.wrong.push(format!("{at}: {label} is accepted and ignored"));
    }
}
