//! Datagrams that are lost, late and doubled on the way: by a fixed plan, so that it is known which pictures arrive.

use super::{Expect, case, number_of, pictures_of, run};
use crate::support::fake_camera::picture;
use crate::support::server::Server;
use crate::support::{seconds, wait_for};
use rtp::rtcp;

/// What is done to the packet of this number: a mix of all, that repeats after 64.
fn fate(number: u32) -> &'static str {
    match number % 64 {
        7 | 31 => "late",
        50 => "twice",
        22 | 23 | 45 => "lost",
        _ => "sent",
    }
}

#[test]
fn datagrams_out_of_order_and_twice() {
    let mut case = case("in disorder", Expect::Plays, |script| {
        script.send = Box::new(|sender, number| {
            let timestamp = number.wrapping_mul(3_600);
            // Three packets each, of which the second and third change places, and one comes twice.
            let nal = picture(number);
            let (indicator, kind) = (nal[0] & 0xe0 | 28, nal[0] & 0x1f);
            let parts = [(0x80, &nal[1..15]), (0, &nal[15..30]), (0x40, &nal[30..])];
            let mut packets: Vec<_> = parts
                .iter()
                .map(|(bits, part)| {
                    let payload = [&[indicator, bits | kind], *part].concat();
                    sender.made(0, timestamp, *bits == 0x40, &payload)
                })
                .collect();
            match number % 3 {
                0 => packets.swap(1, 2),
                1 => packets.swap(0, 2),
                _ => packets.push(packets[1].clone()),
            }
            for packet in packets {
                sender.whole(0, packet);
            }
            sender.sound(number);
        });
    });
    case.options = "#transport=udp";
    case.check = |_, server, id| {
        let broadcast = server.broadcast(id).unwrap();
        assert_eq!(broadcast["packetsLost"], 0, "{broadcast}");
    };
    run(vec![case]);
}

#[test]
fn datagrams_that_are_lost_are_counted_and_reported() {
    let mut case = case("lossy", Expect::Lives, |script| {
        let held = std::sync::Mutex::new(None);
        script.send = Box::new(move |sender, number| {
            let packet = sender.made(0, number.wrapping_mul(3_600), true, &picture(number));
            let late: Option<Vec<u8>> = held.lock().unwrap().take();
            match fate(number) {
                "late" => *held.lock().unwrap() = Some(packet),
                "lost" => {}
                "twice" => {
                    sender.whole(0, packet.clone());
                    sender.whole(0, packet);
                }
                _ => sender.whole(0, packet),
            }
            if let Some(late) = late {
                sender.whole(0, late);
            }
            sender.sound(number);
        });
    });
    case.options = "#transport=udp";
    case.check = |camera, server, id| {
        check_pictures(server, id);
        let broadcast = server.broadcast(id).unwrap();
        let lost = broadcast["packetsLost"].as_u64().unwrap();
        let ratio = broadcast["packetLostRatio"].as_f64().unwrap();
        // Three of 128, pictures and sound together.
        assert!(lost >= 3 && (0.005..0.05).contains(&ratio), "{broadcast}");
        // The camera is told, too.
        let said = wait_for("a report of what was lost", seconds(15), || {
            camera.reports().iter().find_map(|report| {
                rtcp::packets(report)
                    .flatten()
                    .find_map(|packet| match packet {
                        rtcp::Packet::ReceiverReport(report) => {
                            report.blocks.into_iter().find(|block| block.lost > 0)
                        }
                        _ => None,
                    })
            })
        });
        assert_eq!(said.ssrc, 0x0a0b_0c0d);
    };
    run(vec![case]);
}

/// Every picture comes in its order, but for those that were lost.
fn check_pictures(server: &Server, id: &str) {
    let mut before: Option<u32> = None;
    for nal in pictures_of(server, id, 80) {
        let number = number_of(&nal).unwrap_or_else(|| panic!("picture {nal:02x?}"));
        if let Some(before) = before {
            let next = (before + 1..).find(|number| fate(*number) != "lost");
            assert_eq!(Some(number), next, "behind picture {before}");
        }
        before = Some(number);
    }
}
