//! `src/pay.handler`: the file behind a handler.

use std::path::Path;

use crate::diagnostic::Diagnostic;
use crate::project::Function;

/// What a module may be written in, in the order in which it is looked for.
const EXTENSIONS: &[&str] = &["ts", "mts", "cts", "tsx", "js", "mjs", "cjs", "jsx"];

/// The file that a handler of a Node runtime is in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Handler {
    /// From the project's folder, without extension: `src/pay`.
    pub(super) module: String,
    pub(super) extension: &'static str,
}

impl Handler {
    pub(super) fn file(&self) -> String {
        format!("{}.{}", self.module, self.extension)
    }

    pub(super) fn is_typescript(&self) -> bool {
        matches!(self.extension, "ts" | "mts" | "cts" | "tsx" | "jsx")
    }
}

/// Finds the file. Handlers of other runtimes are not looked into.
pub(super) fn find(dir: &Path, function: &Function) -> Result<Option<Handler>, Diagnostic> {
    if !function.runtime.starts_with("nodejs") {
        return Ok(None);
    }
    let at = &function.handler_at;
    let named = &function.handler;
    let folder_end = named.rfind('/').map_or(0, |slash| slash + 1);
    let Some(dot) = named[folder_end..].find('.').map(|dot| folder_end + dot) else {
        let message = format!("the handler '{named}' names no function of its file");
        return Err(Diagnostic::new(at, message).help(format!("write {named}.handler")));
    };
    let module = named[..dot].trim_start_matches("./").to_owned();
    if module.split('/').any(|step| step == "..") || module.starts_with('/') {
        let message = format!("the handler '{named}' lies outside the project");
        return Err(Diagnostic::new(at, message).help("move it below the folder of serverless.yml"));
    }
    let found =
        EXTENSIONS.iter().find(|extension| dir.join(format!("{module}.{extension}")).is_file());
    match found {
        Some(extension) => Ok(Some(Handler { module, extension })),
        None => {
            let message = format!(
                "the handler of function '{}' is in {module}, and there is no {module}.ts or .js",
                function.name
            );
            Err(Diagnostic::new(at, message).help("create the file, or correct handler:"))
        }
    }
}
