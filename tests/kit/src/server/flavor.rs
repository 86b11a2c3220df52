//! Which server, where its program is, and what it needs to run quickly and alone.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::{cache, child};

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// MariaDB 10.11, from Debian's packages.
    MariaDb,
    /// MySQL 9.7, in a folder of the cache, run by that folder's own loader.
    MySql,
}

/// The folder of MySQL inside the cache.
const MYSQL: &str = "mysql-9.7";
const LOADER: &str = "lib64/ld-linux-x86-64.so.2";
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// Small, without waiting for the disk. SIGKILL loses nothing of this (the page cache survives
/// it), a power cut would.
const QUICK: [&str; 9] = [
    "--user=root",
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--innodb-buffer-pool-size=64M",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-flush-method=nosync",
    "--sync-binlog=0",
    "--performance-schema=OFF",
    "--character-set-server=utf8mb4",
];

/// A change log that can be followed.
const LOG: [&str; 5] = [
    "--log-bin=binlog",
    "--server-id=1",
    "--binlog-format=ROW",
    "--binlog-row-image=FULL",
    "--binlog-row-metadata=FULL",
];

impl Flavor {
    /// Both.
    pub const ALL: [Self; 2] = [Self::MariaDb, Self::MySql];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::MariaDb => "mariadb",
            Self::MySql => "mysql",
        }
    }

    /// The server's program with what it needs to find its own files.
    pub(crate) fn command(self) -> Command {
        match self {
            Self::MariaDb => {
                let mut command = child::command(mariadb_program("mariadbd"));
                command.arg("--no-defaults");
                command
            }
            Self::MySql => mysql_command(),
        }
    }

    /// How a running server is set up, before the options of a test.
    pub(crate) fn options(self) -> Vec<String> {
        let own = match self {
            Self::MariaDb => "--innodb-log-file-size=32M",
            Self::MySql => "--innodb-redo-log-capacity=32M",
        };
        let mut options: Vec<String> = [&QUICK[..], &LOG[..], &[own]]
            .concat()
            .into_iter()
            .map(ToOwned::to_owned)
            .collect();
        if self == Self::MySql {
            options.push("--mysqlx=OFF".to_owned());
        }
        options
    }

    /// What `--gtid` means here. MariaDB has its global transaction ids always.
    pub(crate) fn gtid_options(self) -> &'static [&'static str] {
        match self {
            Self::MariaDb => &["--gtid-strict-mode=ON"],
            Self::MySql => &["--gtid-mode=ON", "--enforce-gtid-consistency=ON"],
        }
    }

    /// The opposite. MySQL 9.7 numbers transactions globally unless it is told not to.
    pub(crate) fn position_options(self) -> &'static [&'static str] {
        match self {
            Self::MariaDb => &[],
            Self::MySql => &["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"],
        }
    }

    /// A short text that differs between versions, asked of the program once.
    pub(crate) fn version(self) -> &'static str {
        static MARIADB: OnceLock<String> = OnceLock::new();
        static MYSQL: OnceLock<String> = OnceLock::new();
        let cell = match self {
            Self::MariaDb => &MARIADB,
            Self::MySql => &MYSQL,
        };
        cell.get_or_init(|| {
            let text = run(self.command().arg("--version"), "asking for the version");
            let words: Vec<_> = text.split_whitespace().collect();
            let at = words
                .iter()
                .position(|word| *word == "Ver")
                .map_or(0, |at| at + 1);
            words
                .get(at)
                .map_or_else(|| "unknown".to_owned(), |&word| word.to_owned())
        })
    }

    /// Writes the system tables of a new server to `dir`, with a `root` that may come over TCP
    /// without a password.
    pub(crate) fn initialize(self, dir: &Path) {
        let datadir = format!("--datadir={}", dir.display());
        // Not the one of servers that run: see `MySqlServer::spawn`.
        let temporary = tempfile::tempdir().expect("a temporary folder can be made");
        match self {
            Self::MariaDb => {
                let mut command = Command::new(mariadb_program("mariadb-install-db"));
                command.args(["--no-defaults", "--user=root", "--skip-test-db"]);
                command.args(["--auth-root-authentication-method=normal", &datadir]);
                command.arg("--innodb-log-file-size=32M");
                command.env("TMPDIR", temporary.path());
                run(&mut command, "making MariaDB's system tables");
            }
            Self::MySql => {
                let root = tempfile::NamedTempFile::new().expect("a temporary file can be made");
                let statements = "CREATE USER root@'127.0.0.1' IDENTIFIED BY '';\n\
                     GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n";
                std::fs::write(root.path(), statements).expect("a temporary file can be written");
                let mut command = self.command();
                command.args(["--initialize-insecure", "--user=root", &datadir]);
                command.args([
                    "--innodb-redo-log-capacity=32M",
                    "--innodb-flush-method=nosync",
                ]);
                command.arg(format!("--init-file={}", root.path().display()));
                command.env("TMPDIR", temporary.path());
                run(&mut command, "making MySQL's system tables");
            }
        }
    }
}

fn mysql_command() -> Command {
    let root = cache::dir().join(MYSQL);
    let program = root.join("usr/sbin/mysqld");
    assert!(
        program.exists(),
        "MySQL 9.7 is not installed for the tests (no {}). Run `make setup`.",
        program.display()
    );
    let inside = |path: &str| root.join(path).display().to_string();
    let mut command = child::command(root.join(LOADER));
    command
        .arg("--library-path")
        .arg(root.join(LIBRARIES))
        .arg(&program)
        .arg("--no-defaults");
    command.arg("--secure-file-priv=");
    command.arg(format!("--basedir={}", inside("usr")));
    command.arg(format!("--lc-messages-dir={}", inside("usr/share/mysql")));
    command.arg(format!(
        "--character-sets-dir={}",
        inside("usr/share/mysql/charsets")
    ));
    command.arg(format!("--plugin-dir={}", inside("usr/lib/mysql/plugin")));
    command
}

/// Debian keeps the server in `/usr/sbin`, which is not on everyone's path.
fn mariadb_program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/bin", "/usr/local/bin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|program| program.exists())
        .unwrap_or_else(|| panic!("MariaDB is not installed (no `{name}`). Run `make setup`."))
}

fn run(command: &mut Command, doing: &str) -> String {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| {
            panic!("{doing}: {command:?} can't run: {error}. Run `make setup`.")
        });
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{doing} failed with {}. Run `make setup`.\n{stdout}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    stdout
}
