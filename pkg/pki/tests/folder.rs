//! The folder as a server meets it: new, again, damaged, with another address, after years.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use kedge_pki::{Authority, Kubeconfig, PkiError, ServerCertificate, SubjectNames};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

const NOW: &str = "2027-05-01T00:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn names(addresses: &[&str]) -> SubjectNames {
    let addresses = addresses
        .iter()
        .map(|address| address.parse::<IpAddr>().unwrap());
    SubjectNames::new(
        SubjectNames::of_service("cluster.local")
            .into_iter()
            .chain(["Gate-1".into()]),
        addresses,
    )
}

fn authority(folder: &Path, now: &str) -> Arc<Authority> {
    Arc::new(Authority::load_or_create(folder, at(now)).unwrap())
}

/// Every file with its time of modification and mode.
fn state(folder: &Path) -> BTreeMap<String, (SystemTime, u32)> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let meta = entry.metadata().unwrap();
            let name = entry.file_name().into_string().unwrap();
            (
                name,
                (meta.modified().unwrap(), meta.permissions().mode() & 0o777),
            )
        })
        .collect()
}

/// What a client does with the certificate in `server.crt` at the given time.
fn verify(folder: &Path, name: &str, seconds: u64) -> Result<(), rustls::Error> {
    use rustls::client::WebPkiServerVerifier;
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(folder.join("ca.crt")).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap();
    let leaf = CertificateDer::from_pem_file(folder.join("server.crt")).unwrap();
    let name = ServerName::try_from(name.to_string()).unwrap();
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    rustls::client::danger::ServerCertVerifier::verify_server_cert(
        &*verifier,
        &leaf,
        &[],
        &name,
        &[],
        now,
    )
    .map(drop)
}

const Y2027: u64 = 1_809_129_600;

#[test]
fn a_second_start_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let pki = folder.path().join("pki");
    let start = || {
        let authority = authority(&pki, NOW);
        ServerCertificate::load_or_issue(Arc::clone(&authority), &names(&["10.0.0.1"]), at(NOW))
            .unwrap();
        let admin = authority.admin(at(NOW)).unwrap();
        authority.token_keys().unwrap();
        Kubeconfig::new("https://127.0.0.1:6443", &authority, &admin)
            .write(&pki.join("kubeconfig.yaml"))
            .unwrap();
        state(&pki)
    };
    let first = start();
    assert_eq!(start(), first);
    let private = [
        "ca.key",
        "server.key",
        "admin.key",
        "service-account.key",
        "kubeconfig.yaml",
    ];
    for (name, (_, mode)) in first {
        assert_eq!(
            mode,
            if private.contains(&name.as_str()) {
                0o600
            } else {
                0o644
            },
            "{name}"
        );
    }
    assert_eq!(
        fs::metadata(&pki).unwrap().permissions().mode() & 0o777,
        0o700
    );
}

#[test]
fn a_client_believes_it_whatever_the_clocks_said() {
    for clock in ["1970-01-01T00:00:03Z", NOW] {
        let folder = tempfile::tempdir().unwrap();
        let authority = authority(folder.path(), clock);
        ServerCertificate::load_or_issue(authority, &names(&["10.0.0.1", "fd00::1"]), at(clock))
            .unwrap();
        for name in [
            "10.0.0.1",
            "fd00::1",
            "localhost",
            "gate-1",
            "kubernetes.default.svc",
        ] {
            verify(folder.path(), name, Y2027).unwrap();
            verify(folder.path(), name, 5).unwrap();
        }
        assert!(verify(folder.path(), "10.0.0.2", Y2027).is_err());
        assert!(verify(folder.path(), "localhost", Y2027 + 20 * 31_557_600).is_err());
    }
}

#[test]
fn an_address_that_comes_is_in_the_next_handshake() {
    let folder = tempfile::tempdir().unwrap();
    let authority = authority(folder.path(), NOW);
    let server =
        ServerCertificate::load_or_issue(authority, &names(&["10.0.0.1"]), at(NOW)).unwrap();
    assert!(!server.ensure(&names(&["10.0.0.1"]), at(NOW)).unwrap());
    assert!(
        server
            .ensure(&names(&["10.0.0.1", "10.0.0.2"]), at(NOW))
            .unwrap()
    );
    verify(folder.path(), "10.0.0.2", Y2027).unwrap();
    assert!(server.ensure(&names(&["10.0.0.2"]), at(NOW)).unwrap());
    assert!(verify(folder.path(), "10.0.0.1", Y2027).is_err());
}

#[test]
fn the_last_third_of_a_life_renews() {
    let folder = tempfile::tempdir().unwrap();
    let authority = authority(folder.path(), NOW);
    let server =
        ServerCertificate::load_or_issue(Arc::clone(&authority), &names(&[]), at(NOW)).unwrap();
    let due = server.renew_at();
    let admin = authority.admin(at(NOW)).unwrap();
    assert_eq!(admin.renew_at(), due);
    assert!(
        !server
            .ensure(&names(&[]), due - jiff::SignedDuration::from_secs(1))
            .unwrap()
    );
    assert!(server.ensure(&names(&[]), due).unwrap());
    assert!(server.renew_at() > due);
    assert_ne!(authority.admin(due).unwrap().pem(), admin.pem());
    // A clock that falls back afterwards changes nothing.
    assert!(
        !server
            .ensure(&names(&[]), at("1970-01-01T00:00:00Z"))
            .unwrap()
    );
}

#[test]
fn a_damaged_leaf_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let authority = authority(folder.path(), NOW);
    let load = || {
        ServerCertificate::load_or_issue(Arc::clone(&authority), &names(&["10.0.0.1"]), at(NOW))
            .unwrap()
    };
    for (file, text) in [
        ("server.crt", "nonsense"),
        ("server.key", ""),
        ("server.crt", "\0\0\0"),
    ] {
        load();
        fs::write(folder.path().join(file), text).unwrap();
        load();
        verify(folder.path(), "10.0.0.1", Y2027).unwrap();
    }
    // Somebody else's certificate, though whole, is not taken either.
    let other = tempfile::tempdir().unwrap();
    let stranger = self::authority(other.path(), NOW);
    ServerCertificate::load_or_issue(stranger, &names(&["10.0.0.1"]), at(NOW)).unwrap();
    for file in ["server.crt", "server.key"] {
        fs::copy(other.path().join(file), folder.path().join(file)).unwrap();
    }
    load();
    verify(folder.path(), "10.0.0.1", Y2027).unwrap();
}

#[test]
fn a_damaged_authority_is_an_error_that_says_what_to_do() {
    let whole = tempfile::tempdir().unwrap();
    authority(whole.path(), NOW);
    let other = tempfile::tempdir().unwrap();
    authority(other.path(), NOW);
    let damage = |change: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().unwrap();
        for file in ["ca.crt", "ca.key"] {
            fs::copy(whole.path().join(file), folder.path().join(file)).unwrap();
        }
        change(folder.path());
        let before = state(folder.path());
        let error = Authority::load_or_create(folder.path(), at(NOW)).unwrap_err();
        assert_eq!(
            state(folder.path()),
            before,
            "an authority that cannot be read is left as it is"
        );
        let text = error.to_string();
        assert!(text.contains("restore") && text.contains("ca."), "{text}");
        error
    };
    let error = damage(&|folder| fs::write(folder.join("ca.crt"), "nonsense").unwrap());
    assert!(matches!(error, PkiError::Corrupt { path, .. } if path.ends_with("ca.crt")));
    let error = damage(&|folder| fs::write(folder.join("ca.key"), "nonsense").unwrap());
    assert!(matches!(error, PkiError::Corrupt { path, .. } if path.ends_with("ca.key")));
    let error = damage(&|folder| fs::remove_file(folder.join("ca.key")).unwrap());
    assert!(matches!(error, PkiError::KeyMissing { .. }));
    let error = damage(&|folder| {
        fs::copy(other.path().join("ca.key"), folder.join("ca.key")).unwrap();
    });
    assert!(matches!(error, PkiError::Mismatch { .. }));
}

#[test]
fn a_power_cut_between_key_and_certificate_keeps_the_key() {
    let folder = tempfile::tempdir().unwrap();
    authority(folder.path(), NOW);
    let key = fs::read(folder.path().join("ca.key")).unwrap();
    fs::remove_file(folder.path().join("ca.crt")).unwrap();
    let again = authority(folder.path(), NOW);
    assert_eq!(fs::read(folder.path().join("ca.key")).unwrap(), key);
    ServerCertificate::load_or_issue(again, &names(&["10.0.0.1"]), at(NOW)).unwrap();
    verify(folder.path(), "10.0.0.1", Y2027).unwrap();
}

#[test]
fn a_kubeconfig_embeds_what_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let authority = authority(folder.path(), NOW);
    let admin = authority.admin(at(NOW)).unwrap();
    let kubeconfig = Kubeconfig::new("https://127.0.0.1:7443", &authority, &admin);
    let read: serde_json::Value = serde_saphyr::from_str(kubeconfig.text()).unwrap();
    assert_eq!(
        read["clusters"][0]["cluster"]["server"],
        "https://127.0.0.1:7443"
    );
    assert_eq!(read["current-context"], read["contexts"][0]["name"]);
    assert_eq!(
        read["contexts"][0]["context"]["user"],
        read["users"][0]["name"]
    );
    for key in ["client-certificate-data", "client-key-data"] {
        assert!(
            read["users"][0]["user"][key].as_str().unwrap().len() > 100,
            "{key}"
        );
    }
    let shown = format!("{admin:?} {authority:?} {kubeconfig:?}");
    assert!(!shown.contains("PRIVATE KEY"), "{shown}");
}

#[test]
fn names_that_no_certificate_can_carry_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let authority = authority(folder.path(), NOW);
    let names = SubjectNames::new(["höst"], []);
    let error = ServerCertificate::load_or_issue(authority, &names, at(NOW)).unwrap_err();
    assert!(error.to_string().contains("höst"), "{error}");
}
