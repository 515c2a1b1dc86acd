//! Arguments and configuration that cannot be used: status 2, and one line that says what and where.

use crate::support::peer::Peer;
use crate::support::program::{command, run_to_end};
use crate::support::seconds;
use std::process::Output;

/// Runs the program with these arguments; its exit status and what it said.
#[track_caller]
pub(crate) fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let Output { status, stderr, .. } = run_to_end(
        command().args(arguments).current_dir(folder.path()),
        seconds(10),
    );
    (status.code(), String::from_utf8(stderr).unwrap())
}

/// One line for a person that holds all the words.
#[track_caller]
pub(crate) fn assert_one_line(text: &str, words: &[&str]) {
    assert_eq!(text.trim_end().lines().count(), 1, "{text}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
}

#[test]
fn unusable_arguments_end_with_status_2() {
    for (arguments, word) in [
        (&["--nonsense"] as &[&str], "--nonsense"),
        (&["nonsense"], "nonsense"),
        (&["--log-format", "xml"], "xml"),
        (&["--set"], "--set"),
    ] {
        let (code, text) = run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
        assert!(text.contains(word), "{arguments:?}: {text}");
    }
}

#[test]
fn an_unusable_configuration_ends_with_status_2_and_one_line() {
    for (set, words) in [
        (
            "http.listen",
            &["--set http.listen", "KEY=VALUE"] as &[&str],
        ),
        ("http.listen=nonsense", &["http.listen", "nonsense"]),
        ("http.lisen=127.0.0.1:0", &["http", "lisen", "listen"]),
        ("rtmp.listen=127.0.0.1", &["rtmp.listen"]),
        ("rtmp.lisen=127.0.0.1:0", &["rtmp", "lisen", "listen"]),
        ("nonsense.x=1", &["nonsense"]),
        ("streams.grace=soon", &["streams.grace"]),
        ("streams.takeover=sometimes", &["streams.takeover"]),
        ("segments.duration=1ms", &["segments.duration"]),
        ("segments.listed=many", &["segments.listed"]),
        ("applications=[\"a/b\"]", &["applications"]),
        ("auth.tokens=[\"short\"]", &["auth.tokens", "16"]),
        ("log.level=\"=,=\"", &["log"]),
    ] {
        for arguments in [
            &["--set", set] as &[&str],
            &["serve", "--set", set],
            &["check-config", "--set", set],
        ] {
            let (code, text) = run(arguments);
            assert_eq!(code, Some(2), "{arguments:?}: {text}");
            assert_one_line(&text, words);
        }
    }
}

#[test]
fn errors_in_the_file_name_file_line_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("millstream.toml");
    let name = file.to_str().unwrap();
    for (text, line, words) in [
        (
            "[http]\nlisten = \"nonsense\"\n",
            2,
            &["http.listen", "nonsense"] as &[&str],
        ),
        (
            "# comment\n\n[streams]\ngrace = \"5s\"\nsilense = \"1s\"\n",
            5,
            &["silense", "silence"],
        ),
        (
            "[segments]\nlisted = 7\npart = \"1ms\"\n",
            3,
            &["segments.part"],
        ),
        ("[rtmp]\nlisten = 7\n", 2, &["rtmp.listen"]),
        ("applications = [\"LiveApp\"\n[http]\n", 2, &[]),
        ("[nonsense]\n", 1, &["nonsense"]),
        (
            "[acme]\ndomains = [\"*.example\"]\n",
            2,
            &["acme.domains", "*.example"],
        ),
        (
            "[stream.cam]\nsource = \"rtsp://cam/1#transprot=tcp\"\n",
            2,
            &["stream.cam.source", "transprot", "transport"],
        ),
        (
            "[stream.a]\nsource = [\"demo:\", \"srt://cam:1?latancy=1\"]\n",
            2,
            &["stream.a.source", "latancy", "latency"],
        ),
        (
            "[stream.a]\n\nsource = \"udp://239.0.0.1:1#ttl=many\"\n",
            3,
            &["stream.a.source", "ttl"],
        ),
        (
            "[stream.a]\nsource = \"https://cam/a.m3u8#tls_verfy=0\"\n",
            2,
            &["stream.a.source", "tls_verfy"],
        ),
        (
            "[stream.a]\nsource = \"demo:\"\ntargets = [\"whip://host/cam#tokn=x\"]\n",
            3,
            &["stream.a.targets", "tokn"],
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        for arguments in [
            ["check-config", "--config", name],
            ["serve", "--config", name],
        ] {
            let (code, said) = run(&arguments);
            assert_eq!(code, Some(2), "{text}: {said}");
            assert_one_line(&said, words);
            assert!(
                said.contains(&format!("{name}:{line}")),
                "line {line} of\n{text}: {said}"
            );
        }
    }
    let missing = folder.path().join("missing.toml");
    let (code, said) = run(&["--config", missing.to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert_one_line(&said, &["missing.toml"]);
    std::fs::write(
        &file,
        "[http]\nlisten = \"127.0.0.1:0\"\n[segments]\nlisted = 5\n",
    )
    .unwrap();
    let (code, said) = run(&["check-config", "--config", name]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn file_environment_and_arguments_override_each_other_in_that_order() {
    let folder = tempfile::tempdir().unwrap();
    let check = |environment: Option<&str>, set: Option<&str>| {
        let mut check = command();
        check
            .args(["check-config", "--config"])
            .arg(folder.path().join("good.toml"));
        if let Some(value) = environment {
            check.env("MILLSTREAM_HTTP__LISTEN", value);
        }
        if let Some(value) = set {
            check.args(["--set", &format!("http.listen={value}")]);
        }
        let output = run_to_end(&mut check, seconds(10));
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    std::fs::write(
        folder.path().join("good.toml"),
        "[http]\nlisten = \"127.0.0.1:0\"\n",
    )
    .unwrap();
    assert_eq!(check(None, None).0, Some(0));
    let (code, said) = check(Some("nonsense"), None);
    assert_eq!(code, Some(2));
    assert_one_line(&said, &["MILLSTREAM_HTTP__LISTEN", "nonsense"]);
    // Shown by what runs: a server whose address comes from each.
    let mut server = command();
    server
        .current_dir(folder.path())
        .env("MILLSTREAM_HTTP__LISTEN", "127.0.0.2:0")
        .env("MILLSTREAM_RTMP__LISTEN", "127.0.0.2:0")
        .args(["--config", "good.toml", "--set", "rtmp.listen=127.0.0.3:0"])
        .args(["--set", "rtsp.listen="]);
    let server = Peer::start(&mut server);
    for address in ["address=127.0.0.2:", "address=127.0.0.3:"] {
        let logged = server
            .stderr
            .wait_for(seconds(10), |line| line.contains(address).then_some(()));
        assert!(logged.is_some(), "no {address} in {}", server.stderr.text());
    }
    server.signal("TERM");
    assert!(server.finish(seconds(5)).status.success());
}
