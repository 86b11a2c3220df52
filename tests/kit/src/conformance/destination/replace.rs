//! `replace`: the whole table anew, swapped in at the commit.

use std::sync::Arc;

use tributary_model::{Change, DataType, Deletes, Destination, Load, Mode, TruncateKind};

use super::subject::{Subject, plan, rows};

pub(super) async fn swaps_the_whole_table<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("replace").await;
    let plan = Arc::new(plan(
        "replace",
        Mode::Replace,
        Deletes::Hard,
        &[("name", DataType::Text)],
    ));
    let anew = || Change::Truncate {
        plan: plan.clone(),
        kind: TruncateKind::Restart,
    };
    opened
        .load(&[&plan], vec![anew(), rows(&plan, &["r 1 ann", "r 2 bob"])])
        .await;
    let mut load = opened.begin(&[&plan]).await.expect("a load can begin");
    load.write(anew()).await.expect("a load takes changes");
    load.write(rows(&plan, &["r 3 cy"]))
        .await
        .expect("a load takes changes");
    opened.assert_rows(&plan, &["1 ann", "2 bob"]).await;
    drop(load);
    opened
        .load(&[&plan], vec![anew(), rows(&plan, &["r 2 bill"])])
        .await;
    opened.assert_rows(&plan, &["2 bill"]).await;
}
