//! `merge`: one row for each key, and the newest wins.

use std::sync::Arc;

use tributary_model::{DataType, Deletes, Destination, Mode};

use super::subject::{Subject, absent, plan, rows};

const COLUMNS: [(&str, DataType); 2] = [("name", DataType::Text), ("n", DataType::Int32)];

pub(super) async fn the_newest_wins<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("merge").await;
    let plan = Arc::new(plan("merge", Mode::Merge, Deletes::Hard, &COLUMNS));
    let first = [
        vec![Some("1"), Some("ann"), Some("1")],
        vec![Some("2"), Some("bob"), None],
        vec![Some("3"), None, None],
    ];
    opened.load(&[&plan], vec![absent(&plan, &first)]).await;
    opened
        .assert_rows(&plan, &["1 ann 1", "2 bob ~", "3 ~ ~"])
        .await;
    // Within a batch, over batches of a load, and over loads.
    let changes = vec![
        rows(
            &plan,
            &["u 1 ann 2", "c 4 dan 1", "u 1 anna 3", "d 2 bob ~"],
        ),
        rows(&plan, &["u 4 dan 2", "c 2 bill 9", "u 3 cy 3"]),
    ];
    opened.load(&[&plan], changes).await;
    opened
        .assert_rows(&plan, &["1 anna 3", "2 bill 9", "3 cy 3", "4 dan 2"])
        .await;
    // A value becomes NULL, and a row that was changed and deleted stays deleted.
    let changes = rows(
        &plan,
        &["u 1 ~ ~", "u 4 dora 5", "d 4 dora 5", "d 9 never 0"],
    );
    opened.load(&[&plan], vec![changes]).await;
    opened
        .assert_rows(&plan, &["1 ~ ~", "2 bill 9", "3 cy 3"])
        .await;
    // The same changes again change nothing.
    opened
        .load(&[&plan], vec![rows(&plan, &["u 1 ~ ~", "d 4 dora 5"])])
        .await;
    opened
        .assert_rows(&plan, &["1 ~ ~", "2 bill 9", "3 cy 3"])
        .await;
}

pub(super) async fn deletes<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("deletes").await;
    let loads = [
        vec!["c 1 ann 1", "c 2 bob 2", "c 3 cy 3"],
        vec![
            "u 1 ann 5",
            "d 1 ann 5",
            "d 2 bob 2",
            "c 4 dan 4",
            "d 4 dan 4",
        ],
        vec!["c 2 back 7"],
    ];
    let expected: [(Deletes, &[&str]); 3] = [
        (
            Deletes::Soft,
            &[
                "1 ann 5 gone",
                "2 back 7 live",
                "3 cy 3 live",
                "4 dan 4 gone",
            ],
        ),
        (Deletes::Hard, &["2 back 7", "3 cy 3"]),
        (
            Deletes::Ignore,
            &["1 ann 5", "2 back 7", "3 cy 3", "4 dan 4"],
        ),
    ];
    for (deletes, rows_left) in expected {
        let name = format!("deletes_{deletes:?}").to_lowercase();
        let plan = Arc::new(plan(&name, Mode::Merge, deletes, &COLUMNS));
        for lines in &loads {
            opened.load(&[&plan], vec![rows(&plan, lines)]).await;
        }
        opened.assert_rows(&plan, rows_left).await;
    }
}

pub(super) async fn keys_of_several_columns<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("keys").await;
    let columns = [("part", DataType::Text), ("value", DataType::Int32)];
    let mut plan = plan("keys", Mode::Merge, Deletes::Hard, &columns);
    // In an order that is not the table's.
    plan.key = vec!["part".to_owned(), "id".to_owned()];
    let plan = Arc::new(plan);
    opened
        .load(
            &[&plan],
            vec![rows(&plan, &["c 1 a 1", "c 1 b 2", "c 2 a 3", "c 2 A 4"])],
        )
        .await;
    opened
        .load(&[&plan], vec![rows(&plan, &["u 1 b 20", "d 2 a 3"])])
        .await;
    opened
        .assert_rows(&plan, &["1 a 1", "1 b 20", "2 A 4"])
        .await;
    // A key that moves is a delete and a create.
    opened
        .load(&[&plan], vec![rows(&plan, &["d 1 a 1", "c 7 a 1"])])
        .await;
    opened
        .assert_rows(&plan, &["1 b 20", "2 A 4", "7 a 1"])
        .await;
}
