//! The real kubectl, inside a host.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::netns::Netns;
use crate::tool::{ToolError, finish, run};

/// kubectl with a kubeconfig and a home of its own.
#[derive(Debug)]
pub struct Kubectl<'a> {
    program: PathBuf,
    netns: &'a Netns,
    kubeconfig: PathBuf,
    home: tempfile::TempDir,
}

/// `$KUBECTL`, else the first on the PATH.
#[must_use]
pub fn find() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("KUBECTL") {
        return Some(path.into());
    }
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join("kubectl"))
        .find(|path| path.is_file())
}

impl<'a> Kubectl<'a> {
    /// `None` where this machine has no kubectl.
    #[must_use]
    pub fn new(netns: &'a Netns, kubeconfig: &Path) -> Option<Self> {
        Some(Self {
            program: find()?,
            netns,
            kubeconfig: kubeconfig.into(),
            home: tempfile::tempdir().ok()?,
        })
    }

    fn command(&self, words: &[&str]) -> std::process::Command {
        let mut command = self.netns.command(&self.program);
        command
            .env("KUBECONFIG", &self.kubeconfig)
            .env("HOME", self.home.path())
            .args(words);
        command
    }

    /// Standard output.
    ///
    /// # Errors
    /// What kubectl says.
    pub fn run(&self, words: &[&str]) -> Result<String, ToolError> {
        run(&mut self.command(words))
    }

    /// Everything it said, and how it ended.
    ///
    /// # Errors
    /// kubectl does not start.
    pub fn finish(&self, words: &[&str]) -> Result<Output, ToolError> {
        finish(&mut self.command(words))
    }

    /// Standard output of `kubectl WORDS -f -` with a manifest as its input.
    ///
    /// # Errors
    /// What kubectl says.
    pub fn with_input(&self, words: &[&str], manifest: &str) -> Result<String, ToolError> {
        let file = self.home.path().join("manifest.yaml");
        std::fs::write(&file, manifest).map_err(|source| ToolError::Start {
            program: "a temporary file".into(),
            source,
        })?;
        let path = file.to_string_lossy().into_owned();
        let mut all = words.to_vec();
        all.extend(["-f", &path]);
        self.run(&all)
    }

    /// `kubectl edit WORDS` with a `sed` script as the editor.
    ///
    /// # Errors
    /// What kubectl says.
    pub fn edit(&self, words: &[&str], script: &str) -> Result<String, ToolError> {
        let mut all = vec!["edit"];
        all.extend(words);
        let mut command = self.command(&all);
        command.env("KUBE_EDITOR", format!("sed -i -e '{script}'"));
        run(&mut command)
    }
}
