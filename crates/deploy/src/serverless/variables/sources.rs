//! Where the values of variables come from.

use std::rc::Rc;

use super::{Found, Resolver, Variable};
use crate::diagnostic::{Diagnostic, Place};
use crate::yaml::{self, Node};

/// `${kind(params):address}`
pub(super) struct Question<'q> {
    pub(super) kind: &'q str,
    pub(super) params: &'q str,
    pub(super) address: &'q str,
    pub(super) at: &'q Place,
}

/// Why there is no value, and what would give one.
pub(super) struct Absent {
    why: String,
    help: String,
}

impl Absent {
    pub(super) fn diagnostic(self, variable: &Variable, at: &Place) -> Diagnostic {
        Diagnostic::new(at, format!("{} has no value: {}", variable.text, self.why)).help(self.help)
    }
}

type Answer = Result<Found, Absent>;

fn absent(why: impl Into<String>, help: impl Into<String>) -> Answer {
    Err(Absent { why: why.into(), help: help.into() })
}

impl Resolver<'_> {
    pub(super) fn ask(
        &mut self,
        question: &Question<'_>,
        has_fallback: bool,
    ) -> Result<Answer, Diagnostic> {
        let &Question { kind, params, address, at } = question;
        let text = |value: &str| Ok(Ok(Found::Resolved(at.string(value))));
        match (kind, address) {
            ("self", _) => self.own(address, at),
            ("opt", "stage") => Ok(self.given(self.options.stage.as_deref(), "--stage", at)),
            ("opt", "region") => Ok(self.given(self.options.region.as_deref(), "--region", at)),
            ("opt", name) => {
                Ok(absent(format!("there is no option --{name}"), "give it a fallback: , 'value'"))
            }
            ("env", name) => Ok(match self.options.env.get(name) {
                Some(value) => Ok(Found::Resolved(at.string(value))),
                None => absent(
                    format!("the environment has no {name}"),
                    format!("set {name}, or give the variable a fallback: ${{env:{name}, ''}}"),
                ),
            }),
            ("param", name) => self.param(name, at),
            ("sls", "stage") => self.stage().and_then(|stage| text(&stage)),
            ("sls", "instanceId") => text(&self.options.instance),
            ("aws", "region") => self.region().and_then(|region| text(&region)),
            ("aws", "accountId") => text(&self.options.account.to_string()),
            ("file", _) => self.file(params, address, at),
            ("strToBool", _) => str_to_bool(params, at).map(Ok),
            _ => self.unknown(question, has_fallback),
        }
    }

    fn given(&self, value: Option<&str>, flag: &str, at: &Place) -> Answer {
        match value {
            Some(value) => Ok(Found::Resolved(at.string(value))),
            None => absent(
                format!("{flag} was not given"),
                format!("run with {flag}, or give the variable a fallback: , 'value'"),
            ),
        }
    }

    /// `${self:a.b}`
    fn own(&mut self, address: &str, at: &Place) -> Result<Answer, Diagnostic> {
        let path: Vec<&str> = address.split('.').filter(|step| !step.is_empty()).collect();
        let root = Rc::clone(&self.root);
        if let Some(found) = self.walk(&root, &path)? {
            return Ok(Ok(found));
        }
        // The framework fills these two in when they are not written.
        match address {
            "provider.stage" => Ok(Ok(Found::Resolved(at.string(self.stage()?)))),
            "provider.region" => Ok(Ok(Found::Resolved(at.string(self.region()?)))),
            _ => Ok(absent(
                format!("there is no '{address}' in {}", root.at.file),
                format!("add {address}, or give the variable a fallback: , 'value'"),
            )),
        }
    }

    /// The stage in force: the option, else what the file says, else `dev`.
    pub(super) fn stage(&mut self) -> Result<String, Diagnostic> {
        let given = self.options.stage.clone();
        self.in_force(given, &["provider", "stage"], "dev")
    }

    fn region(&mut self) -> Result<String, Diagnostic> {
        let given = self.options.region.clone();
        self.in_force(given, &["provider", "region"], "us-east-1")
    }

    fn in_force(
        &mut self,
        given: Option<String>,
        path: &[&str],
        otherwise: &str,
    ) -> Result<String, Diagnostic> {
        if let Some(value) = given {
            return Ok(value);
        }
        let root = Rc::clone(&self.root);
        let Some(found) = self.walk(&root, path)? else { return Ok(otherwise.to_owned()) };
        let node = self.settle(found)?;
        Ok(node.expect_str(&path.join("."))?.to_owned())
    }

    /// `${param:x}`: the command line, else `params` of this stage, else `params.default`.
    fn param(&mut self, name: &str, at: &Place) -> Result<Answer, Diagnostic> {
        if let Some(value) = self.options.params.get(name) {
            return Ok(Ok(Found::Resolved(at.string(value))));
        }
        let root = Rc::clone(&self.root);
        let stage = self.stage()?;
        // Version 4 of the framework moved `params` under `stages`.
        for path in [
            ["params", &stage, name].as_slice(),
            &["params", "default", name],
            &["stages", &stage, "params", name],
            &["stages", "default", "params", name],
        ] {
            if let Some(found) = self.walk(&root, path)? {
                return Ok(Ok(found));
            }
        }
        Ok(absent(
            format!("there is no parameter {name}"),
            format!("run with --param {name}=value, or add it under params.default"),
        ))
    }

    /// `${file(path):a.b}`
    fn file(&mut self, path: &str, address: &str, at: &Place) -> Result<Answer, Diagnostic> {
        let Some(node) = self.load(path, at)? else {
            return Ok(absent(
                format!("the file {path} does not exist"),
                format!("create it in {}, or give the variable a fallback", self.dir.display()),
            ));
        };
        let steps: Vec<&str> = address.split('.').filter(|step| !step.is_empty()).collect();
        Ok(match self.walk(&node, &steps)? {
            Some(found) => Ok(found),
            None => absent(format!("{path} has no '{address}'"), format!("add it to {path}")),
        })
    }

    fn load(&mut self, name: &str, at: &Place) -> Result<Option<Rc<Node>>, Diagnostic> {
        let path = self.dir.join(name);
        if let Some(node) = self.files.get(&path) {
            return Ok(Some(Rc::clone(node)));
        }
        let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        if matches!(extension.as_str(), "js" | "cjs" | "mjs" | "ts") {
            let message = format!("{name} is a program, and reading a template runs none");
            return Err(
                Diagnostic::new(at, message).help("write its result to a .yml or .json file")
            );
        }
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Diagnostic::new(at, format!("{name} cannot be read: {error}")));
            }
        };
        let node = Rc::new(parse(name, &extension, text, at)?);
        self.files.insert(path, Rc::clone(&node));
        Ok(Some(node))
    }

    fn unknown(
        &mut self,
        question: &Question<'_>,
        has_fallback: bool,
    ) -> Result<Answer, Diagnostic> {
        let &Question { kind, address, at, .. } = question;
        let known_elsewhere = ["ssm", "s3", "cf", "git", "vault", "terraform", "doppler", "output"];
        if has_fallback && known_elsewhere.contains(&kind) {
            let what = format!("${{{kind}:{address}}}");
            self.report.note(at, &what, "is not looked up here; its fallback is used");
            return Ok(absent("it is not looked up here", ""));
        }
        let message = match address {
            "" => format!("the variable source '{kind}' is not known"),
            _ => format!("the variable source '{kind}' of ${{{kind}:{address}}} is not known"),
        };
        Err(Diagnostic::new(at, message)
            .help("use self, opt, env, file, param, sls, aws or strToBool, or give it a fallback"))
    }
}

/// A file's content: a tree where its name says so, else its text.
fn parse(name: &str, extension: &str, text: String, at: &Place) -> Result<Node, Diagnostic> {
    match extension {
        "yml" | "yaml" => yaml::parse(name.trim_start_matches("./"), &text),
        // JSON has its own reader: its tabs and long lines are no mistakes.
        "json" | "tfstate" => match serde_json::from_str(&text) {
            Ok(json) => Ok(Place::file(name).json(json)),
            Err(error) => Err(Diagnostic::new(at, format!("{name} is not JSON: {error}"))),
        },
        _ if text.len() > yaml::TEXT_BYTES_MAX => {
            let message = format!("{name} has more than {} bytes", yaml::TEXT_BYTES_MAX);
            Err(Diagnostic::new(at, message))
        }
        _ => Ok(Place::file(name).string(text)),
    }
}

fn str_to_bool(text: &str, at: &Place) -> Result<Found, Diagnostic> {
    let value = match text.trim().trim_matches(['\'', '"']).to_ascii_lowercase().as_str() {
        "true" | "1" => true,
        "false" | "0" | "null" | "undefined" => false,
        other => {
            return Err(Diagnostic::new(
                at,
                format!("strToBool cannot make a boolean of '{other}'"),
            )
            .help("give it true, false, 1 or 0"));
        }
    };
    Ok(Found::Resolved(at.node(yaml::Value::Bool(value))))
}
