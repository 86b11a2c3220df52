//! The source emptied a table, or a snapshot begins again.

use std::sync::Arc;

use tributary_model::{Change, DataType, Deletes, Destination, Mode, TruncateKind};

use super::subject::{Subject, absent, plan, rows};

const COLUMNS: [(&str, DataType); 1] = [("name", DataType::Text)];

pub(super) async fn as_a_change<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("truncate").await;
    let expected: [(Deletes, &[&str]); 3] = [
        (
            Deletes::Soft,
            &["1 ann gone", "2 bill live", "3 cy gone", "4 dan live"],
        ),
        (Deletes::Hard, &["2 bill", "4 dan"]),
        (Deletes::Ignore, &["1 ann", "2 bill", "3 cy", "4 dan"]),
    ];
    for (deletes, rows_left) in expected {
        let name = format!("truncate_{deletes:?}").to_lowercase();
        let plan = Arc::new(plan(&name, Mode::Merge, deletes, &COLUMNS));
        opened
            .load(&[&plan], vec![rows(&plan, &["c 1 ann", "c 2 bob"])])
            .await;
        // In the middle of a load: what came before in it is gone as well, what comes after stays.
        let truncate = Change::Truncate {
            plan: plan.clone(),
            kind: TruncateKind::Change,
        };
        let changes = vec![
            rows(&plan, &["c 3 cy"]),
            truncate,
            rows(&plan, &["c 2 bill", "c 4 dan"]),
        ];
        opened.load(&[&plan], changes).await;
        opened.assert_rows(&plan, rows_left).await;
    }
}

pub(super) async fn as_a_restart<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("restart").await;
    let plan = Arc::new(plan("restart", Mode::Merge, Deletes::Soft, &COLUMNS));
    opened
        .load(
            &[&plan],
            vec![rows(&plan, &["c 1 ann", "c 2 bob", "d 2 bob"])],
        )
        .await;
    let restart = Change::Truncate {
        plan: plan.clone(),
        kind: TruncateKind::Restart,
    };
    // The first rows of the new snapshot are promised to be absent, as the table was emptied.
    let snapshot = [vec![Some("1"), Some("anna")], vec![Some("3"), Some("cy")]];
    let changes = vec![
        rows(&plan, &["c 9 early"]),
        restart,
        absent(&plan, &snapshot),
        rows(&plan, &["u 3 cyd"]),
    ];
    opened.load(&[&plan], changes).await;
    opened
        .assert_rows(&plan, &["1 anna live", "3 cyd live"])
        .await;
}
