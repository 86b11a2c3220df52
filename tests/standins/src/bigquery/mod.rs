//! BigQuery for the tests: `bqemulator` from PyPI behind a proxy that mends it and fails on purpose.
//!
//! The emulator runs BigQuery's SQL on DuckDB and has the REST API and the Storage Write API with
//! Arrow. Where it is known to differ from what BigQuery documents, it is mended:
//!
//! * in `launch.py`, which starts it: `@@row_count` is missing; a table's columns are not kept up to date
//!   behind `ALTER TABLE`, nor are digits and scale of decimals; instants ignore `useInt64Timestamp`, and
//!   decimals may have an exponent; `TO_JSON_STRING` of a NULL is NULL; requests may be larger than ten
//!   million bytes; names
//!   may only have ASCII letters; several columns can't be renamed at once; temporary tables outlive their
//!   script, and what a script raises is an error of the server; it copies each table at each change for its time travel, and fetches an extension from a
//!   network. rows are appended by a
//!   thread that shares its connection. Jobs run one after the other, since it isolates nothing;
//! * in the proxy: a job whose id is there already is refused (409), and a dry run answers as a job.
//!
//! What it can't show: quotas, bytes that are billed, locations, rights, and transactions that are
//! aborted because of one another. A load that was tested here has never seen the real service.

mod proxy;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

pub use proxy::{Fault, Proxy};
use tributary_testkit::python;

/// A slow machine may have a lot to do.
const PATIENCE: Duration = Duration::from_secs(180);
const LAUNCH: &str = include_str!("launch.py");

/// A running emulator. It ends with its owner, and with the process.
#[derive(Debug)]
pub struct Emulator {
    child: Child,
    rest: u16,
    grpc: u16,
}

impl Emulator {
    /// Starts one.
    ///
    /// # Panics
    /// Panics where it can't be started.
    #[must_use]
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a folder can be made");
        let ports = dir.path().join("ports");
        let mut child = Command::new(python::program("bigquery", "python"))
            .args(["-W", "ignore", "-c", LAUNCH])
            .arg(&ports)
            // It reads until this process is gone.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the emulator can be started");
        let (rest, grpc) = wait(&mut child, &ports);
        Self { child, rest, grpc }
    }

    /// The one that all tests of a process share.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn shared() -> Arc<Self> {
        static SHARED: OnceLock<Arc<Emulator>> = OnceLock::new();
        SHARED.get_or_init(|| Arc::new(Self::start())).clone()
    }

    /// The address of its Storage Write API.
    #[must_use]
    pub fn storage(&self) -> String {
        format!("http://127.0.0.1:{}", self.grpc)
    }

    /// The address of its REST API, without the proxy.
    pub(crate) fn rest(&self) -> String {
        format!("http://127.0.0.1:{}", self.rest)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait(child: &mut Child, ports: &Path) -> (u16, u16) {
    let begun = Instant::now();
    loop {
        if let Ok(text) = std::fs::read_to_string(ports) {
            let mut numbers = text.split_whitespace().map(|port| port.parse().ok());
            if let (Some(Some(rest)), Some(Some(grpc))) = (numbers.next(), numbers.next()) {
                // Nobody reads on; what it says from here on must not stop it.
                let errors = child.stderr.take();
                std::thread::spawn(move || {
                    let _ =
                        errors.map(|mut errors| std::io::copy(&mut errors, &mut std::io::sink()));
                });
                return (rest, grpc);
            }
        }
        if let Ok(Some(status)) = child.try_wait() {
            let errors = child.stderr.take().map(std::io::read_to_string);
            panic!("bqemulator ended with {status}:\n{errors:?}");
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "bqemulator does not begin to listen"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}
