//! The binary: arguments, configuration, wiring; nothing else.
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod args;
mod check;
mod cleanup;
mod client;
mod config;
mod dataplane;
mod findings;
mod heap;
mod proxy;
mod scheduling;
mod server;
mod settings;
mod tasks;
mod top;
mod trace;

use std::process::ExitCode;

use args::{Cli, Command};
use clap::Parser;
use clap::error::ErrorKind;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let asked = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            let _ = error.print();
            return if asked {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            };
        }
    };
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("kedge: {error}");
            ExitCode::FAILURE
        }
    }
}

type Failure = Box<dyn std::error::Error>;

fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Apply(args) => block_on(client::apply(args))??,
        Command::Get(args) => block_on(client::get(args))??,
        Command::Delete(args) => block_on(client::delete(args))??,
        Command::Server(args) => server::run(*args)?,
        Command::Proxy(args) => proxy::run(args)?,
        Command::Trace(args) => block_on(trace::trace(args))??,
        Command::Top(args) => block_on(top::top(args))??,
        Command::Check => {
            return Ok(if block_on(check::check())? {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
        Command::Cleanup => block_on(cleanup::cleanup())??,
        Command::Version => println!("kedge {}", env!("CARGO_PKG_VERSION")),
    }
    Ok(ExitCode::SUCCESS)
}

/// A runtime of one thread is enough for a command that asks a server.
fn block_on<T>(future: impl Future<Output = T>) -> std::io::Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(future))
}
