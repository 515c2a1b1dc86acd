//! What a publisher sends comes out in the clear, and what is missing is asked for.

use super::*;
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile as DtlsProfile;
use rtp::Header;
use rtp::rtcp::{self, NtpTime, SenderInfo, SenderReport};

const PICTURES: u32 = 0x1111;
const AGAIN: u32 = 0x2222;

fn publisher(options: Options) -> Viewer {
    Viewer::connected(Options {
        publishes: true,
        ..options
    })
}

/// A packet of pictures, numbered over all sources too.
fn picture(sequence: u16, counter: u16) -> Vec<u8> {
    packet(97, PICTURES, sequence, counter, &[0x65, sequence as u8])
}

fn packet(payload_type: u8, ssrc: u32, sequence: u16, counter: u16, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        marker: true,
        payload_type,
        sequence,
        timestamp: 7,
        ssrc,
    };
    let mut packet = Vec::new();
    header
        .write(&[(3, &counter.to_be_bytes())], &mut packet)
        .unwrap();
    packet.extend(payload);
    packet
}

/// The same as a retransmission.
fn again(sequence: u16, own: u16) -> Vec<u8> {
    let [s0, s1] = sequence.to_be_bytes();
    packet(98, AGAIN, own, own, &[s0, s1, 0x65, sequence as u8])
}

fn send(publisher: &mut Viewer, packet: &[u8]) {
    let datagram = publisher.protect_media(packet);
    publisher.send(&datagram);
    publisher.exchange();
}

/// (track, whether control, sequence number, payload) of what has come.
fn came(publisher: &mut Viewer) -> Vec<(usize, u16, Vec<u8>)> {
    let events = std::mem::take(&mut publisher.events).into_iter();
    let packets = events.filter_map(|event| match event {
        Event::Packet {
            track,
            control: false,
            bytes,
        } => {
            let packet = rtp::Packet::parse(&bytes).unwrap();
            Some((track, packet.header.sequence, packet.payload.to_vec()))
        }
        _ => None,
    });
    packets.collect()
}

fn told<T>(publisher: &mut Viewer, of: impl Fn(&rtcp::Packet) -> Option<T>) -> Vec<T> {
    std::mem::take(&mut publisher.control)
        .iter()
        .filter_map(of)
        .collect()
}

fn missing(publisher: &mut Viewer) -> Vec<u16> {
    let lists = told(publisher, |packet| match packet {
        rtcp::Packet::Nack(nack) if nack.media == PICTURES => {
            Some(nack.sequences().collect::<Vec<_>>())
        }
        _ => None,
    });
    lists.concat()
}

fn pass(publisher: &mut Viewer, millis: u64) {
    publisher.now += Duration::from_millis(millis);
    publisher.session.handle_timeout(publisher.now);
    publisher.exchange();
}

#[test]
fn the_formats_are_those_that_were_chosen() {
    let publisher = publisher(Options::default());
    let formats: Vec<_> = publisher
        .session
        .received()
        .iter()
        .map(|format| (format.kind, format.encoding.as_str(), format.channels))
        .collect();
    let expected = [(Kind::Video, "H264", 1), (Kind::Audio, "opus", 2)];
    assert_eq!(formats, expected);
}

#[test]
fn packets_come_once_and_in_the_clear_under_each_profile() {
    for profiles in [
        Options::default().profiles,
        vec![DtlsProfile::Srtp_Aes128_Cm_Hmac_Sha1_80],
    ] {
        let mut publisher = publisher(Options {
            profiles,
            ..Options::default()
        });
        // Past a wrap of the numbers.
        for number in 0..40_000u32 {
            let sequence = (number + 30_000) as u16;
            if number % 1_000 < 3 || (35_530..35_550).contains(&number) {
                send(&mut publisher, &picture(sequence, sequence));
            } else {
                // Encrypted in order, as senders do; not sent, and not missed for long.
                let datagram = publisher.protect_media(&picture(sequence, sequence));
                publisher.send(&datagram);
            }
        }
        publisher.exchange();
        let came = came(&mut publisher);
        assert_eq!(came.len(), 40_000);
        assert!(came.iter().all(|(track, sequence, payload)| {
            *track == 0 && payload[..] == [0x65, *sequence as u8]
        }));
        let sound = packet(111, 0x3333, 5, 9, &[0xfc]);
        let datagram = publisher.protect_media(&sound);
        for _ in 0..2 {
            publisher.send(&datagram);
        }
        let mut damaged = publisher.protect_media(&packet(111, 0x3333, 6, 9, &[0xfc]));
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        publisher.send(&damaged);
        for cut in 0..damaged.len() {
            publisher.send(&damaged[..cut]);
        }
        publisher.exchange();
        assert_eq!(self::came(&mut publisher), [(1, 5, vec![0xfc])]);
        assert_eq!(publisher.session.stats().lost, 0);
    }
}

#[test]
fn what_is_missing_is_asked_for_and_taken_when_it_comes_again() {
    let mut publisher = publisher(Options::default());
    for sequence in [100, 101, 104] {
        send(&mut publisher, &picture(sequence, sequence));
    }
    assert!(missing(&mut publisher).is_empty());
    pass(&mut publisher, 10);
    assert_eq!(missing(&mut publisher), [102, 103]);
    // One that was not missed is how the publisher tries what the way carries.
    for packet in [again(102, 7), again(101, 8), again(102, 9)] {
        send(&mut publisher, &packet);
    }
    let sequences: Vec<_> = came(&mut publisher)
        .into_iter()
        .map(|came| came.1)
        .collect();
    assert_eq!(sequences, [100, 101, 104, 102]);
    pass(&mut publisher, 50);
    assert_eq!(missing(&mut publisher), [103]);
    assert_eq!(publisher.session.stats().asked_again, 3);
}

#[test]
fn without_hope_for_a_packet_a_picture_to_start_from_is_asked_for() {
    let mut publisher = publisher(Options::default());
    for sequence in [100, 102] {
        send(&mut publisher, &picture(sequence, sequence));
    }
    let is_wanted = |packet: &rtcp::Packet| {
        matches!(packet, rtcp::Packet::PictureLoss(loss) if loss.media == PICTURES).then_some(())
    };
    for _ in 0..30 {
        pass(&mut publisher, 10);
    }
    assert_eq!(told(&mut publisher, is_wanted), []);
    for _ in 0..15 {
        pass(&mut publisher, 10);
    }
    assert_eq!(told(&mut publisher, is_wanted), [()]);
    let stats = publisher.session.stats();
    assert_eq!((stats.lost, stats.random_access_asked), (1, 1));
    // Not again and again, and not forgotten.
    for _ in 0..5 {
        let now = publisher.now;
        publisher.session.want_picture(now);
        publisher.exchange();
    }
    assert_eq!(told(&mut publisher, is_wanted), []);
    pass(&mut publisher, 400);
    assert_eq!(told(&mut publisher, is_wanted), [()]);
    pass(&mut publisher, 400);
    assert_eq!(told(&mut publisher, is_wanted), []);
}

#[test]
fn when_packets_came_is_told() {
    let mut publisher = publisher(Options::default());
    for counter in [9, 10, 12] {
        send(&mut publisher, &picture(counter, counter));
        pass(&mut publisher, 20);
    }
    let arrivals = told(&mut publisher, |packet| match packet {
        rtcp::Packet::Arrivals(arrivals) => Some(arrivals.packets().collect::<Vec<_>>()),
        _ => None,
    });
    let numbers: Vec<Vec<_>> = arrivals
        .iter()
        .map(|told| {
            told.iter()
                .map(|(number, time)| (*number, time.is_some()))
                .collect()
        })
        .collect();
    assert_eq!(numbers, [[(9, true), (10, true), (11, false), (12, true)]]);
}

#[test]
fn sender_reports_are_passed_on_for_their_track() {
    let mut publisher = publisher(Options::default());
    let report = |ssrc| {
        rtcp::Packet::SenderReport(SenderReport {
            ssrc,
            info: SenderInfo {
                ntp: NtpTime(77 << 32),
                ..SenderInfo::default()
            },
            blocks: Vec::new(),
        })
    };
    send(&mut publisher, &picture(1, 1));
    publisher.events.clear();
    publisher.report(&[report(PICTURES), report(AGAIN)]);
    let [
        Event::Packet {
            track: 0,
            control: true,
            bytes,
        },
    ] = &publisher.events[..]
    else {
        panic!("{:?}", publisher.events);
    };
    let packets: Vec<_> = rtcp::packets(bytes).flatten().collect();
    assert_eq!(packets, [report(PICTURES)]);
}
