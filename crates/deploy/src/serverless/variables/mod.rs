//! `${self:…}`, `${opt:…}`, `${env:…}`, `${file(…)}` and their like, replaced by their values.
//!
//! Values are looked up in the raw tree and resolved on the way, so that `custom` may come from a
//! file that itself refers to `${self:custom.stage}`. A string that is needed in the same way
//! while it is under way is a cycle.

mod sources;
mod syntax;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use syntax::{Part, Source, Variable};

use crate::Options;
use crate::diagnostic::{Diagnostic, Place};
use crate::report::Report;
use crate::yaml::{Map, Node, Pair, Value};

/// Strings resolved for one project; a bomb of references stops here.
const RESOLUTIONS_MAX: usize = 200_000;
/// The longest string that interpolation may make.
const STRING_BYTES_MAX: usize = 1 << 20;
/// How deep a value may refer to values that refer to values.
const DEPTH_MAX: usize = 64;

/// Resolves all variables of the service's configuration.
pub(crate) fn resolve(
    root: &Node,
    dir: &Path,
    options: &Options,
    report: &mut Report,
) -> Result<Node, Diagnostic> {
    let mut resolver = Resolver {
        root: Rc::new(root.clone()),
        dir,
        options,
        report,
        files: HashMap::new(),
        under_way: Vec::new(),
        resolutions: 0,
    };
    resolver.tree(root)
}

struct Resolver<'a> {
    root: Rc<Node>,
    dir: &'a Path,
    options: &'a Options,
    report: &'a mut Report,
    files: HashMap<PathBuf, Rc<Node>>,
    /// The strings being resolved, the outermost first.
    under_way: Vec<(Purpose, Place, String)>,
    resolutions: usize,
}

/// Why a string is resolved.
#[derive(Clone, Copy, PartialEq)]
enum Purpose {
    /// For its whole value.
    Value,
    /// To go on to something inside its value, which may well lead back to the string itself.
    Way,
}

/// What a source gave.
enum Found {
    /// Still with variables inside.
    Raw(Node),
    Resolved(Node),
}

impl Resolver<'_> {
    /// The same tree without variables.
    fn tree(&mut self, node: &Node) -> Result<Node, Diagnostic> {
        let value = match &node.value {
            Value::String(text) if text.contains("${") => return self.string(node, text),
            Value::List(list) => {
                Value::List(list.iter().map(|item| self.tree(item)).collect::<Result<_, _>>()?)
            }
            Value::Map(map) => {
                let pairs = map.0.iter().map(|pair| {
                    let node = self.tree(&pair.node)?;
                    Ok(Pair { key: pair.key.clone(), at: pair.at.clone(), node })
                });
                Value::Map(Map(pairs.collect::<Result<_, Diagnostic>>()?))
            }
            scalar => scalar.clone(),
        };
        Ok(node.at.node(value))
    }

    fn string(&mut self, node: &Node, text: &str) -> Result<Node, Diagnostic> {
        self.guarded(Purpose::Value, &node.at, text, |resolver| {
            let parts = parse(&node.at, text)?;
            if let [Part::Variable(variable)] = parts.as_slice() {
                let found = resolver.variable(variable, &node.at)?;
                // The value keeps its own place, so that a mistake in it is shown where it is.
                return resolver.settle(found);
            }
            let text = resolver.concatenated(&parts, &node.at)?;
            Ok(node.at.string(text))
        })
    }

    /// Runs `work` with the string noted as being resolved.
    fn guarded<T>(
        &mut self,
        purpose: Purpose,
        at: &Place,
        text: &str,
        work: impl FnOnce(&mut Self) -> Result<T, Diagnostic>,
    ) -> Result<T, Diagnostic> {
        self.resolutions += 1;
        if self.resolutions > RESOLUTIONS_MAX || self.under_way.len() >= DEPTH_MAX {
            return Err(Diagnostic::new(at, "the variables refer to each other too often")
                .help("resolve some of them by hand"));
        }
        let here = (purpose, at.clone(), text.to_owned());
        if let Some(start) = self.under_way.iter().position(|entry| *entry == here) {
            let steps: Vec<String> = self.under_way[start..]
                .iter()
                .chain([&here])
                .map(|(_, at, text)| format!("{text} (line {})", at.line))
                .collect();
            let message =
                format!("variables refer to each other in a circle: {}", steps.join(" → "));
            return Err(Diagnostic::new(at, message).help("give one of them a value of its own"));
        }
        self.under_way.push(here);
        let result = work(self);
        self.under_way.pop();
        result
    }

    fn settle(&mut self, found: Found) -> Result<Node, Diagnostic> {
        match found {
            Found::Raw(node) => self.tree(&node),
            Found::Resolved(node) => Ok(node),
        }
    }

    fn concatenated(&mut self, parts: &[Part], at: &Place) -> Result<String, Diagnostic> {
        let mut whole = String::new();
        for part in parts {
            match part {
                Part::Text(text) => whole.push_str(text),
                Part::Variable(variable) => {
                    let found = self.variable(variable, at)?;
                    let node = self.settle(found)?;
                    let Some(text) = node.scalar_text() else {
                        let message = format!(
                            "{} is {}, and stands inside a string",
                            variable.text,
                            node.kind()
                        );
                        return Err(Diagnostic::new(at, message)
                            .help("let it be the whole value, or refer to a string inside it"));
                    };
                    whole.push_str(&text);
                }
            }
            if whole.len() > STRING_BYTES_MAX {
                return Err(Diagnostic::new(
                    at,
                    format!("the string is over {STRING_BYTES_MAX} bytes"),
                ));
            }
        }
        Ok(whole)
    }

    /// The first of the variable's sources that has a value.
    fn variable(&mut self, variable: &Variable, at: &Place) -> Result<Found, Diagnostic> {
        let mut missing = None;
        for (index, source) in variable.sources.iter().enumerate() {
            let last = index + 1 == variable.sources.len();
            match source {
                Source::Literal(value) => return Ok(Found::Resolved(at.json(value.clone()))),
                Source::Nested(nested) if last => return self.variable(nested, at),
                Source::Nested(nested) => match self.variable(nested, at) {
                    Ok(found) => return Ok(found),
                    Err(diagnostic) => missing = Some(diagnostic),
                },
                Source::Address { kind, params, address } => {
                    let params = self.concatenated(params, at)?;
                    let address = self.concatenated(address, at)?;
                    let question =
                        sources::Question { kind, params: &params, address: &address, at };
                    match self.ask(&question, !last)? {
                        Ok(found) => return Ok(found),
                        Err(absent) => missing = Some(absent.diagnostic(variable, at)),
                    }
                }
            }
        }
        Err(missing.unwrap_or_else(|| Diagnostic::new(at, "a variable without a source")))
    }

    /// Follows a path through values that may themselves be variables. The last value is not
    /// resolved: whoever asked does that.
    fn walk(&mut self, node: &Node, path: &[&str]) -> Result<Option<Found>, Diagnostic> {
        if node.is_null() {
            return Ok(None);
        }
        let Some((step, rest)) = path.split_first() else {
            return Ok(Some(Found::Raw(node.clone())));
        };
        match &node.value {
            Value::Map(map) => match map.get(step) {
                Some(next) => self.walk(next, rest),
                None => Ok(None),
            },
            Value::List(list) => match step.parse::<usize>().ok().and_then(|index| list.get(index))
            {
                Some(next) => self.walk(next, rest),
                None => Ok(None),
            },
            Value::String(text) if text.contains("${") => {
                let found =
                    self.guarded(Purpose::Way, &node.at, text, |resolver| {
                        match parse(&node.at, text)?.as_slice() {
                            [Part::Variable(variable)] => resolver.variable(variable, &node.at),
                            _ => Ok(Found::Resolved(node.at.node(Value::Null))),
                        }
                    })?;
                match found {
                    Found::Raw(node) => self.walk(&node, path),
                    Found::Resolved(node) => Ok(pick(&node, path).map(Found::Resolved)),
                }
            }
            _ => Ok(None),
        }
    }
}

fn pick(node: &Node, path: &[&str]) -> Option<Node> {
    let found = path.iter().try_fold(node, |node, step| match &node.value {
        Value::Map(map) => map.get(step),
        Value::List(list) => list.get(step.parse::<usize>().ok()?),
        _ => None,
    })?;
    (!found.is_null()).then(|| found.clone())
}

fn parse(at: &Place, text: &str) -> Result<Vec<Part>, Diagnostic> {
    syntax::parse(text).map_err(|message| {
        Diagnostic::new(at, message)
            .help("a variable is ${source:address} or ${source:address, 'fallback'}")
    })
}
