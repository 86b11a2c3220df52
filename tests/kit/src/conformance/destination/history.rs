//! `history`: every version of every row, with the time it was valid.

use std::sync::Arc;

use tributary_model::{Change, DataType, Deletes, Destination, Mode, Old, TableName, TablePlan};

use super::subject::{Opened, Subject, absent, plan, rows};

const COLUMNS: [(&str, DataType); 2] = [
    ("name", DataType::Text),
    ("_tributary_valid_from", DataType::TimestampTz),
];

fn history(table: &str, deletes: Deletes) -> Arc<TablePlan> {
    Arc::new(plan(table, Mode::History, deletes, &COLUMNS))
}

async fn assert_versions<D: Destination>(opened: &Opened<D>, plan: &TablePlan, expected: &[&str]) {
    let found = opened.versions(plan).await;
    assert_eq!(found, expected, "{}", plan.table);
}

/// Versions of a key in one load, of one instant, and of clocks that go back, in order; a delete
/// ends, a row that comes back begins again.
pub(super) async fn keeps_every_version<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("history").await;
    let plan = history("history", Deletes::Soft);
    let first = [
        vec![Some("1"), Some("ann"), Some("2024-01-01T00:00:00")],
        vec![Some("2"), Some("bob"), Some("2024-01-01T00:00:00")],
    ];
    opened.load(&[&plan], vec![absent(&plan, &first)]).await;
    let changes = rows(
        &plan,
        &[
            "u 1 anna 2024-01-02T00:00:00",
            "u 1 anne 2024-01-02T00:00:00",
            "u 1 annie 2023-12-31T00:00:00",
            "d 2 bob 2024-01-03T00:00:00",
        ],
    );
    opened.load(&[&plan], vec![changes.clone()]).await;
    let expected = [
        "1 ann 2024-01-01T00:00:00 2024-01-02T00:00:00 false live",
        "1 anna 2024-01-02T00:00:00 2024-01-02T00:00:00.000001 false live",
        "1 anne 2024-01-02T00:00:00.000001 2024-01-02T00:00:00.000002 false live",
        "1 annie 2024-01-02T00:00:00.000002 ~ true live",
        "2 bob 2024-01-01T00:00:00 2024-01-03T00:00:00 false gone",
    ];
    assert_versions(&opened, &plan, &expected).await;
    let back = rows(
        &plan,
        &["c 2 bob 2024-01-04T00:00:00", "d 3 cy 2024-01-04T00:00:00"],
    );
    opened.load(&[&plan], vec![back.clone()]).await;
    // What was loaded is loaded again, and changes nothing.
    opened.load(&[&plan], vec![back]).await;
    let mut expected = expected.to_vec();
    expected.push("2 bob 2024-01-04T00:00:00 ~ true live");
    assert_versions(&opened, &plan, &expected).await;
}

/// What deletes do to a history.
pub(super) async fn deletes<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("history deletes").await;
    let expected: [(Deletes, &str); 3] = [
        (
            Deletes::Soft,
            "1 ann 2024-01-01T00:00:00 2024-01-02T00:00:00 false gone",
        ),
        (
            Deletes::Hard,
            "1 ann 2024-01-01T00:00:00 2024-01-02T00:00:00 false",
        ),
        (Deletes::Ignore, "1 ann 2024-01-01T00:00:00 ~ true"),
    ];
    for (deletes, row) in expected {
        let plan = history(&format!("history_{deletes:?}").to_lowercase(), deletes);
        let lines = ["c 1 ann 2024-01-01T00:00:00", "d 1 ann 2024-01-02T00:00:00"];
        opened.load(&[&plan], vec![rows(&plan, &lines)]).await;
        assert_versions(&opened, &plan, &[row]).await;
    }
}

/// A second snapshot, built beside: what is unchanged goes on, what is gone ends.
pub(super) async fn continues<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("history again").await;
    let live = history("again", Deletes::Soft);
    let before = rows(
        &live,
        &[
            "c 1 same 2024-01-01T00:00:00",
            "c 2 old 2024-01-01T00:00:00",
            "c 4 then 2024-01-01T00:00:00",
        ],
    );
    opened.load(&[&live], vec![before.clone()]).await;
    // A key that is gone ends when the load began, which is another time in each run.
    opened
        .load(
            &[&live],
            vec![rows(&live, &["c 3 gone 2024-01-01T00:00:00"])],
        )
        .await;
    let beside = TableName {
        table: "again_next".to_owned(),
        ..live.table.clone()
    };
    let next = Arc::new(TablePlan {
        table: beside.clone(),
        ..(*live).clone()
    });
    let renew = Change::Renew {
        plan: next.clone(),
        like: Some(live.table.clone()),
    };
    let snapshot = [
        vec![Some("1"), Some("same"), Some("2024-02-01T00:00:00")],
        vec![Some("2"), Some("new"), Some("2024-02-01T00:00:00")],
        vec![Some("4"), Some("then"), Some("2024-02-01T00:00:00")],
    ];
    opened
        .load(&[], vec![renew, absent(&next, &snapshot)])
        .await;
    let later = rows(
        &next,
        &["u 4 now 2024-02-02T00:00:00", "c 5 cy 2024-02-03T00:00:00"],
    );
    let swap = Change::Swap {
        plan: live.clone(),
        beside,
        old: Old::Continued,
    };
    opened.load(&[&next], vec![later, swap]).await;
    let found = opened.versions(&live).await;
    let (gone, rest): (Vec<String>, Vec<String>) =
        found.into_iter().partition(|row| row.starts_with("3 "));
    let expected = [
        "1 same 2024-01-01T00:00:00 ~ true live",
        "2 new 2024-02-01T00:00:00 ~ true live",
        "2 old 2024-01-01T00:00:00 2024-02-01T00:00:00 false live",
        "4 now 2024-02-02T00:00:00 ~ true live",
        "4 then 2024-01-01T00:00:00 2024-02-02T00:00:00 false live",
        "5 cy 2024-02-03T00:00:00 ~ true live",
    ];
    assert_eq!(rest, expected);
    let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
    assert!(
        matches!(gone[..], [row] if row.starts_with("3 gone 2024-01-01T00:00:00 2")
            && row.ends_with(" false gone")),
        "{gone:?}"
    );
}
