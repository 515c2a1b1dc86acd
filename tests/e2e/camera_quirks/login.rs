//! Challenges, and who meets them.

use super::{Case, Expect, case, run};
use crate::support::fake_camera::{Login, Scheme};

const DIGEST: &str = "Digest realm=\"cam\", nonce=\"{nonce}\"";

const JOE: Login = Login {
    user: "joe",
    password: "p@ss:w/o#rd%\u{e4}",
    challenges: &[DIGEST],
    scheme: Scheme::Md5,
    realm: "cam",
    uses: 1_000,
    options_free: false,
};

/// A camera that asks who is there.
fn asks(name: &'static str, login: Login) -> Case {
    let mut case = case(name, Expect::Plays, |script| script.login = Some(login));
    case.login = "joe:p%40ss%3Aw%2Fo%23rd%25%C3%A4@";
    case
}

#[test]
fn who_is_there() {
    let digest = |name, challenges| asks(name, Login { challenges, ..JOE });
    let mut cases = vec![
        digest("no qop", JOE.challenges),
        digest(
            "qop",
            &["Digest realm=\"cam\", nonce=\"{nonce}\", qop=\"auth\""],
        ),
        digest(
            "several qop",
            &["Digest realm=\"cam\",nonce=\"{nonce}\",qop=\"auth-int,auth\",opaque=\"x,y\""],
        ),
        digest(
            "qop without quotes",
            &["Digest realm=\"cam\", nonce=\"{nonce}\", qop=auth, algorithm=md5"],
        ),
        digest(
            "an algorithm in quotes",
            &["Digest realm=\"cam\", nonce=\"{nonce}\", algorithm=\"MD5\","],
        ),
        digest("no quotes at all", &["Digest realm=cam, nonce={nonce}"]),
        digest(
            "stale is false (mediamtx)",
            &["Digest realm=\"cam\", nonce=\"{nonce}\", stale=\"FALSE\""],
        ),
        digest("basic is offered first", &["Basic realm=\"cam\"", DIGEST]),
        digest(
            "both in one field",
            &["Basic realm=\"cam\", Digest realm=\"cam\", nonce=\"{nonce}\""],
        ),
        digest(
            "a scheme that nobody knows",
            &["Hawk x=\"y\"", "digest realm=\"cam\", nonce=\"{nonce}\""],
        ),
        asks(
            "an empty realm",
            Login {
                challenges: &["Digest realm=\"\", nonce=\"{nonce}\""],
                realm: "",
                ..JOE
            },
        ),
        asks(
            "a realm with blanks and commas",
            Login {
                challenges: &["Digest realm=\"Login to 4C0, x=y\", nonce=\"{nonce}\""],
                realm: "Login to 4C0, x=y",
                ..JOE
            },
        ),
        asks(
            "a realm with quotes",
            Login {
                challenges: &["Digest realm=\"the \\\"cam\\\"\", nonce=\"{nonce}\""],
                realm: "the \"cam\"",
                ..JOE
            },
        ),
        asks(
            "sha-256",
            Login {
                challenges: &[
                    "Digest realm=\"cam\", nonce=\"{nonce}\", algorithm=SHA-256, qop=\"auth\"",
                    DIGEST,
                ],
                scheme: Scheme::Sha256,
                ..JOE
            },
        ),
        asks(
            "basic",
            Login {
                challenges: &["Basic realm=\"cam\""],
                scheme: Scheme::Basic,
                ..JOE
            },
        ),
        asks(
            "basic without a realm",
            Login {
                challenges: &["basic"],
                scheme: Scheme::Basic,
                ..JOE
            },
        ),
        asks(
            "OPTIONS are free",
            Login {
                options_free: true,
                ..JOE
            },
        ),
        asks(
            "a nonce for each request",
            Login {
                challenges: &["Digest realm=\"cam\", nonce=\"{nonce}\", stale=TRUE"],
                uses: 1,
                ..JOE
            },
        ),
        asks("that, without saying so", Login { uses: 1, ..JOE }),
    ];
    for (name, login, challenges) in [
        ("a wrong password", "joe:wrong@", JOE.challenges),
        (
            "a wrong password, always called stale",
            "joe:wrong@",
            &["Digest realm=\"cam\", nonce=\"{nonce}\", stale=true"],
        ),
        (
            "a challenge that nobody can meet",
            "joe:wrong@",
            &["Hawk x=\"y\""],
        ),
    ] {
        let mut case = digest(name, challenges);
        (case.login, case.expect) = (login, Expect::Fails("refuses the user name or password"));
        cases.push(case);
    }
    let mut case = digest("nobody", JOE.challenges);
    (case.login, case.expect) = ("", Expect::Fails("asks for a user name and password"));
    cases.push(case);
    let mut case = asks("the connection is closed behind a challenge", JOE);
    case.script.answer = Box::new(|_, reply| reply.close = reply.status.starts_with("401"));
    cases.push(case);
    run(cases);
}
