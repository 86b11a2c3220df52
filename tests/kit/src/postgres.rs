//! A private PostgreSQL server, gone when dropped.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::child;
use crate::server::Port;

const USER: &str = "tributary";
const PASSWORD: &str = "sesame-open";
const LIMIT: Duration = Duration::from_secs(60);

/// A running server with one database.
#[derive(Debug)]
pub struct Postgres {
    child: Child,
    port: Port,
    _dir: TempDir,
}

impl Postgres {
    /// Starts a new, empty server.
    ///
    /// # Panics
    /// Panics with the server's log where it does not come up, and with the command that installs it
    /// where it is missing.
    #[must_use]
    pub fn start() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("tributary-postgres-")
            .tempdir()
            .expect("a temporary folder can be made");
        let password = dir.path().join("password");
        fs::write(&password, PASSWORD).expect("a file can be written");
        if is_root() {
            for path in [dir.path(), &password] {
                chown(path, id("-u"), id("-g")).expect("a file can be given away");
            }
        }
        initialize(dir.path());
        let port = Port::take();
        let mut server = command("postgres", dir.path());
        server
            .args(["-D", "data", "-k", "", "-p", &port.number.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
        let child = child::spawn(server).expect("the server can be started");
        let server = Self {
            child,
            port,
            _dir: dir,
        };
        server.wait_until_ready();
        server
    }

    /// The address of its database, password included.
    #[must_use]
    pub fn url(&self) -> String {
        let port = self.port.number;
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres")
    }

    fn wait_until_ready(&self) {
        let log = self._dir.path().join("postgres.log");
        let began = Instant::now();
        loop {
            let text = fs::read_to_string(&log).unwrap_or_default();
            if text.contains("ready to accept connections") {
                return;
            }
            assert!(began.elapsed() < LIMIT, "PostgreSQL did not start:\n{text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        child::kill(&mut self.child);
    }
}

fn initialize(dir: &Path) {
    let made = command("initdb", dir)
        .args([
            "-D",
            "data",
            "-U",
            USER,
            "--auth=scram-sha-256",
            "--no-sync",
        ])
        .args(["--pwfile=password", "--encoding=UTF8", "--locale=C"])
        .status()
        .expect("initdb can be run");
    let log = fs::read_to_string(dir.join("initdb.log")).unwrap_or_default();
    assert!(made.success(), "{log}");
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn id(flag: &str) -> Option<u32> {
    let output = Command::new("id").args([flag, "postgres"]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// A program of PostgreSQL, the newest that is installed.
pub(crate) fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let programs = versions
        .flatten()
        .map(|dir| dir.path().join("bin").join(name));
    let newest = programs.filter(|path| path.exists()).max();
    newest.expect("PostgreSQL is not installed for the tests. Run `make setup`.")
}

/// A command of PostgreSQL, which refuses to run as root.
fn command(name: &str, dir: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.args(["--pdeathsig", "KILL", "--"]);
    let log = File::create(dir.join(format!("{name}.log"))).expect("a file can be made");
    command.arg(program(name)).current_dir(dir);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    command
}
