//! The lines of functions as their author reads them while `dev` runs: whose they are in a short
//! name and a colour of its own, then only what is said once. `logs` prints what is stored.

use std::collections::HashMap;
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value};
use telemetry::LogLine;
use tokio::sync::{broadcast, watch};

use crate::show;

/// Wider names are cut off in the column of names.
const NAME_CHARS_MAX: usize = 28;

/// Red and yellow are left to errors and warnings.
const COLOURS: [AnsiColor; 8] = [
    AnsiColor::Cyan,
    AnsiColor::Magenta,
    AnsiColor::Green,
    AnsiColor::Blue,
    AnsiColor::BrightCyan,
    AnsiColor::BrightMagenta,
    AnsiColor::BrightGreen,
    AnsiColor::BrightBlue,
];

/// What the functions of an application are called, in the order of its template.
#[derive(Default)]
pub(crate) struct Names {
    /// Short name and colour by the full name.
    functions: HashMap<String, (String, Style)>,
    width: usize,
}

impl Names {
    pub(crate) fn of(functions: &[deploy::Function]) -> Names {
        let short = |name: &str| name.chars().take(NAME_CHARS_MAX).collect::<String>();
        let named = functions.iter().zip(COLOURS.iter().cycle()).map(|(function, colour)| {
            let style = Style::new().fg_color(Some((*colour).into()));
            (function.full_name.clone(), (short(&function.name), style))
        });
        let functions: HashMap<_, _> = named.collect();
        let width = functions.values().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        Names { functions, width }
    }

    /// The text with the name before its first line; none where there is nothing to say.
    fn labelled(&self, full_name: &str, text: &str) -> Option<String> {
        let (said, text) = readable(text)?;
        let (name, style) = match self.functions.get(full_name) {
            Some((name, style)) => (name.as_str(), *style),
            None => (full_name, Style::new()),
        };
        let width = self.width;
        let bar = show::paint(show::dim(), "│");
        let mut label = show::paint(style, &format!("{name:<width$}"));
        let mut labelled = Vec::new();
        for line in text.lines() {
            labelled.push(format!("{label} {bar} {}", show::paint(said, line)));
            // Whose the further lines are is seen from where they stand.
            label = " ".repeat(name.chars().count().max(width));
        }
        Some(labelled.join("\n"))
    }
}

/// Prints what all functions write, until the platform ends.
pub(crate) async fn show(
    mut lines: broadcast::Receiver<Arc<LogLine>>,
    names: watch::Receiver<Names>,
) {
    loop {
        match lines.recv().await {
            Ok(line) => {
                let group = &line.to.group.name;
                let full_name = group.strip_prefix("/aws/lambda/").unwrap_or(group);
                if let Some(text) = names.borrow().labelled(full_name, &line.text) {
                    show::line(text);
                }
            }
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                show::progress(format_args!("{missed} lines of logs were too fast to be shown"));
            }
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// A line without what every line repeats, and how it looks. That an invocation starts and ends
/// goes without saying; what it took is said in passing.
fn readable(text: &str) -> Option<(Style, String)> {
    let text = text.trim_end();
    if text.starts_with("START RequestId: ") || text.starts_with("END RequestId: ") {
        return None;
    }
    if let Some(figures) = start(text) {
        return Some((show::dim(), figures));
    }
    if let Some(figures) = text.strip_prefix("REPORT RequestId: ") {
        return Some((show::dim(), report(figures)));
    }
    let Some((level, message)) = console(text) else {
        return Some((Style::new(), text.to_owned()));
    };
    let style = match level {
        "ERROR" => Style::new().fg_color(Some(AnsiColor::Red.into())),
        "WARN" => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
        "DEBUG" | "TRACE" => show::dim(),
        _ => Style::new(),
    };
    Some((style, thrown(message).unwrap_or_else(|| message.to_owned())))
}

/// `environment started: booted worker (its template is being made)`.
fn start(text: &str) -> Option<String> {
    let known = text.starts_with("INIT_START ") || text.starts_with("RESTORE_START ");
    let part = |name: &str| text.split('\t').find_map(|part| part.strip_prefix(name));
    let way = part("Start: ").filter(|_| known)?;
    let why = part("Reason: ").map(|why| format!(" ({why})")).unwrap_or_default();
    Some(format!("environment started: {way}{why}"))
}

/// Level and message of `time\trequest\tlevel\tmessage`, as the Node runtime writes it.
fn console(text: &str) -> Option<(&str, &str)> {
    let mut parts = text.splitn(4, '\t');
    let (time, _request, level) = (parts.next()?, parts.next()?, parts.next()?);
    let known = ["INFO", "DEBUG", "WARN", "ERROR", "TRACE"].contains(&level);
    if known && time.ends_with('Z') { Some((level, parts.next()?)) } else { None }
}

/// An error that was thrown, `Invoke Error \t{"errorType":…,"stack":[…]}`, with its stack as Node
/// prints it, and what else it carries.
fn thrown(message: &str) -> Option<String> {
    let (title, json) = message.split_once(" \t")?;
    let mut members: Map<String, Value> = serde_json::from_str(json).ok()?;
    let Value::Array(stack) = members.remove("stack")? else { return None };
    let frames: Vec<&str> = stack.iter().filter_map(Value::as_str).collect();
    members.retain(|name, _| name != "errorType" && name != "errorMessage");
    let mut text = format!("{title}: {}", frames.join("\n"));
    if !members.is_empty() {
        text += &format!("\n    {}", Value::Object(members));
    }
    Some(text)
}

/// `12.34 ms, 61 MB, cold start 143.20 ms`: what differs from one invocation to the next.
fn report(figures: &str) -> String {
    let part = |name: &str| figures.split('\t').find_map(|part| part.strip_prefix(name));
    let mut text = part("Duration: ").unwrap_or_default().to_owned();
    for (word, name) in
        [("", "Max Memory Used: "), ("cold start ", "Init Duration: "), ("", "Status: ")]
    {
        // A worker that died did not say what it used.
        if let Some(figure) = part(name).filter(|figure| *figure != "0 MB") {
            text += &format!(", {word}{figure}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str) -> deploy::Function {
        deploy::Function {
            name: name.to_owned(),
            full_name: format!("shop-dev-{name}"),
            handler: "pay.handler".to_owned(),
            handler_at: deploy::Place::file("serverless.yml"),
            runtime: "nodejs22.x".to_owned(),
            patterns: Vec::new(),
            artifact: None,
            module: None,
        }
    }

    fn names() -> Names {
        Names::of(&[function("pay"), function("confirm")])
    }

    fn shown(text: &str) -> Option<String> {
        names().labelled("shop-dev-pay", text)
    }

    #[test]
    fn a_line_says_whose_it_is_and_what_was_said() {
        let line = "2026-11-21T10:00:00.000Z\tb1\tINFO\tpaid\t{ a: 1 }\nand more";
        assert_eq!(shown(line).unwrap(), "pay     │ paid\t{ a: 1 }\n        │ and more");
        assert_eq!(shown("a plain\tline\n").unwrap(), "pay     │ a plain\tline");
        let other = names().labelled("somebody-else", "x").unwrap();
        assert_eq!(other, "somebody-else │ x");
    }

    #[test]
    fn an_invocation_is_one_short_line() {
        assert_eq!(shown("START RequestId: b1 Version: $LATEST"), None);
        assert_eq!(shown("END RequestId: b1"), None);
        let figures = "REPORT RequestId: b1\tDuration: 1.20 ms\tBilled Duration: 2 ms\t\
                       Memory Size: 128 MB\tMax Memory Used: 40 MB\t";
        assert_eq!(shown(figures).unwrap(), "pay     │ 1.20 ms, 40 MB");
        let cold = format!("{figures}Init Duration: 90.00 ms\tStatus: timeout");
        assert_eq!(shown(&cold).unwrap(), "pay     │ 1.20 ms, 40 MB, cold start 90.00 ms, timeout");
    }

    #[test]
    fn how_an_environment_was_started_is_said_in_passing() {
        let line = "INIT_START Runtime Version: nodejs:20.v20.1.2\tRuntime Version ARN: arn:aws:x\t\
                    Start: booted worker\tReason: it has no template yet";
        let expected = "pay     │ environment started: booted worker (it has no template yet)";
        assert_eq!(shown(line).unwrap(), expected);
        assert_eq!(shown("INIT_START is mine").unwrap(), "pay     │ INIT_START is mine");
    }

    #[test]
    fn an_error_has_its_stack() {
        let line = "2026-11-21T10:00:00.000Z\tb1\tERROR\tInvoke Error \t\
                    {\"errorType\":\"Error\",\"errorMessage\":\"no\",\"code\":7,\
                    \"stack\":[\"Error: no\",\"    at pay (pay.js:1:2)\"]}";
        assert_eq!(
            shown(line).unwrap(),
            "pay     │ Invoke Error: Error: no\n        │     at pay (pay.js:1:2)\n        \
             │     {\"code\":7}"
        );
    }

    #[test]
    fn a_long_name_does_not_push_the_lines_away() {
        let name = "x".repeat(NAME_CHARS_MAX + 10);
        let named = Names::of(&[function(&name)]);
        let line = named.labelled(&format!("shop-dev-{name}"), "said").unwrap();
        assert_eq!(line, format!("{} │ said", &name[..NAME_CHARS_MAX]));
    }
}
