//! Frames, packets, pictures and clocks.

use super::{Case, Expect, case, run};
use crate::support::fake_camera::{PPS, SPS, Sender, framed, picture};

/// RTCP: a sender report without blocks.
fn report(ssrc: u32, ntp: u64, rtp: u32) -> Vec<u8> {
    let mut bytes = vec![0x80, 200, 0, 6];
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend(ntp.to_be_bytes());
    bytes.extend(rtp.to_be_bytes());
    bytes.extend([0; 8]);
    bytes
}

/// A camera whose pictures are sent like this.
fn sends(name: &'static str, send: impl Fn(&mut Sender, u32) + Send + Sync + 'static) -> Case {
    case(name, Expect::Plays, |script| {
        script.send = Box::new(move |sender, number| {
            send(sender, number);
            sender.sound(number);
        });
    })
}

#[test]
fn frames_on_the_connection() {
    let plain = |sender: &mut Sender, number: u32| {
        sender.packet(0, number * 3_600, true, &picture(number));
    };
    run(vec![
        sends("the middle of a group first", move |sender, number| {
            plain(sender, number + 4);
        }),
        sends("garbage between frames", move |sender, number| {
            sender.raw(b"\0\0garbage$\xff".to_vec());
            plain(sender, number);
        }),
        sends("a frame cut short", move |sender, number| {
            plain(sender, number);
            if number % 7 == 3 {
                sender.raw(b"\r\n\r\n".to_vec());
            }
        }),
        sends("channels that nobody asked for", move |sender, number| {
            sender.raw(framed(77, &[0x80; 60]));
            plain(sender, number);
        }),
        sends("empty frames", move |sender, number| {
            sender.raw(framed(0, &[]));
            plain(sender, number);
        }),
        sends("empty packets", move |sender, number| {
            plain(sender, number);
            sender.packet(0, number * 3_600, false, &[]);
        }),
        sends("packets that are none", move |sender, number| {
            sender.whole(0, vec![0; 40]);
            sender.whole(0, vec![0x80]);
            plain(sender, number);
        }),
        sends("reports among the packets", move |sender, number| {
            plain(sender, number);
            let bytes = report(sender.ssrc[0], 0, number * 3_600);
            sender.whole(0, bytes);
        }),
        sends(
            "reports on the other track's channel",
            move |sender, number| {
                plain(sender, number);
                sender.raw(framed(
                    3,
                    &report(sender.ssrc[0], u64::from(number) << 32, 0),
                ));
            },
        ),
        sends("reports without a time", move |sender, number| {
            plain(sender, number);
            let bytes = report(sender.ssrc[0], 0, 0);
            sender.control(0, bytes);
        }),
        sends("RTCP that is none", move |sender, number| {
            plain(sender, number);
            sender.control(0, vec![0x81, 200, 0xff, 0xff, 1]);
            sender.control(0, Vec::new());
        }),
        sends("packets of another format", move |sender, number| {
            plain(sender, number);
            let kept = (sender.payload_type[0], sender.sequence[0]);
            sender.payload_type[0] = 112;
            sender.packet(0, 77, true, &[0; 20]);
            (sender.payload_type[0], sender.sequence[0]) = kept;
        }),
        sends(
            "packets with everything that a header can hold",
            move |sender, number| {
                let mut bytes = sender.made(0, number * 3_600, true, &picture(number));
                // Padding, an extension, a contributing source.
                bytes[0] |= 0x31;
                bytes.splice(12..12, [1, 2, 3, 4, 0xab, 0xac, 0, 1, 9, 9, 9, 9]);
                bytes.extend([0, 0, 0, 4]);
                sender.whole(0, bytes);
            },
        ),
        case(
            "frames in front of the answer to PLAY",
            Expect::Plays,
            |script| {
                script.answer = Box::new(|request, reply| {
                    if request.method == "PLAY" {
                        reply.before = framed(1, &report(0x0a0b_0c0d, 0, 0));
                        reply.before.extend(framed(
                            2,
                            &[0x80, 8, 0, 6, 0, 0, 0, 0, 0x1a, 0x1b, 0x1c, 0x1d],
                        ));
                    }
                });
            },
        ),
        case(
            "a frame in the middle of an answer",
            Expect::Plays,
            |script| {
                script.wire = |bytes| {
                    let Some(at) = bytes.windows(9).position(|nine| nine == b"\r\nSession") else {
                        return bytes;
                    };
                    [
                        &bytes[..at + 2],
                        &framed(1, &report(0x0a0b_0c0d, 0, 0)),
                        &bytes[at + 2..],
                    ]
                    .concat()
                };
            },
        ),
        case("requests of the camera", Expect::Plays, |script| {
            script.send = Box::new(|sender, number| {
                sender.packet(0, number * 3_600, true, &picture(number));
                sender.sound(number);
                if number % 5 == 4 {
                    sender.raw(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\nSET_PARAMETER * RTSP/1.0\r\nCSeq: 2\r\nContent-Length: 2\r\n\r\nab".to_vec());
                }
            });
        }),
    ]);
}

#[test]
fn pictures() {
    fn cut(sender: &mut Sender, number: u32, bits: [u8; 3], marker: bool) {
        let nal = picture(number);
        let (indicator, kind) = (nal[0] & 0xe0 | 28, nal[0] & 0x1f);
        let parts: Vec<_> = nal[1..].chunks(20).collect();
        for (index, part) in parts.iter().enumerate() {
            let last = index + 1 == parts.len();
            let bits = if index == 0 {
                bits[0]
            } else if last {
                bits[2]
            } else {
                bits[1]
            };
            let payload = [&[indicator, bits | kind], *part].concat();
            sender.packet(0, number * 3_600, marker && last, &payload);
        }
    }
    run(vec![
        sends("fragments", |sender, number| {
            cut(sender, number, [0x80, 0, 0x40], true);
        }),
        sends("fragments that do not end", |sender, number| {
            cut(sender, number, [0x80, 0, 0], true);
        }),
        sends(
            "fragments that do not end, without markers",
            |sender, number| cut(sender, number, [0x80, 0, 0], false),
        ),
        sends("fragments with a reserved bit", |sender, number| {
            cut(sender, number, [0xa0, 0x20, 0x60], true);
        }),
        sends("a whole in one fragment (OpenIPC)", |sender, number| {
            let nal = picture(number);
            let payload = [&[nal[0] & 0xe0 | 28, 0xc0 | nal[0] & 0x1f], &nal[1..]].concat();
            sender.packet(0, number * 3_600, true, &payload);
        }),
        sends("no markers", |sender, number| {
            sender.packet(0, number * 3_600, false, &picture(number));
        }),
        sends("a marker on every packet", |sender, number| {
            sender.packet(0, number * 3_600, true, &[6, 5, 1, 1, 0x80]);
            sender.packet(0, number * 3_600, true, SPS);
            sender.packet(0, number * 3_600, true, PPS);
            sender.packet(0, number * 3_600, true, &picture(number));
        }),
        sends(
            "parameter sets with a marker and the time of the picture before (Reolink)",
            |sender, number| {
                if number.is_multiple_of(10) {
                    let before = number.saturating_sub(1);
                    sender.packet(0, before * 3_600, true, SPS);
                    sender.packet(0, before * 3_600, false, PPS);
                }
                sender.packet(0, number * 3_600, true, &picture(number));
            },
        ),
        sends("an aggregate", |sender, number| {
            let nal = picture(number);
            let payload = [
                &[0x78, 0, 6][..],
                SPS,
                &[0, 4],
                PPS,
                &[0, nal.len() as u8],
                &nal,
            ]
            .concat();
            sender.packet(0, number * 3_600, true, &payload);
        }),
        sends("an aggregate with a length too much", |sender, number| {
            let nal = picture(number);
            let payload = [&[0x78, 0, nal.len() as u8][..], &nal, &[0, 0]].concat();
            sender.packet(0, number * 3_600, true, &payload);
        }),
        sends("delimiters", |sender, number| {
            sender.packet(0, number * 3_600, false, &[9, 0xf0]);
            sender.packet(0, number * 3_600, true, &picture(number));
        }),
        sends("start codes", |sender, number| {
            let payload = [
                &[0, 0, 0, 1][..],
                SPS,
                &[0, 0, 0, 1],
                PPS,
                &[0, 0, 1],
                &picture(number),
            ]
            .concat();
            sender.packet(0, number * 3_600, true, &payload);
        }),
        sends("zeros behind a picture", |sender, number| {
            let payload = [&picture(number)[..], &[0, 0, 0]].concat();
            sender.packet(0, number * 3_600, true, &payload);
        }),
        sends("NAL units that are reserved", |sender, number| {
            sender.packet(0, number * 3_600, false, &[0x7f, 1, 2]);
            sender.packet(0, number * 3_600, true, &picture(number));
        }),
        sends(
            "the same parameter sets with each picture",
            |sender, number| {
                sender.packet(0, number * 3_600, false, SPS);
                sender.packet(0, number * 3_600, false, PPS);
                sender.packet(0, number * 3_600, true, &picture(number));
            },
        ),
        sends("packets twice", |sender, number| {
            let packet = sender.made(0, number * 3_600, true, &picture(number));
            sender.whole(0, packet.clone());
            sender.whole(0, packet);
        }),
        sends("numbers that stand still", |sender, number| {
            sender.sequence[0] = 4;
            sender.packet(0, number * 3_600, true, &picture(number));
        }),
    ]);
}

#[test]
fn clocks_and_sources() {
    let seam = |case: Case| Case {
        expect: Expect::Seam,
        ..case
    };
    let plain = |sender: &mut Sender, number: u32, offset: u32| {
        sender.packet(
            0,
            (number * 3_600).wrapping_add(offset),
            true,
            &picture(number),
        );
    };
    run(vec![
        sends("a clock that wraps", move |sender, number| {
            plain(sender, number, u32::MAX - 70_000);
        }),
        seam(sends(
            "a clock that jumps an hour",
            move |sender, number| {
                plain(sender, number, if number > 20 { 324_000_000 } else { 0 });
            },
        )),
        seam(sends(
            "a clock that jumps back an hour",
            move |sender, number| {
                plain(
                    sender,
                    number,
                    if number > 20 {
                        0u32.wrapping_sub(324_000_000)
                    } else {
                        0
                    },
                );
            },
        )),
        seam(sends("another source", move |sender, number| {
            if number == 20 {
                sender.ssrc[0] = 99;
                sender.sequence[0] = 40_000;
            }
            plain(sender, number, if number >= 20 { 0x7000_0000 } else { 0 });
        })),
        seam(sends("numbers that begin anew", move |sender, number| {
            if number == 20 {
                sender.sequence[0] = 40_000;
            }
            plain(sender, number, 0);
        })),
        sends("reports that come late", move |sender, number| {
            plain(sender, number, 0);
            if number == 20 {
                for (track, rtp) in [(0, number * 3_600), (1, number * 320)] {
                    let bytes = report(sender.ssrc[track], 0xe000_0000_0000_0000, rtp);
                    sender.control(track, bytes);
                }
            }
        }),
        sends("reports that make no sense", move |sender, number| {
            plain(sender, number, 0);
            let bytes = report(
                sender.ssrc[0],
                u64::from(number.wrapping_mul(0x9e37_79b9)) << 32,
                number,
            );
            sender.control(0, bytes);
        }),
    ]);
}
