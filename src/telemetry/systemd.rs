//! Tells systemd, where it has started the server, how that is (`sd_notify(3)`): ready, reading its configuration again,
//! alive, ending.

use rustix::time::{ClockId, clock_gettime};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The service manager, if there is one that wants to know.
#[derive(Debug, Default)]
pub struct Systemd {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Systemd {
    /// As the environment says (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`).
    pub fn from_environment() -> Self {
        let text = |name: &str| std::env::var(name).ok();
        let watchdog = text("WATCHDOG_USEC").and_then(|text| text.parse().ok());
        let process = text("WATCHDOG_PID").and_then(|text| text.parse().ok());
        let is_ours = process.is_none_or(|process: u32| process == std::process::id());
        let watchdog = watchdog.filter(|_| is_ours).map(Duration::from_micros);
        match text("NOTIFY_SOCKET").map(|place| Self::at(&place, watchdog)) {
            None => Self::default(),
            Some(Ok(systemd)) => systemd,
            Some(Err(error)) => {
                tracing::warn!(%error, "systemd cannot be told how the server is");
                Self::default()
            }
        }
    }

    /// At that socket: a path, or behind `@` a name of the abstract namespace.
    fn at(place: &str, watchdog: Option<Duration>) -> io::Result<Self> {
        let address = match place.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(place)?,
        };
        let socket = UnixDatagram::unbound()?;
        // Who does not listen must not hold the server up.
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: Some((socket, address)),
            watchdog,
        })
    }

    /// The server serves.
    pub fn ready(&self) {
        self.tell("READY=1\nSTATUS=Serving.");
    }

    /// The configuration is read again; [`Systemd::ready`] says when that is over.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec.saturating_mul(1_000_000) + now.tv_nsec / 1_000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// The server ends.
    pub fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=Ending streams and recordings.");
    }

    /// Says that the server is alive as often as systemd wants to hear it. A server whose tasks no longer run does not.
    pub async fn watch(&self) {
        let Some(within) = self.watchdog else {
            return;
        };
        let mut tick = tokio::time::interval((within / 2).max(Duration::from_millis(1)));
        loop {
            tick.tick().await;
            self.tell("WATCHDOG=1");
        }
    }

    fn tell(&self, words: &str) {
        if let Some((socket, address)) = &self.socket
            && let Err(error) = socket.send_to_addr(words.as_bytes(), address)
        {
            tracing::debug!(%error, "systemd does not listen");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn systemd_is_told_how_the_server_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("millstream-test-{}", std::process::id());
        let by_name = SocketAddr::from_abstract_name(&name).unwrap();
        let sockets = [
            (path.to_str().unwrap().to_owned(), UnixDatagram::bind(&path)),
            (format!("@{name}"), UnixDatagram::bind_addr(&by_name)),
        ];
        for (place, socket) in sockets {
            let socket = socket.unwrap();
            let systemd = Systemd::at(&place, Some(Duration::from_secs(10))).unwrap();
            systemd.ready();
            assert!(heard(&socket).starts_with("READY=1\n"));
            systemd.reloading();
            let reloading = heard(&socket);
            let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
            assert!(time.unwrap().parse::<u64>().unwrap() > 0);
            let watch = tokio::time::timeout(Duration::from_secs(11), systemd.watch());
            assert!(watch.await.is_err());
            for _ in 0..3 {
                assert_eq!(heard(&socket), "WATCHDOG=1");
            }
            systemd.stopping();
            assert!(heard(&socket).starts_with("STOPPING=1\n"));
        }
        // Nobody there: the server goes on.
        Systemd::default().ready();
        Systemd::at("/nowhere/at/all", None).unwrap().ready();
    }
}
