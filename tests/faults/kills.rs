//! SIGKILL at random moments and at every named step of a load, while the source is written to:
//! then source and destination are equal row by row, and no row came twice.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use duckdb::Connection;
use serde_json::Value;
use tributary_testkit::compare;
use tributary_testkit::random::Random;
use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::{Shop, Writer};

use crate::world::{Setup, World, ask, number, word};

/// Each step of a load at which the program can be told to die.
const STEPS: [&str; 8] = [
    "engine.before_begin",
    "load.after_begin",
    "load.after_stage",
    "load.before_merge",
    "engine.before_commit",
    "load.before_commit",
    "load.after_commit",
    "engine.after_commit",
];
/// How many times a step is passed before the program dies at it.
const PASSED: [u32; 3] = [0, 3, 1];

/// Every way to keep a table in one load: soft deletes, hard deletes, and each change as a row.
const STREAMS: &str = "streams: {shop.products: {deletes: hard}, \
    shop.orders: {deletes: hard}, shop.order_lines: {mode: append}}";
const MERGED: [&str; 3] = ["shop.customers", "shop.products", "shop.orders"];

/// How a run of the program ends.
#[derive(Debug)]
enum Death {
    /// So long after its start.
    After(Duration),
    /// At a step.
    At(String),
}

/// What the kills hit: how often the state that they left was in each phase.
#[derive(Debug, Default)]
struct Hits(BTreeMap<String, usize>);

fn death(turn: usize, random: &mut Random) -> Death {
    if turn % 2 == 1 {
        return Death::After(Duration::from_millis(10 + random.below(390)));
    }
    let step = STEPS[turn / 2 % STEPS.len()];
    let passed = PASSED[turn / 2 / STEPS.len() % PASSED.len()];
    Death::At(format!("{step}={passed}*off->return(kill)"))
}

/// One run; true where it was killed.
async fn run(world: &World, death: &Death, args: &[&str]) -> bool {
    let finished = match death {
        Death::After(time) => {
            let running = world.program.start(args);
            tokio::time::sleep(*time).await;
            running.kill().await
        }
        Death::At(failpoint) => {
            let running = world.program.start_with(&[("FAILPOINTS", failpoint)], args);
            running.wait().await
        }
    };
    match finished.code() {
        None => true,
        Some(0) => false,
        Some(_) => panic!("{death:?}: a run failed by itself\n{finished}"),
    }
}

/// The file as the killed program left it, in a place where opening it changes nothing.
fn copy(world: &World, dir: &Path) -> Option<PathBuf> {
    let file = world.file();
    if !file.exists() {
        return None;
    }
    let to = dir.join("copy.duckdb");
    let wal = |path: &Path| path.with_extension("duckdb.wal");
    let _ = fs::remove_file(wal(&to));
    fs::copy(&file, &to).unwrap();
    if wal(&file).exists() {
        fs::copy(wal(&file), wal(&to)).unwrap();
    }
    Some(to)
}

/// G1: the cursors are those of the last load, whose rows are there with it.
fn assert_state_is_that_of_the_last_load(file: &Path) -> Value {
    Connection::open(file)
        .unwrap()
        .execute_batch("CHECKPOINT")
        .unwrap();
    let exists = "SELECT count(*) FROM duckdb_tables() WHERE schema_name = '_tributary'";
    if number(file, exists) == 0 || number(file, "SELECT count(*) FROM _tributary.loads") == 0 {
        return Value::Null;
    }
    let last = "SELECT to_cursor FROM _tributary.loads ORDER BY sequence DESC LIMIT 1";
    let last: Value = serde_json::from_str(&word(file, last)).unwrap();
    let rows = ask(file, "SELECT stream, \"cursor\" FROM _tributary.state");
    for row in &rows {
        let stream = row[0].as_deref().unwrap();
        let cursor: Value = serde_json::from_str(row[1].as_deref().unwrap()).unwrap();
        let expected = if stream == "*" {
            &last["shared"]
        } else {
            &last["streams"][stream]
        };
        assert_eq!(
            cursor, *expected,
            "the state of {stream} is not that of the last load"
        );
    }
    let streams = last["streams"].as_object().map_or(0, serde_json::Map::len);
    assert_eq!(
        rows.len(),
        streams + 1,
        "a cursor of the last load is missing"
    );
    last
}

impl Hits {
    fn note(&mut self, state: &Value) {
        let streams = state["streams"].as_object().cloned().unwrap_or_default();
        let in_snapshot = streams
            .values()
            .any(|cursor| cursor["phase"]["name"] == "snapshot");
        let phase = match (streams.len(), in_snapshot) {
            (0, _) => "nothing",
            (_, true) => "snapshot",
            (4.., false) => "log",
            (_, false) => "between",
        };
        *self.0.entry(phase.to_owned()).or_default() += 1;
    }

    fn of(&self, phase: &str) -> usize {
        self.0.get(phase).copied().unwrap_or_default()
    }

    /// Whether copies and logs alike were hit.
    fn are_enough(&self, kills: usize) -> bool {
        self.of("snapshot") >= kills / 6 && self.of("log") >= kills / 6
    }
}

/// A world, and how the runs in it died so far.
struct Slaughter<'a> {
    world: &'a World,
    scratch: tempfile::TempDir,
    random: Random,
    turn: usize,
    hits: Hits,
}

impl Slaughter<'_> {
    /// Goes on until `kills` runs of `args` have died.
    async fn kill(&mut self, kills: usize, args: &[&str]) {
        let mut killed = 0;
        for _ in 0..kills * 6 {
            if killed == kills {
                return;
            }
            let death = death(self.turn, &mut self.random);
            self.turn += 1;
            if run(self.world, &death, args).await {
                killed += 1;
                let left = copy(self.world, self.scratch.path());
                let state = left.map(|file| assert_state_is_that_of_the_last_load(&file));
                self.hits.note(&state.unwrap_or_default());
            }
        }
        assert!(
            killed == kills,
            "only {killed} of {} runs of {args:?} were killed",
            kills * 6
        );
    }
}

/// The rows of the append-mode stream, folded to the newest of each key, are the source's rows.
async fn assert_changes_fold_to_the_source(world: &World) {
    let file = world.file();
    let twice = "SELECT count(*) - count(DISTINCT (order_id, line_no, _tributary_position)) \
        FROM shop.order_lines";
    assert_eq!(number(&file, twice), 0, "rows of the log came twice");
    let fold = "DROP SCHEMA IF EXISTS folded CASCADE; CREATE SCHEMA folded; CREATE TABLE folded.order_lines AS \
        SELECT * FROM shop.order_lines QUALIFY row_number() OVER \
        (PARTITION BY order_id, line_no ORDER BY _tributary_position DESC) = 1; \
        DELETE FROM folded.order_lines WHERE _tributary_op = 'd'";
    Connection::open(&file)
        .unwrap()
        .execute_batch(fold)
        .unwrap();
    let outcome = compare::table(
        &world.server,
        "shop.order_lines",
        &file,
        "folded.order_lines",
    )
    .await;
    outcome.unwrap_or_else(|differences| panic!("{differences}"));
}

/// Each load happened once, and cursors of the log moved forward only. // G3
fn assert_loads_follow_one_another(world: &World) {
    let gaps = "SELECT max(sequence) - min(sequence) + 1 - count(DISTINCT sequence) + \
        count(*) - count(DISTINCT load_id) FROM _tributary.loads";
    assert_eq!(
        world.number(gaps),
        0,
        "the loads are not numbered one by one"
    );
    let lost = "SELECT count(*) FROM _tributary.loads \
        WHERE rows_read <> rows_written + rows_rejected OR rows_rejected > 0";
    assert_eq!(
        world.number(lost),
        0,
        "a load does not account for its rows"
    );
    let back = "WITH ends AS (SELECT sequence, to_cursor->>'$.shared.file' AS file, \
        CAST(to_cursor->>'$.shared.offset' AS BIGINT) AS place FROM _tributary.loads), \
        steps AS (SELECT file, place, lag(file) OVER (ORDER BY sequence) AS last_file, \
        lag(place) OVER (ORDER BY sequence) AS last_place FROM ends) SELECT count(*) FROM steps \
        WHERE file < last_file OR (file = last_file AND place < last_place)";
    assert_eq!(
        world.number(back),
        0,
        "the cursor of the log has moved back"
    );
}

/// How large loads and pieces of a copy are.
enum Pieces {
    /// Many of them, while the program is killed.
    Small,
    /// While it is left in peace.
    Usual,
}

fn configure(world: &World, pieces: Pieces) {
    let small = format!("flush: {{rows: 150, every: 200ms}}, {STREAMS}");
    let (source, connection) = match pieces {
        Pieces::Small => ("databases: [shop], chunk_rows: 250", small.as_str()),
        Pieces::Usual => ("databases: [shop]", STREAMS),
    };
    world.configure(Setup {
        source,
        connection,
        ..Setup::default()
    });
}

impl Slaughter<'_> {
    /// A third of the kills under load; then a sync that is left in peace, and both sides compared.
    async fn round(&mut self, shop: Shop, seed: u64, anew: usize, kills: usize) {
        configure(self.world, Pieces::Small);
        let writer = Writer::start(&self.world.server, shop, 2, seed);
        self.kill(anew, &["sync", "--full-refresh"]).await;
        self.kill(kills - anew, &["sync"]).await;
        let tally = writer.stop().await;
        assert!(
            tally.committed > 50,
            "the source was hardly written to: {tally:?}"
        );
        configure(self.world, Pieces::Usual);
        self.world.sync().await;
        assert!(self.world.assert_equal(&MERGED).await > 500);
        assert_changes_fold_to_the_source(self.world).await;
        assert_loads_follow_one_another(self.world);
    }
}

async fn survives(flavor: Flavor, gtid: bool, shop: Shop, kills: usize) {
    let options = Options {
        gtid,
        ..Options::default()
    };
    let world = World::shop(flavor, options, shop).await;
    let mut slaughter = Slaughter {
        world: &world,
        scratch: tempfile::tempdir().unwrap(),
        random: Random::new(11),
        turn: 0,
        hits: Hits::default(),
    };
    // The first copy, the log, and everything anew over what is there.
    slaughter.round(shop, 7, 0, kills / 3).await;
    slaughter.round(shop, 8, 0, kills / 3).await;
    slaughter.round(shop, 9, 2, kills - kills / 3 * 2).await;
    // How far a run comes before it dies depends on the machine: some need more of them.
    for seed in 10..16 {
        if !slaughter.hits.are_enough(kills) {
            slaughter.round(shop, seed, 2, 6).await;
        }
    }
    assert!(slaughter.hits.are_enough(kills), "{:?}", slaughter.hits);
    let before = world.loads();
    world.sync().await;
    assert_eq!(
        world.loads(),
        before,
        "a sync with nothing new has loaded something"
    );
}

/// G7, and with it G1, G2 and G3.
#[tokio::test(flavor = "multi_thread")]
async fn g7_killed_at_any_moment_on_mariadb() {
    let shop = Shop {
        customers: 1_500,
        products: 200,
        orders: 2_500,
        seed: 1,
    };
    survives(Flavor::MariaDb, false, shop, 60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_killed_at_any_moment_on_mysql_with_gtids() {
    survives(Flavor::MySql, true, Shop::SMALL, 18).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_killed_at_any_moment_on_mysql_without_gtids() {
    survives(Flavor::MySql, false, Shop::SMALL, 18).await;
}
