//! `merge: equality_deletes`, judged by two readers that are not ours: Iceberg's own library and DuckDB's
//! extension. pyiceberg refuses tables that have such deletes, and reads them again once they are folded.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_cast::display::{ArrayFormatter, FormatOptions};
use futures::TryStreamExt;
use iceberg::TableIdent;
use iceberg::io::FileIO;
use iceberg::spec::{DataContentType, ManifestList, ManifestStatus};
use iceberg::table::StaticTable;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use tributary_lake::Lake;
use tributary_model::{Change, Deletes, Destination, Mode, TablePlan, TruncateKind, Verdict};
use tributary_testkit::random::Random;
use tributary_testkit::{conformance, python};

use crate::world::{World, absent, plan, rows};

const T: [&str; 2] = ["shop", "t"];

/// What DuckDB's own extension for Iceberg reads.
const DUCKDB: &str = r#"
import json, sys, glob, os, duckdb
import duckdb_extension_avro, duckdb_extension_iceberg
spec = json.load(sys.stdin)
for package in (duckdb_extension_avro, duckdb_extension_iceberg):
    folder = os.path.dirname(package.__file__)
    duckdb.sql("LOAD '%s'" % glob.glob(folder + "/extensions/v%s/*.duckdb_extension" % duckdb.__version__)[0])
rows = duckdb.sql("SELECT %s FROM iceberg_scan('%s') ORDER BY ALL" % (spec["columns"], spec["metadata"]))
print(json.dumps([" ".join("~" if v is None else str(v) for v in row) for row in rows.fetchall()]))
"#;

fn world() -> World {
    World::new(json!({"merge": "equality_deletes"}))
}

fn softly(plan: &Arc<TablePlan>) -> Arc<TablePlan> {
    let mut plan = TablePlan::clone(plan);
    plan.deletes = Deletes::Soft;
    Arc::new(plan)
}

fn twenty(plan: &Arc<TablePlan>) -> Change {
    let lines: Vec<String> = (1..=20).map(|id| format!("r {id} n{id}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    absent(plan, &lines)
}

/// The address of the metadata that the catalog is at.
async fn metadata(world: &World) -> String {
    let address = format!("sqlite://{}", world.catalog());
    let mut catalog = SqliteConnection::connect(&address).await.unwrap();
    let sql = "SELECT metadata_location FROM iceberg_tables WHERE table_namespace = 'shop' \
               AND table_name = 't'";
    sqlx::query_scalar(sql)
        .fetch_one(&mut catalog)
        .await
        .unwrap()
}

async fn table(world: &World) -> StaticTable {
    let name = TableIdent::from_strs(T).unwrap();
    let files = FileIO::new_with_fs();
    StaticTable::from_metadata_file(&metadata(world).await, name, files)
        .await
        .unwrap()
}

/// The rows of `id` and `name` that Iceberg's library reads, which must be those that the lake says.
async fn read(world: &World) -> Vec<String> {
    let scan = table(world).await.scan().select(["id", "name"]).build();
    let batches = scan.unwrap().to_arrow().await.unwrap();
    let batches: Vec<_> = batches.try_collect().await.unwrap();
    let options = FormatOptions::default().with_null("~");
    let mut found = Vec::new();
    for batch in &batches {
        let columns = batch.columns().iter();
        let columns: Vec<_> = columns
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        found.extend((0..batch.num_rows()).map(|row| {
            let cells = columns.iter().map(|column| column.value(row).to_string());
            cells.collect::<Vec<_>>().join(" ")
        }));
    }
    found.sort();
    let mut ours = world.rows("id, name").await;
    ours.sort();
    assert_eq!(found, ours, "the library reads other rows than the lake");
    found
}

/// Of the current snapshot: what is compared by each file of equality deletes, its sequence number and
/// its keys.
async fn deletes(world: &World) -> Vec<(Vec<i32>, i64, u64)> {
    let table = table(world).await;
    let files = FileIO::new_with_fs();
    let metadata = table.metadata();
    let snapshot = metadata.current_snapshot().unwrap();
    let input = files.new_input(snapshot.manifest_list()).unwrap();
    let bytes = input.read().await.unwrap();
    let list = ManifestList::parse_with_version(&bytes, metadata.format_version()).unwrap();
    let mut found = Vec::new();
    for file in list.entries() {
        let manifest = file.load_manifest(&files).await.unwrap();
        for entry in manifest.entries() {
            let is_there = entry.status() != ManifestStatus::Deleted;
            if is_there && entry.content_type() == DataContentType::EqualityDeletes {
                let ids = entry.data_file().equality_ids().unwrap();
                let sequence = entry.sequence_number().unwrap();
                found.push((ids, sequence, entry.data_file().record_count()));
            }
        }
    }
    found.sort();
    found
}

async fn by_duckdb(world: &World) -> Value {
    let input = json!({"metadata": metadata(world).await, "columns": "id, name"});
    python::run(DUCKDB, &input)
}

#[tokio::test]
async fn keys_that_go_are_put_down_and_nothing_is_looked_up() {
    for divided in [json!([]), json!(["bucket(3, id)"])] {
        let world = World::new(json!({"merge": "equality_deletes", "partition_by": divided}));
        let mut shop = world.open().await;
        let plan = plan(Mode::Merge, &["id int64", "name text"]);
        shop.load(&plan, vec![twenty(&plan)]).await;
        assert_eq!(deletes(&world).await, []);
        shop.load(&plan, vec![rows(&plan, &["u 2 new", "d 3 ~", "u 2 newer"])])
            .await;
        // One file of two keys, with the number of the snapshot, about the field of the key.
        assert_eq!(deletes(&world).await, [(vec![1], 2, 2)]);
        let found = read(&world).await;
        assert_eq!(found.len(), 19);
        assert!(found.contains(&"2 newer".to_owned()), "{found:?}");
        // A key comes back, in another process.
        let mut shop = world.open().await;
        shop.load(&plan, vec![rows(&plan, &["c 3 again", "d 20 ~"])])
            .await;
        shop.load(&plan, vec![rows(&plan, &["u 3 still"])]).await;
        let found = read(&world).await;
        assert_eq!(found.len(), 19);
        assert_eq!(by_duckdb(&world).await, json!(world.rows("id, name").await));
        // Keys beyond all that are there take nothing out.
        shop.load(&plan, vec![rows(&plan, &["c 100 a", "c 101 b"])])
            .await;
        assert_eq!(deletes(&world).await.len(), 3);
        assert_eq!(read(&world).await.len(), 21);
    }
}

#[tokio::test]
async fn what_is_only_marked_is_looked_up_and_keeps_its_values() {
    let world = world();
    let mut shop = world.open().await;
    let plan = softly(&plan(Mode::Merge, &["id int64", "name text"]));
    shop.load(&plan, vec![twenty(&plan)]).await;
    shop.load(&plan, vec![rows(&plan, &["u 7 seven", "u 8 new", "d 8 ~"])])
        .await;
    shop.load(&plan, vec![rows(&plan, &["d 7 ~", "d 99 ~"])])
        .await;
    shop.load(&plan, vec![rows(&plan, &["d 7 ~", "u 8 back"])])
        .await;
    read(&world).await;
    let marked = world.rows("_tributary_deleted, id, name").await;
    assert_eq!(marked[19..], ["true 7 seven", "true 99 ~"]);
    assert_eq!(marked[6], "false 8 back");
}

#[tokio::test]
async fn upkeep_folds_them_and_pyiceberg_reads_the_table_again() {
    let mut world = world();
    let mut shop = world.open().await;
    let plan = plan(Mode::Merge, &["id int64", "name text"]);
    shop.load(&plan, vec![twenty(&plan)]).await;
    for id in 1..=2 {
        let line = format!("u {id} new");
        shop.load(&plan, vec![rows(&plan, &[&line])]).await;
    }
    assert_eq!(deletes(&world).await.len(), 2);
    let report = world.lake().await.maintain().await.unwrap();
    assert_eq!(report.verdict(), Verdict::Pass, "{report:?}");
    let said = &report.findings[0].found;
    assert!(
        said.contains("2 files of equality deletes were folded"),
        "{said}"
    );
    assert_eq!(deletes(&world).await, []);
    // The rest of the file stays where it is, beside two places.
    let found = world.read(&T).await;
    assert_eq!((&found["rows"], &found["deletes"]), (&json!(20), &json!(1)));
    assert_eq!(read(&world).await.len(), 20);
    // A load that knew the table before upkeep goes on.
    shop.load(&plan, vec![rows(&plan, &["u 1 newest", "d 2 ~"])])
        .await;
    assert_eq!(read(&world).await.len(), 19);
    // Other ways to merge take over what is there.
    for way in ["position_deletes", "copy_on_write"] {
        world.set(json!({"merge": way}));
        let mut shop = world.open().await;
        shop.load(&plan, vec![rows(&plan, &["u 5 five", "d 6 ~"])])
            .await;
        assert_eq!(world.read(&T).await["rows"], json!(18), "{way}");
        assert_eq!(deletes(&world).await, []);
        world.set(json!({"merge": "equality_deletes"}));
        let mut shop = world.open().await;
        shop.load(&plan, vec![rows(&plan, &["u 5 six", "c 6 six"])])
            .await;
        assert_eq!(read(&world).await.len(), 19);
    }
}

#[tokio::test]
async fn a_load_that_finds_too_many_folds_them() {
    let world = world();
    let mut shop = world.open().await;
    let plan = plan(Mode::Merge, &["id int64", "name text"]);
    shop.load(&plan, vec![twenty(&plan)]).await;
    let mut most = 0;
    for load in 0..66 {
        let line = format!("u {} v{load}", load % 20 + 1);
        shop.load(&plan, vec![rows(&plan, &[&line])]).await;
        if load > 60 {
            most = deletes(&world).await.len().max(most);
        }
    }
    assert_eq!(most, 64);
    assert!(deletes(&world).await.len() < 4);
    assert_eq!(read(&world).await.len(), 20);
}

/// Files come back as old to one another as they were.
#[tokio::test]
async fn a_table_that_the_catalog_lost_comes_back_with_its_deletes() {
    let world = world();
    let mut shop = world.open().await;
    let plan = plan(Mode::Merge, &["id int64", "name text"]);
    shop.load(&plan, vec![twenty(&plan)]).await;
    shop.load(&plan, vec![rows(&plan, &["u 1 a", "d 2 ~"])])
        .await;
    shop.load(&plan, vec![rows(&plan, &["u 1 b", "c 2 two"])])
        .await;
    let before = read(&world).await;
    let address = format!("sqlite://{}", world.catalog());
    let mut catalog = SqliteConnection::connect(&address).await.unwrap();
    sqlx::query("DELETE FROM iceberg_tables")
        .execute(&mut catalog)
        .await
        .unwrap();
    let report = world.lake().await.maintain().await.unwrap();
    assert_eq!(report.verdict(), Verdict::Pass, "{report:?}");
    assert_eq!(read(&world).await, before);
}

#[tokio::test]
async fn layouts_change_and_tables_are_emptied() {
    let world = world();
    let mut shop = world.open().await;
    let narrow = plan(Mode::Merge, &["id int32", "name text"]);
    shop.load(&narrow, vec![twenty(&narrow)]).await;
    shop.load(&narrow, vec![rows(&narrow, &["u 1 a", "d 2 ~"])])
        .await;
    // What was promoted is not compared: not all readers can do that.
    let wide = plan(Mode::Merge, &["id int64", "name text", "note text"]);
    let lines = ["u 3 c x", "c 5000000000 big y"];
    shop.load(&wide, vec![rows(&wide, &lines)]).await;
    assert_eq!(deletes(&world).await, []);
    assert_eq!(read(&world).await.len(), 20);
    assert_eq!(world.read(&T).await["rows"], json!(20));
    // Another type of the key writes the files anew.
    let other = plan(Mode::Merge, &["id decimal(21,0)", "name text", "note text"]);
    shop.load(&other, vec![rows(&other, &["u 1 z ~", "d 4 ~ ~"])])
        .await;
    assert_eq!(read(&world).await.len(), 19);
    let restart = Change::Truncate {
        plan: other.clone(),
        kind: TruncateKind::Restart,
    };
    shop.load(
        &other,
        vec![
            rows(&other, &["d 7 ~ ~"]),
            restart,
            rows(&other, &["c 7 last ~"]),
        ],
    )
    .await;
    assert_eq!(read(&world).await, ["7 last"]);
    assert_eq!(deletes(&world).await, []);
}

/// Many loads of many changes come to what applying them one by one comes to.
#[tokio::test]
async fn whatever_changes_come_the_table_is_what_they_come_to() {
    let world = world();
    let mut random = Random::new(23);
    let plan = plan(Mode::Merge, &["id int64", "name text"]);
    let mut shop = world.open().await;
    let mut wanted: BTreeMap<u64, String> = BTreeMap::new();
    for load in 0..14 {
        let mut lines = Vec::new();
        for change in 0..random.below(25) {
            let id = random.below(60);
            if random.below(3) == 0 {
                wanted.remove(&id);
                lines.push(format!("d {id} ~"));
            } else {
                let name = format!("load{load}-{change}");
                lines.push(format!("u {id} {name}"));
                wanted.insert(id, name);
            }
        }
        let borrowed: Vec<&str> = lines.iter().map(String::as_str).collect();
        shop.load(&plan, vec![rows(&plan, &borrowed)]).await;
        if load % 5 == 4 {
            read(&world).await;
            world.lake().await.maintain().await.unwrap();
            shop = world.open().await;
        }
    }
    let texts = wanted.iter().map(|(id, name)| format!("{id} {name}"));
    assert_eq!(world.rows("id, name").await, texts.collect::<Vec<_>>());
    read(&world).await;
}

#[tokio::test]
async fn equality_deletes_keep_the_contract() {
    let world = world();
    let settings = world.settings();
    conformance::destination(move || {
        let config = serde_json::from_value(settings.clone()).expect("they are good");
        Lake::connect(config)
    })
    .await;
}
