//! Opens a link: greeting, encryption, user and password, the session's settings.
//!
//! What the server may ask for in the course of it comes in any order, so that logging in is a loop:
//! it ends with the server's OK or its error. A password leaves in clear only where nobody can
//! listen: through encryption or a local socket.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::Ordering;

use mysql_async::consts::CapabilityFlags;
use mysql_async::{DriverError, Error as ClientError};
use mysql_common::crypto;
use mysql_common::io::ParseBuf;
use mysql_common::packets::{
    AuthPlugin, AuthSwitchRequest, HandshakePacket, HandshakeResponse, SslRequest,
};
use mysql_common::proto::MySerialize;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream};
use tributary_model::Result;

use super::{END, ERROR, Link, OK, Transport, io_error, malformed, tls};
use crate::ask::Ask;
use crate::failure::classify;
use crate::session::{CONNECT_TIMEOUT, KEEPALIVE, MAX_PACKET, Refused, SESSION};
use crate::settings::{Endpoint, Settings, Tls};

/// The first byte of what a way to log in says beyond the ordinary.
const MORE: u8 = 0x01;
/// `caching_sha2_password`: the server knows the password's hash; it does not.
const KNOWN: u8 = 0x03;
const UNKNOWN: u8 = 0x04;
/// Asks for the server's public key.
const KEY: u8 = 0x02;

/// Random bytes that a server of MariaDB has signed.
const ED25519_NONCE: usize = 32;

/// utf8mb4_general_ci, which every server knows; the session's settings follow.
const COLLATION: u8 = 45;

const WANTED: CapabilityFlags = CapabilityFlags::CLIENT_PROTOCOL_41
    .union(CapabilityFlags::CLIENT_LONG_PASSWORD)
    .union(CapabilityFlags::CLIENT_LONG_FLAG)
    .union(CapabilityFlags::CLIENT_TRANSACTIONS)
    .union(CapabilityFlags::CLIENT_SECURE_CONNECTION)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA)
    .union(CapabilityFlags::CLIENT_CONNECT_ATTRS)
    .union(CapabilityFlags::CLIENT_DEPRECATE_EOF);

/// Opens a link on which values mean the same as on every other connection.
///
/// # Errors
/// As [`crate::session::open`].
pub(crate) async fn open(settings: &Settings) -> Result<Link> {
    let mut link = match tokio::time::timeout(CONNECT_TIMEOUT, login(settings)).await {
        Ok(Ok(link)) => link,
        Ok(Err(error)) => return Err(Refused::Client(error).explain(settings)),
        Err(_elapsed) => return Err(Refused::Late.explain(settings)),
    };
    for statement in SESSION {
        let set = link.ask(statement).await;
        set.map_err(|error| classify(error, "preparing the session"))?;
    }
    Ok(link)
}

async fn login(settings: &Settings) -> std::result::Result<Link, ClientError> {
    let (mut link, greeting) = meet(settings).await?;
    log_in(&mut link, settings, &greeting, WANTED).await?;
    Ok(link)
}

/// Connects, and takes what the server says first.
pub(crate) async fn meet(settings: &Settings) -> std::result::Result<(Link, Vec<u8>), ClientError> {
    let mut link = Link::new(connect(&settings.endpoint).await.map_err(io_error)?);
    let greeting = link.read().await?;
    let greeting = link.inbox.bytes(greeting).to_vec();
    match greeting.first() {
        Some(&ERROR) => Err(link.failure()),
        Some(_) | None => Ok((link, greeting)),
    }
}

/// Encrypts the connection and logs in.
pub(crate) async fn log_in(
    link: &mut Link,
    settings: &Settings,
    greeting: &[u8],
    wanted: CapabilityFlags,
) -> std::result::Result<(), ClientError> {
    let greeting: HandshakePacket<'_> = ParseBuf(greeting).parse(()).map_err(io_error)?;
    let offered = greeting.capabilities();
    link.capabilities = wanted & offered;
    let is_private = match &settings.endpoint {
        Endpoint::Socket(_) => true,
        Endpoint::Tcp { host, .. } => encrypt(link, settings, host, offered).await?,
    };
    let plugin = match greeting.auth_plugin() {
        Some(AuthPlugin::CachingSha2Password) => AuthPlugin::CachingSha2Password,
        // The server asks for another if the user has another.
        _ => AuthPlugin::MysqlNativePassword,
    };
    let mut login = Login {
        password: settings
            .password
            .as_ref()
            .map_or("", |password| password.expose()),
        nonce: nonce(&greeting),
        plugin,
        is_private,
    };
    login.introduce(link, settings).await?;
    login.finish(link).await
}

async fn connect(endpoint: &Endpoint) -> io::Result<Box<dyn Transport>> {
    Ok(match endpoint {
        Endpoint::Tcp { host, port } => Box::new(tcp(host, *port).await?),
        Endpoint::Socket(path) => Box::new(UnixStream::connect(path).await?),
    })
}

/// A server that vanished without a word is noticed, also where nobody waits for it with a clock. // G6
pub(super) async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    Ok(stream)
}

/// Encrypts as the settings ask; tells whether it did.
async fn encrypt(
    link: &mut Link,
    settings: &Settings,
    host: &str,
    offered: CapabilityFlags,
) -> std::result::Result<bool, ClientError> {
    let offers = offered.contains(CapabilityFlags::CLIENT_SSL);
    match &settings.tls {
        Tls::Disabled => return Ok(false),
        Tls::Preferred if !offers => {
            settings.offers_no_tls.store(true, Ordering::Relaxed);
            return Ok(false);
        }
        Tls::Preferred | Tls::Required | Tls::VerifyCa(_) | Tls::VerifyIdentity(_) => {}
    }
    if !offers {
        return Err(DriverError::NoClientSslFlagFromServer.into());
    }
    // What came in clear behind the greeting could be anybody's.
    if !link.inbox.is_empty() {
        return Err(malformed("the server spoke before it was asked"));
    }
    let connector = tls::connector(&settings.tls)
        .await
        .map_err(|error| io_error(io::Error::other(format!("TLS can't be set up: {error}"))))?;
    link.capabilities |= CapabilityFlags::CLIENT_SSL;
    let request = SslRequest::new(link.capabilities, MAX_PACKET as u32, COLLATION);
    link.write(&serialized(&request)).await?;
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| io_error(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
    // The old transport is gone for good where this fails.
    let plain = std::mem::replace(&mut link.transport, Box::new(tokio::io::empty()));
    let encrypted = connector.connect(name, plain).await.map_err(io_error)?;
    link.transport = Box::new(encrypted);
    Ok(true)
}

/// The 20 bytes that the password is mixed with.
fn nonce(greeting: &HandshakePacket<'_>) -> Vec<u8> {
    let mut nonce = greeting.scramble_1_ref().to_vec();
    nonce.extend_from_slice(greeting.scramble_2_ref().unwrap_or_default());
    nonce.resize(20, 0);
    nonce
}

fn serialized(packet: &impl MySerialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.serialize(&mut bytes);
    bytes
}

/// A login under way.
struct Login<'s> {
    password: &'s str,
    nonce: Vec<u8>,
    plugin: AuthPlugin<'static>,
    /// Whether nobody can listen.
    is_private: bool,
}

impl Login<'_> {
    /// Says who we are.
    async fn introduce(
        &self,
        link: &mut Link,
        settings: &Settings,
    ) -> std::result::Result<(), ClientError> {
        let proof = self.plugin.gen_data(Some(self.password), &self.nonce);
        let attributes = HashMap::from([("program_name".to_owned(), "tributary".to_owned())]);
        let response = HandshakeResponse::new(
            proof.as_deref(),
            (5, 7, 0), // decides about the collation only
            Some(settings.user.as_bytes()),
            None::<&[u8]>,
            Some(self.plugin.clone()),
            link.capabilities,
            Some(attributes),
            MAX_PACKET as u32,
        );
        link.write(&serialized(&response)).await
    }

    /// Answers what the server asks until it lets us in.
    async fn finish(&mut self, link: &mut Link) -> std::result::Result<(), ClientError> {
        let mut switched = false;
        loop {
            let packet = link.read().await?;
            let packet = link.inbox.bytes(packet).to_vec();
            match packet.as_slice() {
                [OK, ..] => return Ok(()),
                [ERROR, ..] => return Err(link.failure()),
                [END, ..] if !switched => {
                    switched = true;
                    self.switch(link, &packet).await?;
                }
                [MORE, KNOWN] => {}
                [MORE, UNKNOWN] if matches!(self.plugin, AuthPlugin::CachingSha2Password) => {
                    self.tell(link).await?;
                }
                _ => return Err(malformed("the server asks for an unknown way to log in")),
            }
        }
    }

    /// Uses the way that the server names instead.
    async fn switch(
        &mut self,
        link: &mut Link,
        packet: &[u8],
    ) -> std::result::Result<(), ClientError> {
        let request: AuthSwitchRequest<'_> = ParseBuf(packet).parse(()).map_err(io_error)?;
        self.nonce = request.plugin_data().to_vec();
        self.plugin = request.auth_plugin().into_owned();
        if matches!(self.plugin, AuthPlugin::Ed25519) {
            // The library takes a zero at the end for the end: one of 256 logins would be refused.
            self.nonce.resize(ED25519_NONCE, 0);
        }
        match &self.plugin {
            AuthPlugin::CachingSha2Password
            | AuthPlugin::MysqlNativePassword
            | AuthPlugin::Ed25519 => {}
            AuthPlugin::MysqlOldPassword => {
                return Err(DriverError::MysqlOldPasswordDisabled.into());
            }
            AuthPlugin::MysqlClearPassword => {
                return Err(DriverError::CleartextPluginDisabled.into());
            }
            other @ (AuthPlugin::MariadbParsec { .. } | AuthPlugin::Other(_)) => {
                let name = String::from_utf8_lossy(other.as_bytes()).into_owned();
                return Err(DriverError::UnknownAuthPlugin { name }.into());
            }
        }
        let proof = self.plugin.gen_data(Some(self.password), &self.nonce);
        link.write(&proof.as_ref().map(serialized).unwrap_or_default())
            .await
    }

    /// Tells the password itself: in private, or under the server's key.
    async fn tell(&self, link: &mut Link) -> std::result::Result<(), ClientError> {
        let mut password = self.password.as_bytes().to_vec();
        password.push(0);
        if self.is_private {
            return link.write(&password).await;
        }
        link.write(&[KEY]).await?;
        let packet = link.read().await?;
        let key = match link.inbox.bytes(packet) {
            [MORE, key @ ..] if key.starts_with(b"-----BEGIN PUBLIC KEY-----") => key.to_vec(),
            _ => return Err(malformed("the server's public key is none")),
        };
        for (byte, salt) in password.iter_mut().zip(self.nonce.iter().cycle()) {
            *byte ^= salt;
        }
        link.write(&crypto::encrypt(&password, &key)).await
    }
}
