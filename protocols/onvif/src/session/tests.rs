//! A session with cameras as they are: each quirk is one of [`Quirks`].

use super::*;
use crate::device::GetDeviceInformation;
use crate::events::{CreatePullPoint, PullMessages};
use crate::profiles::{GetProfiles, GetStreamUri};
use media::DateTime;

const NOW: u64 = 1_795_777_200;

/// What a camera with several subscriptions at one address gets back, in the header.
const SUBSCRIPTION: &str = "<SubscriptionId xmlns=\"urn:axis\" xmlns:a=\"http://www.w3.org/2005/08/addressing\" \
    a:IsReferenceParameter=\"true\">7&amp;</SubscriptionId>";

/// What a camera does otherwise than the specification says.
#[derive(Clone, Copy, Default)]
struct Quirks {
    /// Seconds by which its clock is ahead, and by which it says it is.
    clock: i64,
    told: i64,
    /// It takes Digest of HTTP alone.
    digest_only: bool,
    /// 401 comes with a page of HTML, or without anything.
    html: bool,
    /// Faults come with status 200.
    good_faults: bool,
    /// It knows no GetServices.
    old: bool,
    /// It names Media2 and does not have it.
    false_media2: bool,
    /// It names Media2 and has it.
    real_media2: bool,
    /// The time is told to nobody without a password.
    closed_clock: bool,
    /// It has other users.
    other_password: bool,
    /// Its prefixes are odd and not declared.
    odd: bool,
}

struct Camera {
    quirks: Quirks,
    asked: Vec<String>,
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split_once(end)?.0)
}

impl Camera {
    fn answer(&mut self, request: &Request) -> (u16, Vec<String>, String) {
        let body = soap::read(request.body.as_bytes()).unwrap();
        let Content::Body(envelope) = body.1 else {
            panic!("no body");
        };
        let name = envelope.children[0].name.clone();
        self.asked.push(format!("{name} {}", request.url));
        let is_open = name == "GetSystemDateAndTime" && !self.quirks.closed_clock;
        if !is_open && !self.knows(request) {
            let challenge = "Digest realm=\"cam\", nonce=\"n1\", qop=\"auth\", algorithm=SHA-256";
            let challenges = match self.quirks.digest_only {
                true => vec![challenge.to_owned()],
                false => Vec::new(),
            };
            if self.quirks.html || self.quirks.digest_only {
                return (401, challenges, "<html>401 - Unauthorized".to_owned());
            }
            return self.fault("NotAuthorized", "Sender not Authorized");
        }
        let said = match name.as_str() {
            "GetSystemDateAndTime" => {
                let time = DateTime(shifted(now(), self.quirks.told)).to_string();
                let (date, clock) = time.split_once('T').unwrap();
                let mut date = date.split('-');
                let mut clock = clock.split([':', '.']);
                let part = |name: &str, of: &mut dyn Iterator<Item = &str>| {
                    format!("<tt:{name}>{}</tt:{name}>", of.next().unwrap())
                };
                let date = ["Year", "Month", "Day"].map(|name| part(name, &mut date)).concat();
                let clock = ["Hour", "Minute", "Second"].map(|name| part(name, &mut clock)).concat();
                format!(
                    "<tds:SystemDateAndTime><tt:UTCDateTime><tt:Time>{clock}</tt:Time><tt:Date>{date}</tt:Date>\
                     </tt:UTCDateTime></tds:SystemDateAndTime>"
                )
            }
            "GetServices" if self.quirks.old => return self.fault("ActionNotSupported", "no"),
            "GetServices" => ["device", "media", "events"]
                .iter()
                .chain((self.quirks.false_media2 || self.quirks.real_media2).then_some(&"media2"))
                .map(|name| {
                    let version = if *name == "media2" { "20" } else { "10" };
                    let kind = name.trim_end_matches('2');
                    format!(
                        "<tds:Service><tds:Namespace>http://www.onvif.org/ver{version}/{kind}/wsdl</tds:Namespace>\
                         <tds:XAddr>http://192.168.1.5/onvif/{name}</tds:XAddr></tds:Service>"
                    )
                })
                .collect(),
            "GetCapabilities" => "<tds:Capabilities><tt:Media><tt:XAddr>http://192.168.1.5/onvif/media</tt:XAddr>\
                </tt:Media></tds:Capabilities>"
                .to_owned(),
            _ if request.url.path().ends_with("media2") && !self.quirks.real_media2 => {
                return self.fault("ActionNotSupported", "no");
            }
            "GetStreamUri" if !request.body.contains(">main<") => {
                return self.fault("IncompleteConfiguration", "no encoder");
            }
            "GetProfiles" => "<trt:Profiles token='main'><tt:Name>Main</tt:Name></trt:Profiles>".to_owned(),
            "CreatePullPointSubscription" => "<SubscriptionReference><w:Address>http://192.168.1.5/onvif/services\
                </w:Address><w:ReferenceParameters><d:SubscriptionId xmlns:d='urn:axis'>7&amp;</d:SubscriptionId>\
                </w:ReferenceParameters></SubscriptionReference>"
                .to_owned(),
            // It has one address for all of them.
            "PullMessages" if !request.body.contains(SUBSCRIPTION) => {
                return self.fault("InvalidArgVal", "which subscription?");
            }
            "GetStreamUri" => "<trt:MediaUri><tt:Uri>rtsp://192.168.1.5/1</tt:Uri></trt:MediaUri>".to_owned(),
            _ => String::new(),
        };
        let prefix = if self.quirks.odd { "un-declared" } else { "s" };
        let body = format!(
            "<{prefix}:Envelope><{prefix}:Body><q:{name}Response>{said}</q:{name}Response></{prefix}:Body>\
             </{prefix}:Envelope>"
        );
        (200, Vec::new(), body)
    }

    fn fault(&self, code: &str, reason: &str) -> (u16, Vec<String>, String) {
        let status = if self.quirks.good_faults { 200 } else { 400 };
        let body = format!(
            "<env:Envelope><env:Body><env:Fault><env:Code><env:Value>env:Sender</env:Value><env:Subcode><env:Value>\
             ter:{code}</env:Value></env:Subcode></env:Code><env:Reason><env:Text>{reason}</env:Text></env:Reason>\
             </env:Fault></env:Body></env:Envelope>"
        );
        (status, Vec::new(), body)
    }

    /// Whether a request proves the password, in the way that this camera takes.
    fn knows(&self, request: &Request) -> bool {
        let password = if self.quirks.other_password {
            "other"
        } else {
            "pass"
        };
        if self.quirks.digest_only {
            let field = request.authorization.as_deref().unwrap_or_default();
            return field.starts_with("Digest username=\"joe\"")
                && !request.body.contains("Security");
        }
        let text = &request.body;
        let Some(created) = between(text, "<u:Created>", "</u:Created>") else {
            return false;
        };
        let right = DateTime(shifted(now(), self.quirks.clock)).to_string();
        let nonce = between(text, "Base64Binary\">", "</w:Nonce>").unwrap();
        let nonce =
            base64::Engine::decode(&base64::engine::general_purpose::STANDARD, nonce).unwrap();
        let digest = security::digest(&nonce, created, password);
        created == right && text.contains(&digest)
    }
}

fn session(user: Option<&str>) -> Session {
    let credentials = user.map(|user| Credentials {
        user: user.to_owned(),
        password: "pass".to_owned(),
    });
    let (address, _) = Address::parse("203.0.113.7:8080").unwrap();
    Session::new(address, credentials, Random([7; 16]))
}

fn ask<O: Operation>(
    session: &mut Session,
    camera: &mut Camera,
    operation: O,
) -> Result<O::Answer, Error> {
    let mut asking = session.ask(operation);
    loop {
        match asking.poll_output(now()) {
            Output::Request(request) => {
                assert!(matches!(asking.poll_output(now()), Output::Waiting));
                let (status, challenges, body) = camera.answer(&request);
                let body = body.as_bytes();
                asking.handle_input(
                    now(),
                    Response {
                        status,
                        challenges: &challenges,
                        body,
                    },
                );
            }
            Output::Waiting => panic!("nothing was asked"),
            Output::Done(result) => return result,
        }
    }
}

fn camera(quirks: Quirks) -> Camera {
    Camera {
        quirks,
        asked: Vec::new(),
    }
}

#[test]
fn each_quirk_is_met() {
    let none = Quirks::default();
    let cases = [
        none,
        Quirks {
            clock: 25_200,
            told: 25_200,
            ..none
        },
        Quirks {
            clock: -400_000_000,
            told: -400_000_000,
            ..none
        },
        // It tells its local time, or nonsense, and believes ours.
        Quirks {
            told: 7_200,
            ..none
        },
        Quirks {
            digest_only: true,
            ..none
        },
        Quirks {
            digest_only: true,
            closed_clock: true,
            ..none
        },
        Quirks {
            closed_clock: true,
            ..none
        },
        Quirks {
            closed_clock: true,
            html: true,
            ..none
        },
        Quirks {
            told: 3_600,
            html: true,
            ..none
        },
        Quirks {
            told: 3_600,
            good_faults: true,
            ..none
        },
        Quirks { old: true, ..none },
        Quirks {
            old: true,
            good_faults: true,
            odd: true,
            ..none
        },
        Quirks {
            false_media2: true,
            ..none
        },
        Quirks {
            false_media2: true,
            good_faults: true,
            ..none
        },
        Quirks { odd: true, ..none },
    ];
    for (number, quirks) in cases.into_iter().enumerate() {
        let (mut session, mut camera) = (session(Some("joe")), camera(quirks));
        let profiles = ask(&mut session, &mut camera, GetProfiles);
        assert_eq!(
            profiles.as_ref().map(Vec::len),
            Ok(1),
            "case {number}: {:?}",
            camera.asked
        );
        let before = camera.asked.len();
        let stream = GetStreamUri {
            profile: "main".to_owned(),
        };
        let uri = ask(&mut session, &mut camera, stream).unwrap();
        let stream = session.address().stream(&uri).unwrap();
        assert_eq!(stream.as_str(), "rtsp://203.0.113.7/1");
        // What was learned on the way is not asked again, and nobody else is asked.
        assert_eq!(
            camera.asked.len(),
            before + 1,
            "case {number}: {:?}",
            camera.asked
        );
        assert!(
            camera
                .asked
                .iter()
                .all(|asked| asked.contains(" http://203.0.113.7:8080/onvif/"))
        );
    }
}

#[test]
fn a_profile_without_a_stream_does_not_mean_that_media2_is_not_there() {
    let quirks = Quirks {
        real_media2: true,
        ..Quirks::default()
    };
    let (mut session, mut camera) = (session(Some("joe")), camera(quirks));
    let stream = |profile: &str| GetStreamUri {
        profile: profile.to_owned(),
    };
    ask(&mut session, &mut camera, GetProfiles).unwrap();
    let error = ask(&mut session, &mut camera, stream("bare")).unwrap_err();
    assert!(matches!(error, Error::Fault { .. }), "{error}");
    assert!(session.services().has(Service::Media2));
    assert!(camera.asked.iter().all(|asked| !asked.ends_with("/media")));
    // What it does not know is asked of version 1 all the same.
    camera.quirks.real_media2 = false;
    assert!(ask(&mut session, &mut camera, stream("main")).is_ok());
    assert!(!session.services().has(Service::Media2));
}

#[test]
fn refusals_say_what_to_do() {
    let wrong = Quirks {
        other_password: true,
        ..Quirks::default()
    };
    let (mut session, mut refusing) = (session(Some("joe")), camera(wrong));
    let error = ask(&mut session, &mut refusing, GetProfiles).unwrap_err();
    assert!(
        error.is_unauthorized() && error.to_string().ends_with("on many cameras"),
        "{error}"
    );
    let late = Quirks {
        clock: 9,
        told: 25_200,
        ..wrong
    };
    let error = ask(&mut session, &mut camera(late), GetProfiles).unwrap_err();
    assert!(
        error.to_string().ends_with("and its clock is 7 h off"),
        "{error}"
    );
    let mut nobody = self::session(None);
    let error = ask(&mut nobody, &mut camera(Quirks::default()), GetProfiles).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the camera wants a user name and a password"
    );
    // The right password is believed the next time.
    assert!(ask(&mut session, &mut camera(Quirks::default()), GetProfiles).is_ok());
}

#[test]
fn a_camera_that_was_set_to_another_time_is_asked_for_it_again() {
    let (mut session, mut camera) = (session(Some("joe")), camera(Quirks::default()));
    ask(&mut session, &mut camera, GetProfiles).unwrap();
    (camera.quirks.clock, camera.quirks.told) = (-5_000, -5_000);
    ask(&mut session, &mut camera, GetDeviceInformation).unwrap();
    assert_eq!(session.clock_offset(), Some(-5_000));
}

#[test]
fn a_subscription_is_known_by_its_parameters() {
    let (mut session, mut camera) = (session(Some("joe")), camera(Quirks::default()));
    let from = ask(&mut session, &mut camera, CreatePullPoint).unwrap();
    let pull = PullMessages {
        from,
        timeout: Duration::from_secs(1),
    };
    assert_eq!(ask(&mut session, &mut camera, pull), Ok(Vec::new()));
    let pulled = camera.asked.last().unwrap();
    assert_eq!(
        pulled,
        "PullMessages http://203.0.113.7:8080/onvif/services"
    );
}

#[test]
fn what_is_no_camera() {
    let answers: [(u16, &[u8], &str); 5] = [
        (404, b"<html>", "HTTP status 404"),
        (200, b"<html/>", "a page of something else"),
        (200, b"{}", "XML that cannot be read"),
        (500, b"", "HTTP status 500"),
        (200, &[b'x'; MAX_ENVELOPE + 1], "more than 4096 KiB"),
    ];
    for (status, body, words) in answers {
        let mut session = session(None);
        let mut asking = session.ask(GetProfiles);
        let error = loop {
            match asking.poll_output(now()) {
                Output::Request(_) => {
                    asking.handle_input(
                        now(),
                        Response {
                            status,
                            challenges: &[],
                            body,
                        },
                    );
                }
                Output::Waiting => panic!("nothing was asked"),
                Output::Done(result) => break result.unwrap_err().to_string(),
            }
        };
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_service_that_is_not_there() {
    let (mut session, mut camera) = (session(Some("joe")), camera(Quirks::default()));
    let presets = crate::ptz::GetPresets {
        profile: "main".to_owned(),
    };
    let error = ask(&mut session, &mut camera, presets).unwrap_err();
    assert_eq!(error.to_string(), "the camera has no PTZ service");
}
