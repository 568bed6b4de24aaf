//! The page that tells what is served.

use std::fmt::Write as _;

use crate::coverage::compare::{Compared, Members, Served};

/// What stands before the tables.
const HEAD: &str = "\
<!-- Written by `cargo xtask coverage`; do not edit. -->

# What is served

Every operation of the composed server, held against the models of botocore VERSION. Members of an
input are *read*, or *refused*: a request that says something with one gets `NotImplemented` and its
name. There is no third kind: `cargo xtask coverage --check` fails on a member that would be accepted
and ignored. Members within members are listed where they are refused. Which values of a member are
served is in the README of each service.
";

/// The whole page.
pub(crate) fn page(version: &str, all: &[Compared]) -> String {
    let mut page = HEAD.replace("VERSION", version);
    page.push_str("\n| service | operations served | of |\n|---|---:|---:|\n");
    for one in all {
        let (served, of) = counts(one);
        let _infallible = writeln!(page, "| [{id}](#{id}) | {served} | {of} |", id = one.id);
    }
    for one in all {
        section(&mut page, one);
    }
    page
}

/// The figures in one line.
pub(crate) fn summary(all: &[Compared]) -> String {
    let count = |one: &Compared| {
        let (served, of) = counts(one);
        format!("{} {served} of {of}", one.id)
    };
    all.iter().map(count).collect::<Vec<_>>().join(", ")
}

fn counts(one: &Compared) -> (usize, usize) {
    (one.served.len(), one.served.len() + one.unserved.len())
}

fn section(page: &mut String, one: &Compared) {
    let _infallible = write!(page, "\n## {}\n\n", one.id);
    page.push_str("| operation | members read | members refused |\n|---|---|---|\n");
    for Served { operation, members } in &one.served {
        let (read, refused) = match members {
            Some(Members { read, refused }) => (read.join(", "), refused.join(", ")),
            None => ("not told: it takes the request as it stands".to_owned(), String::new()),
        };
        let _infallible = writeln!(page, "| {operation} | {read} | {refused} |");
    }
    if !one.unserved.is_empty() {
        let _infallible = write!(page, "\nNot served: {}.\n", one.unserved.join(", "));
    }
}
