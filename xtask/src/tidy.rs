//! Where things may live and what they may import: STYLE, sections 1 and 2.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// Lines of a file that is too long to be understood.
const FILE_LINES_MAX: usize = 1_000;
/// Characters of a line.
const LINE_CHARS_MAX: usize = 100;

/// The layers of `crates/`, lowest first. A crate imports only from layers below its own.
const LAYERS: [&[&str]; 9] = [
    &["base", "fork"],
    &["pattern", "store", "wire"],
    &["telemetry"],
    &["kit"],
    &["delivery"],
    &["gateway", "host", "deploy"],
    &["service-*"],
    &["server"],
    &["testkit", "cumulet"],
];

/// Checks the whole tree and lists everything it finds wrong.
pub(crate) fn run() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the root")?;
    let mut wrong = Vec::new();
    let packages = packages(root)?;
    for package in &packages {
        check_package(package, &packages, &mut wrong);
    }
    for file in sources(root)? {
        check_source(root, &file, &mut wrong)?;
    }
    check_spec(root, &mut wrong)?;
    if wrong.is_empty() {
        println!("tidy: {} packages", packages.len());
        return Ok(());
    }
    wrong.sort();
    bail!("{} things are out of place:\n{}", wrong.len(), wrong.join("\n"))
}

struct Package {
    manifest: PathBuf,
    /// `services/sqs`.
    folder: String,
    name: String,
    /// Packages of this workspace it depends on, those for tests left out.
    needs: Vec<String>,
    linted: bool,
}

fn packages(root: &Path) -> Result<Vec<Package>> {
    let mut found = Vec::new();
    for group in ["crates", "services", "engines", "sandboxes"] {
        for entry in fs::read_dir(root.join(group))? {
            let folder = entry?.path();
            let manifest = folder.join("Cargo.toml");
            if manifest.exists() {
                let folder = folder.strip_prefix(root)?.to_string_lossy().into_owned();
                found.push(read_manifest(&manifest, folder)?);
            }
        }
    }
    let ours: Vec<String> = found.iter().map(|package| package.name.clone()).collect();
    for package in &mut found {
        package.needs.retain(|need| ours.contains(need));
    }
    Ok(found)
}

fn read_manifest(manifest: &Path, folder: String) -> Result<Package> {
    let text = fs::read_to_string(manifest)?;
    let mut sections: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut section = "";
    for line in text.lines().map(str::trim) {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => section = name,
            None => sections.entry(section).or_default().push(line),
        }
    }
    let lines = |name: &str| sections.get(name).into_iter().flatten().copied();
    let name = lines("package")
        .find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .with_context(|| format!("{} has no name", manifest.display()))?;
    let needs = lines("dependencies")
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .map(str::to_owned)
        .collect();
    let linted = lines("lints").any(|line| line == "workspace = true");
    Ok(Package { manifest: manifest.to_owned(), folder, name: name.to_owned(), needs, linted })
}

fn layer(name: &str) -> Option<usize> {
    let is = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => *pattern == name,
    };
    LAYERS.iter().position(|names| names.iter().any(is))
}

fn check_package(package: &Package, all: &[Package], wrong: &mut Vec<String>) {
    let Package { manifest, folder, name, needs, linted } = package;
    let at = manifest.display();
    let expected = match folder.split_once('/') {
        Some(("crates", "cli")) => "cumulet".to_owned(),
        Some(("services", id)) => format!("service-{id}"),
        Some(("engines", id)) => format!("engine-{id}"),
        Some(("sandboxes", id)) => format!("sandbox-{id}"),
        Some((_, id)) => id.to_owned(),
        None => folder.clone(),
    };
    if *name != expected {
        wrong.push(format!("{at}: the package is called {name}, its folder says {expected}"));
    }
    if !linted {
        wrong.push(format!("{at}: [lints] workspace = true is missing"));
    }
    for need in needs {
        let allowed = match folder.split('/').next() {
            Some("engines") => matches!(need.as_str(), "base" | "store"),
            Some("sandboxes") => matches!(need.as_str(), "base" | "fork" | "host"),
            _ => match (layer(name), layer(need)) {
                (Some(own), Some(below)) => below < own,
                // Engines and sandboxes are known to the composition root alone.
                (_, None) => name == "server" && all.iter().any(|other| other.name == *need),
                (None, _) => false,
            },
        };
        if !allowed {
            wrong.push(format!("{at}: {name} may not depend on {need}"));
        }
    }
}

fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let trees = ["crates", "services", "engines", "sandboxes", "xtask", "tests/sdk/rust/tests"];
    let mut folders: Vec<PathBuf> = trees.map(|name| root.join(name)).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    Ok(found)
}

fn check_source(root: &Path, file: &Path, wrong: &mut Vec<String>) -> Result<()> {
    let text = fs::read_to_string(file)?;
    let at = file.strip_prefix(root)?.display();
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX {
        wrong.push(format!("{at}: {lines} lines, at most {FILE_LINES_MAX}"));
    }
    let is_root = file.file_name().is_some_and(|name| name == "lib.rs" || name == "main.rs");
    if is_root && !text.starts_with("//!") {
        wrong.push(format!("{at}:1: a crate begins with what it is, in `//!`"));
    }
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        // A string is as long as what it quotes; rustfmt leaves such lines alone, too.
        let quotes = line.contains('"') || line.contains('`') || line.contains('\'');
        if line.chars().count() > LINE_CHARS_MAX && !quotes {
            wrong.push(format!("{at}:{number}: longer than {LINE_CHARS_MAX} characters"));
        }
        if line.trim() == concat!("#[", "ignore]") {
            wrong.push(format!("{at}:{number}: a test is not ignored but mended"));
        }
    }
    Ok(())
}

/// Every promise of SPEC.md names a test that is there: `name` in `path`.
fn check_spec(root: &Path, wrong: &mut Vec<String>) -> Result<()> {
    let text = fs::read_to_string(root.join("SPEC.md"))?;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let Some(cells) = line.strip_prefix("| ").filter(|line| line.starts_with('P')) else {
            continue;
        };
        let named = cells.rsplit_once('|').and_then(|(before, _)| before.rsplit_once('|'));
        let quoted: Vec<&str> = named.map_or("", |(_, test)| test).split('`').collect();
        let (Some(test), Some(path)) = (quoted.get(1), quoted.get(3)) else {
            wrong.push(format!("SPEC.md:{number}: names no `test` in `path`"));
            continue;
        };
        // A function of that name, or a command of a script.
        let forms = [format!("fn {test}("), format!("def {test}("), format!("{test} ")];
        let there = fs::read_to_string(root.join(path))
            .is_ok_and(|text| forms.iter().any(|form| text.contains(form.as_str())));
        if !there {
            wrong.push(format!("SPEC.md:{number}: there is no test {test} in {path}"));
        }
    }
    Ok(())
}
