//! A spreadsheet, read into DuckDB: every tab a table, replaced in one step; whatever people do to
//! tabs, headers and cells; and what Drive tells late or not at all.

use serde_json::{Value, json};
use tributary_testkit::api::clock::{DAY, HOUR, MINUTE};
use tributary_testkit::api::conformance::Runs;
use tributary_testkit::api::sheets::{Area, Book, Cell, Content, Format, SheetType, Sheets};

use crate::world::{ask, number, word};

mod refusals;
mod tabs;

/// A spreadsheet that `fill` fills, and the program that reads it.
fn start(fill: impl FnOnce(&mut Book, i64)) -> Runs<Sheets> {
    let now = tributary_testkit::api::clock::Clock::default().now();
    let mut sheets = Sheets::new(5);
    let id = sheets.create_book("Plans", now - DAY);
    fill(sheets.book(&id), now - DAY);
    Runs::new(env!("CARGO_BIN_EXE_tributary"), sheets)
}

/// Changes the spreadsheet as people do.
fn edit(runs: &Runs<Sheets>, change: impl FnOnce(&mut Book, i64)) {
    runs.simulator
        .with(|sheets, now| change(sheets.only_book(), now));
}

/// Whole numbers and texts.
fn rows(rows: &[&[&str]]) -> Vec<Vec<Cell>> {
    let cell = |text: &&str| match text.parse::<f64>() {
        Ok(number) => Cell::from(number),
        Err(_) => Cell::from(*text),
    };
    rows.iter()
        .map(|row| row.iter().map(cell).collect())
        .collect()
}

fn orders() -> Vec<Vec<Cell>> {
    rows(&[&["id", "name"], &["1", "ann"], &["2", "bob"], &["3", "cy"]])
}

/// The cells of a question as one line.
fn line(runs: &Runs<Sheets>, sql: &str) -> String {
    let rows = ask(&runs.file(), sql);
    let cell = |cell: &Option<String>| cell.clone().unwrap_or_else(|| "-".to_owned());
    let rows: Vec<String> = rows
        .iter()
        .map(|row| row.iter().map(cell).collect::<Vec<_>>().join(" "))
        .collect();
    rows.join(", ")
}

/// Requests for values so far.
fn values_asked(runs: &Runs<Sheets>) -> usize {
    let path = "/v4/spreadsheets/*/values:batchGet";
    runs.simulator.recorder().of(path).len()
}

fn loads(runs: &Runs<Sheets>) -> i64 {
    number(&runs.file(), "SELECT count(*) FROM _tributary.loads")
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_once_and_nothing_new_writes_nothing() {
    let runs = start(|book, now| {
        book.add_sheet("Orders", &orders(), now);
        book.add_sheet("People", &rows(&[&["id", "since"], &["7", "2019"]]), now);
    });
    runs.sync().await;
    runs.assert_true("after the first sync");
    let (before, asked) = (loads(&runs), values_asked(&runs));
    runs.sync().await;
    assert_eq!(loads(&runs), before, "nothing is new");
    assert_eq!(
        values_asked(&runs),
        asked,
        "Drive says that nothing changed"
    );
    let types = "SELECT typeof(_row), typeof(id), typeof(name) FROM api.\"Orders\" LIMIT 1";
    assert_eq!(line(&runs, types), "BIGINT BIGINT VARCHAR");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_removed_vanish() {
    let runs = start(|book, now| {
        book.add_sheet("Orders", &orders(), now);
    });
    runs.sync().await;
    edit(&runs, |book, now| {
        book.delete_row("Orders", 1, now);
        book.append("Orders", &rows(&[&["4", "dan"]])[0], now);
        book.set("Orders", (1, 1), "bobby", now);
    });
    runs.settle();
    runs.sync().await;
    runs.assert_streams(&["Orders"], "after a row was removed");
    let all = "SELECT id, name FROM api.\"Orders\" ORDER BY id";
    assert_eq!(line(&runs, all), "2 bobby, 3 cy, 4 dan");
}

/// Drive tells of an edit at once, and of the next ones minutes later.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_drive_does_not_tell_of_yet_is_not_missed() {
    let runs = start(|book, now| {
        book.add_sheet("Orders", &orders(), now);
    });
    edit(&runs, |book, now| book.set("Orders", (1, 1), "a", now));
    runs.sync().await;
    runs.simulator.clock().advance(MINUTE);
    edit(&runs, |book, now| book.set("Orders", (1, 1), "b", now));
    runs.sync().await;
    runs.assert_streams(&["Orders"], "a minute after another edit");
    runs.simulator.clock().advance(MINUTE);
    edit(&runs, |book, now| book.set("Orders", (1, 1), "c", now));
    runs.settle();
    runs.sync().await;
    runs.assert_streams(&["Orders"], "once Drive told of it");
}

/// What formulas compute is nobody's edit: a day later everything is read all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_recalculated_formula_arrives_within_a_day() {
    let runs = start(|book, now| {
        book.add_sheet("Orders", &orders(), now);
    });
    runs.sync().await;
    edit(&runs, |book, _| {
        book.recalculate("Orders", (1, 1), "computed")
    });
    runs.simulator.clock().advance(HOUR);
    let asked = values_asked(&runs);
    runs.sync().await;
    assert_eq!(
        values_asked(&runs),
        asked,
        "Drive does not tell of formulas"
    );
    runs.simulator.clock().advance(DAY);
    runs.sync().await;
    runs.assert_streams(&["Orders"], "after a day");
}

#[tokio::test(flavor = "multi_thread")]
async fn types_come_from_formats_and_values() {
    let runs = start(|book, now| {
        let number = Cell::number;
        let header = [
            "n", "day", "at", "clock", "lasts", "share", "price", "ok", "big", "fails",
        ];
        let first = vec![
            1.0.into(),
            number(46_024.0, Format::Date),
            number(46_024.5, Format::DateTime),
            number(0.25, Format::Time),
            number(1.5, Format::Duration),
            number(0.125, Format::Percent),
            number(10.0, Format::Currency),
            true.into(),
            1e17.into(),
            Cell::plain(Content::Error("#N/A")),
        ];
        let second = vec![
            2.0.into(),
            number(25_569.0, Format::Date),
            number(25_569.25, Format::DateTime),
            number(0.5, Format::Time),
            number(0.25, Format::Duration),
            number(1.0, Format::Percent),
            number(19.99, Format::Currency),
            false.into(),
            2.0.into(),
            "#N/A".into(),
        ];
        let all = [header.map(Cell::from).to_vec(), first, second];
        book.add_sheet("Orders", &all, now);
    });
    runs.sync().await.says("formulas have failed");
    runs.assert_streams(&["Orders"], "with cells of all sorts");
    let shown = "SELECT n, day, \"at\", clock, lasts, share, price, ok, big, fails \
                 FROM api.\"Orders\" ORDER BY n";
    assert_eq!(
        line(&runs, shown),
        "1 2026-01-02 2026-01-02 12:00:00 06:00:00 36:00:00 0.125 10.0 true 100000000000000000 -, \
         2 1970-01-01 1970-01-01 06:00:00 12:00:00 06:00:00 1.0 19.99 false 2 #N/A"
    );
    let types = "SELECT typeof(day), typeof(\"at\"), typeof(clock), typeof(price), typeof(big) \
                 FROM api.\"Orders\" LIMIT 1";
    assert_eq!(line(&runs, types), "DATE TIMESTAMP TIME DOUBLE BIGINT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fraction_among_whole_numbers_widens_the_column() {
    let runs = start(|book, now| {
        book.add_sheet(
            "Orders",
            &rows(&[&["id", "price"], &["1", "5"], &["2", "7"]]),
            now,
        );
    });
    runs.sync().await;
    edit(&runs, |book, now| book.set("Orders", (2, 1), 19.99, now));
    runs.settle();
    runs.sync().await;
    let prices = "SELECT price, typeof(price) FROM api.\"Orders\" ORDER BY id";
    assert_eq!(
        line(&runs, prices),
        "5.00 DECIMAL(21,2), 19.99 DECIMAL(21,2)"
    );
}

/// What can't be one type goes beside it, and nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_text_among_numbers_goes_beside_them() {
    let runs = start(|book, now| {
        let mixed = rows(&[&["id", "price"], &["1", "5"], &["2", "tbd"], &["3", "7"]]);
        book.add_sheet("Orders", &mixed, now);
    });
    runs.sync().await;
    runs.assert_streams(&["Orders"], "with a text among numbers");
    let prices = "SELECT price, price__v_text FROM api.\"Orders\" ORDER BY id";
    assert_eq!(line(&runs, prices), "5 -, - tbd, 7 -");
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_may_be_blank_double_or_numbers_and_rows_ragged_or_empty() {
    let runs = start(|book, now| {
        let odd = vec![
            vec![
                "id".into(),
                "".into(),
                "ID".into(),
                2023.0.into(),
                "two\nlines".into(),
                0.0.into(),
            ],
            vec![1.0.into(), "x".into(), 7.0.into()],
            vec![],
            vec![
                2.0.into(),
                "".into(),
                "".into(),
                5.0.into(),
                "end".into(),
                9.0.into(),
                "more".into(),
            ],
        ];
        book.add_sheet("Orders", &odd, now);
    });
    runs.sync().await;
    runs.assert_streams(&["Orders"], "with an odd header");
    let shown = "SELECT _row, id, \"column_B\", \"ID_2\", \"2023\", \"two lines\", \"0\", \"column_G\" \
                 FROM api.\"Orders\" ORDER BY _row";
    assert_eq!(line(&runs, shown), "2 1 x 7 - - - -, 4 2 - - 5 end 9 more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_is_found_below_a_title_or_configured() {
    let titled = rows(&[&["Report 2026"], &["id", "name"], &["1", "ann"]]);
    let runs = start(|book, now| {
        book.add_sheet("Frozen", &titled, now);
        book.sheets[0].frozen = 2;
        book.add_sheet("Told", &titled, now);
        book.add_sheet("Raw", &rows(&[&["1", "ann"]]), now);
        let mut low = vec![vec![], vec![]];
        low.extend(orders());
        book.add_sheet("Low", &low, now);
    });
    let sheets = json!({"sheets": {"Told": {"header_row": 2}, "Raw": {"header_row": 0}}});
    let runs = runs.source(&sheets);
    runs.sync().await;
    runs.assert_streams(&["Frozen", "Low"], "with a header to be found");
    assert_eq!(line(&runs, "SELECT id, name FROM api.\"Told\""), "1 ann");
    let raw = "SELECT _row, \"column_A\", \"column_B\" FROM api.\"Raw\"";
    assert_eq!(line(&runs, raw), "1 1 ann");
}

/// The header's names are as good as data: a new name is a new column, and the old one is empty.
#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_column_is_a_new_one() {
    let runs = start(|book, now| {
        book.add_sheet("Orders", &orders(), now);
    });
    runs.sync().await;
    edit(&runs, |book, now| book.set("Orders", (0, 1), "who", now));
    runs.settle();
    runs.sync().await;
    let names = "SELECT name, who FROM api.\"Orders\" ORDER BY id LIMIT 1";
    assert_eq!(line(&runs, names), "- ann");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_makes_deletes_soft_and_a_row_without_it_is_rejected() {
    let runs = start(|book, now| {
        let mut all = orders();
        all.push(vec!["".into(), "nobody".into()]);
        book.add_sheet("Orders", &all, now);
    });
    let runs = runs.source(&json!({"sheets": {"Orders": {"key": ["id"]}}}));
    let report = runs
        .run(&["sync", "--output", "json"])
        .await
        .exits(0)
        .json();
    let stream = &report["connections"][0]["streams"][0];
    assert_eq!(
        (&stream["records_written"], &stream["records_rejected"]),
        (&json!(3), &json!(1))
    );
    edit(&runs, |book, now| {
        book.delete_row("Orders", 1, now);
        book.append("Orders", &rows(&[&["2", "bob the second"]])[0], now);
    });
    runs.settle();
    runs.sync().await;
    let all = "SELECT id, name, _tributary_deleted FROM api.\"Orders\" ORDER BY id";
    assert_eq!(
        line(&runs, all),
        "1 ann true, 2 bob the second false, 3 cy false"
    );
    let why = word(&runs.file(), "SELECT max(reason) FROM _tributary.rejected");
    assert!(why.contains("has no value in `id`"), "{why}");
}

/// Either all rows of the old contents or all of the new ones: whoever looks never sees a mixture.
#[tokio::test(flavor = "multi_thread")]
async fn every_mode_keeps_its_promise() {
    let modes = json!({"streams": {"Replaced": {"mode": "replace"}, "Appended": {"mode": "append"},
        "Kept": {"deletes": "ignore"}}});
    let titles = ["Replaced", "Appended", "Kept"];
    let runs = start(|book, now| {
        for title in titles {
            book.add_sheet(title, &orders(), now);
        }
    });
    let runs = runs.connection(&modes);
    runs.sync().await;
    edit(&runs, |book, now| {
        for title in titles {
            book.delete_row(title, 1, now);
        }
    });
    runs.settle();
    runs.sync().await;
    let names = |title: &str| {
        let sql = format!("SELECT name FROM api.\"{title}\" ORDER BY _row, name");
        line(&runs, &sql)
    };
    assert_eq!(names("Replaced"), "bob, cy");
    assert_eq!(names("Kept"), "bob, cy, cy");
    let ops =
        "SELECT string_agg(_tributary_op, '' ORDER BY _tributary_position) FROM api.\"Appended\"";
    assert_eq!(line(&runs, ops), "rrrtrr");
    let marks = "SELECT count(*) FROM duckdb_columns() \
                 WHERE table_name = 'Replaced' AND column_name = '_tributary_deleted'";
    assert_eq!(number(&runs.file(), marks), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_survives_being_killed() {
    let runs = start(|book, now| {
        book.add_sheet("Orders", &orders(), now);
        book.add_sheet("People", &orders(), now);
    });
    runs.survives_kills(6).await;
}

/// Google counts requests, however few cells they ask for.
#[tokio::test(flavor = "multi_thread")]
async fn small_tabs_share_requests() {
    let runs = start(|book, now| {
        for number in 0..12 {
            book.add_sheet(&format!("Tab {number}"), &orders(), now);
        }
    });
    runs.sync().await;
    assert_eq!(values_asked(&runs), 1, "twelve tabs fit into one request");
    assert_eq!(
        line(&runs, "SELECT name FROM api.\"Tab 11\" ORDER BY id"),
        "ann, bob, cy"
    );
    // Days later: long after Drive has told of everything.
    runs.simulator.clock().advance(2 * DAY);
    runs.sync().await;
    let before = values_asked(&runs);
    runs.sync().await;
    assert_eq!(values_asked(&runs), before, "nothing has changed");
    edit(&runs, |book, now| book.set("Tab 7", (1, 1), "dan", now));
    runs.sync().await;
    assert_eq!(values_asked(&runs), before + 1);
    assert_eq!(
        line(&runs, "SELECT name FROM api.\"Tab 7\" ORDER BY id"),
        "dan, bob, cy"
    );
}

/// A tab that changes between the request for several and its turn is read again.
#[tokio::test(flavor = "multi_thread")]
async fn a_tab_that_changes_before_its_turn_is_not_taken_for_what_it_was() {
    let runs = start(|book, now| {
        for number in 0..3 {
            book.add_sheet(&format!("Tab {number}"), &orders(), now - DAY);
        }
    });
    let mut files = 0;
    runs.simulator.before_each(move |sheets, request, now| {
        if request.path.starts_with("/drive") {
            files += 1;
            if files == 2 {
                // Drive is asked after the first tab: the others have come with it.
                sheets.only_book().set("Tab 2", (1, 1), "dan", now);
            }
        }
    });
    runs.sync().await;
    assert_eq!(
        line(&runs, "SELECT name FROM api.\"Tab 2\" ORDER BY id"),
        "dan, bob, cy"
    );
}

/// Sixty reads a minute for all that use a service account.
#[tokio::test(flavor = "multi_thread")]
async fn the_quota_is_kept() {
    let runs = start(|book, now| {
        for number in 0..40 {
            book.add_sheet(&format!("Tab {number}"), &orders(), now);
        }
    });
    // Several tabs are too much for one request: each is asked for alone.
    runs.simulator
        .with(|sheets, _| sheets.slow_above = Some(300));
    // A minute of three seconds: twenty times as many requests in each.
    let second = std::time::Duration::from_secs(1);
    runs.simulator.limits().set(Sheets::limits(3 * second));
    let runs = runs.source(&json!({"requests_per_minute": 840}));
    runs.sync().await;
    assert_eq!(
        runs.simulator.recorder().refused(),
        0,
        "it asked more than it may"
    );
    runs.assert_streams(&["Tab 39"], "within the quota");
}

/// The word of a report for a stream.
fn status<'a>(report: &'a Value, name: &str) -> &'a Value {
    let streams = report["connections"][0]["streams"].as_array().unwrap();
    let found = streams.iter().find(|stream| stream["stream"] == name);
    &found.unwrap_or_else(|| panic!("no {name} in {report}"))["status"]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_can_be_used_as_it_is() {
    let runs = start(|book, now| {
        book.add_sheet("Budget", &orders(), now);
    });
    let example = include_str!("../../config/examples/google-sheets-to-duckdb.yaml");
    runs.program.write("tributary.yaml", example);
    runs.run(&["validate"]).await.exits(0);
}
