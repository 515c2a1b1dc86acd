//! Both sides, over memory.

use super::*;
use crate::config::{General, Tls};
use rcgen::{CertificateParams, KeyPair};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::TlsAcceptor;

/// What the client is told, or what came over the connection; and the SHA-256 digest of the certificate.
async fn meet(
    identity: &Identity,
    connector: &Connector,
    host: &str,
    check: &Check,
) -> Result<([u8; 32], String), String> {
    let (here, there) = tokio::io::duplex(64 << 10);
    let acceptor = TlsAcceptor::from(identity.certificate().server_config(&[]));
    let server = async move {
        let mut stream = acceptor.accept(there).await?;
        stream.write_all(b"hello").await?;
        stream.shutdown().await
    };
    let client = async move {
        let stream = connector.connect(host, here, check).await;
        let mut stream = stream.map_err(|error| error.to_string())?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let certificates = stream.get_ref().1.peer_certificates().unwrap();
        Ok((Sha256::digest(&certificates[0]).into(), text))
    };
    tokio::join!(server, client).1
}

/// One for tests of other modules.
pub(crate) fn certificate() -> Certificate {
    let folder = tempfile::tempdir().unwrap();
    identity(folder.path()).certificate()
}

fn identity(folder: &Path) -> Identity {
    open(Tls::default(), folder).unwrap()
}

fn open(tls: Tls, folder: &Path) -> Result<Identity, TlsError> {
    Identity::open(&General {
        tls,
        data_dir: folder.to_owned(),
        ..General::default()
    })
}

#[tokio::test]
async fn a_certificate_is_made_once_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let connector = Connector::new(None).unwrap();
    let made = identity(folder.path());
    let (first, text) = meet(&made, &connector, "localhost", &Check::Off)
        .await
        .unwrap();
    assert_eq!(text, "hello");
    let kept = identity(folder.path());
    let (second, _) = meet(&kept, &connector, "localhost", &Check::Off)
        .await
        .unwrap();
    assert_eq!(second, first);
    use std::os::unix::fs::PermissionsExt;
    let key = std::fs::metadata(folder.path().join("tls-key.pem")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_server_is_checked_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(folder.path());
    let certificate = folder.path().join("tls-certificate.pem");
    let strict = Connector::new(None).unwrap();
    let refused = meet(&identity, &strict, "localhost", &Check::Roots).await;
    let words = refused.unwrap_err();
    assert!(
        words.starts_with("the certificate of localhost is not accepted: "),
        "{words}"
    );
    let trusting = Connector::new(Some(&certificate)).unwrap();
    let accepted = meet(&identity, &trusting, "localhost", &Check::Roots).await;
    let (digest, _) = accepted.unwrap();
    assert!(
        meet(&identity, &trusting, "127.0.0.1", &Check::Roots)
            .await
            .is_ok()
    );
    let other_name = meet(&identity, &trusting, "example.org", &Check::Roots).await;
    assert!(other_name.unwrap_err().contains("not accepted"));
    let pinned = Check::Fingerprint(digest);
    assert!(
        meet(&identity, &strict, "example.org", &pinned)
            .await
            .is_ok()
    );
    let other = Check::Fingerprint([0; 32]);
    assert!(
        meet(&identity, &trusting, "localhost", &other)
            .await
            .is_err()
    );
    let no_name = meet(&identity, &strict, "a b", &Check::Off).await;
    assert!(no_name.unwrap_err().starts_with("a b is no host name"));
}

#[tokio::test]
async fn who_speaks_no_tls_is_told_apart() {
    let (here, mut there): (DuplexStream, DuplexStream) = tokio::io::duplex(1_024);
    there
        .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        .await
        .unwrap();
    let connector = Connector::new(None).unwrap();
    let refused = connector.connect("localhost", here, &Check::Off).await;
    let words = refused.unwrap_err().to_string();
    assert!(words.starts_with("no TLS with localhost: "), "{words}");
}

#[tokio::test]
async fn changed_files_are_read_again_and_bad_ones_are_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("a.pem"), folder.path().join("b.pem"));
    let write = || {
        let pair = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let made = parameters.self_signed(&pair).unwrap();
        std::fs::write(&certificate, made.pem()).unwrap();
        std::fs::write(&key, pair.serialize_pem()).unwrap();
    };
    write();
    let settings = Tls {
        certificate: Some(certificate.clone()),
        key: Some(key.clone()),
        roots: None,
    };
    let mut identity = open(settings.clone(), folder.path()).unwrap();
    assert!(!folder.path().join("tls-key.pem").exists());
    let connector = Connector::new(None).unwrap();
    let first = meet(&identity, &connector, "localhost", &Check::Off)
        .await
        .unwrap();

    std::fs::write(&key, "half of a").unwrap();
    identity.look();
    let kept = meet(&identity, &connector, "localhost", &Check::Off)
        .await
        .unwrap();
    assert_eq!(kept, first);

    write();
    identity.look();
    let changed = meet(&identity, &connector, "localhost", &Check::Off)
        .await
        .unwrap();
    assert_ne!(changed.0, first.0);

    std::fs::write(&key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let words = open(settings, folder.path()).unwrap_err().to_string();
    assert!(words.contains("cannot be used"), "{words}");
}

#[test]
fn a_certificate_of_an_authority_is_good_for_its_names_for_two_thirds_of_its_life() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::of_authority(folder.path());
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    let wanted = names(&["cam.example", "Two.example"]);
    let begin = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let day = Duration::from_secs(86_400);
    assert!(!files.are_good_for(&wanted, begin));
    files.make_if_missing().unwrap();
    assert!(files.load().is_ok() && !files.are_good_for(&wanted, begin));

    let root_key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::new(Vec::new()).unwrap();
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    root.distinguished_name
        .push(rcgen::DnType::CommonName, "an authority");
    let issuer = rcgen::Issuer::new(root, root_key);
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(names(&["two.example", "cam.example"])).unwrap();
    parameters.not_before = begin.into();
    parameters.not_after = (begin + 90 * day).into();
    let chain = parameters.signed_by(&key, &issuer).unwrap().pem();
    let stranger = KeyPair::generate().unwrap().serialize_pem();
    assert!(files.replace(&chain, &stranger).is_err());
    assert!(
        files
            .replace("no certificate", &key.serialize_pem())
            .is_err()
    );
    assert!(files.load().is_ok());
    files.replace(&chain, &key.serialize_pem()).unwrap();
    assert!(files.are_good_for(&wanted, begin + 59 * day));
    assert!(!files.are_good_for(&wanted, begin + 61 * day));
    assert!(!files.are_good_for(&wanted[..1], begin));
    assert!(!files.are_good_for(&names(&["cam.example", "three.example"]), begin));
}

#[test]
fn what_is_wrong_with_files_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("roots.pem");
    let words = || Connector::new(Some(&path)).unwrap_err().to_string();
    assert!(words().contains("No such file"), "{}", words());
    std::fs::write(&path, "nothing").unwrap();
    assert!(
        words().contains("no certificate in PEM form"),
        "{}",
        words()
    );
}

#[test]
fn options_of_urls() {
    let digest = "00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:11:12:13:14:15:16:17:18:19:1A:1b:1c:1d:1e:1f";
    let expected = Check::Fingerprint(std::array::from_fn(|at| at as u8));
    assert_eq!(Check::option("tls_fingerprint", digest), Some(Ok(expected)));
    assert_eq!(Check::option("tls_verify", "0"), Some(Ok(Check::Off)));
    assert_eq!(Check::option("tls_verify", "1"), Some(Ok(Check::Roots)));
    for (key, value) in [
        ("tls_verify", "maybe"),
        ("tls_fingerprint", "é0"),
        ("tls_fingerprint", ""),
    ] {
        assert!(Check::option(key, value).unwrap().is_err(), "{key}={value}");
    }
    assert_eq!(Check::option("transport", "udp"), None);
}
