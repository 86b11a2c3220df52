//! A bucket for the program that is measured: the kit's S3 server, as a process of its own.

use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::child;
use crate::s3::{Credentials, Options, S3Server};

const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// A server that ends when this is dropped.
#[derive(Debug)]
pub(super) struct Bucket {
    port: u16,
    child: Child,
}

impl Bucket {
    /// Starts a server that keeps its objects in `folder`.
    pub(super) fn start(folder: &Path) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it has an address").port();
        drop(listener);
        let this = std::env::current_exe().expect("a process knows its own program");
        let mut command = child::command(this);
        command.arg("serve").arg(port.to_string()).arg(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let child = child::spawn(command).expect("the server can be started");
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(began.elapsed() < PATIENCE, "the bucket never answered");
            std::thread::sleep(POLL);
        }
        Self { port, child }
    }

    /// The settings of a destination in it, in YAML's flow style.
    pub(super) fn settings(&self) -> String {
        let Credentials {
            access_key_id,
            secret_access_key,
            ..
        } = Credentials::default();
        format!(
            "url: \"s3://lake/raw\", endpoint: \"http://127.0.0.1:{}\", region: us-east-1, \
             access_key_id: {access_key_id}, secret_access_key: {secret_access_key}",
            self.port
        )
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        child::kill(&mut self.child);
    }
}

/// Is the server, until whoever started it is gone.
pub(super) fn serve(port: u16, folder: PathBuf) -> ExitCode {
    let options = Options {
        port,
        folder: Some(folder),
        ..Options::default()
    };
    let server = S3Server::start(options);
    let ended = io::stdin().read_to_end(&mut Vec::new());
    drop(server);
    match ended {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
