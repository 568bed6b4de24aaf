//! `cumulet`: the serverless platform in one binary. One file per command.

mod client;
mod debug;
mod deploy;
mod describe;
mod dev;
mod functions;
mod invoke;
mod logs;
mod project;
mod remove;
mod serve;
mod show;
mod tail;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A serverless platform in one binary. It speaks the AWS APIs.
#[derive(Parser)]
#[command(name = "cumulet", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the platform with the application in a folder, and redeploy what changes
    Dev(dev::Arguments),
    /// Start the platform
    Serve(serve::Arguments),
    /// Deploy the application in a folder to a running platform
    Deploy(deploy::Arguments),
    /// Remove a deployed application with everything in it
    Remove(remove::Arguments),
    /// Run a deployed function and print its answer
    Invoke(invoke::Arguments),
    /// Show what functions do: runs, errors, durations, cold starts, memory
    Functions(functions::Arguments),
    /// Show one function: its versions, its environments and how they were started, its errors
    Describe(describe::Arguments),
    /// Print what a function has logged
    Logs(logs::Arguments),
    /// Start functions for a server: what the server starts, and nobody else
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    Launcher { folder: std::path::PathBuf },
}

/// Threads that serve requests: half the processors, the other half is for functions and clients.
/// More of them wake each other for nothing: on two processors, two cost 41 us of processor time
/// for an HTTP request to a function where one costs 27, and are no faster with tables and queues.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |processors| processors.get().div_ceil(2))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // It must have one thread, so that it may fork.
    #[cfg(target_os = "linux")]
    if let Command::Launcher { folder } = &arguments.command {
        return launcher(folder);
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(threads()).enable_all().build();
    let outcome = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        let outcome = runtime.block_on(run(arguments.command));
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(code) => code,
        Err(error) => {
            show::error(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Dev(arguments) => dev::run(arguments).await,
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Deploy(arguments) => deploy::run(arguments).await,
        Command::Remove(arguments) => remove::run(arguments).await,
        Command::Invoke(arguments) => invoke::run(arguments).await,
        Command::Functions(arguments) => functions::run(arguments).await,
        Command::Describe(arguments) => describe::run(arguments).await,
        Command::Logs(arguments) => logs::run(arguments).await,
        #[cfg(target_os = "linux")]
        Command::Launcher { .. } => anyhow::bail!("the launcher has a process of its own"),
    }
}

/// Serves the server at the other end of standard input.
#[cfg(target_os = "linux")]
fn launcher(folder: &std::path::Path) -> ExitCode {
    use std::os::fd::AsFd as _;
    let server = std::io::stdin().as_fd().try_clone_to_owned();
    match server.and_then(|server| server::launch(server, folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            show::error(&anyhow::Error::from(error).context("the launcher of functions failed"));
            ExitCode::FAILURE
        }
    }
}
