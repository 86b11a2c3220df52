//! `append`: every change is a row.

use std::sync::Arc;

use tributary_model::{Change, DataType, Deletes, Destination, Mode, TruncateKind};

use super::subject::{Subject, plan, rows};

pub(super) async fn every_change_is_a_row<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("append").await;
    let columns = [
        ("_tributary_op", DataType::Text),
        ("_tributary_position", DataType::Text),
    ];
    let plan = Arc::new(plan("append", Mode::Append, Deletes::Soft, &columns));
    opened
        .load(
            &[&plan],
            vec![rows(&plan, &["c 1 c 01", "u 1 u 02", "d 1 d 03"])],
        )
        .await;
    opened
        .load(&[&plan], vec![rows(&plan, &["c 1 c 04", "c 1 c 04"])])
        .await;
    let all = ["1 c 01", "1 u 02", "1 d 03", "1 c 04", "1 c 04"];
    opened.assert_rows(&plan, &all).await;
    // The source's truncate is one more fact of the past; only a restart empties the table.
    let change = Change::Truncate {
        plan: plan.clone(),
        kind: TruncateKind::Change,
    };
    opened.load(&[&plan], vec![change]).await;
    opened.assert_rows(&plan, &all).await;
    let restart = Change::Truncate {
        plan: plan.clone(),
        kind: TruncateKind::Restart,
    };
    opened
        .load(&[&plan], vec![restart, rows(&plan, &["r 2 r 05"])])
        .await;
    opened.assert_rows(&plan, &["2 r 05"]).await;
}
