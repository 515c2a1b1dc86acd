//! The media services of both versions (ONVIF Media and Media2 Service Specifications): profiles, where their streams and
//! pictures are, and how pictures are encoded. Version 2 is asked where there is one.

use crate::Error;
use crate::operation::{Operation, missing};
use crate::service::{Service, Services};
use crate::xml::{Element, escape};

/// Most profiles that are looked at.
pub const MAX_PROFILES: usize = 256;

/// What a camera can send as one stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// What the camera knows it by.
    pub token: String,
    /// For people.
    pub name: String,
    /// Which of its lenses.
    pub video_source: Option<String>,
    /// How pictures are encoded.
    pub encoder: Option<Encoder>,
    /// The encoding of sound: `G711`, `AAC`.
    pub audio: Option<String>,
    /// The PTZ configuration, where it can be moved.
    pub ptz: Option<String>,
}

/// How pictures are encoded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encoder {
    /// What the camera knows the configuration by.
    pub token: String,
    /// For people.
    pub name: String,
    /// `JPEG`, `H264`, `H265`.
    pub encoding: String,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Pictures a second at most.
    pub frame_rate: Option<f64>,
    /// Kilobits a second at most.
    pub bitrate: Option<u32>,
    /// Of its own scale.
    pub quality: Option<f64>,
    /// Pictures from one key frame to the next.
    pub gop_length: Option<u32>,
    /// `Main`, `High`.
    pub profile: Option<String>,
    /// What version 1 wants to be told again: address, port and TTL of multicast, whether it runs by itself, and how
    /// long a session lasts.
    multicast: [Option<String>; 4],
    session_timeout: Option<String>,
}

impl Encoder {
    pub(crate) fn read(element: &Element) -> Self {
        let text = |path: &[&str]| element.text_at(path).map(str::to_owned);
        let attribute = |name| element.attribute(name).map(str::to_owned);
        let number = |path: &[&str]| element.value_at(path);
        let finite = |path: &[&str]| {
            element
                .value_at(path)
                .filter(|value: &f64| value.is_finite())
        };
        let encoding = text(&["Encoding"]).unwrap_or_default();
        let own = match encoding.as_str() {
            "H265" => "H265",
            "MPEG4" => "MPEG4",
            _ => "H264",
        };
        let gop = attribute("GovLength").and_then(|length| length.parse().ok());
        let multicast =
            |path: &[&str]| element.child("Multicast")?.text_at(path).map(str::to_owned);
        let address = multicast(&["Address", "IPv4Address"]);
        Self {
            token: attribute("token").unwrap_or_default(),
            name: text(&["Name"]).unwrap_or_default(),
            size: (
                number(&["Resolution", "Width"]).unwrap_or(0),
                number(&["Resolution", "Height"]).unwrap_or(0),
            ),
            frame_rate: finite(&["RateControl", "FrameRateLimit"]),
            bitrate: number(&["RateControl", "BitrateLimit"]),
            quality: finite(&["Quality"]),
            gop_length: gop.or_else(|| number(&[own, "GovLength"])),
            profile: attribute("Profile").or_else(|| text(&[own, "H264Profile"])),
            multicast: [
                address,
                multicast(&["Port"]),
                multicast(&["TTL"]),
                multicast(&["AutoStart"]),
            ],
            session_timeout: text(&["SessionTimeout"]),
            encoding,
        }
    }
}

/// The profiles (Media section 5.2.2, Media2 section 5.2.3).
#[derive(Clone, Copy, Debug)]
pub struct GetProfiles;

impl Operation for GetProfiles {
    type Answer = Vec<Profile>;

    fn service(&self, services: &Services) -> Service {
        services.media()
    }

    fn name(&self) -> &'static str {
        "GetProfiles"
    }

    fn parameters(&self, services: &Services) -> String {
        match services.media() {
            Service::Media2 => "<Type>All</Type>".to_owned(),
            _ => String::new(),
        }
    }

    fn read(&self, answer: &Element, services: &Services) -> Result<Self::Answer, Error> {
        let is_new = services.media() == Service::Media2;
        let profile = |element: &Element| {
            let (place, names) = match is_new {
                true => (
                    element.child("Configurations"),
                    ["VideoSource", "VideoEncoder", "AudioEncoder", "PTZ"],
                ),
                false => (
                    Some(element),
                    [
                        "VideoSourceConfiguration",
                        "VideoEncoderConfiguration",
                        "AudioEncoderConfiguration",
                        "PTZConfiguration",
                    ],
                ),
            };
            let [source, encoder, audio, ptz] =
                names.map(|name| place.and_then(|place| place.child(name)));
            Some(Profile {
                token: element.attribute("token")?.to_owned(),
                name: element.text_at(&["Name"]).unwrap_or_default().to_owned(),
                video_source: source
                    .and_then(|source| source.text_at(&["SourceToken"]))
                    .map(str::to_owned),
                encoder: encoder.map(Encoder::read),
                audio: audio
                    .and_then(|audio| audio.text_at(&["Encoding"]))
                    .map(str::to_owned),
                ptz: ptz
                    .and_then(|ptz| ptz.attribute("token"))
                    .map(str::to_owned),
            })
        };
        let all = answer.all("Profiles").take(MAX_PROFILES);
        let all: Vec<_> = all.filter_map(profile).collect();
        // A camera that has version 2 without a profile is asked for those of version 1.
        match all.is_empty() && is_new && services.has(Service::Media) {
            true => Err(missing(self.name(), "profiles")),
            false => Ok(all),
        }
    }
}

/// Which profile is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The one at that place of the camera's list.
    Index(usize),
    /// The one of that token.
    Token(String),
    /// The largest pictures, H.264 before all else.
    #[default]
    BestH264,
    /// The largest pictures, whatever they are.
    Best,
    /// The smallest pictures.
    Smallest,
}

impl Choice {
    /// Reads `best`, `best-h264`, `smallest`, a place in the list from 0, or a token.
    pub fn parse(text: &str) -> Self {
        match (text, text.parse()) {
            ("best", _) => Self::Best,
            ("best-h264", _) => Self::BestH264,
            ("smallest", _) => Self::Smallest,
            (_, Ok(index)) => Self::Index(index),
            (token, Err(_)) => Self::Token(token.to_owned()),
        }
    }

    /// The profile, where there is one. Those without pictures are none but by index and token.
    pub fn of<'a>(&self, profiles: &'a [Profile]) -> Option<&'a Profile> {
        let pixels = |profile: &Profile| {
            let (width, height) = profile.encoder.as_ref()?.size;
            Some(u64::from(width) * u64::from(height))
        };
        let is_h264 = |profile: &Profile| {
            let encoder = profile.encoder.as_ref();
            encoder.is_some_and(|encoder| encoder.encoding.eq_ignore_ascii_case("H264"))
        };
        let with_pictures = || profiles.iter().filter(|profile| profile.encoder.is_some());
        // Of equals the first, which the camera puts before the others.
        match self {
            Self::Index(index) => profiles.get(*index),
            Self::Token(token) => profiles.iter().find(|profile| profile.token == *token),
            Self::BestH264 => with_pictures()
                .rev()
                .max_by_key(|profile| (is_h264(profile), pixels(profile))),
            Self::Best => with_pictures().rev().max_by_key(|profile| pixels(profile)),
            Self::Smallest => with_pictures().min_by_key(|profile| pixels(profile)),
        }
    }
}

/// Where the stream of a profile is (Media section 5.15.1, Media2 section 5.16.1).
#[derive(Clone, Debug)]
pub struct GetStreamUri {
    /// The profile's token.
    pub profile: String,
}

impl Operation for GetStreamUri {
    /// As the camera wrote it; [`Address::stream`](crate::Address::stream) puts it right.
    type Answer = String;

    fn service(&self, services: &Services) -> Service {
        services.media()
    }

    fn name(&self) -> &'static str {
        "GetStreamUri"
    }

    fn parameters(&self, services: &Services) -> String {
        let token = escape(&self.profile);
        match services.media() {
            Service::Media2 => {
                format!("<Protocol>RTSP</Protocol><ProfileToken>{token}</ProfileToken>")
            }
            _ => format!(
                "<StreamSetup><tt:Stream>RTP-Unicast</tt:Stream><tt:Transport><tt:Protocol>RTSP</tt:Protocol>\
                 </tt:Transport></StreamSetup><ProfileToken>{token}</ProfileToken>"
            ),
        }
    }

    fn read(&self, answer: &Element, _: &Services) -> Result<String, Error> {
        uri(self.name(), answer)
    }
}

/// Where a picture of a profile is (Media section 5.15.5, Media2 section 5.16.3).
#[derive(Clone, Debug)]
pub struct GetSnapshotUri {
    /// The profile's token.
    pub profile: String,
}

impl Operation for GetSnapshotUri {
    /// As the camera wrote it; [`Address::resolve`](crate::Address::resolve) puts it right.
    type Answer = String;

    fn service(&self, services: &Services) -> Service {
        services.media()
    }

    fn name(&self) -> &'static str {
        "GetSnapshotUri"
    }

    fn parameters(&self, _: &Services) -> String {
        format!("<ProfileToken>{}</ProfileToken>", escape(&self.profile))
    }

    fn read(&self, answer: &Element, _: &Services) -> Result<String, Error> {
        uri(self.name(), answer)
    }
}

fn uri(operation: &'static str, answer: &Element) -> Result<String, Error> {
    let found = answer.text_at(&["MediaUri", "Uri"]);
    let found = found.or_else(|| answer.text_at(&["Uri"]));
    found
        .map(str::to_owned)
        .ok_or_else(|| missing(operation, "a URI"))
}

/// Changes how pictures are encoded (Media section 5.5.5, Media2 section 5.4.3).
#[derive(Clone, Debug)]
pub struct SetVideoEncoderConfiguration(pub Encoder);

impl Operation for SetVideoEncoderConfiguration {
    type Answer = ();

    fn service(&self, services: &Services) -> Service {
        services.media()
    }

    fn name(&self) -> &'static str {
        "SetVideoEncoderConfiguration"
    }

    fn parameters(&self, services: &Services) -> String {
        let Encoder {
            token,
            name,
            encoding,
            size: (width, height),
            ..
        } = &self.0;
        let (token, name, encoding) = (escape(token), escape(name), escape(encoding));
        let frame_rate = self.0.frame_rate.unwrap_or(25.0);
        let bitrate = self.0.bitrate.unwrap_or(4_096);
        let quality = self.0.quality.unwrap_or(5.0);
        let gop = self.0.gop_length.unwrap_or(50);
        let profile = self.0.profile.as_deref().map(escape);
        let resolution = format!(
            "<tt:Resolution><tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height></tt:Resolution>"
        );
        if services.media() == Service::Media2 {
            let profile = profile.map_or_else(String::new, |name| format!(" Profile=\"{name}\""));
            return format!(
                "<Configuration token=\"{token}\" GovLength=\"{gop}\"{profile}><tt:Name>{name}</tt:Name>\
                 <tt:UseCount>0</tt:UseCount><tt:Encoding>{encoding}</tt:Encoding>{resolution}<tt:RateControl>\
                 <tt:FrameRateLimit>{frame_rate}</tt:FrameRateLimit><tt:BitrateLimit>{bitrate}</tt:BitrateLimit>\
                 </tt:RateControl><tt:Quality>{quality}</tt:Quality></Configuration>"
            );
        }
        let h264 = match encoding.as_str() {
            "H264" => format!(
                "<tt:H264><tt:GovLength>{gop}</tt:GovLength><tt:H264Profile>{}</tt:H264Profile></tt:H264>",
                profile.as_deref().unwrap_or("Main")
            ),
            _ => String::new(),
        };
        let [address, port, ttl, auto] = &self.0.multicast;
        let or = |text: &Option<String>, default: &str| escape(text.as_deref().unwrap_or(default));
        let multicast = format!(
            "<tt:Multicast><tt:Address><tt:Type>IPv4</tt:Type><tt:IPv4Address>{}</tt:IPv4Address></tt:Address>\
             <tt:Port>{}</tt:Port><tt:TTL>{}</tt:TTL><tt:AutoStart>{}</tt:AutoStart></tt:Multicast>",
            or(address, "0.0.0.0"),
            or(port, "0"),
            or(ttl, "1"),
            or(auto, "false")
        );
        // Version 1 has whole numbers.
        let frame_rate = frame_rate.round();
        format!(
            "<Configuration token=\"{token}\"><tt:Name>{name}</tt:Name><tt:UseCount>0</tt:UseCount>\
             <tt:Encoding>{encoding}</tt:Encoding>{resolution}<tt:Quality>{quality}</tt:Quality><tt:RateControl>\
             <tt:FrameRateLimit>{frame_rate}</tt:FrameRateLimit><tt:EncodingInterval>1</tt:EncodingInterval>\
             <tt:BitrateLimit>{bitrate}</tt:BitrateLimit></tt:RateControl>{h264}{multicast}\
             <tt:SessionTimeout>{}</tt:SessionTimeout></Configuration><ForcePersistence>true</ForcePersistence>",
            or(&self.0.session_timeout, "PT60S")
        )
    }

    fn read(&self, _: &Element, _: &Services) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services(version_2: bool) -> Services {
        let mut services = Services::default();
        services.insert(Service::Media, "/1");
        if version_2 {
            services.insert(Service::Media2, "/2");
        }
        services
    }

    const OLD: &str = "<R><Profiles token='a' fixed='true'><Name>Main</Name><VideoSourceConfiguration token='vs'>\
        <SourceToken>V0</SourceToken></VideoSourceConfiguration><VideoEncoderConfiguration token='e0'>\
        <Name>enc</Name><Encoding>H264</Encoding><Resolution><Width>1920</Width><Height>1080</Height></Resolution>\
        <Quality>4.5</Quality><RateControl><FrameRateLimit>25</FrameRateLimit><BitrateLimit>4096</BitrateLimit>\
        </RateControl><H264><GovLength>50</GovLength><H264Profile>High</H264Profile></H264><Multicast><Address>\
        <IPv4Address>239.1.2.3</IPv4Address></Address><Port>9000</Port><TTL>3</TTL><AutoStart>false</AutoStart>\
        </Multicast><SessionTimeout>PT30S</SessionTimeout></VideoEncoderConfiguration><AudioEncoderConfiguration>\
        <Encoding>G711</Encoding></AudioEncoderConfiguration><PTZConfiguration token='p0'/></Profiles>\
        <Profiles><Name>without a token</Name></Profiles></R>";

    const NEW: &str = "<R><Profiles token='b'><Name>Sub</Name><Configurations><VideoSource token='vs'>\
        <SourceToken>V0</SourceToken></VideoSource><VideoEncoder token='e1' GovLength='30' Profile='Main'>\
        <Name>x</Name><Encoding>H265</Encoding><Resolution><Width>640</Width><Height>360</Height></Resolution>\
        <RateControl><FrameRateLimit>12.5</FrameRateLimit><BitrateLimit>512</BitrateLimit></RateControl>\
        <Quality>3</Quality></VideoEncoder><PTZ token='p0'/></Configurations></Profiles></R>";

    #[test]
    fn profiles_of_both_versions() {
        let old = Element::parse(OLD).unwrap();
        let [main] = &GetProfiles.read(&old, &services(false)).unwrap()[..] else {
            panic!("one has a token");
        };
        let encoder = main.encoder.as_ref().unwrap();
        assert_eq!(
            (main.token.as_str(), main.ptz.as_deref()),
            ("a", Some("p0"))
        );
        assert_eq!((encoder.size, encoder.gop_length), ((1920, 1080), Some(50)));
        assert_eq!(main.audio.as_deref(), Some("G711"));
        let new = Element::parse(NEW).unwrap();
        let profiles = GetProfiles.read(&new, &services(true)).unwrap();
        let encoder = profiles[0].encoder.as_ref().unwrap();
        assert_eq!(
            (encoder.encoding.as_str(), encoder.frame_rate),
            ("H265", Some(12.5))
        );
        assert_eq!((encoder.gop_length, encoder.bitrate), (Some(30), Some(512)));
        assert_eq!(profiles[0].video_source.as_deref(), Some("V0"));
        assert!(
            GetProfiles
                .read(&Element::default(), &services(true))
                .is_err()
        );
        assert_eq!(
            GetProfiles.read(&Element::default(), &services(false)),
            Ok(Vec::new())
        );
    }

    #[test]
    fn what_is_no_number_is_not_told_again() {
        for text in ["inf", "NaN", "-infinity"] {
            let old = OLD.replace(">25<", &format!(">{text}<"));
            let old = old.replace(">4.5<", &format!(">{text}<"));
            let profiles = GetProfiles.read(&Element::parse(&old).unwrap(), &services(false));
            let encoder = profiles.unwrap().remove(0).encoder.unwrap();
            assert_eq!((encoder.frame_rate, encoder.quality), (None, None));
        }
    }

    #[test]
    fn choices() {
        let profile = |token: &str, encoding: &str, size| Profile {
            token: token.to_owned(),
            encoder: (!encoding.is_empty()).then(|| Encoder {
                encoding: encoding.to_owned(),
                size,
                ..Encoder::default()
            }),
            ..Profile::default()
        };
        let all = [
            profile("none", "", (0, 0)),
            profile("sub", "H264", (640, 360)),
            profile("main", "H264", (1920, 1080)),
            profile("other", "H264", (1920, 1080)),
            profile("4k", "H265", (3840, 2160)),
            profile("thumb", "JPEG", (320, 180)),
        ];
        let cases = [
            ("0", Some("none")),
            ("5", Some("thumb")),
            ("6", None),
            ("main", Some("main")),
            ("nowhere", None),
            ("best", Some("4k")),
            ("best-h264", Some("main")),
            ("smallest", Some("thumb")),
        ];
        for (text, token) in cases {
            let found = Choice::parse(text).of(&all);
            assert_eq!(found.map(|found| found.token.as_str()), token, "{text}");
        }
        assert_eq!(Choice::BestH264.of(&all[4..]).unwrap().token, "4k");
        assert_eq!(Choice::Best.of(&[]), None);
    }

    #[test]
    fn what_is_set_is_what_was_read() {
        let schema = |text: String| format!("<R xmlns:tt='x'>{text}</R>");
        for (text, new) in [(OLD, false), (NEW, true)] {
            let services = services(new);
            let profiles = GetProfiles.read(&Element::parse(text).unwrap(), &services);
            let encoder = profiles.unwrap().swap_remove(0).encoder.unwrap();
            let set = SetVideoEncoderConfiguration(encoder.clone()).parameters(&services);
            let again = Element::parse(&schema(set)).unwrap();
            assert_eq!(
                Encoder::read(again.child("Configuration").unwrap()).bitrate,
                encoder.bitrate
            );
            let read = Encoder::read(again.child("Configuration").unwrap());
            assert_eq!(
                (read.size, read.gop_length, read.profile),
                (encoder.size, encoder.gop_length, encoder.profile)
            );
        }
    }

    #[test]
    fn uris_of_both_versions() {
        let ask = GetStreamUri {
            profile: "a<b".to_owned(),
        };
        for text in [
            "<R><Uri> rtsp://c/1 </Uri></R>",
            "<R><MediaUri><Uri>rtsp://c/1</Uri></MediaUri></R>",
        ] {
            let element = Element::parse(text).unwrap();
            assert_eq!(
                ask.read(&element, &services(true)).as_deref(),
                Ok("rtsp://c/1")
            );
        }
        assert!(
            ask.parameters(&services(false))
                .contains("<ProfileToken>a&lt;b<")
        );
        let error = ask.read(&Element::default(), &services(false)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the camera answers GetStreamUri without a URI"
        );
    }
}
