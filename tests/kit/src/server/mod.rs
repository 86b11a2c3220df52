//! Private MySQL and MariaDB servers: each with its own folder and port, gone when dropped.

mod flavor;
mod port;
mod reader;
mod template;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Row, Value};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::child;
pub use flavor::Flavor;
pub use port::Port;
pub use reader::ReaderUser;

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);
/// Another process may take the port between our look and the server's.
const START_ATTEMPTS: usize = 5;

/// What differs from the ordinary.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Number transactions globally. MariaDB always does; here it makes it strict about it.
    pub gtid: bool,
    /// Options of the server's command line, the last one wins: `--binlog-row-metadata=MINIMAL`.
    pub extra: Vec<String>,
}

/// A running server. `root` needs no password on 127.0.0.1.
#[derive(Debug)]
pub struct MySqlServer {
    flavor: Flavor,
    options: Options,
    dir: TempDir,
    port: Port,
    child: Option<Child>,
}

impl MySqlServer {
    /// Starts a new, empty server.
    ///
    /// # Panics
    /// Panics with the server's log where it does not come up, and with the command that installs
    /// it where it is missing.
    pub async fn start(flavor: Flavor, options: Options) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("tributary-mysql-")
            .tempdir()
            .expect("a temporary folder can be made");
        template::copy(flavor, &dir.path().join("data"));
        let mut server = Self {
            flavor,
            options,
            dir,
            port: Port::take(),
            child: None,
        };
        for attempt in 1.. {
            server.spawn();
            match server.wait_until_ready().await {
                Ok(()) => break,
                Err(log) if attempt < START_ATTEMPTS && log.contains("ddress already in use") => {
                    server.port = Port::take();
                }
                Err(log) => panic!("{flavor:?} did not start:\n{log}"),
            }
        }
        server
    }

    /// Kills it with SIGKILL and starts it again on its data and port.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub async fn restart(&mut self) {
        self.kill();
        self.spawn();
        if let Err(log) = self.wait_until_ready().await {
            panic!("{:?} did not start again:\n{log}", self.flavor);
        }
    }

    /// Stops it cleanly and starts it with other options.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub async fn restart_with(&mut self, options: Options) {
        self.stop().await;
        self.options = options;
        self.restart().await;
    }

    /// Kills it as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child::kill(&mut child);
        }
    }

    /// Stops it cleanly.
    ///
    /// # Panics
    /// Panics where it takes longer than a minute.
    pub async fn stop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        child::signal(&child, Signal::TERM);
        let began = Instant::now();
        while child
            .try_wait()
            .expect("a child can be waited for")
            .is_none()
        {
            if began.elapsed() > STOP_LIMIT {
                child::kill(&mut child);
                panic!(
                    "{:?} did not stop in {STOP_LIMIT:?}:\n{}",
                    self.flavor,
                    self.log()
                );
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Freezes it: connections stay open and nothing answers.
    pub fn freeze(&self) {
        if let Some(child) = &self.child {
            child::signal(child, Signal::STOP);
        }
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        if let Some(child) = &self.child {
            child::signal(child, Signal::CONT);
        }
    }

    /// Its kind.
    #[must_use]
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number
    }

    /// Its process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Where it keeps its data and log.
    #[must_use]
    pub fn datadir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The address of `root`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}", self.port())
    }

    /// How `root` connects, over TCP.
    #[must_use]
    pub fn opts(&self) -> Opts {
        OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(self.port())
            .user(Some("root"))
            .prefer_socket(false)
            .into()
    }

    /// A connection of `root`.
    ///
    /// # Panics
    /// Panics where the server can't be reached.
    pub async fn conn(&self) -> Conn {
        Conn::new(self.opts())
            .await
            .unwrap_or_else(|error| panic!("connecting to {}: {error}", self.url()))
    }

    /// Runs one statement, or several with `;` between them.
    ///
    /// # Panics
    /// Panics where one of them fails.
    pub async fn execute(&self, sql: &str) {
        let mut conn = self.conn().await;
        if let Err(error) = conn.query_drop(sql).await {
            panic!("{error}, in: {}", excerpt(sql));
        }
        let _ = conn.disconnect().await;
    }

    /// The rows of a query, as the server's own texts.
    ///
    /// # Panics
    /// Panics where it fails.
    pub async fn rows(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let mut conn = self.conn().await;
        let rows: Vec<Row> = conn
            .query(sql)
            .await
            .unwrap_or_else(|error| panic!("{error}, in: {}", excerpt(sql)));
        let _ = conn.disconnect().await;
        rows.into_iter()
            .map(|row| row.unwrap().into_iter().map(text).collect())
            .collect()
    }

    /// The first cell of a query.
    ///
    /// # Panics
    /// Panics where the query fails or its first cell is NULL or missing.
    pub async fn value(&self, sql: &str) -> String {
        let rows = self.rows(sql).await;
        let cell = rows
            .into_iter()
            .next()
            .and_then(|row| row.into_iter().next().flatten());
        cell.unwrap_or_else(|| panic!("no value: {}", excerpt(sql)))
    }

    /// Makes a user with no more rights than reading takes.
    pub async fn reader(&self) -> ReaderUser {
        ReaderUser::create(self).await
    }

    fn spawn(&mut self) {
        let mut command = self.flavor.command();
        command.args(self.flavor.options());
        command.args(if self.options.gtid {
            self.flavor.gtid_options()
        } else {
            self.flavor.position_options()
        });
        let log = File::create(self.log_path()).expect("a log file can be made");
        // A server that starts removes every `#sql*` in its temporary folder. In a shared one that
        // takes the internal tables of the other servers, and MariaDB crashes on the loss.
        let temporary = self.dir.path().join("tmp");
        fs::create_dir_all(&temporary).expect("a folder can be made in the server's own");
        command
            .arg(format!("--datadir={}", self.datadir().display()))
            .arg(format!("--tmpdir={}", temporary.display()))
            .arg(format!(
                "--socket={}",
                self.dir.path().join("socket").display()
            ))
            .arg(format!(
                "--pid-file={}",
                self.dir.path().join("pid").display()
            ))
            .arg(format!("--port={}", self.port()))
            .args(&self.options.extra)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log file can be shared"))
            .stderr(log);
        let child = child::spawn(command).unwrap_or_else(|error| {
            panic!("{:?} can't run: {error}. Run `make setup`.", self.flavor)
        });
        self.child = Some(child);
    }

    /// Fails with the log.
    async fn wait_until_ready(&mut self) -> Result<(), String> {
        let began = Instant::now();
        loop {
            let child = self.child.as_mut().expect("a server was spawned");
            if let Some(status) = child.try_wait().expect("a child can be waited for") {
                self.child = None;
                return Err(format!("it ended with {status}\n{}", self.log()));
            }
            if self.answers().await {
                return Ok(());
            }
            if began.elapsed() > START_LIMIT {
                self.kill();
                return Err(format!("no answer in {START_LIMIT:?}\n{}", self.log()));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Whether *this* server answers, and not one that took the port before it.
    async fn answers(&self) -> bool {
        let ask = async {
            let mut conn = Conn::new(self.opts()).await.ok()?;
            let datadir: Option<String> = conn.query_first("SELECT @@datadir").await.ok()?;
            let _ = conn.disconnect().await;
            datadir
        };
        let answer = tokio::time::timeout(Duration::from_secs(5), ask).await;
        matches!(answer, Ok(Some(dir)) if Path::new(&dir) == self.datadir())
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("server.log")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }
}

impl Drop for MySqlServer {
    #[allow(clippy::print_stderr)] // A failed test tells why its server had gone.
    fn drop(&mut self) {
        let ended = self.child.as_mut().map(Child::try_wait);
        if let Some(Ok(Some(status))) = ended
            && std::thread::panicking()
        {
            eprintln!(
                "{:?} ended by itself, {status}:\n{}",
                self.flavor,
                self.log()
            );
        }
        self.kill();
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        other => Some(other.as_sql(true)),
    }
}

fn excerpt(sql: &str) -> String {
    sql.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn starts_dies_and_comes_back(flavor: Flavor, options: Options) {
        let mut server = MySqlServer::start(flavor, options).await;
        assert_eq!(server.value("SELECT @@binlog_format").await, "ROW");
        assert_eq!(server.value("SELECT @@binlog_row_image").await, "FULL");
        assert_eq!(server.value("SELECT @@binlog_row_metadata").await, "FULL");
        let temporary = server.value("SELECT @@tmpdir").await;
        assert!(
            Path::new(&temporary).starts_with(server.dir.path()),
            "{temporary} is not its own: another server's start would empty it"
        );
        server
            .execute("CREATE DATABASE d; CREATE TABLE d.t (a INT PRIMARY KEY, b TEXT)")
            .await;
        server
            .execute("INSERT INTO d.t VALUES (1, 'ünï'), (2, NULL)")
            .await;
        server.restart().await;
        let rows = server.rows("SELECT * FROM d.t ORDER BY a").await;
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(rows, [vec![text("1"), text("ünï")], vec![text("2"), None]]);

        let reader = server.reader().await;
        let opts = Opts::from_url(&reader.url(server.port())).expect("a URL");
        let mut conn = Conn::new(opts).await.expect("the reader can connect");
        let count: Option<u64> = conn
            .query_first("SELECT count(*) FROM d.t")
            .await
            .expect("rows");
        assert_eq!(count, Some(2));
        assert!(
            conn.query_drop("DELETE FROM d.t").await.is_err(),
            "the reader only reads"
        );

        let (pid, dir) = (server.pid().expect("it runs"), server.datadir());
        server.stop().await;
        server.restart().await;
        assert_ne!(server.pid(), Some(pid));
        drop(server);
        assert!(!dir.exists(), "nothing is left");
    }

    #[tokio::test]
    async fn mariadb_starts_dies_and_comes_back() {
        starts_dies_and_comes_back(Flavor::MariaDb, Options::default()).await;
    }

    #[tokio::test]
    async fn mysql_starts_dies_and_comes_back() {
        let options = Options {
            gtid: true,
            ..Options::default()
        };
        starts_dies_and_comes_back(Flavor::MySql, options).await;
    }

    #[tokio::test]
    async fn servers_do_not_share_an_identity() {
        let first = MySqlServer::start(Flavor::MySql, Options::default()).await;
        let second = MySqlServer::start(Flavor::MySql, Options::default()).await;
        let uuid = "SELECT @@server_uuid";
        assert_ne!(first.value(uuid).await, second.value(uuid).await);
    }

    #[tokio::test]
    #[should_panic(expected = "unknown variable 'no-such-option")]
    async fn a_server_that_does_not_start_shows_its_log() {
        let extra = vec!["--no-such-option=1".to_owned()];
        MySqlServer::start(Flavor::MariaDb, Options { gtid: false, extra }).await;
    }
}
