//! Bodies of the fuzz targets: each takes any bytes and asserts what must hold for all of them.

use crate::{Description, MAX_DESCRIPTION, MAX_FORMATS, MAX_MEDIA, control};

/// What is read has its bounds, can be written, and is then read as the same.
pub fn description(data: &[u8]) {
    let Ok(description) = Description::parse(data) else {
        return;
    };
    assert!(description.media.len() <= MAX_MEDIA);
    let written = description.to_string();
    // A reader that replaced bytes may have made the text longer than another reader takes.
    if written.len() <= MAX_DESCRIPTION {
        let again = Description::parse(written.as_bytes());
        assert_eq!(again.as_ref(), Ok(&description), "{written}");
    }
    for media in &description.media {
        assert!(media.formats.len() <= MAX_FORMATS);
        let url = control::resolve("rtsp://h/s", media.control.as_deref());
        assert!(control::is_absolute(&url));
        for format in &media.formats {
            assert!(format.payload_type < 128 && format.clock_rate > 0);
        }
    }
}

/// Valid inputs to start from, each with the name of its target and a name.
pub fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let camera = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=Camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n\
        a=range:npt=0-\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
        a=fmtp:96 profile-level-id=42001f; packetization-mode=1; \
        sprop-parameter-sets=Z0IAH5WoFAFuQA==,aM48gA==\r\na=control:trackID=1\r\n\
        m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/48000/2\r\n\
        a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;\
        indexdeltalength=3;config=1190\r\na=control:trackID=2\r\n";
    let hevc = "v=0\nm=video 5000/2 RTP/AVP 98 99\na=rtpmap:98 H265/90000\n\
        a=fmtp:98 sprop-vps=QAEM;sprop-sps=QgEB, sprop-pps = RAHB level-id=93\na=recvonly\n\
        m=audio 0 RTP/AVP 0\nm=application 0 RTP/AVP 107\na=rtpmap:107 vnd.onvif.metadata/90000\n";
    let quirks = "\n o = - 1.5 -2 IN\ns=\ne\nc=IN IP4 239.1.1.1/16\nm=audio 0 RTP/AVP 96\n\
        A=RTPMAP: 96 MP4A-LATM / 24000\na=fmtp:96config=400026203fc0 cpresent=0\na=control:\"/t\"\n\
        m=audio 0 RTP/AVP 97\na=rtpmap:97 opus/48000/2\na=fmtp:97 sprop-stereo = 0\0";
    vec![
        ("description", "camera", camera.as_bytes().to_vec()),
        ("description", "hevc", hevc.as_bytes().to_vec()),
        ("description", "quirks", quirks.as_bytes().to_vec()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn seeds_pass_whole_cut_and_with_any_byte_changed() {
        for (_, _, seed) in seeds() {
            assert!(Description::parse(&seed).is_ok());
            for position in 0..seed.len() {
                description(&seed[..position]);
                for change in [1, 0x20, 0x80, 0xff] {
                    let mut changed = seed.clone();
                    changed[position] ^= change;
                    description(&changed);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_pass(data in prop::collection::vec(any::<u8>(), 0..500)) {
            description(&data);
            description(&[b"m=video 0 RTP/AVP 96\na=", &data[..]].concat());
        }
    }
}
