//! Loads of no row, of one, and of a hundred thousand.

use std::sync::Arc;

use tributary_model::{DataType, Deletes, Destination, Load, Mode};

use super::subject::{Subject, absent, any_mode, plan, rows};
use crate::cells::Cells;

const MANY: usize = 100_000;
const BATCH: usize = 20_000;

pub(super) async fn from_nothing_to_very_many<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("sizes").await;
    let mode = any_mode(&opened.destination);
    let plan = Arc::new(plan(
        "sizes",
        mode,
        Deletes::Hard,
        &[("name", DataType::Text)],
    ));
    opened.load(&[&plan], Vec::new()).await;
    opened.assert_rows(&plan, &[]).await;
    opened.load(&[&plan], vec![absent(&plan, &[])]).await;
    opened.load(&[&plan], vec![rows(&plan, &["c 1 one"])]).await;
    opened.assert_rows(&plan, &["1 one"]).await;

    let ids: Vec<_> = (2..=MANY).map(|id| id.to_string()).collect();
    let cells: Vec<Cells<'_>> = ids
        .iter()
        .map(|id| vec![Some(id.as_str()), Some("row")])
        .collect();
    let mut load = opened.begin(&[&plan]).await.expect("a load can begin");
    for chunk in cells.chunks(BATCH) {
        load.write(absent(&plan, chunk))
            .await
            .expect("a load takes changes");
    }
    let step = opened.fence.sequence + 1;
    opened.fence = opened
        .commit(load, step)
        .await
        .expect("a load can commit")
        .fence;
    let found = opened.rows(&plan).await;
    assert_eq!(found.len(), MANY);
    if mode == Mode::Merge {
        let lines: Vec<_> = (1..=MANY).map(|id| format!("u {id} changed")).collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        opened
            .load(
                &[&plan],
                lines
                    .chunks(BATCH)
                    .map(|chunk| rows(&plan, chunk))
                    .collect(),
            )
            .await;
        let found = opened.rows(&plan).await;
        assert_eq!(found.len(), MANY);
        assert!(
            found.iter().all(|row| row.ends_with(" changed")),
            "every row was changed"
        );
    }
}
