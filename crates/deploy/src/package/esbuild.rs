//! The bundler: found in the project or fetched into the tool cache, and run once for all
//! functions that are bundled alike.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::handler::Handler;
use super::{Files, failed, npm};
use crate::diagnostic::{Diagnostic, Place};
use crate::project::{Function, Project};

/// The version fetched where the project has none.
const VERSION: &str = "0.28.2";

/// Larger maps describe libraries more than the application, and cost more than they tell.
const SOURCE_MAP_BYTES_MAX: usize = 4 << 20;

/// An ES module bundle may hold CommonJS packages, which need `require`. A property of the global
/// object hides behind a `require` that the code declares, where a declaration would clash.
const ESM_BANNER: &str = "import { createRequire as __createRequire } from 'node:module'; \
                          globalThis.require ??= __createRequire(import.meta.url);";

/// What can differ between functions of one project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Settings {
    target: String,
    is_esm: bool,
    debugged: bool,
}

/// What came out for one function.
pub(super) struct Bundle {
    pub(super) files: Files,
    /// Every file that went in.
    pub(super) inputs: Vec<PathBuf>,
}

pub(super) fn settings(
    project: &Project,
    function: &Function,
    handler: &Handler,
    debugged: bool,
) -> Settings {
    let bundling = &project.bundling;
    // nodejs20.x → node20
    let version = function.runtime.trim_start_matches("nodejs").trim_end_matches(".x");
    let target = bundling.target.clone().unwrap_or_else(|| format!("node{version}"));
    let is_esm = match (handler.extension, bundling.format.as_deref()) {
        ("mjs" | "mts", _) | (_, Some("esm")) => true,
        ("cjs" | "cts", _) | (_, Some("cjs" | "iife")) => false,
        _ => npm::is_module(&project.dir),
    };
    Settings { target, is_esm, debugged }
}

/// The bundler's program.
pub(super) fn locate(dir: &Path, cache: &Path, say: &dyn Fn(&str)) -> Result<PathBuf, Diagnostic> {
    if let Some(program) = native().and_then(|name| npm::module_file(dir, &name)) {
        return Ok(program);
    }
    if let Some(program) = npm::module_file(dir, ".bin/esbuild") {
        return Ok(program);
    }
    let folder = cache.join(format!("tools/esbuild-{VERSION}"));
    if !folder.exists() {
        fetch(cache, &folder, say)?;
    }
    let native = native().map(|name| folder.join("node_modules").join(name));
    let shim = folder.join("node_modules/.bin/esbuild");
    native.into_iter().chain([shim]).find(|path| path.exists()).ok_or_else(|| {
        let message = format!("the bundler is missing from {}", folder.display());
        Diagnostic::new(&Place::file("esbuild"), message)
            .help("delete that folder, so that it is fetched again")
    })
}

/// The bundler's own executable: a package for each platform holds it. Its launcher in `.bin` is
/// a script that starts Node first.
fn native() -> Option<String> {
    let system = match std::env::consts::OS {
        "linux" => "linux",
        "macos" => "darwin",
        _ => return None,
    };
    let machine = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        _ => return None,
    };
    Some(format!("@esbuild/{system}-{machine}/bin/esbuild"))
}

fn fetch(cache: &Path, folder: &Path, say: &dyn Fn(&str)) -> Result<(), Diagnostic> {
    say(&format!("fetching esbuild {VERSION}, which bundles TypeScript (once)"));
    let at = Place::file("esbuild");
    let broken = |error: std::io::Error| failed(&at, "keeping the bundler", &error);
    // Fetched beside its place and then moved, so that a broken fetch is not taken for a tool.
    let tools = cache.join("tools");
    static FETCHES: AtomicUsize = AtomicUsize::new(0);
    let (process, fetch) = (std::process::id(), FETCHES.fetch_add(1, Ordering::Relaxed));
    let fresh = tools.join(format!("esbuild-{VERSION}-{process}-{fetch}"));
    std::fs::create_dir_all(&fresh).map_err(broken)?;
    let mut command = Command::new("npm");
    command.args(["install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts"]);
    command.arg("--prefix").arg(&fresh).arg(format!("esbuild@{VERSION}"));
    let fetched = npm::run(&mut command, &at).and_then(|()| {
        match std::fs::rename(&fresh, folder) {
            // Someone else was quicker.
            Err(_) if folder.exists() => Ok(()),
            moved => moved.map_err(broken),
        }
    });
    if fresh.exists() {
        let _leftover = std::fs::remove_dir_all(&fresh);
    }
    fetched.map_err(|diagnostic| {
        let help = "connect to the network once, or add it to the project: npm install -D esbuild";
        Diagnostic { help: Some(help.to_owned()), ..diagnostic }
    })
}

/// Bundles the functions, in the order given.
pub(super) fn run(
    tool: &Path,
    project: &Project,
    settings: &Settings,
    functions: &[(&Function, &Handler)],
) -> Result<Vec<Bundle>, Diagnostic> {
    let at = &functions[0].0.handler_at;
    let out = Scratch::new(&project.dir).map_err(|error| failed(at, "bundling", &error))?;
    let output = command(tool, project, settings, functions, &out.0)
        .output()
        .map_err(|error| failed(at, &format!("starting {}", tool.display()), &error))?;
    if !output.status.success() {
        return Err(complaint(&String::from_utf8_lossy(&output.stderr), at));
    }
    let text = std::fs::read(out.0.join("meta.json"));
    let text = text.map_err(|error| failed(at, "bundling", &error))?;
    let meta: Value =
        serde_json::from_slice(&text).map_err(|error| failed(at, "bundling", &error))?;
    let extension = if settings.is_esm { "mjs" } else { "js" };
    functions
        .iter()
        .map(|(function, handler)| {
            collect(project, &out.0, &meta, handler, (extension, settings.debugged))
                .map_err(|error| failed(&function.handler_at, "bundling", &error))
        })
        .collect()
}

fn command(
    tool: &Path,
    project: &Project,
    settings: &Settings,
    functions: &[(&Function, &Handler)],
    out: &Path,
) -> Command {
    let bundling = &project.bundling;
    let mut command = Command::new(tool);
    command.current_dir(&project.dir);
    // Two functions of one file are one entry.
    let entries: BTreeSet<String> = functions.iter().map(|(_, handler)| handler.file()).collect();
    command.args(entries);
    command.args(["--bundle", "--platform=node", "--outbase=.", "--log-level=error"]);
    command.args(["--color=false", "--log-limit=1", "--sourcemap=linked"]);
    command.arg(format!("--target={}", settings.target));
    command.arg(format!("--outdir={}", out.display()));
    command.arg(format!("--metafile={}", out.join("meta.json").display()));
    if settings.is_esm {
        command.args(["--format=esm", "--out-extension:.js=.mjs"]);
        command.arg(format!("--banner:js={ESM_BANNER}"));
        command.arg("--main-fields=module,main");
    } else {
        command.arg("--format=cjs");
    }
    if bundling.minify && !settings.debugged {
        command.arg("--minify");
    }
    for name in &bundling.external {
        command.arg(format!("--external:{name}"));
    }
    for name in bundling.exclude.iter().filter(|name| !is_bundled_anyway(project, name)) {
        command.arg(format!("--external:{name}"));
    }
    for (name, value) in &bundling.define {
        command.arg(format!("--define:{name}={value}"));
    }
    for (extension, loader) in &bundling.loader {
        command.arg(format!("--loader:{extension}={loader}"));
    }
    command
}

/// On AWS the runtime has an SDK, so projects leave theirs out. Here it has none, and whatever
/// version the project installed is the one it was written for.
fn is_bundled_anyway(project: &Project, name: &str) -> bool {
    let package = match name {
        "aws-sdk" => "aws-sdk",
        _ if name.starts_with("@aws-sdk/") => "@aws-sdk",
        _ if name.starts_with("@smithy/") => "@smithy",
        _ => return false,
    };
    npm::module_file(&project.dir, package).is_some()
}

/// One function's files, and what they were made from.
fn collect(
    project: &Project,
    out: &Path,
    meta: &Value,
    handler: &Handler,
    (extension, debugged): (&str, bool),
) -> std::io::Result<Bundle> {
    let name = format!("{}.{extension}", handler.module);
    let mut files = Files::new();
    let code = std::fs::read(out.join(&name))?;
    let map = format!("{name}.map");
    let content = std::fs::read(out.join(&map));
    if debugged {
        files.insert(name, with_map(code, &content?)?);
    } else {
        files.insert(name, code);
        files
            .extend(content.ok().filter(|map| map.len() <= SOURCE_MAP_BYTES_MAX).map(|c| (map, c)));
    }
    let entry = handler.file();
    let outputs = meta["outputs"].as_object().into_iter().flatten();
    let output = outputs.map(|(_, output)| output).find(|output| output["entryPoint"] == entry);
    let inputs = output.and_then(|output| output["inputs"].as_object()).into_iter().flatten();
    let mut inputs: Vec<PathBuf> = inputs.map(|(path, _)| project.dir.join(path)).collect();
    inputs.extend(["package.json", "tsconfig.json"].map(|name| project.dir.join(name)));
    inputs.retain(|path| path.exists());
    Ok(Bundle { files, inputs })
}

/// A bundle with its map in it, whatever its size: where it runs nobody may read files beside it.
/// Sources are named relative to the bundle as if it lay in the project, not two folders below
/// ([`Scratch`]).
fn with_map(mut code: Vec<u8>, map: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut map: Value = serde_json::from_slice(map)?;
    for source in map["sources"].as_array_mut().into_iter().flatten() {
        if let Some(inside) = source.as_str().and_then(|path| path.strip_prefix("../../")) {
            *source = Value::from(inside);
        }
    }
    let link = b"//# sourceMappingURL=";
    if let Some(at) = code.windows(link.len()).rposition(|window| window == link) {
        code.truncate(at);
    }
    code.extend_from_slice(link);
    code.extend_from_slice(b"data:application/json;base64,");
    code.extend_from_slice(STANDARD.encode(map.to_string()).as_bytes());
    code.push(b'\n');
    Ok(code)
}

/// The bundler's first error as a diagnostic:
///
/// ```text
/// ✘ [ERROR] Could not resolve "nope"
///
///     src/pay.ts:1:14:
/// ```
fn complaint(text: &str, at: &Place) -> Diagnostic {
    let message = text.lines().find_map(|line| line.split_once("[ERROR] ")).map(|(_, text)| text);
    let message = message.unwrap_or_else(|| text.trim());
    let place = text.lines().find_map(|line| {
        let (start, rest) = line.trim().trim_end_matches(':').rsplit_once(':')?;
        let (file, line) = start.rsplit_once(':')?;
        Some(Place {
            file: file.into(),
            line: line.parse().ok()?,
            col: rest.parse::<u32>().ok()? + 1,
        })
    });
    let diagnostic = Diagnostic::new(place.as_ref().unwrap_or(at), message);
    let missing = message.strip_prefix("Could not resolve \"").and_then(|m| m.split_once('"'));
    match missing {
        Some((name, _)) if !name.starts_with('.') => {
            let package = package_of(name);
            diagnostic.help(format!("install it: npm install {package}"))
        }
        Some((name, _)) => diagnostic.help(format!("create {name}, or correct the import")),
        None => diagnostic,
    }
}

/// `@scope/name/lib/x` → `@scope/name`
fn package_of(import: &str) -> String {
    let parts = if import.starts_with('@') { 2 } else { 1 };
    import.split('/').take(parts).collect::<Vec<&str>>().join("/")
}

/// A folder for the bundler's output that goes when it is no longer needed. It lies in the
/// project, because source maps are relative to it and must not lead through the whole disk.
struct Scratch(PathBuf);

impl Scratch {
    fn new(dir: &Path) -> std::io::Result<Scratch> {
        let folder =
            dir.canonicalize()?.join(".cumulet").join(format!("build-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Scratch(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _leftover = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let at = Place { file: "serverless.yml".into(), line: 3, col: 5 };
        assert_eq!(complaint(text, &at).to_string(), expected);
    }

    #[test]
    fn complaints_of_the_bundler() {
        check(
            "✘ [ERROR] Could not resolve \"@aws-sdk/client-sns/x\"\n\n    \
             src/a.ts:1:14:\n      1 │",
            "src/a.ts:1:15: Could not resolve \"@aws-sdk/client-sns/x\"\n\
             help: install it: npm install @aws-sdk/client-sns",
        );
        check(
            "✘ [ERROR] Could not resolve \"./lib\"\n\n    src/a.ts:2:0:\n",
            "src/a.ts:2:1: Could not resolve \"./lib\"\nhelp: create ./lib, or correct the import",
        );
        check("boom", "serverless.yml:3:5: boom");
    }
}
