//! What we serve, held against what AWS has: the operations of the composed server against the
//! models that botocore carries. Writes `docs/served.md`, and fails where the two disagree.

mod compare;
mod model;
mod page;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use server::{Config, Server, Storage};

use crate::coverage::compare::Compared;
use crate::coverage::model::Models;

/// The page, from the root of the workspace.
const PAGE: &str = "docs/served.md";

/// Writes the files, or with `--check` only looks whether they are up to date.
pub(crate) fn run(arguments: impl Iterator<Item = String>) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the root")?;
    let Asked { check, model } = asked(arguments)?;
    let models = Models::open(root, model)?;
    let found = tokio::runtime::Runtime::new()?.block_on(compare(&models))?;
    let mut wrong: Vec<String> = found.iter().flat_map(|one| one.wrong.iter().cloned()).collect();
    for (name, written) in files(&models.version, &found) {
        let path = root.join(&name);
        if !check {
            fs::create_dir_all(path.parent().context("a file has a folder")?)?;
            fs::write(&path, &written)?;
        } else if let Some(why) = stale(&fs::read_to_string(&path).unwrap_or_default(), &written) {
            wrong.push(format!("{name} is not up to date: {why}; run `cargo xtask coverage`"));
        }
    }
    if !wrong.is_empty() {
        bail!(
            "{} disagreements with botocore {}:\n{}",
            wrong.len(),
            models.version,
            wrong.join("\n")
        )
    }
    println!("coverage: {}", page::summary(&found));
    Ok(())
}

/// What is written, by names from the root: the page, and by what REST services refuse.
fn files(version: &str, found: &[Compared]) -> Vec<(String, String)> {
    let mut files = vec![(PAGE.to_owned(), page::page(version, found))];
    for one in found {
        let routes = one.routes.clone();
        files.extend(routes.map(|routes| (format!("services/{}/unserved.txt", one.id), routes)));
    }
    files
}

struct Asked {
    check: bool,
    /// Where the models are, if not where the tests install them.
    model: Option<PathBuf>,
}

fn asked(mut arguments: impl Iterator<Item = String>) -> Result<Asked> {
    let mut asked = Asked { check: false, model: None };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--check" => asked.check = true,
            "--model" => {
                asked.model = Some(arguments.next().context("--model needs a folder")?.into());
            }
            other => bail!("{other}: cargo xtask coverage takes --check and --model DIR"),
        }
    }
    Ok(asked)
}

/// Starts the server as it is composed, in memory, and compares every service.
async fn compare(models: &Models) -> Result<Vec<Compared>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Server::start(Config::new(address, Storage::Memory)).await?;
    let services = server.kit().services().iter();
    let compared = services.map(|service| {
        let model = models.newest(service.api().id)?;
        Ok(compare::service(service, &model))
    });
    let compared = compared.collect();
    server.stop().await;
    compared
}

/// The first line in which a page differs from what it should be.
fn stale(there: &str, wanted: &str) -> Option<String> {
    if there == wanted {
        return None;
    }
    let (mut old, mut new) = (there.lines(), wanted.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (old.next(), new.next()) {
            (Some(old), Some(new)) if old == new => {}
            (None, None) => return Some("its last line does not end".to_owned()),
            (old, new) => {
                let text = |line: Option<&str>| match line {
                    Some(line) => format!("`{line}`"),
                    None => "nothing".to_owned(),
                };
                return Some(format!("line {number} is {}, should be {}", text(old), text(new)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_page_is_told_by_its_first_line() {
        assert_eq!(stale("a\nb\n", "a\nb\n"), None);
        assert_eq!(stale("a\nb\n", "a\nc\n").unwrap(), "line 2 is `b`, should be `c`");
        assert_eq!(stale("", "a\n").unwrap(), "line 1 is nothing, should be `a`");
        assert!(stale("a", "a\n").is_some());
    }

    #[test]
    fn an_unknown_argument_is_named() {
        let error = asked(["--chek".to_owned()].into_iter()).err().unwrap().to_string();
        assert!(error.starts_with("--chek:"), "{error}");
    }
}
