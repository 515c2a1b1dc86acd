//! `health`: whether the server of this machine takes requests. It is there for health checks of containers that hold
//! no other program.

use super::CommandError;
use crate::config::Http;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// All that the answer's first line needs; the rest is not read.
const FIRST_LINE: usize = 64;

/// Asks the listener that these settings make whether it takes requests. Each step may take `timeout`.
///
/// # Errors
/// When there is no such listener, or it does not say that it takes them.
pub fn run(settings: &Http, timeout: Duration) -> Result<String, CommandError> {
    let Some(address) = settings.listen.0 else {
        let words = "http.listen is empty: there is nobody to ask";
        return Err(CommandError::Unusable(words.to_owned()));
    };
    let address = reachable(address);
    match ask(address, timeout) {
        Ok(line) if line.starts_with("HTTP/1.1 200 ") => Ok("ok\n".to_owned()),
        Ok(line) => Err(CommandError::Failed(format!(
            "{address} answers {:?}",
            line.trim_end()
        ))),
        Err(error) => Err(CommandError::Failed(format!(
            "{address} does not answer: {error}"
        ))),
    }
}

/// Where a listener on every address is reached from this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        // It is of IPv4 too, and a container may have no IPv6.
        IpAddr::V6(ip) if ip == Ipv6Addr::UNSPECIFIED => Ipv4Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn ask(address: SocketAddr, timeout: Duration) -> std::io::Result<String> {
    let mut socket = TcpStream::connect_timeout(&address, timeout)?;
    socket.set_read_timeout(Some(timeout))?;
    socket.set_write_timeout(Some(timeout))?;
    socket.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut line = Vec::new();
    let mut bytes = [0; FIRST_LINE];
    while line.len() < FIRST_LINE && !line.contains(&b'\n') {
        match socket.read(&mut bytes)? {
            0 => break,
            count => line.extend(bytes.iter().take(count)),
        }
    }
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// What is said of a server that answers so; of none that answers nothing.
    fn said(answer: &'static [u8]) -> Result<String, CommandError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut settings = Http::default();
        let place = SocketAddr::from(([0u16; 8], listener.local_addr().unwrap().port()));
        settings.listen.0 = Some(place);
        let server = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut asked = [0; 200];
            let count = socket.read(&mut asked).unwrap();
            assert!(asked[..count].starts_with(b"GET /readyz HTTP/1.1\r\n"));
            socket.write_all(answer).unwrap();
        });
        let said = run(&settings, Duration::from_secs(20));
        server.join().unwrap();
        said
    }

    #[test]
    fn what_a_server_answers() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
        assert_eq!(said(answer), Ok("ok\n".to_owned()));
        for answer in [
            &b"HTTP/1.1 503 Service Unavailable\r\n\r\n"[..],
            b"SSH-2.0-OpenSSH\r\n",
            b"",
        ] {
            let said = said(answer);
            assert!(matches!(said, Err(CommandError::Failed(_))), "{said:?}");
        }
    }

    #[test]
    fn where_there_is_none() {
        let mut settings = Http::default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        settings.listen.0 = Some(listener.local_addr().unwrap());
        drop(listener);
        let said = run(&settings, Duration::from_secs(20));
        assert!(matches!(said, Err(CommandError::Failed(_))), "{said:?}");
        settings.listen.0 = None;
        let said = run(&settings, Duration::from_secs(20));
        assert!(matches!(said, Err(CommandError::Unusable(_))), "{said:?}");
    }
}
