//! Makes the resources of a stack be what a template says.
//!
//! Resources are made and changed in the order of their needs; a failure undoes what this deploy
//! did and leaves the stack as it was. What is replaced or no longer in the template is deleted
//! at the end, when nothing needs it any more.

use std::collections::BTreeMap;

use base::{AccountId, Region};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use store::Store;

use crate::assets::{Asset, Assets};
use crate::calls::Calls;
use crate::diagnostic::{Diagnostic, Place};
use crate::endpoints::{self, Endpoint};
use crate::error::{Error, failed};
use crate::graph;
use crate::intrinsics::Scope;
use crate::pin::pin;
use crate::plan::{self, Action};
use crate::report::Report;
use crate::state::{Entry, State};
use crate::template::{Resource, Template};
use crate::types::{self, Made, Properties, Type, Work};
use crate::yaml::{Node, Value};

/// The machine deployed to.
///
/// Deploys of one stack must not overlap; whoever takes them in sees to that.
#[derive(Clone, Copy)]
pub struct Machine<'a> {
    pub calls: &'a dyn Calls,
    pub store: &'a Store,
    pub account: &'a AccountId,
    pub region: &'a Region,
    /// Where it is reached, `http://localhost:4566`: what the URLs that its services give out
    /// begin with.
    pub endpoint: &'a str,
}

/// What a deploy came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// In the order of the template.
    pub outputs: Vec<(String, String)>,
    pub endpoints: Vec<Endpoint>,
    pub report: Report,
    pub changes: Vec<Change>,
    /// Resources that are no longer needed and could not be deleted; the next deploy tries again.
    pub leftovers: Vec<String>,
}

/// One resource that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub id: String,
    pub kind: String,
    pub what: Changed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Changed {
    Created,
    Updated,
    Replaced,
    Deleted,
}

/// Brings a stack to what the template says.
pub async fn apply(
    machine: Machine<'_>,
    stack: &str,
    template: &Template,
    assets: &Assets,
) -> Result<Applied, Error> {
    let report = check(template, machine.account)?;
    let mut run = Run::open(machine, stack, template, assets).await?;
    for resource in run.active()? {
        if let Err(error) = run.step(resource).await {
            return Err(run.undo(error).await);
        }
    }
    let outputs = match run.outputs() {
        Ok(outputs) => outputs,
        Err(error) => return Err(run.undo(error.into()).await),
    };
    run.clean().await?;
    let endpoints = endpoints::of(template, &run.scope.made, &run.wanted, machine.endpoint);
    Ok(Applied { outputs, endpoints, report, changes: run.changes, leftovers: run.leftovers })
}

/// Deletes all resources of a stack, those first that need others.
pub async fn remove(machine: Machine<'_>, stack: &str) -> Result<Applied, Error> {
    let (template, assets) = (Template::default(), Assets::default());
    let mut run = Run::open(machine, stack, &template, &assets).await?;
    run.clean().await?;
    Ok(Applied { changes: run.changes, leftovers: run.leftovers, ..Applied::default() })
}

/// Everything about a template that can be known before anything is made.
pub(crate) fn check(template: &Template, account: &AccountId) -> Result<Report, Diagnostic> {
    let mut report = Report::default();
    for resource in &template.resources {
        types::check(types::of(resource)?, resource, &mut report)?;
        types::check_layers(resource, account, &mut report);
    }
    graph::check(template)?;
    Ok(report)
}

/// What was done, for undoing it.
enum Done {
    Created(String),
    Updated { id: String, old: Entry, new: Properties, code: Option<Asset> },
    Replaced { id: String, old: Entry },
}

struct Run<'a> {
    machine: Machine<'a>,
    stack: &'a str,
    assets: &'a Assets,
    state: State<'a>,
    /// What the stack has now.
    known: BTreeMap<String, Entry>,
    scope: Scope<'a>,
    /// The resolved properties of the resources that are in force.
    wanted: BTreeMap<String, Properties>,
    position: u64,
    done: Vec<Done>,
    changes: Vec<Change>,
    leftovers: Vec<String>,
}

impl<'a> Run<'a> {
    async fn open(
        machine: Machine<'a>,
        stack: &'a str,
        template: &'a Template,
        assets: &'a Assets,
    ) -> Result<Run<'a>, Error> {
        let Machine { store, account, region, endpoint, .. } = machine;
        let state = State { store, account, region, stack, endpoint };
        let known = state.resources().await?;
        let position = known.values().map(|entry| entry.position).max().unwrap_or_default();
        let parameters = parameters(machine, stack, template)?;
        Ok(Run {
            machine,
            stack,
            assets,
            state,
            known,
            scope: Scope { template, parameters, made: BTreeMap::new() },
            wanted: BTreeMap::new(),
            position,
            done: Vec::new(),
            changes: Vec::new(),
            leftovers: Vec::new(),
        })
    }

    /// The resources whose conditions hold, in order.
    fn active(&self) -> Result<Vec<&'a Resource>, Diagnostic> {
        let mut inactive = Vec::new();
        for resource in &self.scope.template.resources {
            if let Some(condition) = &resource.condition
                && !self.scope.condition(condition, &resource.at)?
            {
                inactive.push(resource.id.as_str());
            }
        }
        graph::order(self.scope.template, |resource| !inactive.contains(&resource.id.as_str()))
    }

    async fn step(&mut self, resource: &Resource) -> Result<(), Error> {
        let kind = types::of(resource)?;
        let map = self.scope.map(&resource.properties)?;
        let mut properties = types::typed(kind, &resource.id, &map)?;
        pin(resource, self.assets, &self.wanted, &mut properties)?;
        let known = self.known.get(&resource.id).cloned();
        let action = plan::decide(kind, known.as_ref(), &properties).map_err(|taken| {
            let message = format!(
                "a change of {} needs a new {}, but its {} stays the same",
                taken.changed, resource.kind, taken.name
            );
            Diagnostic::new(&resource.at, message)
                .help(format!("change {} too, or remove {} first", taken.name, resource.id))
        })?;
        let made = match (action, known) {
            (Action::Keep, Some(known)) => known.made,
            (Action::Update, Some(known)) => {
                self.update(resource, kind, known, &properties).await?
            }
            (_, known) => self.make(resource, kind, known, &properties, action).await?,
        };
        self.scope.made.insert(resource.id.clone(), made);
        self.wanted.insert(resource.id.clone(), properties);
        Ok(())
    }

    async fn make(
        &mut self,
        resource: &Resource,
        kind: &'static Type,
        known: Option<Entry>,
        properties: &Properties,
        action: Action,
    ) -> Result<Made, Error> {
        let replaced = known.filter(|_| action == Action::Replace);
        let half_made = self.known.contains_key(&resource.id) && replaced.is_none();
        self.position += 1;
        let mut entry = Entry {
            kind: resource.kind.clone(),
            made: Made::default(),
            properties: properties.clone(),
            ready: false,
            position: self.position,
            generation: replaced.as_ref().map_or(0, |old| old.generation + 1),
            retain: resource.retain,
        };
        match &replaced {
            Some(old) => self.state.replace(&resource.id, old, &entry).await?,
            None => self.state.put(&resource.id, &entry).await?,
        }
        let what = if replaced.is_some() { Changed::Replaced } else { Changed::Created };
        let id = resource.id.clone();
        // Noted as done before it is: undoing must look after whatever a failure left behind.
        self.known.insert(id.clone(), entry.clone());
        self.done.push(match replaced {
            Some(old) => Done::Replaced { id: id.clone(), old },
            None => Done::Created(id.clone()),
        });
        let name = fresh_name(self.stack, &id, entry.generation);
        let work = self.work(&name, half_made);
        let made = (kind.create)(&work, properties)
            .await
            .map_err(|cause| failed(resource, "created", cause))?;
        entry.made = made.clone();
        entry.ready = true;
        self.state.put(&id, &entry).await?;
        self.known.insert(id, entry);
        self.note(resource, what);
        Ok(made)
    }

    async fn update(
        &mut self,
        resource: &Resource,
        kind: &'static Type,
        old: Entry,
        properties: &Properties,
    ) -> Result<Made, Error> {
        self.position += 1;
        let id = resource.id.clone();
        let new = properties.clone();
        let code = self.code_before(&old, properties).await;
        self.done.push(Done::Updated { id: id.clone(), old: old.clone(), new, code });
        let name = fresh_name(self.stack, &id, old.generation);
        let change = types::Change { old: &old.properties, new: properties };
        let made = (kind.update)(&self.work(&name, false), &old.made, change)
            .await
            .map_err(|cause| failed(resource, "updated", cause))?;
        let entry = Entry {
            made: made.clone(),
            properties: properties.clone(),
            position: self.position,
            retain: resource.retain,
            ..old
        };
        self.state.put(&id, &entry).await?;
        self.known.insert(id, entry);
        self.note(resource, Changed::Updated);
        Ok(made)
    }

    /// The package that an update is about to overwrite.
    async fn code_before(&self, old: &Entry, new: &Properties) -> Option<Asset> {
        if old.properties.get("Code") == new.get("Code") {
            return None;
        }
        let arn = old.made.attributes.get("Arn")?.parse().ok()?;
        // Without it the deploy goes on; if it fails, its error says that the new code stays.
        let zip = self.machine.calls.package(&arn).await.ok()?;
        Some(Asset::new(zip.into()))
    }

    fn work<'w>(&'w self, fresh_name: &'w str, adopt: bool) -> Work<'w> {
        Work {
            calls: self.machine.calls,
            account: self.machine.account,
            region: self.machine.region,
            assets: self.assets,
            fresh_name,
            adopt,
        }
    }

    fn note(&mut self, resource: &Resource, what: Changed) {
        let (id, kind) = (resource.id.clone(), resource.kind.clone());
        self.changes.push(Change { id, kind, what });
    }

    fn outputs(&self) -> Result<Vec<(String, String)>, Diagnostic> {
        let mut outputs = Vec::new();
        for output in &self.scope.template.outputs {
            let at = &output.value.at;
            if let Some(condition) = &output.condition
                && !self.scope.condition(condition, at)?
            {
                continue;
            }
            let Some(value) = self.scope.value(&output.value)? else { continue };
            let text = value.scalar_text();
            let text = text.ok_or_else(|| value.unexpected(&output.name, "a string"))?;
            outputs.push((output.name.clone(), text));
        }
        Ok(outputs)
    }

    /// Deletes what was replaced and what the template no longer has, the newest first.
    async fn clean(&mut self) -> Result<(), Error> {
        let mut ends: Vec<(String, Entry, bool)> = self
            .known
            .iter()
            .filter(|(id, _)| !self.scope.made.contains_key(*id))
            .map(|(id, entry)| (id.clone(), entry.clone(), false))
            .collect();
        let leftovers = self.state.leftovers().await?;
        ends.extend(leftovers.into_iter().map(|(id, entry)| (id, entry, true)));
        ends.sort_by_key(|(_, entry, _)| std::cmp::Reverse(entry.position));
        for (id, entry, replaced) in ends {
            if let Err(cause) = self.end(&id, &entry).await {
                self.leftovers.push(format!("{id} ({}): {cause}", entry.kind));
                continue;
            }
            if replaced {
                self.state.remove_leftover(&id, entry.generation).await?;
            } else {
                self.state.remove(&id).await?;
                self.changes.push(Change { id, kind: entry.kind, what: Changed::Deleted });
            }
        }
        Ok(())
    }

    async fn end(&self, id: &str, entry: &Entry) -> Result<(), kit::Error> {
        if entry.retain {
            return Ok(());
        }
        self.delete(id, entry).await
    }

    /// Deletes a resource, also one that is to be retained: what a failed deploy made has nothing
    /// in it yet, and would be in the way of the next one.
    async fn delete(&self, id: &str, entry: &Entry) -> Result<(), kit::Error> {
        let Some(kind) = types::find(&entry.kind) else { return Ok(()) };
        // Without a physical id there is nothing that could be named in a deletion.
        if entry.made.id.is_empty() {
            return Ok(());
        }
        let name = fresh_name(self.stack, id, entry.generation);
        (kind.delete)(&self.work(&name, true), &entry.made, &entry.properties).await
    }

    /// Undoes what was done, the newest first, and says so in the error.
    async fn undo(&mut self, error: Error) -> Error {
        let (mut undone, mut stuck) = (Vec::new(), Vec::new());
        for done in std::mem::take(&mut self.done).into_iter().rev() {
            let (id, result) = match done {
                Done::Created(id) => {
                    let result = self.undo_create(&id).await;
                    (id, result)
                }
                Done::Updated { id, old, new, code } => {
                    let result = self.undo_update(&id, old, &new, code).await;
                    (id, result)
                }
                Done::Replaced { id, old } => {
                    let result = self.undo_replace(&id, &old).await;
                    (id, result)
                }
            };
            match result {
                Ok(()) => undone.push(id),
                Err(cause) => stuck.push(format!("{id} could not be undone: {cause}")),
            }
        }
        error.undone(undone, stuck)
    }

    async fn undo_create(&self, id: &str) -> Result<(), kit::Error> {
        if let Some(entry) = self.known.get(id) {
            self.delete(id, entry).await?;
        }
        Ok(self.state.remove(id).await?)
    }

    async fn undo_update(
        &self,
        id: &str,
        mut old: Entry,
        new: &Properties,
        code: Option<Asset>,
    ) -> Result<(), kit::Error> {
        let lost = code.is_none() && old.properties.get("Code") != new.get("Code");
        // The record tells what is there, and the next deploy puts right what is to be put right:
        // the code may have been another than that of the deploy before.
        let mut assets = Assets::new();
        match (code, old.properties.get_mut("Code")) {
            (Some(asset), Some(Json::Object(code))) => {
                code.insert("Sha256".to_owned(), asset.sha256.clone().into());
                let name = code.get("Asset").and_then(Json::as_str).unwrap_or_default();
                assets.insert(name.to_owned(), asset);
            }
            (_, Some(code)) => code.clone_from(&new["Code"]),
            (_, None) => {}
        }
        if let Some(kind) = types::find(&old.kind) {
            let name = fresh_name(self.stack, id, old.generation);
            let change = types::Change { old: new, new: &old.properties };
            let work = Work { assets: &assets, ..self.work(&name, false) };
            (kind.update)(&work, &old.made, change).await?;
        }
        self.state.put(id, &old).await?;
        if lost {
            let message = "its old code was not to be had, so the new code stays";
            return Err(kit::Error::sender("ResourceNotFoundException", message));
        }
        Ok(())
    }

    async fn undo_replace(&self, id: &str, old: &Entry) -> Result<(), kit::Error> {
        if let Some(entry) = self.known.get(id) {
            self.delete(id, entry).await?;
        }
        Ok(self.state.restore(id, old).await?)
    }
}

/// `stack-LogicalId-1A2B3C4D5E6F`: the same each time, so that a deploy that was killed finds
/// what it made, and another after a replacement.
fn fresh_name(stack: &str, id: &str, generation: u64) -> String {
    let digest = Sha256::digest(format!("{stack}/{id}/{generation}"));
    let end: String = digest.iter().take(6).map(|byte| format!("{byte:02X}")).collect();
    format!("{stack}-{id}-{end}")
}

fn parameters(
    machine: Machine<'_>,
    stack: &str,
    template: &Template,
) -> Result<BTreeMap<String, Node>, Diagnostic> {
    let at = Place::file("the platform");
    let stack_id = format!(
        "arn:aws:cloudformation:{}:{}:stack/{stack}/{stack}",
        machine.region, machine.account
    );
    let pseudo = [
        ("AWS::AccountId", machine.account.to_string()),
        ("AWS::Partition", "aws".to_owned()),
        ("AWS::Region", machine.region.to_string()),
        ("AWS::StackId", stack_id),
        ("AWS::StackName", stack.to_owned()),
        ("AWS::URLSuffix", "amazonaws.com".to_owned()),
        ("Cumulet::Endpoint", machine.endpoint.to_owned()),
    ];
    let mut parameters: BTreeMap<String, Node> =
        pseudo.into_iter().map(|(name, value)| (name.to_owned(), at.string(value))).collect();
    parameters.insert("AWS::NotificationARNs".to_owned(), at.node(Value::List(Vec::new())));
    for pair in &template.parameters.0 {
        parameters.insert(pair.key.clone(), graph::parameter(&pair.key, &pair.node)?);
    }
    Ok(parameters)
}
