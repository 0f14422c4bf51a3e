//! Other programs: run to their end, their words kept for whoever reads a failure.

use std::path::PathBuf;
use std::process::{Command, Output};

/// A program could not be run, or said no.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    #[error("cannot run {program}: {source}")]
    Start {
        program: String,
        source: std::io::Error,
    },
    #[error("`{command}` failed ({status}): {said}")]
    Failed {
        command: String,
        status: std::process::ExitStatus,
        said: String,
    },
    #[error("{program} is not beside this program nor in ${variable}: run `cargo build` first")]
    NotBuilt { program: String, variable: String },
    #[error("{0}")]
    Other(String),
}

/// Runs to the end and gives standard output.
///
/// # Errors
/// The program does not start, or its exit status is not 0.
pub fn run(command: &mut Command) -> Result<String, ToolError> {
    let output = finish(command)?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    Err(ToolError::Failed {
        command: words(command),
        status: output.status,
        said: format!("{}{said}", String::from_utf8_lossy(&output.stderr))
            .trim()
            .to_string(),
    })
}

/// Runs to the end, whatever the exit status.
///
/// # Errors
/// The program does not start.
pub fn finish(command: &mut Command) -> Result<Output, ToolError> {
    command.output().map_err(|source| ToolError::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    })
}

fn words(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A binary of this workspace: where `variable` says, else beside the program that runs.
///
/// # Errors
/// It was not built.
pub fn built(program: &str, variable: &str) -> Result<PathBuf, ToolError> {
    if let Some(path) = std::env::var_os(variable) {
        return Ok(path.into());
    }
    let here = std::env::current_exe().map_err(|source| ToolError::Start {
        program: program.into(),
        source,
    })?;
    // A test runs from target/PROFILE/deps, a binary from target/PROFILE.
    here.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .ok_or_else(|| ToolError::NotBuilt {
            program: program.into(),
            variable: variable.into(),
        })
}
