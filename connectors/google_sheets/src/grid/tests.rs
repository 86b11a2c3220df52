use super::*;

fn row(number: usize, cells: Vec<Cell>) -> Row {
    Row { number, cells }
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn header(names: &[&str]) -> Header {
    Header::new(&names.iter().map(|name| text(name)).collect::<Vec<_>>())
}

fn shown(batch: &ChangeBatch) -> String {
    let columns = batch.schema.columns.iter();
    let columns: Vec<_> = columns
        .map(|column| format!("{} {}", column.name, column.data_type))
        .collect();
    format!("{} x {}", columns.join(", "), batch.ops.len())
}

#[test]
fn a_column_of_one_type_is_one_column() {
    let mut columns = Columns::default();
    let rows = [
        row(2, vec![Cell::Int(1), Cell::Date(7), Cell::Bool(true)]),
        row(3, vec![Cell::Float(1.5), Cell::Timestamp(9)]),
        row(5, vec![Cell::Failed, Cell::Empty, Cell::Empty, text("x")]),
    ];
    let batches = columns
        .batches(&rows, &mut header(&["n", "at", "ok"]), 0, 4)
        .expect("rows fit");
    let expected = "_row int64, n float64, at timestamp, ok bool, column_D text x 3";
    assert_eq!(batches.iter().map(shown).collect::<Vec<_>>(), [expected]);
    let mut positions = Vec::new();
    batches[0]
        .positions
        .texts(3, |text| positions.push(text.to_owned()));
    assert!(positions[0].starts_with("00000000000000000004.") && positions[2].ends_with("5"));
    assert!(positions.is_sorted());
}

#[test]
fn rows_of_different_types_leave_apart_and_the_most_frequent_first() {
    let mut columns = Columns::default();
    let rows: Vec<_> = (0..9)
        .map(|number| match number % 3 {
            0 => row(number + 2, vec![text("n/a"), Cell::Int(7)]),
            1 => row(number + 2, vec![Cell::Int(1), Cell::Int(7)]),
            _ => row(number + 2, vec![Cell::Int(1)]),
        })
        .collect();
    let batches = columns
        .batches(&rows, &mut header(&["n", "m"]), 0, 0)
        .expect("rows fit");
    let shown: Vec<_> = batches.iter().map(shown).collect();
    assert_eq!(
        shown,
        [
            "_row int64, n int64, m int64 x 6",
            "_row int64, n text, m int64 x 3"
        ]
    );
}

/// The last row of a key counts: an earlier one must not overtake it.
#[test]
fn with_a_key_rows_keep_their_order() {
    let mut columns = Columns {
        key: vec!["id".to_owned()],
        ..Columns::default()
    };
    let rows = [
        row(2, vec![text("a"), Cell::Int(1)]),
        row(3, vec![text("a"), text("x")]),
        row(4, vec![text("a"), Cell::Int(2)]),
    ];
    let batches = columns
        .batches(&rows, &mut header(&["id", "n"]), 0, 0)
        .expect("rows fit");
    let shown: Vec<_> = batches.iter().map(shown).collect();
    assert_eq!(
        shown,
        [
            "id text, n int64 x 1",
            "id text, n text x 1",
            "id text, n int64 x 1"
        ]
    );
    assert_eq!(batches[0].schema.key, ["id"]);
}

#[test]
fn a_column_of_whole_numbers_widens_where_a_fraction_comes_later() {
    let mut columns = Columns::default();
    let mut at = |cell: Cell| {
        let batches = columns.batches(&[row(2, vec![cell])], &mut header(&["n"]), 0, 0);
        shown(&batches.expect("rows fit")[0])
    };
    assert_eq!(at(Cell::Int(5)), "_row int64, n int64 x 1");
    assert_eq!(at(Cell::Float(19.99)), "_row int64, n decimal(21,2) x 1");
    assert_eq!(at(Cell::Int(5)), "_row int64, n decimal(21,2) x 1");
}
