//! The catalog in PostgreSQL, on a private server.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tributary_lake::Lake;
use tributary_model::{Destination, ErrorKind, Mode, Verdict};
use tributary_testkit::{conformance, python};

use crate::world::{World, absent, plan, rows};

const USER: &str = "tributary";
const PASSWORD: &str = "sesame/open?";
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads a table through the catalog.
const READ: &str = r#"
import json, sys
from pyiceberg.catalog.sql import SqlCatalog
spec = json.load(sys.stdin)
catalog = SqlCatalog("tributary", uri=spec["uri"])
table = catalog.load_table(("shop", "t"))
rows = sorted(table.scan().to_arrow().to_pylist(), key=lambda row: row["id"])
print(json.dumps([[row["id"], row["name"]] for row in rows]))
"#;

/// A server of its own, gone when dropped.
struct Postgres {
    child: Child,
    port: u16,
    _dir: TempDir,
}

/// The newest that is installed.
fn program(name: &str) -> PathBuf {
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
    if fs::metadata(dir).unwrap().uid() == fs::metadata("/proc/self").unwrap().uid() {
        command.args(["--pdeathsig", "KILL", "--"]);
    } else {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        command.args(["--pdeathsig", "KILL", "--"]);
    }
    command.arg(program(name)).current_dir(dir);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(fs::File::create(dir.join(format!("{name}.log"))).unwrap());
    command
}

fn id(flag: &str) -> Option<u32> {
    let output = Command::new("id").args([flag, "postgres"]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

impl Postgres {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
        fs::write(dir.path().join("password"), PASSWORD).unwrap();
        if is_root {
            chown(dir.path(), id("-u"), id("-g")).unwrap();
            chown(dir.path().join("password"), id("-u"), id("-g")).unwrap();
        }
        let made = command("initdb", dir.path())
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
            .unwrap();
        let log = fs::read_to_string(dir.path().join("initdb.log")).unwrap();
        assert!(made.success(), "{log}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let child = command("postgres", dir.path())
            .args(["-D", "data", "-k", "", "-p", &port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
            .spawn()
            .unwrap();
        let began = Instant::now();
        let log = dir.path().join("postgres.log");
        while !fs::read_to_string(&log)
            .unwrap()
            .contains("ready to accept connections")
        {
            assert!(
                began.elapsed() < PATIENCE,
                "{}",
                fs::read_to_string(&log).unwrap()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Self {
            child,
            port,
            _dir: dir,
        }
    }

    fn url(&self, password: &str, database: &str) -> String {
        let password = password.replace('/', "%2F").replace('?', "%3F");
        format!(
            "postgres://{USER}:{password}@127.0.0.1:{}/{database}",
            self.port
        )
    }

    fn catalog(&self) -> Value {
        json!({"catalog": {"type": "postgres", "url": self.url(PASSWORD, "postgres")}})
    }

    fn read(&self) -> Value {
        let uri = self.url(PASSWORD, "postgres");
        let uri = uri.replace("postgres://", "postgresql+psycopg2://");
        python::run(READ, &json!({"uri": uri}))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_catalog_in_postgres_is_shared_and_read_by_others() {
    let postgres = Postgres::start();
    let world = World::new(postgres.catalog());
    let mut shop = world.open().await;
    let plan = plan(Mode::Merge, &["id int64", "name text"]);
    shop.load(&plan, vec![absent(&plan, &["r 1 ann", "r 2 bob"])])
        .await;
    shop.load(&plan, vec![rows(&plan, &["u 2 bea", "c 3 cid"])])
        .await;
    assert_eq!(postgres.read(), json!([[1, "ann"], [2, "bea"], [3, "cid"]]));
    let report = world.lake().await.check().await.unwrap();
    assert_eq!(report.verdict(), Verdict::Pass, "{report:?}");
    let text = format!("{report:?}");
    assert!(
        text.contains("PostgreSQL, 127.0.0.1") && !text.contains("sesame"),
        "{text}"
    );

    // Another machine goes on where this one was.
    let mut there = world.open().await;
    there
        .load(&plan, vec![rows(&plan, &["d 3 ~", "c 4 dan"])])
        .await;
    let error = shop.begin(&plan).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
    assert_eq!(postgres.read(), json!([[1, "ann"], [2, "bea"], [4, "dan"]]));
}

#[tokio::test]
async fn a_catalog_in_postgres_keeps_the_contract() {
    let postgres = Postgres::start();
    let world = World::new(postgres.catalog());
    let settings = world.settings();
    conformance::destination(move || {
        let config = serde_json::from_value(settings.clone()).expect("they are good");
        Lake::connect(config)
    })
    .await;
}

#[tokio::test]
async fn what_keeps_us_out_of_postgres_is_named_without_the_password() {
    let postgres = Postgres::start();
    for (url, kind, fix) in [
        (
            postgres.url("wrong", "postgres"),
            ErrorKind::Access,
            "Correct user and password",
        ),
        (
            postgres.url(PASSWORD, "nowhere"),
            ErrorKind::Config,
            "CREATE DATABASE",
        ),
    ] {
        let world = World::new(json!({"catalog": {"type": "postgres", "url": url}}));
        let shop = world.open().await;
        let plan = plan(Mode::Merge, &["id int64"]);
        let error = shop.begin(&plan).await.map(drop).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        let text = error.to_string();
        assert!(text.contains(fix) && !text.contains("sesame"), "{text}");
    }
    let world = World::new(json!({"catalog": {"type": "postgres", "url": "mysql://u:sesame@h/d"}}));
    let error = Lake::connect(world.config()).await.map(drop).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Config, "{text}");
    assert!(!text.contains("sesame"), "{text}");
}
