//! Files that can't be used say so, and stay as they are.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use tributary_model::{Deletes, Destination, Error, ErrorKind, Mode, Report, Verdict};

use super::fixture::{Fixture, at, orders, rows, shop};
use crate::{Config, DuckDb};

/// Tells the test program to hold a file until its input ends.
const HOLD: &str = "TRIBUTARY_TEST_HOLD";

async fn failure(path: std::path::PathBuf) -> (Error, Report) {
    let db = DuckDb::connect(Config::new(path)).await.unwrap();
    let error = db.open(&shop()).await.unwrap_err();
    let report = db.check().await.unwrap();
    assert_eq!(report.verdict(), Verdict::Fail);
    let failed = report
        .findings
        .iter()
        .find(|finding| finding.verdict == Verdict::Fail);
    assert!(
        failed
            .unwrap()
            .fix
            .as_ref()
            .is_some_and(|fix| !fix.is_empty())
    );
    (error, report)
}

#[tokio::test]
async fn a_missing_directory_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (error, report) = failure(dir.path().join("not/there/a.duckdb")).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.help().unwrap().contains("mkdir"), "{error}");
    assert!(
        report.findings[0]
            .fix
            .as_ref()
            .unwrap()
            .contains("not/there")
    );
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn something_else_than_a_duckdb_file_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    let text = "my notes ".repeat(4000);
    std::fs::write(&path, &text).unwrap();
    let (error, _) = failure(path.clone()).await;
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert_eq!(std::fs::read_to_string(path).unwrap(), text);
    let (error, _) = failure(dir.path().to_owned()).await;
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
}

#[tokio::test]
async fn a_file_of_a_newer_duckdb_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("newer.duckdb");
    drop(duckdb::Connection::open(&path).unwrap());
    let mut bytes = std::fs::read(&path).unwrap();
    // The header is a checksum, the magic bytes, and then the storage version.
    bytes[12] = 200;
    let words = bytes[8..4096]
        .chunks(8)
        .map(|word| u64::from_le_bytes(word.try_into().unwrap()));
    let checksum = words.fold(5381, |sum, word| {
        sum ^ word.wrapping_mul(0xbf58_476d_1ce4_e5b9)
    });
    bytes[..8].copy_from_slice(&checksum.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let (error, _) = failure(path.clone()).await;
    assert!(matches!(error.kind(), ErrorKind::Incompatible), "{error}");
    assert_eq!(std::fs::read(path).unwrap(), bytes);
}

#[tokio::test]
async fn a_file_held_by_another_process_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("held.duckdb");
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "tests::files::the_other_process",
            "--nocapture",
        ])
        .env(HOLD, &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(holder.stdout.take().unwrap()).lines();
    let is_held = output.any(|line| line.unwrap().contains("held"));
    assert!(is_held, "the other process opens it");
    let (error, _) = failure(path.clone()).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(
        error.to_string().contains(&format!("PID {}", holder.id())),
        "{error}"
    );
    let db = DuckDb::connect(Config::new(&path)).await.unwrap();
    assert_eq!(
        db.peek(&shop()).await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
    drop(holder.stdin.take());
    output.for_each(drop);
    assert!(holder.wait().unwrap().success());
    db.open(&shop()).await.unwrap();
}

#[test]
#[ignore = "the other process of the test above"]
#[allow(clippy::print_stdout)]
fn the_other_process() {
    let path = std::env::var(HOLD).unwrap();
    let _held = duckdb::Connection::open(path).unwrap();
    println!("held");
    std::io::stdin().lines().for_each(drop);
}

#[tokio::test]
async fn a_check_passes_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let db = at(&dir).await;
    let report = db.check().await.unwrap();
    assert_eq!(report.verdict(), Verdict::Pass, "{report:?}");
    assert_eq!(report.findings.len(), 3);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    db.open(&shop()).await.unwrap();
    assert_eq!(db.check().await.unwrap().verdict(), Verdict::Pass);
    let tables = db
        .query("SELECT count(*) FROM duckdb_schemas() WHERE schema_name = '_tributary_check'")
        .await
        .unwrap();
    assert_eq!(tables.rows[0][0], 0);
}

#[tokio::test]
async fn one_file_has_one_instance_under_every_path() {
    let mut fixture = Fixture::new().await;
    let plan = Arc::new(orders(Mode::Merge, Deletes::Soft));
    let link = fixture.dir.path().join("link.duckdb");
    std::os::unix::fs::symlink(fixture.dir.path().join("warehouse.duckdb"), &link).unwrap();
    let same = DuckDb::connect(Config::new(link)).await.unwrap();
    let load = fixture.begin("one", &[&plan]).await.unwrap();
    assert_eq!(same.peek(&shop()).await.unwrap().unwrap().epoch, 1);
    assert_eq!(same.check().await.unwrap().verdict(), Verdict::Pass);
    drop(load);
    fixture
        .load(&[&plan], vec![rows(&plan, &[('r', 1, "a")])])
        .await;
    assert_eq!(
        same.query("SELECT id FROM shop.orders")
            .await
            .unwrap()
            .rows
            .len(),
        1
    );
}

#[tokio::test]
async fn queries_only_read() {
    let fixture = Fixture::new().await;
    for sql in [
        "CREATE TABLE x (a INTEGER)",
        "DELETE FROM _tributary.state",
        "SELECT nothing",
        "SELEC",
        "",
        " ",
        "-- only a comment",
    ] {
        let error = fixture.db.query(sql).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    }
    let answer = fixture
        .db
        .query("SELECT 1 AS a, 'x' AS b WHERE false")
        .await
        .unwrap();
    assert_eq!(
        (answer.columns, answer.rows.len()),
        (vec!["a".to_owned(), "b".to_owned()], 0)
    );
    let Fixture { dir, db, .. } = fixture;
    drop(db);
    let closed = at(&dir).await;
    let error = closed
        .query("DELETE FROM _tributary.state")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert_eq!(
        closed
            .query("SELECT epoch FROM _tributary.state")
            .await
            .unwrap()
            .rows
            .len(),
        1
    );
}
