//! A message bus, systemd-resolved, and a resolver of the LAN.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use kedge_tests::lab::{CLIENT, Lab};
use kedge_tests::netns::Netns;
use kedge_tests::readiness::{NOTIFY_SOCKET, Readiness};
use kedge_tests::server::{BUS, bus};

/// systemd-resolved, where it is and runs, and a bus for it too.
pub fn program() -> Option<PathBuf> {
    let runs = |program: &Path| {
        let mut command = Command::new(program);
        let quiet = command.arg("--version").stdout(Stdio::null());
        quiet.status().is_ok_and(|status| status.success())
    };
    let program = PathBuf::from(std::env::var_os("KEDGE_RESOLVED")?);
    (runs(&program) && runs("dbus-daemon".as_ref())).then_some(program)
}

/// A process that ends with this.
pub struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whoever may connect may do everything.
const POLICY: &str = r#"<auth>EXTERNAL</auth>
<policy context="default">
  <allow user="*"/> <allow own="*"/>
  <allow send_type="method_call"/> <allow send_type="signal"/> <allow send_requested_reply="true"/>
  <allow receive_type="method_call"/> <allow receive_type="signal"/> <allow receive_requested_reply="true"/>
</policy>"#;

/// The bus of a server with this data folder.
pub struct Bus(#[expect(dead_code, reason = "ends the process")] Ending);

impl Bus {
    pub fn start(data: &Path) -> Self {
        let at = bus(data);
        let (config, at) = (at.with_extension("conf"), at.display());
        let text = format!(
            "<busconfig><type>system</type><listen>unix:path={at}</listen>{POLICY}</busconfig>"
        );
        std::fs::write(&config, text).unwrap();
        let mut child = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--print-address"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = child.stdout.take().unwrap();
        let bus = Self(Ending(child));
        // It says where it listens once it does.
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).unwrap();
        assert!(line.starts_with("unix:"), "{line}");
        bus
    }
}

/// With `/run`, its user and the machine's list of resolvers as it needs them, for itself alone.
const ENTER: &str = r#"set -e
mount -t tmpfs none /run
mkdir /run/systemd
for file in passwd group resolv.conf; do mount --bind "$1/$file" /etc/$file; done
exec "$2""#;

/// A running systemd-resolved on a lab's node, which forgets everything when it ends.
pub struct Resolved(#[expect(dead_code, reason = "ends the process")] Ending);

impl Resolved {
    pub fn start(program: &Path, lab: &Lab) -> Self {
        let files = lab.data().with_extension("resolved");
        std::fs::create_dir_all(&files).unwrap();
        // A number that the bus knows a user by.
        for (file, line) in [
            ("passwd", "systemd-resolve:x:1:1::/:/bin/false\n"),
            ("group", "systemd-resolve:x:1:\n"),
        ] {
            let there = std::fs::read_to_string(Path::new("/etc").join(file)).unwrap();
            let others = there
                .lines()
                .filter(|line| !line.starts_with("systemd-resolve:"));
            let text: String = others.map(|line| format!("{line}\n")).collect();
            std::fs::write(files.join(file), text + line).unwrap();
        }
        let resolvers = format!("nameserver {}\n", CLIENT[0]);
        std::fs::write(files.join("resolv.conf"), resolvers).unwrap();
        let notify = Readiness::listen(&files.join("notify")).unwrap();
        // resolved is not root when it says so.
        std::fs::set_permissions(
            notify.path(),
            std::os::unix::fs::PermissionsExt::from_mode(0o777),
        )
        .unwrap();
        let folder = files.parent().unwrap();
        std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        let child = lab
            .node
            .command("sh")
            .args(["-c", ENTER, "sh"])
            .args([&files, &program.to_path_buf()])
            .env(BUS, format!("unix:path={}", bus(&lab.data()).display()))
            .env(NOTIFY_SOCKET, notify.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let ready = notify.wait(&child).unwrap();
        let resolved = Self(Ending(child));
        assert!(ready, "systemd-resolved does not start");
        resolved
    }
}

/// A resolver that knows one address, `host.example`, and of no other name anything.
pub fn resolver(host: &Netns) -> std::thread::JoinHandle<()> {
    let socket = host
        .enter(|| std::net::UdpSocket::bind((CLIENT[0], 53)).unwrap())
        .unwrap();
    std::thread::spawn(move || {
        let mut packet = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut packet) {
            if let Some(answer) = answer(&packet[..length]) {
                let _ = socket.send_to(&answer, from);
            }
        }
    })
}

/// RFC 1035, 4.1: the header and the question as they came, and an address.
fn answer(query: &[u8]) -> Option<Vec<u8>> {
    const KNOWN: &[u8] = b"\x04host\x07example\x00\x00\x01\x00\x01";
    let name = query.get(12..)?.iter().position(|octet| *octet == 0)?;
    let question = query.get(12..12 + name + 5)?;
    let known = question.eq_ignore_ascii_case(KNOWN);
    let mut answer = query.get(..12)?.to_vec();
    (answer[2], answer[3]) = (0x81, if known { 0x80 } else { 0x83 });
    answer[6..12].copy_from_slice(&[0, u8::from(known), 0, 0, 0, 0]);
    answer.extend(question);
    if known {
        answer.extend(b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04\xc0\x00\x02\x07");
    }
    Some(answer)
}
