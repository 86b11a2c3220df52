//! What an attempt leaves of a stream that fails in it, seen by the engine alone: a source that follows
//! a script, and a destination in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use tributary_engine::{Connection, Silent, SyncReport, SyncRequest, sync};
use tributary_model::{
    ConnectionName, ConnectionOptions, DataType, ErrorKind, FlushPolicy, Mode, Selection,
    StreamOptions, TableName, TruncateKind,
};
use tributary_testkit::memory::Memory;
use tributary_testkit::script::Script;

async fn run(script: Script, memory: &Memory) -> SyncReport {
    let options = ConnectionOptions {
        name: ConnectionName::new("c"),
        select: Selection::default(),
        defaults: StreamOptions {
            mode: Mode::Append,
            ..StreamOptions::default()
        },
        streams: BTreeMap::new(),
        flush: FlushPolicy::default(),
        memory: 64 << 20,
        salt: None,
    };
    let connection = Connection {
        options,
        source: Arc::new(script),
        destination: Arc::new(memory.clone()),
    };
    sync(&connection, &SyncRequest::default(), &Silent).await
}

fn rows(memory: &Memory, table: &str) -> Vec<Option<String>> {
    let table = TableName {
        schema: "c".to_owned(),
        table: table.to_owned(),
    };
    let rows = memory.rows(&table).into_iter();
    let mut ids: Vec<_> = rows.map(|mut row| row.remove("id").flatten()).collect();
    ids.sort();
    ids
}

/// A source that tells no phases fails in the middle of a stream's first copy: the half of it that has
/// committed is not all there is, so it goes once the stream is copied anew.
#[tokio::test]
async fn half_a_first_copy_is_not_kept_beside_the_whole_one() {
    let memory = Memory::new();
    let half = || {
        Script::new()
            .stream("a", &["id"], &[("id", DataType::Int64)])
            .stream("b", &["id"], &[("id", DataType::Int64)])
            .snapshot("a", &[vec![Some("1")]])
            .snapshot("b", &[vec![Some("1")]])
            .checkpoint()
    };
    let report = run(half().fail_stream("a", ErrorKind::Access), &memory).await;
    let failed = report
        .streams
        .iter()
        .filter(|stream| stream.error.is_some());
    assert_eq!(failed.count(), 1, "{report:?}");
    assert_eq!(rows(&memory, "a"), [Some("1".to_owned())]);
    let whole = [vec![Some("1")], vec![Some("2")]];
    let again = half()
        .truncate("a", TruncateKind::Restart)
        .snapshot("a", &whole)
        .truncate("b", TruncateKind::Restart)
        .snapshot("b", &whole)
        .checkpoint();
    let report = run(again, &memory).await;
    assert!(report.error.is_none(), "{report:?}");
    let both = ["1", "2"].map(|id| Some(id.to_owned()));
    assert_eq!(rows(&memory, "a"), both);
    assert_eq!(rows(&memory, "a__append"), [], "half a copy was kept");
    // What was complete stays, as nobody has asked for it to go.
    assert_eq!(rows(&memory, "b"), both);
    assert_eq!(rows(&memory, "b__append"), [Some("1".to_owned())]);
}
