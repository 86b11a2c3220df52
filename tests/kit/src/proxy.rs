//! A faulty network: a TCP proxy on the loopback that cuts, stalls, swallows and delays.
//!
//! A fault is set while the proxy runs and holds for connections that are open and for those to
//! come. Cuts are by byte and therefore happen at the same place each time.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

const BUFFER: usize = 16 * 1024;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the server.
    ToClient,
    /// To the server.
    ToServer,
}

/// How often a cut happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// Once; then all is well.
    Once,
    /// Each connection is cut at the same byte.
    Always,
}

/// What is wrong with the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Connections are reset once this many bytes have gone one way, counted from when the fault
    /// was set (`Once`) or for each connection (`Always`). The bytes before the cut arrive.
    Cut {
        /// Which way is counted.
        direction: Direction,
        /// How many arrive.
        after: u64,
        /// How often.
        times: Times,
    },
    /// Nothing is read any more: both ends see a full pipe, and no end of it.
    Stall,
    /// Everything is taken and nothing arrives.
    Blackhole,
    /// New connections are reset at once; open ones as well.
    Refuse,
    /// Each piece arrives this much later.
    Latency(Duration),
}

/// A running proxy; dropping it resets all its connections.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    listener: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    fault: watch::Sender<Fault>,
    /// Bytes that went each way since the fault was set.
    counts: [AtomicU64; 2],
    connections: AtomicU64,
}

impl Proxy {
    /// Listens on a free port of the loopback, in front of `port` of the loopback.
    ///
    /// # Panics
    /// Panics where no port is free.
    pub async fn start(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port is free");
        let own = listener
            .local_addr()
            .expect("a listener has an address")
            .port();
        let shared = Arc::new(Shared {
            fault: watch::channel(Fault::None).0,
            counts: [AtomicU64::new(0), AtomicU64::new(0)],
            connections: AtomicU64::new(0),
        });
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let task = tokio::spawn(accept(listener, target, shared.clone()));
        Self {
            port: own,
            shared,
            listener: task.abort_handle(),
        }
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sets what is wrong from now on.
    pub fn set(&self, fault: Fault) {
        for count in &self.shared.counts {
            count.store(0, Ordering::SeqCst);
        }
        self.shared.fault.send_replace(fault);
    }

    /// What is wrong now; a cut that happens once is `None` afterwards.
    #[must_use]
    pub fn fault(&self) -> Fault {
        *self.shared.fault.borrow()
    }

    /// How many connections there have been.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many bytes went one way since the fault was set.
    #[must_use]
    pub fn bytes(&self, direction: Direction) -> u64 {
        self.shared.counts[direction as usize].load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, shared: Arc<Shared>) {
    // Dropping the set, as aborting this task does, ends the connections.
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Ordering::SeqCst);
        connections.spawn(connect(client, target, shared.clone()));
        while connections.try_join_next().is_some() {}
    }
}

/// Carries one connection until an end closes it or a fault cuts it.
async fn connect(client: TcpStream, target: SocketAddr, shared: Arc<Shared>) {
    // Closed without warning, whatever is still under way: a reset.
    let _ = client.set_zero_linger();
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let _ = server.set_zero_linger();
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (client_in, client_out) = client.into_split();
    let (server_in, server_out) = server.into_split();
    tokio::select! {
        () = pump(server_in, client_out, Direction::ToClient, &shared) => {}
        () = pump(client_in, server_out, Direction::ToServer, &shared) => {}
        () = refused(&shared) => {}
    }
}

async fn refused(shared: &Shared) {
    let _ = shared
        .fault
        .subscribe()
        .wait_for(|fault| *fault == Fault::Refuse)
        .await;
}

async fn unless_stalled(faults: &mut watch::Receiver<Fault>) {
    let _ = faults.wait_for(|fault| *fault != Fault::Stall).await;
}

/// What becomes of some bytes.
enum Fate {
    Arrive(usize),
    Vanish,
    CutAfter(usize),
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: Direction,
    shared: &Shared,
) {
    let mut buffer = vec![0; BUFFER];
    let mut carried = 0;
    let mut faults = shared.fault.subscribe();
    loop {
        unless_stalled(&mut faults).await;
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            // Look again: it may have stalled.
            _ = faults.changed() => continue,
        };
        let Ok(length @ 1..) = read else {
            // The proxy has no half-open connections of its own: the end of one way ends both.
            return;
        };
        delay(shared).await;
        match fate(shared, direction, carried, length) {
            Fate::Vanish => {}
            Fate::Arrive(length) => {
                if to.write_all(&buffer[..length]).await.is_err() {
                    return;
                }
                carried += length as u64;
            }
            Fate::CutAfter(length) => {
                let _ = to.write_all(&buffer[..length]).await;
                // A reset may discard what the other end has not read yet.
                tokio::time::sleep(Duration::from_millis(20)).await;
                return;
            }
        }
    }
}

async fn delay(shared: &Shared) {
    let fault = *shared.fault.borrow();
    if let Fault::Latency(delay) = fault {
        tokio::time::sleep(delay).await;
    }
}

fn fate(shared: &Shared, direction: Direction, carried: u64, length: usize) -> Fate {
    let total = shared.counts[direction as usize].fetch_add(length as u64, Ordering::SeqCst);
    let mut fate = Fate::Arrive(length);
    shared.fault.send_if_modified(|fault| match *fault {
        Fault::Blackhole => {
            fate = Fate::Vanish;
            false
        }
        Fault::Cut {
            direction: counted,
            after,
            times,
        } if counted == direction => {
            let before = match times {
                Times::Once => total,
                Times::Always => carried,
            };
            let left = usize::try_from(after.saturating_sub(before)).unwrap_or(usize::MAX);
            if left >= length {
                return false;
            }
            fate = Fate::CutAfter(left);
            if times == Times::Once {
                *fault = Fault::None;
            }
            times == Times::Once
        }
        Fault::None | Fault::Cut { .. } | Fault::Stall | Fault::Refuse | Fault::Latency(_) => false,
    });
    fate
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// A server that sends back what it gets.
    async fn echo() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        port
    }

    async fn connect(proxy: &Proxy) -> TcpStream {
        TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port()))
            .await
            .expect("a connection")
    }

    /// Sends and returns what comes back before the connection ends.
    async fn ask(stream: &mut TcpStream, bytes: &[u8]) -> Vec<u8> {
        let mut answer = Vec::new();
        if stream.write_all(bytes).await.is_ok() {
            let mut buffer = [0; 64];
            while answer.len() < bytes.len() {
                match stream.read(&mut buffer).await {
                    Ok(length @ 1..) => answer.extend_from_slice(&buffer[..length]),
                    _ => break,
                }
            }
        }
        answer
    }

    #[tokio::test]
    async fn bytes_pass_until_the_cut_and_again_after_it() {
        let proxy = Proxy::start(echo().await).await;
        let mut stream = connect(&proxy).await;
        assert_eq!(ask(&mut stream, b"hello").await, b"hello");
        proxy.set(Fault::Cut {
            direction: Direction::ToClient,
            after: 3,
            times: Times::Once,
        });
        assert_eq!(ask(&mut stream, b"world").await, b"wor");
        assert_eq!(proxy.fault(), Fault::None);
        let mut stream = connect(&proxy).await;
        assert_eq!(ask(&mut stream, b"again").await, b"again");
        assert_eq!(proxy.connections(), 2);
    }

    #[tokio::test]
    async fn every_connection_is_cut_at_the_same_byte() {
        let proxy = Proxy::start(echo().await).await;
        proxy.set(Fault::Cut {
            direction: Direction::ToServer,
            after: 4,
            times: Times::Always,
        });
        for _ in 0..3 {
            let mut stream = connect(&proxy).await;
            assert_eq!(ask(&mut stream, b"1234").await, b"1234");
            assert_eq!(ask(&mut stream, b"5").await, b"");
        }
    }

    #[tokio::test]
    async fn a_stall_and_a_blackhole_give_no_answer_and_no_end() {
        let proxy = Proxy::start(echo().await).await;
        let mut stream = connect(&proxy).await;
        assert_eq!(ask(&mut stream, b"hello").await, b"hello");
        for (fault, later) in [(Fault::Stall, &b"hello"[..]), (Fault::Blackhole, &b""[..])] {
            proxy.set(fault);
            let patience = Duration::from_millis(100);
            assert!(
                tokio::time::timeout(patience, ask(&mut stream, b"hello"))
                    .await
                    .is_err()
            );
            proxy.set(Fault::None);
            let mut rest = vec![0; later.len()];
            stream
                .read_exact(&mut rest)
                .await
                .expect("what was stalled arrives");
            assert_eq!(rest, later);
        }
        proxy.set(Fault::Refuse);
        assert_eq!(ask(&mut stream, b"hello").await, b"");
    }

    #[tokio::test]
    async fn latency_delays() {
        let proxy = Proxy::start(echo().await).await;
        proxy.set(Fault::Latency(Duration::from_millis(60)));
        let began = Instant::now();
        assert_eq!(ask(&mut connect(&proxy).await, b"hello").await, b"hello");
        assert!(began.elapsed() >= Duration::from_millis(120));
    }
}
