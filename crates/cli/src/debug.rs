//! Functions that are debugged while `dev` runs: which, and how a debugger gets there.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::bail;
use clap::Args;
use deploy::Project;
use serde_json::{Value, json};
use server::{Debugged, Door, Inside, Language};

use crate::show;

#[derive(Args)]
pub(crate) struct Debugging {
    /// Let a function be debugged, by its name in serverless.yml or its full name; the port is 9229
    /// for Node.js and 5678 for Python, and the next one for the next function
    #[arg(long, value_name = "NAME[=PORT]", value_parser = wanted)]
    debug: Vec<Wanted>,
}

#[derive(Clone)]
struct Wanted {
    name: String,
    port: Option<u16>,
}

fn wanted(text: &str) -> Result<Wanted, String> {
    let Some((name, port)) = text.split_once('=') else {
        return Ok(Wanted { name: text.to_owned(), port: None });
    };
    let port = port.parse().map_err(|_| format!("'{port}' is no port: 0 to 65535"))?;
    Ok(Wanted { name: name.to_owned(), port: Some(port) })
}

impl Debugging {
    /// The functions meant.
    pub(crate) fn of(&self, project: &Project) -> anyhow::Result<Vec<Debugged>> {
        let mut all: Vec<Debugged> = Vec::new();
        for Wanted { name, port } in &self.debug {
            let mut functions = project.functions.iter();
            let Some(found) = functions.find(|one| one.name == *name || one.full_name == *name)
            else {
                let names: Vec<&str> = project.functions.iter().map(|f| f.name.as_str()).collect();
                bail!(
                    "--debug: there is no function '{name}'\nhelp: there are {}",
                    names.join(", ")
                );
            };
            let (function, runtime) = (found.full_name.clone(), found.runtime.clone());
            if all.iter().any(|one| one.function == function) {
                bail!("--debug: '{name}' is named twice\nhelp: name it once");
            }
            all.push(Debugged { function, runtime, port: *port });
        }
        Ok(all)
    }
}

/// Their names in the template.
pub(crate) fn names(debugged: &[Debugged], project: &Project) -> BTreeSet<String> {
    let meant = |function: &&deploy::Function| {
        debugged.iter().any(|one| one.function == function.full_name)
    };
    project.functions.iter().filter(meant).map(|function| function.name.clone()).collect()
}

/// A function as a debugger sees it.
pub(crate) struct Shown {
    name: String,
    door: Door,
    /// Where its sources are.
    sources: String,
    /// How the settings of an editor were last.
    said: Value,
}

impl Shown {
    /// Those that are debugged.
    pub(crate) fn all(doors: &[Door], project: &Project) -> Vec<Shown> {
        let shown = |door: &Door| {
            let mut functions = project.functions.iter();
            let function = functions.find(|function| function.full_name == door.function)?;
            let sources = sources(&project.dir, function.module.as_deref());
            let said = Value::Null;
            Some(Shown { name: function.name.clone(), door: door.clone(), sources, said })
        };
        doors.iter().filter_map(shown).collect()
    }

    /// Says how to get there, if there is an environment.
    pub(crate) fn say_now(&mut self) {
        if let Some(inside) = self.door.now() {
            show::line(self.text(&inside));
        }
    }

    /// Says it again whenever another environment is up.
    pub(crate) async fn run(mut self) {
        while let Some(inside) = self.door.opened().await {
            show::line(self.text(&inside));
        }
    }

    fn text(&mut self, inside: &Inside) -> String {
        let (name, address) = (&self.name, self.door.address);
        let title = show::paint(show::bold(), &format!("{name} can be debugged at {address}"));
        let mut lines = vec![title];
        match self.door.language {
            Language::Inspector => {
                lines.push(format!("  node inspect {address}, chrome://inspect, or in Chrome:"));
                lines.push(format!(
                    "  devtools://devtools/bundled/js_app.html?v8only=true&ws={address}{}",
                    inside.path
                ));
            }
            Language::Adapter => lines.push("  by the Debug Adapter Protocol".to_owned()),
        }
        let settings = self.settings(inside);
        if settings != self.said {
            lines.push("  VS Code, in \"configurations\" of .vscode/launch.json:".to_owned());
            let text = serde_json::to_string_pretty(&settings).unwrap_or_default();
            lines.extend(text.lines().map(|line| format!("    {line}")));
            self.said = settings;
        }
        lines.join("\n")
    }

    fn settings(&self, inside: &Inside) -> Value {
        let name = format!("cumulet: {}", self.name);
        let (host, port) = (self.door.address.ip().to_string(), self.door.address.port());
        let (local, remote) = (&self.sources, inside.code.to_string_lossy());
        match self.door.language {
            Language::Inspector => json!({
                "name": name,
                "type": "node",
                "request": "attach",
                "address": host,
                "port": port,
                "restart": true,
                "localRoot": local,
                "remoteRoot": remote,
                "skipFiles": ["<node_internals>/**"],
            }),
            Language::Adapter => json!({
                "name": name,
                "type": "debugpy",
                "request": "attach",
                "connect": { "host": host, "port": port },
                "pathMappings": [{ "localRoot": local, "remoteRoot": remote }],
            }),
        }
    }
}

/// The folder of a function's sources. Whoever works in the folder of the project has opened that
/// one in the editor, and settings without a path of this machine can be shared.
fn sources(project: &Path, module: Option<&str>) -> String {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let root = match real(project) == real(Path::new(".")) {
        true => "${workspaceFolder}".to_owned(),
        false => real(project).display().to_string(),
    };
    module.map_or_else(|| root.clone(), |module| format!("{root}/{}", module.trim_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_what_stands_behind_the_name() {
        let port = |text| wanted(text).map(|Wanted { name, port }| (name, port));
        assert_eq!(port("pay"), Ok(("pay".to_owned(), None)));
        assert_eq!(port("pay=0"), Ok(("pay".to_owned(), Some(0))));
        assert_eq!(port("pay=x"), Err("'x' is no port: 0 to 65535".to_owned()));
        assert!(port("pay=70000").is_err());
    }

    #[test]
    fn sources_are_where_the_module_is() {
        assert_eq!(sources(Path::new("."), None), "${workspaceFolder}");
        assert_eq!(sources(Path::new("."), Some("api/")), "${workspaceFolder}/api");
        assert_eq!(sources(Path::new("/nowhere"), Some("api")), "/nowhere/api");
    }
}
