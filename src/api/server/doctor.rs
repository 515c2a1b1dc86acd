//! What stands in the way of a server that works, looked at when asked: ports, certificate, clock, addresses, UDP, disk,
//! open files, defects.

use super::Shared;
use crate::adapters::Listening;
use crate::api::antmedia::millis;
use crate::net::interfaces;
use crate::net::tls::Validity;
use crate::telemetry;
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// A certificate that is valid for less than this is worth a word.
const SOON: Duration = Duration::from_secs(14 * 86_400);

/// The clock of no machine that builds or runs this stands before that: 2026-01-01.
const EARLIEST: Duration = Duration::from_secs(1_767_225_600);

/// The system's bound for what may wait in a UDP socket, below which bursts of a camera are lost.
const SOCKET_BYTES: u64 = 1 << 20;

/// Each player and publisher takes one or two.
const OPEN_FILES: u64 = 4_096;

/// Room on the disk below which it is soon full.
const FREE_BYTES: u64 = 2 << 30;

/// A datagram to this very machine takes no longer.
const LOOP: Duration = Duration::from_millis(500);

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/api/v1/doctor", get(look))
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warning,
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    check: &'static str,
    state: Verdict,
    /// What was found, and what to do about it.
    detail: String,
}

const fn found(check: &'static str, state: Verdict, detail: String) -> Check {
    Check {
        check,
        state,
        detail,
    }
}

#[derive(Serialize)]
struct Report {
    /// Milliseconds since 1970, by the server's clock.
    time: u64,
    version: &'static str,
    checks: Vec<Check>,
}

async fn look(State(shared): State<Shared>) -> Json<Report> {
    let now = SystemTime::now();
    let addresses = addresses();
    let checks = vec![
        ports(&shared.listening),
        reachable(&shared.listening, &addresses),
        udp(&addresses).await,
        certificate(shared.context.certificate.validity(), now),
        clock(now),
        disk(shared.control.recordings_room().await),
        open_files(&read("/proc/self/limits")),
        panics(telemetry::panics()),
    ];
    Json(Report {
        time: millis(now),
        version: env!("CARGO_PKG_VERSION"),
        checks,
    })
}

/// Addresses of this machine that others may reach.
fn addresses() -> Vec<IpAddr> {
    let interfaces = interfaces::routed().unwrap_or_default();
    let addresses = interfaces.into_iter().map(|interface| interface.ip());
    let mut addresses: Vec<_> = addresses.filter(|ip| !ip.is_loopback()).collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

fn ports(listening: &[Listening]) -> Check {
    let all = listening.iter();
    let all = all.map(|Listening { protocol, address }| format!("{protocol} {address}"));
    let detail = format!("open: {}", all.collect::<Vec<_>>().join(", "));
    found("ports", Verdict::Ok, detail)
}

/// Whether others get at it.
fn reachable(listening: &[Listening], addresses: &[IpAddr]) -> Check {
    let list = addresses.iter().map(ToString::to_string);
    let list = list.collect::<Vec<_>>().join(", ");
    let is_open = |listening: &&Listening| !listening.address.ip().is_loopback();
    let (state, detail) = match (listening.iter().find(is_open), addresses) {
        (_, []) => (
            Verdict::Warning,
            "this machine has no address that others can reach".to_owned(),
        ),
        (None, _) => (
            Verdict::Warning,
            "every listener is for this machine alone; set http.listen and the others to [::]:PORT to be reached"
                .to_owned(),
        ),
        (Some(_), _) => (Verdict::Ok, format!("others reach this machine at {list}")),
    };
    found("addresses", state, detail)
}

/// Whether datagrams pass, and whether bursts of them do.
async fn udp(addresses: &[IpAddr]) -> Check {
    for address in addresses.iter().take(8) {
        if let Err(error) = to_itself(*address).await {
            let detail = format!(
                "datagrams to {address} do not arrive ({error}); does a firewall drop UDP?"
            );
            return found("udp", Verdict::Warning, detail);
        }
    }
    let bound = read("/proc/sys/net/core/rmem_max").trim().parse::<u64>();
    match bound {
        Ok(bytes) if bytes < SOCKET_BYTES => found(
            "udp",
            Verdict::Warning,
            format!(
                "UDP works, but the system holds {} KiB for a socket, so that bursts are lost; set `sysctl -w net.core.rmem_max=4194304`",
                bytes >> 10
            ),
        ),
        _ => found("udp", Verdict::Ok, "datagrams arrive".to_owned()),
    }
}

async fn to_itself(address: IpAddr) -> std::io::Result<()> {
    let socket = UdpSocket::bind(SocketAddr::new(address, 0)).await?;
    let own = socket.local_addr()?;
    let said = rand::random::<[u8; 16]>();
    socket.send_to(&said, own).await?;
    let mut heard = [0; 16];
    timeout(LOOP, socket.recv_from(&mut heard)).await??;
    Ok(())
}

fn certificate(validity: Option<Validity>, now: SystemTime) -> Check {
    let Some(Validity {
        until,
        is_self_signed,
    }) = validity
    else {
        let detail = "the certificate cannot be read".to_owned();
        return found("certificate", Verdict::Problem, detail);
    };
    let day = humantime::format_rfc3339_seconds(until).to_string();
    let day = day.split('T').next().unwrap_or_default();
    let (state, detail) = match until.duration_since(now) {
        Err(_) => (Verdict::Problem, format!("it was valid until {day}")),
        Ok(_) if is_self_signed => (
            Verdict::Warning,
            format!(
                "it is one that the server made itself, valid until {day}: browsers warn of it; set acme.domains, or tls.certificate and tls.key"
            ),
        ),
        Ok(left) if left < SOON => (Verdict::Warning, format!("it is valid until {day} only")),
        Ok(_) => (Verdict::Ok, format!("it is valid until {day}")),
    };
    found("certificate", state, detail)
}

fn clock(now: SystemTime) -> Check {
    let since = now.duration_since(SystemTime::UNIX_EPOCH);
    let time = humantime::format_rfc3339_seconds(now);
    if since.is_ok_and(|since| since >= EARLIEST) {
        return found("clock", Verdict::Ok, format!("it is {time}"));
    }
    let detail = format!("it is {time} by this machine's clock, which cannot be");
    found("clock", Verdict::Problem, detail)
}

fn disk((folder, room): (PathBuf, std::io::Result<u64>)) -> Check {
    let folder = folder.display();
    match room {
        Ok(bytes) if bytes >= FREE_BYTES => {
            let detail = format!("{:.1} GB are free in {folder}", bytes as f64 / 1e9);
            found("disk", Verdict::Ok, detail)
        }
        Ok(bytes) => {
            let detail = format!(
                "only {:.2} GB are free in {folder}; recordings stop before the disk is full",
                bytes as f64 / 1e9
            );
            found("disk", Verdict::Warning, detail)
        }
        Err(error) => found("disk", Verdict::Problem, format!("{folder}: {error}")),
    }
}

fn open_files(limits: &str) -> Check {
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok());
    match soft {
        Some(count) if count < OPEN_FILES => found(
            "files",
            Verdict::Warning,
            format!(
                "the server may have {count} files and sockets open at a time; raise it with `ulimit -n 65536` or LimitNOFILE="
            ),
        ),
        Some(count) => found(
            "files",
            Verdict::Ok,
            format!("{count} files and sockets may be open at a time"),
        ),
        None => found("files", Verdict::Ok, "no limit is known".to_owned()),
    }
}

fn panics(count: u64) -> Check {
    if count == 0 {
        return found("defects", Verdict::Ok, "none".to_owned());
    }
    let detail = format!(
        "{count} tasks of the server have failed since its start; each ended one connection, and is a defect: please report what the log says of it"
    );
    found("defects", Verdict::Problem, detail)
}

/// A small file of the system; empty where it is not there.
fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told() {
        let now = SystemTime::UNIX_EPOCH + EARLIEST;
        let until = |days: u64, is_self_signed| {
            let until = now + Duration::from_secs(days * 86_400);
            Some(Validity {
                until,
                is_self_signed,
            })
        };
        let cases = [
            (
                certificate(until(90, false), now),
                Verdict::Ok,
                "2026-04-01",
            ),
            (certificate(until(3, false), now), Verdict::Warning, "only"),
            (
                certificate(until(90, true), now),
                Verdict::Warning,
                "tls.certificate",
            ),
            (
                certificate(until(0, false), now + LOOP),
                Verdict::Problem,
                "was valid",
            ),
            (certificate(None, now), Verdict::Problem, "cannot be read"),
            (clock(SystemTime::UNIX_EPOCH), Verdict::Problem, "1970"),
            (clock(now), Verdict::Ok, "2026"),
            (disk(("a".into(), Ok(9 << 30))), Verdict::Ok, "9.7 GB"),
            (disk(("a".into(), Ok(1 << 20))), Verdict::Warning, "0.00 GB"),
            (
                open_files(
                    "Max open files            1024                 4096                 files",
                ),
                Verdict::Warning,
                "1024",
            ),
            (open_files(""), Verdict::Ok, "no limit"),
            (panics(0), Verdict::Ok, "none"),
            (panics(2), Verdict::Problem, "2 tasks"),
            (reachable(&[], &[]), Verdict::Warning, "no address"),
        ];
        for (check, state, words) in cases {
            assert_eq!(check.state, state, "{check:?}");
            assert!(check.detail.contains(words), "{check:?}");
        }
    }
}
