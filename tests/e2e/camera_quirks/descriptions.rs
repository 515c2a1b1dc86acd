//! Session descriptions.

use super::{Expect, described, run};
use crate::support::fake_camera::{PPS, SDP, SPS, Sender, picture};

#[test]
fn descriptions() {
    let sprop = ";sprop-parameter-sets=Z0LACtp5,aM48gA==";
    let map = "a=rtpmap:96 H264/90000";
    let in_band = |sender: &mut Sender, number: u32| {
        if number.is_multiple_of(10) {
            sender.packet(0, number * 3_600, false, SPS);
            sender.packet(0, number * 3_600, false, PPS);
        }
        sender.packet(0, number * 3_600, true, &picture(number));
        sender.sound(number);
    };
    let in_band = |name, from: &str, to: &str| {
        let mut case = described(name, Expect::Plays, from, to);
        case.script.send = Box::new(in_band);
        case
    };
    let video = &SDP[SDP.find("m=video").unwrap()..SDP.find("m=audio").unwrap()];
    let audio = &SDP[SDP.find("m=audio").unwrap()..];
    let mut cases = vec![
        in_band("no parameter sets", sprop, ""),
        in_band(
            "nothing behind fmtp",
            "packetization-mode=1;sprop-parameter-sets=Z0LACtp5,aM48gA==",
            "",
        ),
        in_band(
            "no fmtp",
            "a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0LACtp5,aM48gA==\r\n",
            "",
        ),
        in_band(
            "parameter sets that are none (YGTek)",
            "Z0LACtp5,aM48gA==",
            "AAAAAQ==,!!,Zw==",
        ),
        described("a comma behind the sets", Expect::Plays, "gA==", "gA==,"),
        described(
            "blanks between parameters",
            Expect::Plays,
            ";sprop",
            " ; sprop",
        ),
        described("no padding", Expect::Plays, "gA==", "gA"),
        described(
            "start codes in the sets",
            Expect::Plays,
            "Z0LACtp5,aM48gA==",
            "AAAAAWdCwAraeQ==,AAAAAWjOPIA=",
        ),
        described(
            "a name in small letters",
            Expect::Plays,
            map,
            "a=rtpmap:96 h264/90000",
        ),
        described("no rate", Expect::Plays, map, "a=rtpmap:96 H264"),
        described(
            "a number that nobody described (aler9)",
            Expect::Plays,
            map,
            "a=rtpmap:97 H264/90000",
        ),
        described(
            "bandwidths that are none",
            Expect::Plays,
            "m=audio",
            "b=\r\nb=AS\r\nb=AS:x\r\nb=AS:-1\r\nm=audio",
        ),
        described(
            "an address that is none (Axis)",
            Expect::Plays,
            "m=audio",
            "c=IN\r\nc=IN \r\nm=audio",
        ),
        described(
            "garbage for a port and an address (Tuya)",
            Expect::Plays,
            "m=video 0 RTP/AVP 96",
            "m=video -1353744643 RTP/AVP 96\r\nc=IN IP4 '&\u{fffd}\u{1}",
        ),
        described(
            "numbers below zero (mediamtx)",
            Expect::Plays,
            "o=- 1 1 IN IP4 127.0.0.1",
            "o=- -2208991488 1.5 IN IP4",
        ),
        described(
            "everything above the sections is missing",
            Expect::Plays,
            &SDP[..SDP.find("m=video").unwrap()],
            "",
        ),
        described(
            "sound first",
            Expect::Plays,
            &format!("{video}{audio}"),
            &format!("{audio}{video}"),
        ),
        described(
            "a section that is none (Mercury)",
            Expect::Plays,
            audio,
            &format!(
                "{audio}m=application/MERCURY 0 RTP/AVP smart/1/90000\r\na=rtpmap:95 MERCURY/90000\r\na=control:track3\r\n"
            ),
        ),
        described(
            "a loudspeaker with twenty formats (Dahua)",
            Expect::Plays,
            audio,
            &format!(
                "{audio}m=audio 0 RTP/AVP 116 115 114 113 112 111 110 109 108 97 107 106 105 104 0 103 102 101 100 8\r\n\
             a=rtpmap:116 MPEG4-GENERIC/64000\r\na=rtpmap:115 MPEG4-GENERIC/48000\r\na=control:track5\r\na=sendonly\r\n"
            ),
        ),
        described(
            "sound without a configuration",
            Expect::Pictures,
            audio,
            "m=audio 0 RTP/AVP 104\r\na=rtpmap:104 MPEG4-GENERIC/16000\r\na=control:track2\r\n",
        ),
        described(
            "sound that is not carried",
            Expect::Pictures,
            audio,
            "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 AMR-WB/16000\r\na=control:track2\r\n",
        ),
        described(
            "nothing that is carried",
            Expect::Fails("offers nothing that is carried, but video/H261"),
            &SDP[SDP.find("m=video").unwrap()..],
            "m=video 0 RTP/AVP 31\r\na=control:track1\r\n",
        ),
        described(
            "interleaved pictures",
            Expect::Fails("interleaved H.264 is not read"),
            &SDP[SDP.find("m=video").unwrap()..],
            "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=2\r\n",
        ),
    ];
    // HIK Media Server V5.
    let mut wrong = described(
        "parameters of a number that nobody has",
        Expect::Plays,
        audio,
        "m=audio 0 RTP/AVP 104\r\na=control:track2\r\na=rtpmap:104 MPEG4-GENERIC/8000\r\n\
         a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1588\r\n",
    );
    wrong.script.send = Box::new(|sender, number| {
        sender.packet(0, number * 3_600, true, &picture(number));
        sender.payload_type[1] = 104;
        if number.is_multiple_of(3) {
            sender.packet(1, number / 3 * 1_024, true, &[0, 16, 0, 16, 0x21, 0x1b]);
        }
    });
    cases.push(wrong);
    // Metadata of ONVIF beside the rest, on channels of its own.
    let mut metadata = described(
        "metadata of ONVIF (OvenMediaEngine)",
        Expect::Plays,
        audio,
        &format!(
            "{audio}m=application 0 RTP/AVP 107\r\nc=IN\r\na=control:meta\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\n\
         a=fmtp:107 DecoderTag=h3c-v3 RTCP=0\r\na=recvonly\r\n"
        ),
    );
    metadata.script.tracks.push("/live/meta");
    metadata.script.send = Box::new(|sender, number| {
        sender.packet(0, number * 3_600, true, &picture(number));
        sender.sound(number);
        sender.packet(2, number * 3_600, true, b"<tt:MetadataStream/>");
    });
    cases.push(metadata);
    run(cases);
}
