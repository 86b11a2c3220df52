//! What a supervisor is told: systemd's notification protocol, one datagram for each message.
//!
//! Deliberately absent: the environment, which says where the supervisor listens.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::time::Duration;

/// Where a supervisor listens, and how often it wants to hear that all is well.
#[derive(Clone, Debug, Default)]
pub struct Supervisor {
    /// A path, or a name that begins with `@`; `None` where nobody listens.
    pub socket: Option<PathBuf>,
    /// It takes the process for dead after this long without a word.
    pub watchdog: Option<Duration>,
}

impl Supervisor {
    /// How often to say that all is well: twice in the time that is allowed.
    pub(crate) fn pulse(&self) -> Option<Duration> {
        self.watchdog.map(|allowed| allowed / 2)
    }

    /// Says something. A supervisor that does not listen is no reason to end.
    pub(crate) fn tell(&self, message: &str) {
        let Some(socket) = &self.socket else {
            return;
        };
        if let Err(why) = send(socket, message) {
            tracing::debug!(%why, "the supervisor was not told");
        }
    }
}

fn send(socket: &std::path::Path, message: &str) -> std::io::Result<()> {
    let name = socket.as_os_str().as_encoded_bytes();
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    let datagram = UnixDatagram::unbound()?;
    datagram.set_nonblocking(true)?;
    datagram.send_to_addr(message.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_supervisor_is_told_by_datagram() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let supervisor = Supervisor {
            socket: Some(path),
            watchdog: Some(Duration::from_secs(10)),
        };
        supervisor.tell("READY=1");
        let mut heard = [0; 64];
        let length = listener.recv(&mut heard).unwrap();
        assert_eq!(&heard[..length], b"READY=1");
        assert_eq!(supervisor.pulse(), Some(Duration::from_secs(5)));
        Supervisor::default().tell("READY=1");
    }
}
