//! What each mode and each treatment of deletes leaves in the table.

use std::sync::Arc;

use tributary_model::TruncateKind::{Change as Emptied, Restart};
use tributary_model::{Change, Deletes, Mode, Old, TableName, TablePlan};

use super::fixture::{Fixture, orders, rows, truncate};

const ALL: &str = "SELECT id, note FROM shop.orders ORDER BY id, note";
const MARKED: &str =
    "SELECT id, note, _tributary_deleted AS deleted FROM shop.orders ORDER BY id, note";

async fn after(plan: TablePlan, changes: impl Fn(&Arc<TablePlan>) -> Vec<Change>) -> String {
    let plan = Arc::new(plan);
    let mut fixture = Fixture::new().await;
    for change in changes(&plan) {
        fixture.load(&[&plan], vec![change]).await;
    }
    let one_by_one = fixture.text(sql(&plan)).await;
    let mut fixture = Fixture::new().await;
    fixture.load(&[&plan], changes(&plan)).await;
    assert_eq!(
        fixture.text(sql(&plan)).await,
        one_by_one,
        "in one load as in many"
    );
    one_by_one
}

fn sql(plan: &TablePlan) -> &'static str {
    match plan.deletes {
        Deletes::Soft => MARKED,
        Deletes::Hard | Deletes::Ignore => ALL,
    }
}

fn story(plan: &Arc<TablePlan>) -> Vec<Change> {
    vec![
        rows(plan, &[('r', 1, "a"), ('r', 2, "b"), ('r', 3, "c")]),
        rows(plan, &[('u', 1, "a2"), ('d', 2, "b"), ('c', 4, "d")]),
        rows(
            plan,
            &[
                ('d', 3, "c"),
                ('c', 3, "c2"),
                ('d', 4, "d"),
                ('d', 9, "never seen"),
            ],
        ),
    ]
}

#[tokio::test]
async fn merge_keeps_one_row_for_each_key() {
    let merge = |deletes| after(orders(Mode::Merge, deletes), story);
    assert_eq!(
        merge(Deletes::Soft).await,
        "1 a2 false; 2 b true; 3 c2 false; 4 d true; 9 never seen true"
    );
    assert_eq!(merge(Deletes::Hard).await, "1 a2; 3 c2");
    assert_eq!(merge(Deletes::Ignore).await, "1 a2; 2 b; 3 c2; 4 d");
}

#[tokio::test]
async fn append_keeps_every_change() {
    let append = |deletes| after(orders(Mode::Append, deletes), story);
    assert_eq!(
        append(Deletes::Soft).await,
        "1 a false; 1 a2 false; 2 b false; 2 b true; 3 c false; 3 c true; 3 c2 false; 4 d false; 4 d true; 9 never seen true"
    );
    assert_eq!(
        append(Deletes::Hard).await,
        "1 a; 1 a2; 2 b; 2 b; 3 c; 3 c; 3 c2; 4 d; 4 d; 9 never seen"
    );
    assert_eq!(
        append(Deletes::Ignore).await,
        "1 a; 1 a2; 2 b; 3 c; 3 c2; 4 d"
    );
}

#[tokio::test]
async fn a_truncate_is_a_delete_of_every_row() {
    let emptied = |mode, deletes| {
        after(orders(mode, deletes), |plan| {
            vec![
                rows(plan, &[('r', 1, "a"), ('r', 2, "b")]),
                rows(plan, &[('u', 2, "b2")]),
                truncate(plan, Emptied),
                rows(plan, &[('c', 2, "b3"), ('c', 3, "c")]),
            ]
        })
    };
    assert_eq!(
        emptied(Mode::Merge, Deletes::Soft).await,
        "1 a true; 2 b3 false; 3 c false"
    );
    assert_eq!(emptied(Mode::Merge, Deletes::Hard).await, "2 b3; 3 c");
    assert_eq!(
        emptied(Mode::Merge, Deletes::Ignore).await,
        "1 a; 2 b3; 3 c"
    );
    assert_eq!(
        emptied(Mode::Append, Deletes::Hard).await,
        "1 a; 2 b; 2 b2; 2 b3; 3 c"
    );
}

#[tokio::test]
async fn a_restart_really_empties_the_table() {
    for mode in [Mode::Merge, Mode::Append] {
        for deletes in [Deletes::Soft, Deletes::Hard, Deletes::Ignore] {
            let left = after(orders(mode, deletes), |plan| {
                vec![
                    rows(plan, &[('r', 1, "a"), ('r', 2, "b")]),
                    rows(plan, &[('u', 2, "b2"), ('c', 5, "e")]),
                    truncate(plan, Restart),
                    rows(plan, &[('r', 2, "anew")]),
                ]
            });
            assert!(["2 anew", "2 anew false"].contains(&left.await.as_str()));
        }
    }
}

#[tokio::test]
async fn synced_at_is_when_the_load_began() {
    let plan = Arc::new(orders(Mode::Merge, Deletes::Soft));
    let mut fixture = Fixture::new().await;
    let changes = vec![
        rows(&plan, &[('r', 1, "a")]),
        rows(&plan, &[('u', 2, "b"), ('d', 3, "c")]),
    ];
    fixture.load(&[&plan], changes).await;
    fixture.load(&[&plan], vec![truncate(&plan, Emptied)]).await;
    let at = "SELECT DISTINCT epoch_us(_tributary_synced_at) FROM shop.orders";
    assert_eq!(fixture.text(at).await, "1700000000123456");
}

/// Of rows that are carried into a table with another key, one of each key comes: the last.
#[tokio::test]
async fn a_table_with_another_key_has_one_row_for_each() {
    for (deletes, expected) in [
        (Deletes::Soft, "2 a true; 4 c false; 5 b false"),
        (Deletes::Ignore, "2 a; 4 c; 5 b"),
    ] {
        let before = Arc::new(orders(Mode::Merge, deletes));
        let live = Arc::new(TablePlan {
            key: vec!["note".to_owned()],
            ..orders(Mode::Merge, deletes)
        });
        let next = Arc::new(TablePlan {
            table: TableName {
                table: "next".to_owned(),
                ..live.table.clone()
            },
            ..(*live).clone()
        });
        let mut fixture = Fixture::new().await;
        let first = rows(&before, &[('c', 1, "a"), ('c', 2, "a"), ('c', 3, "b")]);
        fixture.load(&[&before], vec![first]).await;
        fixture.execute(
            "UPDATE shop.orders SET _tributary_synced_at = '2001-01-01 00:00:00+00' WHERE id = 1",
        );
        let renew = Change::Renew {
            plan: next.clone(),
            like: Some(live.table.clone()),
        };
        let swap = Change::Swap {
            plan: live.clone(),
            beside: next.table.clone(),
            old: Old::Continued,
        };
        let copied = rows(&next, &[('r', 4, "c"), ('r', 5, "b")]);
        fixture.load(&[], vec![renew, copied, swap]).await;
        assert_eq!(fixture.text(sql(&live)).await, expected);
    }
}
