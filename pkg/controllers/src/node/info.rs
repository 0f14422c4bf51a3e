//! What this machine is.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// The machine, as `status.nodeInfo` and `status.capacity` tell of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeInfo {
    /// In Go's words: `amd64`, `arm64`, `arm`.
    pub architecture: String,
    pub boot_id: String,
    pub kernel_version: String,
    pub machine_id: String,
    pub os_image: String,
    pub system_uuid: String,
    /// What `kubectl get nodes` shows as the version: kedge's own.
    pub version: String,
    pub cpus: usize,
    /// KiB.
    pub memory: u64,
}

impl NodeInfo {
    pub(crate) const OPERATING_SYSTEM: &str = "linux";

    /// Reads it from this machine. What cannot be read is empty. `version` is the program's.
    #[must_use]
    pub fn read(version: &str) -> Self {
        Self::read_under(Path::new("/"), version)
    }

    fn read_under(root: &Path, version: &str) -> Self {
        let line = |path: &str| {
            fs::read_to_string(root.join(path))
                .map(|text| text.trim().to_string())
                .unwrap_or_default()
        };
        Self {
            architecture: architecture(std::env::consts::ARCH).into(),
            boot_id: line("proc/sys/kernel/random/boot_id"),
            kernel_version: line("proc/sys/kernel/osrelease"),
            machine_id: line("etc/machine-id"),
            os_image: os_image(&line("etc/os-release")),
            system_uuid: line("sys/class/dmi/id/product_uuid"),
            version: version.into(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            memory: memory(&line("proc/meminfo")),
        }
    }

    /// `status.nodeInfo`; every field of it is required.
    pub(crate) fn to_value(&self) -> Value {
        json!({
            "architecture": self.architecture, "bootID": self.boot_id, "containerRuntimeVersion": "",
            "kernelVersion": self.kernel_version, "kubeProxyVersion": "", "kubeletVersion": self.version,
            "machineID": self.machine_id, "operatingSystem": Self::OPERATING_SYSTEM, "osImage": self.os_image,
            "systemUUID": self.system_uuid,
        })
    }

    /// `status.capacity`. No Pod is ever scheduled here, so there is no room for any.
    pub(crate) fn capacity(&self) -> Value {
        json!({"cpu": self.cpus.to_string(), "memory": format!("{}Ki", self.memory), "pods": "0"})
    }
}

/// Rust's name of an architecture in Go's words, which Kubernetes speaks.
fn architecture(rust: &str) -> &str {
    match rust {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

/// `PRETTY_NAME` of `os-release(5)`.
fn os_image(text: &str) -> String {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    value
        .unwrap_or_default()
        .trim_matches(['"', '\''])
        .to_string()
}

/// `MemTotal` of `proc_meminfo(5)`, in KiB.
fn memory(text: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    value
        .and_then(|value| value.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_read_from_its_files() {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("proc/sys/kernel/osrelease", "6.1.0-13-arm64\n"),
            (
                "proc/meminfo",
                "MemTotal:         506788 kB\nMemFree:          1 kB\n",
            ),
            (
                "etc/os-release",
                "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
            ),
            ("etc/machine-id", "0123456789abcdef\n"),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let info = NodeInfo::read_under(root.path(), "v0.1.0");
        assert_eq!(info.kernel_version, "6.1.0-13-arm64");
        assert_eq!(info.os_image, "Debian GNU/Linux 12 (bookworm)");
        assert_eq!((info.memory, info.boot_id.as_str()), (506_788, ""));
        assert_eq!(info.capacity()["memory"], "506788Ki");
    }

    #[test]
    fn architectures_have_gos_names() {
        assert_eq!(
            ["x86_64", "aarch64", "arm"].map(architecture),
            ["amd64", "arm64", "arm"]
        );
    }
}
