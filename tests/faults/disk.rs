//! A disk that is full: nothing is half done, and more room is all it takes.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tributary_testkit::compare;
use tributary_testkit::server::Flavor;

use crate::world::{World, ask, number};

/// Pages that fill any disk of a test.
const MOST_PAGES: usize = 64 << 8;

/// A disk in memory of its own; unmounted when dropped.
pub(super) struct Disk {
    dir: tempfile::TempDir,
}

impl Disk {
    pub(super) fn mount(megabytes: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}M");
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(dir.path()));
        Self { dir }
    }

    /// Writes until there is no room left; what was written is to be removed.
    pub(super) fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut file = fs::File::create(&path).unwrap();
        // Never the machine's own disk.
        let filled = (0..MOST_PAGES).any(|_| file.write_all(&[0; 4096]).is_err());
        assert!(filled, "the small disk is not so small");
        path
    }

    fn grow(&self, megabytes: u32) {
        let size = format!("remount,size={megabytes}M");
        run(Command::new("mount")
            .args(["-o", &size])
            .arg(self.dir.path()));
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("-l")
            .arg(self.dir.path())
            .status();
    }
}

pub(super) fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?} needs root: {status}");
}

const TABLE: &str = "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, noise VARBINARY(2048));
    INSERT INTO d.t SELECT seq, UNHEX(CONCAT(SHA2(seq, 512), SHA2(seq + 0.1, 512), SHA2(seq + 0.2, 512),
      SHA2(seq + 0.3, 512), SHA2(seq + 0.4, 512), SHA2(seq + 0.5, 512), SHA2(seq + 0.6, 512)))
      FROM d.seq_1_to_60000;";

/// The disk is full in the middle of the first copy, which has committed some loads.
#[tokio::test]
async fn g1_a_full_disk_leaves_whole_loads() {
    let world = World::with(Flavor::MariaDb, TABLE).await;
    let disk = Disk::mount(16);
    let file: PathBuf = disk.path().join("w.duckdb");
    let yaml = world.yaml(crate::world::Setup {
        source: "databases: [d], chunk_rows: 2000",
        connection: "flush: {rows: 2000}",
        ..Default::default()
    });
    let yaml = yaml.replace(
        "path: warehouse.duckdb",
        &format!("path: {}", file.display()),
    );
    world.program.write("tributary.yaml", &yaml);
    let failed = world.program.run(&["sync"]).await.exits(1);
    let failed = failed
        .says("the disk of the DuckDB file is full")
        .says("Free space");
    assert!(
        !failed.stderr.contains("this is a mistake in Tributary"),
        "{failed}"
    );
    disk.grow(300);
    let rows = number(&file, "SELECT count(*) FROM d.t");
    let counted = "SELECT coalesce(sum(rows_written), 0) FROM _tributary.loads";
    assert_eq!(
        rows,
        number(&file, counted),
        "{:?}",
        ask(&file, "SELECT * FROM _tributary.state")
    );
    world.sync().await;
    compare::assert_equal(&world.server, &file, &["d.t"]).await;
    world
        .server
        .execute("UPDATE d.t SET noise = NULL WHERE id % 7 = 0")
        .await;
    world.sync().await;
    compare::assert_equal(&world.server, &file, &["d.t"]).await;
}
