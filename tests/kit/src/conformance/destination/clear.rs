//! Lists that belong to a record come anew: rows that are not in them any more are gone.

use std::sync::Arc;

use arrow_array::{RecordBatch, StringArray};
use arrow_schema::{DataType as Arrow, Field, Schema};
use tributary_model::{Change, DataType, Deletes, Destination, Mode, TablePlan};

use super::subject::{Subject, plan, rows};

const COLUMNS: [(&str, DataType); 2] = [("invoice", DataType::Text), ("name", DataType::Text)];

fn clear(plan: &Arc<TablePlan>, invoices: &[&str]) -> Change {
    let schema = Schema::new(vec![Field::new("invoice", Arrow::Utf8, true)]);
    let values = StringArray::from(invoices.to_vec());
    let of = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(values)]);
    Change::Clear {
        plan: plan.clone(),
        of: of.expect("one column of texts"),
    }
}

pub(super) async fn lists_that_come_anew<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("clear").await;
    let expected: [(Deletes, &[&str]); 3] = [
        (
            Deletes::Soft,
            &[
                "1 a x2 live",
                "2 a y gone",
                "3 b z live",
                "4 a w gone",
                "5 a v live",
                "6 c u gone",
            ],
        ),
        (Deletes::Hard, &["1 a x2", "3 b z", "5 a v"]),
        (
            Deletes::Ignore,
            &["1 a x2", "2 a y", "3 b z", "4 a w", "5 a v", "6 c u"],
        ),
    ];
    for (deletes, rows_left) in expected {
        let name = format!("clear_{deletes:?}").to_lowercase();
        let plan = Arc::new(plan(&name, Mode::Merge, deletes, &COLUMNS));
        let before = rows(&plan, &["c 1 a x", "c 2 a y", "c 3 b z", "c 6 c u"]);
        opened.load(&[&plan], vec![before]).await;
        let changes = vec![
            // A row of this very load is gone as well, and one that comes again is not.
            rows(&plan, &["c 4 a w"]),
            clear(&plan, &["a"]),
            rows(&plan, &["u 1 a x1"]),
            clear(&plan, &["a", "c", "nobody"]),
            rows(&plan, &["u 1 a x2", "c 5 a v"]),
        ];
        opened.load(&[&plan], changes).await;
        opened.assert_rows(&plan, rows_left).await;
        // Lists that stay as they are change nothing, and an empty one is a list, too.
        let changes = vec![clear(&plan, &["b"]), rows(&plan, &["r 3 b z"])];
        opened.load(&[&plan], changes).await;
        opened.assert_rows(&plan, rows_left).await;
    }
}

pub(super) async fn of_a_history<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("clear_history").await;
    let plan = Arc::new(plan("clear_history", Mode::Append, Deletes::Soft, &COLUMNS));
    let changes = vec![rows(&plan, &["c 1 a x"]), clear(&plan, &["a"])];
    opened.load(&[&plan], changes).await;
    opened.assert_rows(&plan, &["1 a x"]).await;
}
