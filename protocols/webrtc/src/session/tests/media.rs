//! What is sent arrives, and what is asked for again too.

use super::*;
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile as DtlsProfile;
use rtp::payload::samples;
use rtp::rtcp::{self, FullIntraRequest, Nack, PictureLoss, ReceiverReport, ReportBlock};

/// Cuts anything anywhere.
fn packetize(unit: &[u8], max_payload: usize) -> Payloads {
    samples::packetize(&::media::Codec::G722 { channels: 1 }, unit, max_payload)
}

fn nack(media: u32, sequences: impl IntoIterator<Item = u16>) -> rtcp::Packet {
    rtcp::Packet::Nack(Nack::new(1, media, sequences))
}

#[test]
fn media_arrive_under_each_profile() {
    let cases = [
        (Options::default().profiles, Profile::AeadAes128Gcm),
        (
            vec![DtlsProfile::Srtp_Aes128_Cm_Hmac_Sha1_80],
            Profile::Aes128CmSha1,
        ),
    ];
    for (profiles, chosen) in cases {
        let mut viewer = Viewer::connected(Options {
            profiles,
            ..Options::default()
        });
        assert_eq!(viewer.session.stats().profile, Some(chosen));
        let (video, audio) = (viewer.sources(Kind::Video).0, viewer.sources(Kind::Audio).0);
        for unit in 0..3u8 {
            let picture = packetize(&[unit; 25], 10);
            let now = viewer.now;
            viewer
                .session
                .send(now, Kind::Video, i64::from(unit) * 3_000, 90_000, &picture);
            let sound = Payloads::single(&[unit, 1]);
            viewer
                .session
                .send(now, Kind::Audio, i64::from(unit) * 960, 48_000, &sound);
        }
        viewer.exchange();
        assert_eq!(viewer.payloads(audio), [[0, 1], [1, 1], [2, 1]]);
        let sizes: Vec<_> = viewer
            .payloads(video)
            .iter()
            .map(|part| part.len())
            .collect();
        assert_eq!(sizes, [10, 10, 5, 10, 10, 5, 10, 10, 5]);
        let pictures: Vec<_> = viewer
            .received
            .iter()
            .filter(|p| p.header.ssrc == video)
            .collect();
        let first = pictures[0].header;
        assert!(first.sequence < 1 << 15);
        for (number, packet) in (0u16..).zip(&pictures) {
            let header = packet.header;
            assert_eq!(header.payload_type, 97);
            assert_eq!(header.sequence, first.sequence + number);
            assert_eq!(header.marker, number % 3 == 2);
            let time = header.timestamp.wrapping_sub(first.timestamp);
            assert_eq!(time, u32::from(number / 3) * 3_000);
        }
        let stats = viewer.session.stats();
        assert_eq!((stats.packets, stats.bytes), (12, 81));
    }
}

#[test]
fn media_flow_before_the_viewer_has_chosen_a_pair() {
    let mut viewer = Viewer::new(Options::default());
    viewer.check_path(false);
    viewer.exchange();
    assert_eq!(viewer.events, [Event::Connected]);
    let now = viewer.now;
    let sound = Payloads::single(&[1]);
    viewer.session.send(now, Kind::Audio, 0, 48_000, &sound);
    viewer.exchange();
    assert_eq!(viewer.received.len(), 1);
}

#[test]
fn packets_of_a_picture_go_out_as_one_transmit() {
    let mut viewer = Viewer::connected(Options::default());
    let now = viewer.now;
    viewer
        .session
        .send(now, Kind::Video, 0, 90_000, &packetize(&[1; 3_000], 1_000));
    let Output::Transmit(transmit) = viewer.session.poll_output() else {
        panic!("nothing sent");
    };
    assert_eq!(transmit.segment_size, Some(12 + 1_000 + 16));
    assert_eq!(transmit.datagrams().count(), 3);
}

#[test]
fn missing_packets_are_sent_again() {
    for rtx in [true, false] {
        let mut viewer = Viewer::connected(Options {
            rtx,
            ..Options::default()
        });
        let (source, again) = viewer.sources(Kind::Video);
        assert_eq!(again.is_some(), rtx);
        let now = viewer.now;
        let picture = packetize(&(0..100).collect::<Vec<_>>(), 10);
        viewer.session.send(now, Kind::Video, 7, 90_000, &picture);
        viewer.exchange();
        let sent = std::mem::take(&mut viewer.received);
        let sequence = sent[4].header.sequence;
        let never_sent = sequence.wrapping_add(500);
        viewer.feed_back(&nack(source, [sequence, sequence + 5, never_sent]));
        let [one, two] = &viewer.received[..] else {
            panic!("{:?}", viewer.received);
        };
        if rtx {
            assert_eq!(Some(one.header.ssrc), again);
            assert_eq!(one.header.payload_type, 98);
            assert_eq!(one.payload[..2], sequence.to_be_bytes());
            assert_eq!(one.payload[2..], sent[4].payload);
            assert_eq!(one.header.timestamp, sent[4].header.timestamp);
            assert_eq!(two.header.sequence, one.header.sequence + 1);
            assert!(two.header.marker);
        } else {
            // The very same packet.
            assert_eq!((one, two), (&sent[4], &sent[9]));
        }
        let stats = viewer.session.stats();
        assert_eq!((stats.retransmitted, stats.not_retransmitted), (2, 1));
        // After a while nobody waits for it any more.
        viewer.now += Duration::from_secs(3);
        viewer.feed_back(&nack(source, [sequence]));
        assert_eq!(viewer.session.stats().not_retransmitted, 2);
    }
}

#[test]
fn the_first_packets_of_a_long_gop_are_sent_again() {
    let mut viewer = Viewer::connected(Options::default());
    let source = viewer.sources(Kind::Video).0;
    let now = viewer.now;
    // Twenty seconds at once, as a viewer begins with.
    for number in 0..600 {
        let picture = packetize(&[1; 400], 100);
        viewer
            .session
            .send(now, Kind::Video, number * 90, 90_000, &picture);
    }
    viewer.exchange();
    let first = viewer.received[0].header.sequence;
    viewer.feed_back(&nack(source, first..first + 47));
    let stats = viewer.session.stats();
    assert_eq!((stats.retransmitted, stats.not_retransmitted), (47, 0));
}

#[test]
fn no_index_is_used_twice_over_many_wraps() {
    for rtx in [true, false] {
        let mut viewer = Viewer::connected(Options {
            rtx,
            ..Options::default()
        });
        let source = viewer.sources(Kind::Video).0;
        let mut last = None;
        for unit in 0..3_000u32 {
            let payload: Vec<_> = unit.to_be_bytes().repeat(50);
            let picture = packetize(&payload, 4);
            let now = viewer.now;
            viewer
                .session
                .send(now, Kind::Video, i64::from(unit), 90_000, &picture);
            viewer.exchange();
            // Those that are sent once more come last, and end no picture.
            let mut from = viewer.received.iter().rev();
            let newest = from
                .find(|p| p.header.ssrc == source && p.header.marker)
                .unwrap()
                .header
                .sequence;
            assert!(last.is_none_or(|last: u16| newest == last.wrapping_add(50)));
            last = Some(newest);
            if unit % 97 == 0 {
                let lost = [newest.wrapping_sub(60), newest.wrapping_sub(1)];
                viewer.feed_back(&nack(source, lost));
            }
            viewer.now += Duration::from_millis(1);
        }
        let stats = viewer.session.stats();
        assert_eq!(stats.packets, 150_000);
        assert!(stats.retransmitted > 50, "{stats:?}");
        // Decryption that succeeded says that both ends count the wraps alike.
        assert!(viewer.received.len() > 150_000);
    }
}

#[test]
fn what_is_sent_again_is_bounded() {
    let mut viewer = Viewer::connected(Options::default());
    let source = viewer.sources(Kind::Video).0;
    let now = viewer.now;
    let picture = packetize(&[1; 500_000], 1_000);
    viewer.session.send(now, Kind::Video, 0, 90_000, &picture);
    viewer.exchange();
    let first = viewer.received[0].header.sequence;
    for _ in 0..10 {
        viewer.feed_back(&nack(source, first..first + 500));
        viewer.now += Duration::from_millis(100);
    }
    let stats = viewer.session.stats();
    assert!(stats.retransmitted < 500, "{stats:?}");
    assert_eq!(stats.retransmitted + stats.not_retransmitted, 5_000);
}

#[test]
fn what_was_asked_for_goes_out_once_more_with_the_next_picture() {
    let mut viewer = Viewer::connected(Options::default());
    let (source, again) = viewer.sources(Kind::Video);
    let send = |viewer: &mut Viewer, time| {
        let picture = packetize(&[1; 100], 10);
        let now = viewer.now;
        viewer
            .session
            .send(now, Kind::Video, time, 90_000, &picture);
        viewer.exchange();
        viewer.now += Duration::from_millis(33);
    };
    send(&mut viewer, 0);
    let first = viewer.received[0].header.sequence;
    viewer.feed_back(&nack(source, first..first + 3));
    let sent_again = |viewer: &Viewer| {
        let packets = viewer.received.iter();
        packets.filter(|p| Some(p.header.ssrc) == again).count()
    };
    assert_eq!(sent_again(&viewer), 3);
    send(&mut viewer, 3_000);
    assert_eq!(sent_again(&viewer), 6);
    send(&mut viewer, 6_000);
    assert_eq!(sent_again(&viewer), 6);
}

#[test]
fn what_is_on_its_way_is_not_sent_again() {
    let mut viewer = Viewer::connected(Options::default());
    let source = viewer.sources(Kind::Video).0;
    let now = viewer.now;
    let picture = packetize(&[1; 100], 10);
    viewer.session.send(now, Kind::Video, 0, 90_000, &picture);
    viewer.exchange();
    let first = viewer.received[0].header.sequence;
    for (wait, expected) in [(0, 3), (20, 3), (20, 6)] {
        viewer.now += Duration::from_millis(wait);
        viewer.feed_back(&nack(source, first..first + 3));
        let stats = viewer.session.stats();
        assert_eq!(
            (stats.retransmitted, stats.not_retransmitted),
            (expected, 0)
        );
    }
}

#[test]
fn a_start_is_asked_for_now_and_then() {
    let mut viewer = Viewer::connected(Options::default());
    let (video, audio) = (viewer.sources(Kind::Video).0, viewer.sources(Kind::Audio).0);
    let loss = |media| rtcp::Packet::PictureLoss(PictureLoss { sender: 1, media });
    viewer.feed_back(&loss(audio));
    viewer.feed_back(&loss(12_345));
    assert_eq!(viewer.events, []);
    viewer.feed_back(&loss(video));
    let requests = vec![(video, 1)];
    let full = rtcp::Packet::FullIntraRequest(FullIntraRequest {
        sender: 1,
        requests,
    });
    viewer.feed_back(&full);
    assert_eq!(viewer.events, [Event::RandomAccessWanted]);
    viewer.now += Duration::from_millis(500);
    viewer.feed_back(&full);
    assert_eq!(viewer.events.len(), 2);
}

#[test]
fn feedback_counts_once_and_from_the_viewer_alone() {
    let mut viewer = Viewer::connected(Options::default());
    let media = viewer.sources(Kind::Video).0;
    let datagram = viewer.protect(&rtcp::Packet::PictureLoss(PictureLoss { sender: 1, media }));
    let mut damaged = datagram.clone();
    damaged[20] ^= 1;
    viewer.send(&damaged);
    viewer.exchange();
    assert_eq!(viewer.events, []);
    for _ in 0..2 {
        viewer.send(&datagram);
        viewer.exchange();
        viewer.now += Duration::from_secs(1);
    }
    assert_eq!(viewer.events, [Event::RandomAccessWanted]);
}

#[test]
fn reports_tie_the_tracks_together() {
    let mut viewer = Viewer::connected(Options::default());
    let (video, audio) = (viewer.sources(Kind::Video).0, viewer.sources(Kind::Audio).0);
    // Both tracks are at 10 s of the stream's time.
    let now = viewer.now;
    viewer
        .session
        .send(now, Kind::Video, 900_000, 90_000, &Payloads::single(&[1]));
    viewer
        .session
        .send(now, Kind::Audio, 480_000, 48_000, &Payloads::single(&[2]));
    viewer.wait(Duration::from_secs(3));
    let reports: Vec<_> = viewer
        .control
        .iter()
        .filter_map(|packet| match packet {
            rtcp::Packet::SenderReport(report) => Some(report),
            _ => None,
        })
        .collect();
    let of = |ssrc: u32| {
        let report = reports
            .iter()
            .rev()
            .find(|report| report.ssrc == ssrc)
            .unwrap();
        let mut packets = viewer.received.iter();
        let sent = packets
            .find(|p| p.header.ssrc == ssrc)
            .unwrap()
            .header
            .timestamp;
        (report.info, report.info.rtp.wrapping_sub(sent))
    };
    let ((video, video_ticks), (audio, audio_ticks)) = (of(video), of(audio));
    assert_eq!(video.ntp, audio.ntp);
    assert_eq!(
        u64::from(video_ticks) * 48_000,
        u64::from(audio_ticks) * 90_000
    );
    assert_eq!((video.packets, video.octets), (1, 1));
    let seconds = video_ticks / 90_000;
    assert_eq!(
        video.ntp.0 >> 32,
        2_208_988_800 + 1_000 + u64::from(seconds)
    );
    // The first went out with the media, and more followed.
    assert!(reports.len() >= 5, "{}", reports.len());
}

#[test]
fn the_viewers_reports_are_read() {
    let mut viewer = Viewer::connected(Options::default());
    let ssrc = viewer.sources(Kind::Video).0;
    let now = viewer.now;
    viewer
        .session
        .send(now, Kind::Video, 900_000, 90_000, &Payloads::single(&[1]));
    viewer.exchange();
    let sent = viewer.control.iter().rev().find_map(|packet| match packet {
        rtcp::Packet::SenderReport(report) => Some(report.info.ntp.compact()),
        _ => None,
    });
    // It turns out that what is sent was captured long ago; that is no part of the way.
    viewer.session.set_delay(Duration::from_secs(3));
    viewer.now += Duration::from_millis(250);
    let mut answer = |last_report: u32| {
        let block = ReportBlock {
            ssrc,
            fraction_lost: 64,
            last_report,
            delay: 65_536 / 10,
            ..ReportBlock::default()
        };
        let report = ReceiverReport {
            ssrc: 1,
            blocks: vec![block],
        };
        viewer.feed_back(&rtcp::Packet::ReceiverReport(report));
        let stats = viewer.session.stats();
        assert_eq!(stats.fraction_lost, 0.25);
        stats.round_trip.map(|time| time.as_millis())
    };
    let sent = sent.unwrap();
    // Nothing is told by an answer to what was never said.
    assert_eq!(answer(sent.wrapping_add(1)), None);
    let round_trip = answer(sent).unwrap();
    assert!((149..=151).contains(&round_trip), "{round_trip}");
}
