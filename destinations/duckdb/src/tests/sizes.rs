//! No rows, one row, and more than fit into one of anything.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use tributary_model::{Change, Deletes, Mode, Op, Presence, TablePlan};

use super::fixture::{Fixture, batch, orders, rows};

fn range(plan: &Arc<TablePlan>, presence: Presence, ids: std::ops::Range<i64>) -> Change {
    let count = usize::try_from(ids.end - ids.start).unwrap();
    let notes = ids
        .clone()
        .map(|id| Some(format!("note {id} with more than twelve bytes")));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(ids.clone())),
        Arc::new(notes.collect::<StringArray>()),
    ];
    batch(plan, presence, vec![Op::Read; count], columns)
}

const SUM: &str =
    "SELECT count(*), count(DISTINCT id), coalesce(sum(id), 0), count(note) FROM shop.orders";

#[tokio::test]
async fn any_number_of_rows_arrives() {
    for count in [0_i64, 1, 2047, 2049, 100_000] {
        for (mode, presence) in [
            (Mode::Merge, Presence::Absent),
            (Mode::Merge, Presence::Possible),
            (Mode::Append, Presence::Possible),
        ] {
            let plan = Arc::new(orders(mode, Deletes::Soft));
            let mut fixture = Fixture::new().await;
            fixture
                .load(&[&plan], vec![range(&plan, presence, 0..count)])
                .await;
            let sum = count * (count - 1) / 2;
            assert_eq!(
                fixture.text(SUM).await,
                format!("{count} {count} {sum} {count}")
            );
        }
    }
}

#[tokio::test]
async fn small_batches_add_up() {
    let plan = Arc::new(orders(Mode::Merge, Deletes::Soft));
    let mut fixture = Fixture::new().await;
    let direct = (0..100).map(|n| range(&plan, Presence::Absent, n * 7..n * 7 + 7));
    let merged = (0..300).map(|n| range(&plan, Presence::Possible, n * 7..n * 7 + 14));
    fixture.load(&[&plan], direct.chain(merged).collect()).await;
    assert_eq!(fixture.text(SUM).await, "2107 2107 2218671 2107");
}

#[tokio::test]
async fn more_than_is_staged_at_once_is_folded_in_order() {
    let plan = Arc::new(orders(Mode::Merge, Deletes::Hard));
    let mut fixture = Fixture::new().await;
    let mut changes: Vec<Change> = (0..11)
        .map(|n| range(&plan, Presence::Possible, n * 50_000..n * 50_000 + 100_000))
        .collect();
    changes.push(rows(
        &plan,
        &[('d', 0, "x"), ('d', 599_999, "x"), ('c', 1, "last")],
    ));
    fixture.load(&[&plan], changes).await;
    assert_eq!(fixture.text(SUM).await, "599998 599998 179999100001 599998");
    assert_eq!(
        fixture
            .text("SELECT note FROM shop.orders WHERE id = 1")
            .await,
        "last"
    );
}
