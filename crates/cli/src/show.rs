//! How the commands look. Colours go to terminals only; `NO_COLOR` turns them off.

use std::io::{self, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};

/// A line on standard output. A closed pipe is no error: nobody listens.
pub(crate) fn line(text: impl std::fmt::Display) {
    let _closed = writeln!(io::stdout().lock(), "{text}");
}

/// A line on standard error, for progress.
pub(crate) fn progress(text: impl std::fmt::Display) {
    let _closed = writeln!(io::stderr().lock(), "{}", paint(dim(), &text.to_string()));
}

/// What is wrong, and what to do about it.
pub(crate) fn error(error: &anyhow::Error) {
    let label = paint(Style::new().bold().fg_color(Some(AnsiColor::Red.into())), "error");
    let said = error.to_string();
    // The remedy comes last, where it is seen.
    let (what, help) = said.split_at(said.find("\nhelp:").unwrap_or(said.len()));
    let mut text = format!("{label}: {what}");
    for cause in error.chain().skip(1) {
        text.push_str(&format!("\n  caused by: {cause}"));
    }
    text.push_str(help);
    let _closed = writeln!(io::stderr().lock(), "{text}");
}

/// Text in a style, where colours are wanted.
pub(crate) fn paint(style: Style, text: &str) -> String {
    if colours() { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// Less important text.
pub(crate) fn dim() -> Style {
    Style::new().dimmed()
}

/// Headings and names.
pub(crate) fn bold() -> Style {
    Style::new().bold()
}

fn colours() -> bool {
    static DECIDED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *DECIDED.get_or_init(|| std::env::var_os("NO_COLOR").is_none() && io::stdout().is_terminal())
}

/// Rows in columns as wide as their widest cell.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        text.push_str("  ");
        for (cell, width) in row.iter().zip(&widths) {
            text.push_str(&format!("{cell:<width$}  "));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}
