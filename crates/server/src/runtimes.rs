//! The language runtimes, carried in the binary and laid out where interpreters can read them.

use std::io;
use std::path::{Path, PathBuf};

macro_rules! files {
    ($($path:literal)*) => {
        &[$(($path, include_str!(concat!("../../../runtimes/", $path)))),*]
    };
}

/// Every file of every runtime: a new runtime is its lines here.
const FILES: &[(&str, &str)] = files! {
    "nodejs/runtime.toml"
    "nodejs/bootstrap.js"
    "nodejs/aws.js"
    "nodejs/debug.js"
    "nodejs/errors.js"
    "nodejs/fork.js"
    "nodejs/handler.js"
    "nodejs/log.js"
    "nodejs/pack.js"
    "nodejs/pipe.js"
    "nodejs/stream.js"
    "nodejs/hello/index.js"
    "python/runtime.toml"
    "python/bootstrap.py"
    "python/cumulet_runtime/__init__.py"
    "python/cumulet_runtime/aws.py"
    "python/cumulet_runtime/context.py"
    "python/cumulet_runtime/debug.py"
    "python/cumulet_runtime/encode.py"
    "python/cumulet_runtime/errors.py"
    "python/cumulet_runtime/fork.py"
    "python/cumulet_runtime/handler.py"
    "python/cumulet_runtime/log.py"
    "python/cumulet_runtime/pack.py"
    "python/cumulet_runtime/pipe.py"
    "python/cumulet_runtime/worker.py"
    "python/hello/index.py"
    "java/runtime.toml"
    "java/client.sh"
    "provided/runtime.toml"
    "provided/boot.sh"
};

/// Writes what is not there yet or differs, and gives the folder.
pub(crate) fn lay_out(cache: &Path) -> io::Result<PathBuf> {
    let folder = cache.join("runtimes");
    for (path, text) in FILES {
        let file = folder.join(path);
        if std::fs::read_to_string(&file).is_ok_and(|present| present == *text) {
            continue;
        }
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&file, text)?;
    }
    Ok(folder)
}
