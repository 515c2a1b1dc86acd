//! A certificate from an authority: Pebble, which is Let's Encrypt's own for tests.

use crate::support::http::request;
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{free_port, seconds, wait_for, wait_until};
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// An authority that looks for its proofs at one port of this machine, and asks a DNS of its own, to which every name is here.
struct Authority {
    _pebble: Peer,
    _dns: Peer,
    port: u16,
    management: u16,
    dns_management: u16,
    folder: TempDir,
}

impl Authority {
    fn start(proofs: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let key = KeyPair::generate().unwrap();
        let names = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = names.self_signed(&key).unwrap();
        std::fs::write(place("certificate.pem"), certificate.pem()).unwrap();
        std::fs::write(place("key.pem"), key.serialize_pem()).unwrap();
        let [port, management, dns, dns_management] = [(); 4].map(|()| free_port());
        let dns = format!("127.0.0.1:{dns}");
        let config = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{port}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": place("certificate.pem"),
            "privateKey": place("key.pem"),
            "httpPort": proofs,
            "tlsPort": 1,
        }});
        std::fs::write(place("pebble.json"), config.to_string()).unwrap();
        let mut server = tool("pebble-challtestsrv");
        server.args(["-dns01", &dns, "-defaultIPv6", ""]);
        server.args(["-http01", "", "-https01", "", "-tlsalpn01", ""]);
        server.args(["-management", &format!("127.0.0.1:{dns_management}")]);
        let dns_server = Peer::start(&mut server);
        let mut pebble = tool("pebble");
        pebble.arg("-config").arg(place("pebble.json"));
        pebble.args(["-dnsserver", &dns]);
        // It waits for seconds before it looks, otherwise; one in twenty of its nonces is refused. Three in a row end an
        // order, which is tried again only after a minute.
        pebble.envs([("PEBBLE_VA_NOSLEEP", "1"), ("PEBBLE_WFE_NONCEREJECT", "5")]);
        let authority = Self {
            _pebble: Peer::start(&mut pebble),
            _dns: dns_server,
            port,
            management,
            dns_management,
            folder,
        };
        wait_until("the authority answers", seconds(30), || {
            authority.root().is_some()
        });
        authority
    }

    /// What its own certificate has to be checked against.
    fn trusted(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// The root of what it issues, in PEM.
    fn root(&self) -> Option<String> {
        let mut curl = tool("curl");
        curl.args(["--silent", "--insecure"]);
        curl.arg(format!("https://127.0.0.1:{}/roots/0", self.management));
        let said = String::from_utf8(curl.output().unwrap().stdout).unwrap();
        said.contains("BEGIN CERTIFICATE").then_some(said)
    }
}

/// The file of a server's settings, with these in `[acme]`.
fn write(file: &Path, proofs: u16, authority: Option<&Authority>, domains: &[&str]) {
    let mut text =
        format!("[acme]\nlisten = \"127.0.0.1:{proofs}\"\ncontact = \"me@cam.example\"\n");
    if let Some(authority) = authority {
        let port = authority.port;
        text += &format!("directory = \"https://localhost:{port}/dir\"\ndomains = {domains:?}\n");
        text += &format!("[tls]\nroots = {:?}\n", authority.trusted());
    }
    std::fs::write(file, text).unwrap();
}

/// A page over HTTPS under that name, and nothing where the certificate is not of this root and for this name.
fn page(server: &Server, name: &str, root: &Path) -> Option<String> {
    let port = server.port_of("https");
    let mut curl = tool("curl");
    curl.args([
        "--silent",
        "--resolve",
        &format!("{name}:{port}:127.0.0.1"),
        "--cacert",
    ]);
    curl.arg(root).arg(format!("https://{name}:{port}/healthz"));
    let output = curl.output().unwrap();
    output
        .status
        .success()
        .then(|| String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_certificate_is_ordered_proved_shown_kept_and_ordered_anew_for_other_names() {
    let proofs = free_port();
    let authority = Authority::start(proofs);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("millstream.toml");
    let config = file.display().to_string();
    write(&file, proofs, Some(&authority), &["cam.example"]);
    let arguments = ["--config", &config, "--set", "https.listen=127.0.0.1:0"];
    let mut server = Server::on_with(folder.path(), &arguments);
    server.wait_log(seconds(60), &["a certificate came from the authority"]);
    let root = folder.path().join("root.pem");
    std::fs::write(&root, authority.root().unwrap()).unwrap();
    wait_until("it is shown", seconds(30), || {
        page(&server, "cam.example", &root).is_some()
    });
    assert_eq!(page(&server, "two.example", &root), None);
    // Nobody can read the key, and others are sent on to HTTPS from where proofs are.
    let mode = |name: &str| {
        use std::os::unix::fs::PermissionsExt;
        let metadata = folder.path().join(name).metadata().unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(
        [mode("acme-certificate.pem"), mode("acme-account.json")],
        [0o600; 2]
    );
    let elsewhere = request(
        proofs,
        "GET",
        "/a/b?c=d",
        &[("Host", "cam.example:80")],
        b"",
    );
    assert_eq!(elsewhere.status, 308);
    let secure = format!("https://cam.example:{}/a/b?c=d", server.port_of("https"));
    assert_eq!(elsewhere.header("Location"), secure);
    for port in [proofs, server.http] {
        let path = "/.well-known/acme-challenge/unknown";
        assert_eq!(request(port, "GET", path, &[], b"").status, 404);
    }

    // What is there is good for the next start.
    let kept = std::fs::read(folder.path().join("acme-certificate.pem")).unwrap();
    server.stop();
    let server = Server::on_with(folder.path(), &arguments);
    wait_until("it is shown again", seconds(30), || {
        page(&server, "cam.example", &root).is_some()
    });
    assert_eq!(
        std::fs::read(folder.path().join("acme-certificate.pem")).unwrap(),
        kept
    );

    // Another name is ordered while the server runs, with the same account.
    let account = std::fs::read(folder.path().join("acme-account.json")).unwrap();
    write(
        &file,
        proofs,
        Some(&authority),
        &["cam.example", "two.example"],
    );
    wait_until("the other name is shown", seconds(90), || {
        page(&server, "two.example", &root).is_some()
    });
    assert!(page(&server, "cam.example", &root).is_some());
    assert_eq!(
        std::fs::read(folder.path().join("acme-account.json")).unwrap(),
        account
    );

    // A name that is not here cannot be proved, and what was shown before is shown on.
    let away = json!({ "host": "away.example", "addresses": ["127.0.0.9"] }).to_string();
    let said = request(
        authority.dns_management,
        "POST",
        "/add-a",
        &[],
        away.as_bytes(),
    );
    assert_eq!(said.status, 200);
    write(
        &file,
        proofs,
        Some(&authority),
        &["cam.example", "away.example"],
    );
    let words = wait_for("the reason is told", seconds(90), || {
        let log = server.log.text();
        let line = log
            .lines()
            .find(|line| line.contains("no certificate from the authority"))?;
        Some(line.to_owned())
    });
    assert!(
        words.contains("away.example") && words.contains("the next attempt is in"),
        "{words}"
    );
    assert!(words.contains("127.0.0.9"), "{words}");
    assert!(page(&server, "two.example", &root).is_some());
    for secret in ["PRIVATE KEY", "key_pkcs8"] {
        assert!(!server.log.text().contains(secret));
    }
}
