use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use http::Method;
use serde_json::Value;
use server::Function;

use crate::client::{self, Client};
use crate::show;

const REFRESH: Duration = Duration::from_secs(1);
/// Moves to the first line, and back here after what was there is overwritten.
const HOME: &str = "\x1b[H";
const CLEAR: &str = "\x1b[2J";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

#[derive(Args)]
pub(crate) struct Arguments {
    /// Print the table once; without a terminal that is all there is
    #[arg(long)]
    once: bool,
    /// Count what was done within so many minutes
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    #[command(flatten)]
    connection: client::Connection,
}

/// Shows what functions do, again and again on a terminal.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let client = Client::new(&arguments.connection);
    let path = format!("functions?minutes={}", arguments.minutes);
    if arguments.once || !std::io::stdout().is_terminal() {
        let functions = ask(&client, &path).await?;
        show::line(table(&functions).trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let clock = base::SystemClock::new();
    let mut first = true;
    loop {
        let functions = ask(&client, &path).await?;
        draw(&table(&functions), arguments.minutes, std::mem::take(&mut first));
        tokio::select! {
            () = base::sleep(&clock, REFRESH) => {}
            _ = tokio::signal::ctrl_c() => return Ok(ExitCode::SUCCESS),
        }
    }
}

async fn ask(client: &Client, path: &str) -> anyhow::Result<Vec<Function>> {
    let answer = client.control(Method::GET, path, &Value::Null).await?;
    Ok(serde_json::from_value(answer)?)
}

/// Overwrites line by line what was there before: nothing flickers.
fn draw(table: &str, minutes: u64, first: bool) {
    let mut out = std::io::stdout().lock();
    let mut text = String::from(if first { CLEAR } else { "" });
    text.push_str(HOME);
    let title = format!("functions, the last {minutes} minutes; Ctrl-C ends");
    for line in std::iter::once(title.as_str()).chain(table.lines()) {
        text.push_str(line);
        text.push_str(CLEAR_LINE);
        text.push('\n');
    }
    text.push_str(CLEAR_BELOW);
    let _closed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn table(functions: &[Function]) -> String {
    if functions.is_empty() {
        return "no function lives, and none did anything\n".to_owned();
    }
    let heads = [
        "FUNCTION",
        "RUNS",
        "ERRORS",
        "THROTTLED",
        "AVG ms",
        "MAX ms",
        "COLD",
        "START ms",
        "BUSY",
        "IDLE",
        "PEAK",
        "MB",
        "STARTED BY",
    ];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for one in functions {
        let cold = one.loaded + one.forked;
        rows.push(vec![
            one.name.clone(),
            format!("{:.0}", one.invocations),
            format!("{:.0}", one.errors),
            format!("{:.0}", one.throttles),
            format!("{:.1}", one.duration_ms),
            format!("{:.1}", one.duration_max_ms),
            format!("{cold}"),
            start_ms(one),
            one.busy.to_string(),
            one.idle.to_string(),
            format!("{:.0}", one.concurrent_max),
            format!("{:.0}", one.memory_max_mb),
            one.start.clone().unwrap_or_default(),
        ]);
    }
    show::table(&rows)
}

/// What a cold start took on average.
#[expect(clippy::cast_precision_loss, reason = "a few starts")]
fn start_ms(one: &Function) -> String {
    let (loaded, forked) = (one.loaded as f64, one.forked as f64);
    if loaded + forked == 0.0 {
        return String::new();
    }
    format!("{:.1}", (loaded * one.load_ms + forked * one.fork_ms) / (loaded + forked))
}
