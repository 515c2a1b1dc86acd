//! What RFC 9725, its sister draft and RFC 8445 demand of a server.

use super::client::{SDP, Session, attribute, fragment, offer, post};
use super::{endpoint, stun};
use crate::case::{Case, must, should};
use crate::context::{Context, ensure};
use crate::http;
use std::collections::BTreeSet;

pub(super) static CASES: &[Case] = &[
    must(
        "webrtc.created",
        "RFC 9725 4.2",
        "an offer is answered with 201, application/sdp and a Location",
        |context| {
            let address = endpoint(context)?;
            let response = post(context, address, &ordinary(context))?;
            ensure!(
                response.status == 201,
                "it was answered with {}",
                response.status
            );
            let kind = response.field("Content-Type").unwrap_or_default();
            ensure!(kind.starts_with("application/sdp"), "the type is {kind:?}");
            ensure!(response.field("Location").is_some(), "there is no Location");
            Ok(())
        },
    ),
    must(
        "webrtc.answer",
        "RFC 9429 5.3.1, RFC 8122",
        "the answer has ICE, a fingerprint, a role and the offer's sections",
        |context| {
            let session = Session::new(context, endpoint(context)?)?;
            let answer = &session.answer;
            for name in ["ice-ufrag", "ice-pwd", "fingerprint", "setup", "mid"] {
                ensure!(attribute(answer, name).is_some(), "there is no a={name}");
            }
            let setup = attribute(answer, "setup").unwrap_or_default();
            ensure!(matches!(setup, "active" | "passive"), "the role is {setup}");
            let sections = answer.lines().filter(|line| line.starts_with("m=")).count();
            ensure!(
                sections == 2,
                "2 sections were offered and {sections} answered"
            );
            ensure!(answer.contains("a=rtcp-mux"), "there is no a=rtcp-mux");
            Ok(())
        },
    ),
    must(
        "webrtc.password",
        "RFC 8839 5.4",
        "fragments and passwords are long and never the same",
        |context| {
            let mut seen = BTreeSet::new();
            for _ in 0..3 {
                let mut session = Session::new(context, endpoint(context)?)?;
                ensure!(
                    session.their_ufrag.len() >= 4,
                    "a fragment is {:?}",
                    session.their_ufrag
                );
                ensure!(
                    session.their_password.len() >= 22,
                    "a password is {:?}",
                    session.their_password
                );
                ensure!(
                    seen.insert(session.their_password.clone()),
                    "two passwords are the same"
                );
                session.delete(context)?;
            }
            Ok(())
        },
    ),
    must(
        "webrtc.check",
        "RFC 8445 7.3",
        "a check of connectivity is answered with proof and address",
        |context| Session::new(context, endpoint(context)?)?.check(context),
    ),
    must(
        "webrtc.wrong-password",
        "RFC 8445 7.3, RFC 8489 9.1.3",
        "a check with a wrong proof has no success",
        |context| {
            let session = Session::new(context, endpoint(context)?)?;
            let udp = session.udp(context)?;
            let name = format!("{}:tester", session.their_ufrag);
            let request = stun::request(context, &name, Some("a password that is wrong"));
            udp.send(&request);
            let answer = udp.receive(context.limit / 10);
            let success = answer
                .as_ref()
                .is_some_and(|answer| answer.starts_with(&[1, 1]));
            ensure!(!success, "it was answered with success");
            let code = answer.and_then(|answer| stun::error(&answer));
            ensure!(
                matches!(code, None | Some(401 | 400)),
                "it was answered with {code:?}"
            );
            Ok(())
        },
    ),
    must(
        "webrtc.ends",
        "RFC 9725 4.2",
        "DELETE ends a session, and it is not known any more",
        |context| {
            let mut session = Session::new(context, endpoint(context)?)?;
            let status = session.delete(context)?;
            ensure!(status == 200, "DELETE was answered with {status}");
            let status = session.delete(context)?;
            ensure!(
                matches!(status, 404 | 410),
                "a second DELETE was answered with {status}"
            );
            Ok(())
        },
    ),
    must(
        "webrtc.type",
        "RFC 9725 4.2, RFC 9110 15.5.16",
        "what is no application/sdp is refused",
        |context| {
            let address = endpoint(context)?;
            let fields = [("Content-Type", "text/plain")];
            let response = http::ask(
                context,
                address,
                "POST",
                &http::target(address),
                &fields,
                &ordinary(context),
            )?;
            ensure!(
                matches!(response.status, 400 | 406 | 415 | 422),
                "it was answered with {}",
                response.status
            );
            Ok(())
        },
    ),
    must(
        "webrtc.no-offer",
        "RFC 9725 4.4.3",
        "what is no offer is refused with 400 or 422",
        |context| {
            let address = endpoint(context)?;
            for text in [
                "hello",
                "v=0\r\n",
                "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n",
            ] {
                let response =
                    http::ask(context, address, "POST", &http::target(address), &SDP, text)?;
                ensure!(
                    matches!(response.status, 400 | 422),
                    "{text:?} was answered with {}",
                    response.status
                );
            }
            Ok(())
        },
    ),
    must(
        "webrtc.cross-origin",
        "RFC 9725 4.2",
        "OPTIONS lets pages of other origins ask",
        |context| {
            let address = endpoint(context)?;
            let fields = [
                ("Origin", "http://page.example"),
                ("Access-Control-Request-Method", "POST"),
                ("Access-Control-Request-Headers", "content-type"),
            ];
            let response = http::ask(
                context,
                address,
                "OPTIONS",
                &http::target(address),
                &fields,
                "",
            )?;
            ensure!(
                matches!(response.status, 200 | 204),
                "it was answered with {}",
                response.status
            );
            ensure!(
                response.field("Access-Control-Allow-Origin").is_some(),
                "there is no Access-Control-Allow-Origin"
            );
            Ok(())
        },
    ),
    should(
        "webrtc.trickle",
        "RFC 9725 4.3.1",
        "candidates of the session's own tag are taken with 204, others with 412",
        |context| {
            let session = Session::new(context, endpoint(context)?)?;
            let tag = session.tag()?.to_owned();
            let response = session.patch(context, &tag, &fragment(context))?;
            ensure!(
                matches!(response.status, 204 | 405 | 422),
                "they were answered with {}",
                response.status
            );
            if response.status == 204 {
                let response = session.patch(context, "\"another\"", &fragment(context))?;
                ensure!(
                    response.status == 412,
                    "another tag was answered with {}",
                    response.status
                );
            }
            Ok(())
        },
    ),
    should(
        "webrtc.bundle",
        "RFC 9143 7.3",
        "all sections are bundled",
        |context| {
            let session = Session::new(context, endpoint(context)?)?;
            let group = attribute(&session.answer, "group").unwrap_or_default();
            ensure!(group.starts_with("BUNDLE 0"), "the group is {group:?}");
            Ok(())
        },
    ),
];

/// For the endpoint that there is.
pub(super) fn ordinary(context: &Context) -> String {
    let plays = context.target(|targets| &targets.whep).is_ok();
    offer(context, if plays { "recvonly" } else { "sendonly" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Targets;
    use std::time::Duration;

    #[test]
    fn an_offer_has_what_is_looked_for() {
        let limit = Duration::from_secs(1);
        let offer = ordinary(&Context::new(Targets::default(), limit, limit));
        assert!(attribute(&offer, "ice-pwd").is_some_and(|password| password.len() == 24));
        assert_eq!(attribute(&offer, "group"), Some("BUNDLE 0 1"));
        assert_eq!(attribute(&offer, "nothing"), None);
    }
}
