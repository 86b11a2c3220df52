//! Connections of the library over a transport that we opened ourselves.
//!
//! The client library sets up its encryption and logs in on its own, and can't do two things: leave
//! the name out when it verifies a certificate's authority (those that MySQL makes for itself have no
//! name), and sign the random bytes of `ed25519` where the last of them is zero. Here we do both, and
//! the library finds at the other end of a local socket a server that asks for nothing and lets it in.
//! From then on bytes go through as they are: what the two sides have agreed upon is the same, for the
//! library is told what the server offers, and the server what the library wants.
//!
//! Nobody else may use the socket: the first that connects counts only if it is this process, and then
//! the socket is gone. Used only where the library fails: each byte is copied once more.

use std::io;
use std::path::PathBuf;

use mysql_async::consts::CapabilityFlags;
use mysql_async::{Conn, Error as ClientError, IoError, OptsBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional_with_sizes};
use tokio::net::{UnixListener, UnixStream};

use crate::link::{self, Transport};
use crate::settings::{Settings, random_server_id};

/// A packet's header: its length and its number.
const HEADER: usize = 4;
/// What is copied at once of what is asked, and of what is answered. // G6
const ASKED: usize = 8 << 10;
const TOLD: usize = 256 << 10;
/// "Well", to the library's answer: nothing was changed, and each statement commits by itself.
const WELL: [u8; 11] = [7, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0];

/// A connection of the library, logged in by us; `options` say nothing of where and who.
pub(super) async fn connect(
    settings: &Settings,
    options: OptsBuilder,
) -> Result<Conn, ClientError> {
    let door = Door::open().map_err(io_error)?;
    let options = options
        .ssl_opts(None::<mysql_async::SslOpts>)
        .pass(None::<String>)
        .socket(Some(door.path.to_string_lossy()));
    let (conn, served) = tokio::join!(Conn::new(options), serve(door, settings));
    served?;
    conn
}

/// Logs in for whoever comes through the door, and lets them speak with the server.
async fn serve(door: Door, settings: &Settings) -> Result<(), ClientError> {
    let mut library = door.let_in().await.map_err(io_error)?;
    let (mut link, greeting) = link::meet(settings).await?;
    write(&mut library, 0, &plain(&greeting)?)
        .await
        .map_err(io_error)?;
    let wanted = answer(&mut library).await.map_err(io_error)?;
    link::log_in(&mut link, settings, &greeting, wanted).await?;
    library.write_all(&WELL).await.map_err(io_error)?;
    tokio::spawn(pass(library, link.into_transport()));
    Ok(())
}

/// Both ways, until one of them ends.
async fn pass(mut library: UnixStream, mut server: Box<dyn Transport>) {
    // How it ended is seen at the other end, as the end of what comes.
    let _ = copy_bidirectional_with_sizes(&mut library, &mut server, ASKED, TOLD).await;
}

/// A socket that this process alone may connect to, once.
#[derive(Debug)]
struct Door {
    path: PathBuf,
    listener: UnixListener,
}

impl Door {
    fn open() -> io::Result<Self> {
        let name = format!(
            "tributary-{}-{:x}{:x}.sock",
            std::process::id(),
            random_server_id(),
            random_server_id()
        );
        let folder = std::env::temp_dir();
        let path = folder.join(name);
        let listener = UnixListener::bind(&path).map_err(|cause| {
            let folder = folder.display();
            let what = format!("no socket can be made in {folder} (see TMPDIR): {cause}");
            io::Error::new(cause.kind(), what)
        })?;
        Ok(Self { path, listener })
    }

    async fn let_in(self) -> io::Result<UnixStream> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            let own = i32::try_from(std::process::id()).ok();
            if own.is_some() && stream.peer_cred()?.pid() == own {
                return Ok(stream);
            }
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The server's greeting without what is done on this side of the socket: encryption and compression.
/// Where it says `CLIENT_LONG_PASSWORD`, MariaDB's own capabilities are not asked for.
fn plain(greeting: &[u8]) -> Result<Vec<u8>, ClientError> {
    const WITHOUT: CapabilityFlags = CapabilityFlags::CLIENT_SSL
        .union(CapabilityFlags::CLIENT_COMPRESS)
        .union(CapabilityFlags::CLIENT_ZSTD_COMPRESSION_ALGORITHM);
    let mut greeting = greeting.to_vec();
    let version = greeting.iter().position(|byte| *byte == 0);
    // Behind the version: the thread, eight random bytes and a zero.
    let low = version.map(|at| at + 1 + 4 + 8 + 1);
    // Behind those: the charset and the status.
    let places = low.map(|low| [low, low + 1, low + 5, low + 6]);
    let places = places.filter(|places| places[3] < greeting.len());
    let places = places.ok_or_else(|| broken("the server's greeting is too short"))?;
    let offered = u32::from_le_bytes(places.map(|at| greeting[at]));
    let offered = CapabilityFlags::from_bits_truncate(offered);
    let offered = (offered - WITHOUT) | CapabilityFlags::CLIENT_LONG_PASSWORD;
    for (at, byte) in places.into_iter().zip(offered.bits().to_le_bytes()) {
        greeting[at] = byte;
    }
    Ok(greeting)
}

/// What the library wants, of what it was offered.
async fn answer(library: &mut UnixStream) -> io::Result<CapabilityFlags> {
    let mut header = [0; HEADER];
    library.read_exact(&mut header).await?;
    let length = usize::from(header[0]) | usize::from(header[1]) << 8;
    let mut body = vec![0; length];
    library.read_exact(&mut body).await?;
    let wanted = body
        .first_chunk::<4>()
        .map(|bytes| u32::from_le_bytes(*bytes));
    let wanted = wanted.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(CapabilityFlags::from_bits_truncate(wanted))
}

async fn write(library: &mut UnixStream, number: u8, body: &[u8]) -> io::Result<()> {
    let mut packet = (body.len() as u32).to_le_bytes()[..3].to_vec();
    packet.push(number);
    packet.extend_from_slice(body);
    library.write_all(&packet).await
}

fn broken(what: &str) -> ClientError {
    io_error(io::Error::new(io::ErrorKind::InvalidData, what))
}

fn io_error(error: io::Error) -> ClientError {
    ClientError::Io(IoError::Io(error))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_greeting_offers_what_goes_through() {
        let mut greeting = b"\x0a5.5.5-10.11.6-MariaDB\0".to_vec();
        greeting.extend([1, 0, 0, 0]);
        greeting.extend(b"12345678\0");
        greeting.extend([0xfe, 0xff, 45, 2, 0, 0xff, 0x81]);
        let told = plain(&greeting).unwrap();
        let at = greeting.len() - 7;
        // Compression (0x20) and encryption (0x800) are gone, the first bit is there.
        assert_eq!(told[at..], [0xdf, 0xf7, 45, 2, 0, 0xff, 0x81]);
        assert_eq!(told[..at], greeting[..at]);
        assert!(plain(&greeting[..at + 3]).is_err());
        assert!(plain(b"no end").is_err());
    }
}
