//! Where a camera takes sound, in a description that it gave to who asked for that (ONVIF Streaming Specification section
//! 5.3).

use sdp::{Description, Direction};

/// The sections of what the server plays, the most wanted first.
///
/// Directions are the client's there: what the camera records is `recvonly`, and what it plays `sendonly`. A camera that
/// says `sendonly` of its pictures too means itself, and plays nothing.
pub fn speakers(description: &Description) -> Vec<usize> {
    let is = |media: &sdp::Media, kind: &str| {
        media.kind == kind && media.direction == Some(Direction::SendOnly)
    };
    if description.media.iter().any(|media| is(media, "video")) {
        return Vec::new();
    }
    let sections = description.media.iter().enumerate();
    let speakers = sections.filter(|(_, media)| is(media, "audio") && media.is_rtp());
    speakers.map(|(section, _)| section).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_by_the_client_is_played_by_the_camera() {
        let cases: [(&str, &[usize]); 5] = [
            // The example of the specification.
            (
                "m=video 0 RTP/AVP 26\r\na=recvonly\r\nm=audio 0 RTP/AVP 0\r\na=recvonly\r\n\
                 m=audio 0 RTP/AVP 0\r\na=sendonly\r\n",
                &[2],
            ),
            // Without a word of what it records.
            (
                "m=video 0 RTP/AVP 26\r\nm=audio 0 RTP/AVP 8\r\na=sendonly\r\nm=audio 0 RTP/AVP 0\r\na=sendonly\r\n",
                &[1, 2],
            ),
            // It means itself.
            (
                "m=video 0 RTP/AVP 26\r\na=sendonly\r\nm=audio 0 RTP/AVP 0\r\na=sendonly\r\n",
                &[],
            ),
            ("m=video 0 RTP/AVP 26\r\nm=audio 0 RTP/AVP 0\r\n", &[]),
            ("m=audio 0 TCP 0\r\na=sendonly\r\n", &[]),
        ];
        for (sections, expected) in cases {
            let text = format!("v=0\r\n{sections}");
            let description = Description::parse(text.as_bytes()).unwrap();
            assert_eq!(speakers(&description), expected, "{sections}");
        }
    }
}
