//! One service against its model.

use std::collections::BTreeMap;

use kit::Service;
use kit::members::{Fate, Step};

use crate::coverage::model::{Model, Operation, Reference};

/// How deep members are followed; none of ours is deeper, and some of AWS's have no end.
const DEPTH_MAX: usize = 4;
/// Stands for every name that no member has.
const ANY_NAME: Step = Step::Member("\u{1}");

/// A service and its model.
pub(crate) struct Compared {
    pub(crate) id: &'static str,
    /// In order.
    pub(crate) served: Vec<Served>,
    /// Names of the operations we do not serve, in order.
    pub(crate) unserved: Vec<String>,
    /// For REST: where those are found on AWS, a line each, by which the service refuses them.
    pub(crate) routes: Option<String>,
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
            wrong.extend(rest(service, operation, about, model));
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
    let unserved: Vec<String> =
        model.operations.keys().filter(|name| !is_served(name)).cloned().collect();
    let routes = (model.metadata.protocol == "rest-json").then(|| routes(&unserved, model));
    Compared { id, served, unserved, routes, wrong }
}

/// Methods and paths with the names of their operations, literal segments before labels. Where two
/// differ only in a constant query, the one without it stands for both.
fn routes(names: &[String], model: &Model) -> String {
    let mut found = BTreeMap::new();
    for name in names {
        let http = &model.operations[name].http;
        let (path, query) = http.request_uri.split_once('?').unwrap_or((&http.request_uri, ""));
        let one = found.entry((path, &http.method)).or_insert((query, name));
        *one = (*one).min((query, name));
    }
    let line = |((path, method), (_, name)): (&(&str, &String), &(&str, &String))| {
        format!("{method} {path} {name}\n")
    };
    found.iter().map(line).collect()
}

/// How a REST operation is found, and the status of its success.
fn rest(service: &Service, operation: &str, about: &Operation, model: &Model) -> Option<String> {
    let at = format!("{}.{operation}", service.api().id);
    let Some((method, path, status)) = service.rest_of(operation) else {
        return Some(format!("{at}: has no method and path"));
    };
    // Where the status is a member of the answer, the one of the model is an example.
    let varies =
        about.output.as_ref().and_then(|output| model.shape(output)).is_some_and(|shape| {
            shape.members.values().any(|member| member.location.as_deref() == Some("statusCode"))
        });
    let expected = if varies { status.as_u16() } else { about.http.response_code };
    let ours = format!("{method} {path} {}", status.as_u16());
    // What the model writes as a constant query distinguishes operations only for itself.
    let path = about.http.request_uri.split('?').next().unwrap_or_default();
    let path = if path == "/" { path } else { path.trim_end_matches('/') };
    let theirs = format!("{} {path} {expected}", about.http.method);
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
            if shape.payload.as_ref() == Some(name) {
                self.payload(name);
                continue;
            }
            let path = vec![Step::Member(member.wire_name(name))];
            let is_map = || self.model.shape(member).is_some_and(|shape| shape.kind == "map");
            let fate = match member.location.as_deref() {
                // An input is decoded from the body, the path and the query string.
                Some("header" | "headers") => Some(Fate::Ignored),
                // Its keys are variables of the query string, by names of their own.
                Some("querystring") if is_map() => self.fate_of(&[ANY_NAME]),
                _ => self.fate_of(&path),
            };
            match fate {
                // What takes all gives no meaning to what stands beside the body.
                Some(Fate::Taken) => self.ignored(name),
                fate => self.fate(fate, path, name.clone(), member),
            }
        }
    }

    /// The body as it stands, which has no name of its own: the input must look at all names.
    fn payload(&mut self, name: &str) {
        match self.fate_of(&[ANY_NAME]) {
            Some(Fate::Ignored) | None => self.ignored(name),
            Some(_) => self.found.read.push(name.to_owned()),
        }
    }

    fn fate_of(&self, path: &[Step]) -> Option<Fate> {
        self.service.fate_of(self.operation, path)
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
            let fate = self.fate_of(&path);
            self.fate(fate, path, format!("{label}.{name}"), member);
        }
    }

    fn ignored(&mut self, label: &str) {
        let at = format!("{}.{}", self.service.api().id, self.operation);
        self.wrong.push(format!("{at}: {label} is accepted and ignored"));
    }
}

#[cfg(test)]
mod tests {
    use http::Method;
    use kit::unserved::Unserved;
    use kit::{Api, Ctx};
    use serde::Deserialize;
    use serde_json::{Value, json};
    use wire::{Names, Protocol};

    use super::*;

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    #[expect(dead_code, reason = "only decoded")]
    struct Cup {
        size: String,
        milk: Option<Milk>,
        straw: Unserved,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    #[expect(dead_code, reason = "only decoded")]
    struct Milk {
        fat: Option<f64>,
        foam: Unserved,
    }

    fn cafe() -> Service {
        async fn fill(_: &Ctx, _: Cup) -> Result<(), Error> {
            Ok(())
        }
        async fn raw(_: &Ctx, _: wire::Input) -> Result<wire::Reply, Error> {
            Err(Error)
        }
        let api = Api {
            id: "cafe",
            protocols: &[Protocol::RestJson],
            target_prefix: "",
            version: "",
            names: &Names::PLAIN,
        };
        Service::new(api, ())
            .op("Fill", fill, |_, _| Vec::new())
            .rest("Fill", Method::PUT, "/cups/{Size}", 201)
            .raw_op("Pour", raw, |_, _| Vec::new())
            .rest("Pour", Method::POST, "/pour", 200)
    }

    struct Error;

    impl From<Error> for kit::Error {
        fn from(_: Error) -> kit::Error {
            kit::Error::not_served("coffee")
        }
    }

    fn model() -> Value {
        json!({
            "metadata": { "protocol": "rest-json" },
            "operations": {
                "Fill": {
                    "http": { "method": "PUT", "requestUri": "/cups/{Size}", "responseCode": 201 },
                    "input": { "shape": "Cup" },
                },
                "Pour": { "http": { "method": "POST", "requestUri": "/pour/?how=slowly" } },
                "Rinse": { "http": { "method": "POST", "requestUri": "/wash?soap=no" } },
                "Wash": { "http": { "method": "POST", "requestUri": "/wash" } },
            },
            "shapes": {
                "Cup": { "type": "structure", "members": {
                    "Size": { "shape": "Text", "location": "uri" },
                    "Milk": { "shape": "Milk" },
                    "Straw": { "shape": "Text" },
                }},
                "Milk": { "type": "structure", "members": {
                    "Fat": { "shape": "Text" },
                    "Foam": { "shape": "Text" },
                }},
                "Text": { "type": "string" },
            },
        })
    }

    fn check(model: Value, wrong: &[&str]) -> Compared {
        let compared = service(&cafe(), &serde_json::from_value(model).unwrap());
        assert_eq!(compared.wrong, wrong);
        compared
    }

    #[test]
    fn what_agrees_is_told_as_it_is() {
        let found = check(model(), &[]);
        assert_eq!(found.unserved, ["Rinse", "Wash"]);
        assert_eq!(found.routes.as_deref(), Some("POST /wash Wash\n"));
        let names: Vec<&str> = found.served.iter().map(|served| served.operation).collect();
        assert_eq!(names, ["Fill", "Pour"]);
        let members = found.served[0].members.as_ref().unwrap();
        assert_eq!(members.read, ["Milk", "Size"]);
        assert_eq!(members.refused, ["Milk.Foam", "Straw"]);
        assert!(found.served[1].members.is_none());
    }

    #[test]
    fn a_planted_disagreement_is_found() {
        let planted = |pointer: &str, value: Value, wrong: &[&str]| {
            let mut model = model();
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            model.pointer_mut(parent).unwrap()[name] = value;
            check(model, wrong);
        };
        let text = || json!({ "shape": "Text" });
        let sugar = "cafe.Fill: Sugar is accepted and ignored";
        planted("/shapes/Cup/members/Sugar", text(), &[sugar]);
        let warm = "cafe.Fill: Milk.Warm is accepted and ignored";
        planted("/shapes/Milk/members/Warm", text(), &[warm]);
        let size = json!({ "shape": "Text", "location": "header" });
        let header = "cafe.Fill: Size is accepted and ignored";
        planted("/shapes/Cup/members/Size", size, &[header]);
        let method = "cafe.Fill: is `PUT /cups/{Size} 201`, in the model `POST /cups/{Size} 201`";
        planted("/operations/Fill/http/method", json!("POST"), &[method]);
        let status = "cafe.Fill: is `PUT /cups/{Size} 201`, in the model `PUT /cups/{Size} 202`";
        planted("/operations/Fill/http/responseCode", json!(202), &[status]);
        let path = "cafe.Pour: is `POST /pour 200`, in the model `POST /spill 200`";
        planted("/operations/Pour/http/requestUri", json!("/spill"), &[path]);
        let mut without = model();
        without["operations"].as_object_mut().unwrap().remove("Pour");
        check(without, &["cafe.Pour: the model has no such operation"]);
    }
}
