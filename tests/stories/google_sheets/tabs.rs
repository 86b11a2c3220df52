//! What people do to tabs: rename, remove, hide, empty them, call them like cells.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_tab_keeps_its_table() {
    let runs = start(|book, now| {
        book.add_sheet("Orders", &orders(), now);
    });
    runs.sync().await;
    edit(&runs, |book, now| {
        book.rename_sheet("Orders", "Orders 2026", now);
        book.append("Orders 2026", &rows(&[&["4", "dan"]])[0], now);
        book.add_sheet("Orders", &rows(&[&["id"], &["99"]]), now);
    });
    runs.settle();
    runs.sync().await;
    let tables = "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'api' ORDER BY 1";
    assert_eq!(line(&runs, tables), "Orders, Orders_2");
    assert_eq!(
        number(&runs.file(), "SELECT count(*) FROM api.\"Orders\""),
        4
    );
    assert_eq!(number(&runs.file(), "SELECT id FROM api.\"Orders_2\""), 99);
    runs.run(&["sync", "--full-refresh"]).await.exits(0);
    assert_eq!(
        number(&runs.file(), "SELECT count(*) FROM api.\"Orders\""),
        4
    );
}

/// A tab that is deleted and made anew has another id, and is the same table to everyone.
#[tokio::test(flavor = "multi_thread")]
async fn a_tab_made_anew_takes_the_old_ones_place() {
    let runs = start(|book, now| {
        book.add_sheet("Other", &orders(), now);
        book.add_sheet("Orders", &orders(), now);
    });
    runs.sync().await;
    edit(&runs, |book, now| {
        book.add_sheet("Later", &orders(), now);
        book.remove_sheet("Orders", now);
        book.add_sheet("Orders", &rows(&[&["id", "name"], &["9", "zoe"]]), now);
    });
    runs.settle();
    runs.sync().await;
    assert_eq!(line(&runs, "SELECT id, name FROM api.\"Orders\""), "9 zoe");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tab_that_has_gone_takes_its_rows_with_it_once() {
    let runs = start(|book, now| {
        book.add_sheet("Orders", &orders(), now);
        book.add_sheet("People", &orders(), now);
    });
    runs.sync().await;
    edit(&runs, |book, now| book.remove_sheet("Orders", now));
    runs.settle();
    runs.sync().await.says("the tab has gone");
    let live = "SELECT count(*) FROM api.\"Orders\" WHERE NOT _tributary_deleted";
    assert_eq!(number(&runs.file(), live), 0);
    runs.assert_streams(&["People"], "beside a tab that has gone");
    let before = loads(&runs);
    runs.sync().await;
    assert_eq!(loads(&runs), before, "it has gone already");
}

/// Asked for by its name, it is missed.
#[tokio::test(flavor = "multi_thread")]
async fn a_tab_that_is_not_there_fails_alone() {
    let runs = start(|book, now| {
        book.add_sheet("Orders", &orders(), now);
    });
    let runs = runs.connection(&json!({"select": ["Orders", "Nowhere"]}));
    let sync = runs.run(&["sync", "--output", "json"]).await.exits(3);
    let report = sync.json();
    assert_eq!(status(&report, "Orders"), "succeeded");
    assert_eq!(status(&report, "Nowhere"), "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn titles_may_look_like_cells_and_hold_anything() {
    let titles = [
        "A1",
        "R1C1",
        "ENT2",
        "O'Brien's",
        "Sheet/1",
        "v1.2",
        " padded ",
        "Größe €",
    ];
    let runs = start(|book, now| {
        for (index, title) in titles.iter().enumerate() {
            let number = index.to_string();
            book.add_sheet(title, &rows(&[&["n"], &[&number]]), now);
        }
    });
    runs.sync().await;
    let tables = [
        "A1",
        "R1C1",
        "ENT2",
        "O'Brien's",
        "Sheet/1",
        "v1_2",
        "padded",
        "Größe €",
    ];
    for (index, table) in (0..).zip(tables) {
        let sql = format!("SELECT n FROM api.\"{table}\"");
        assert_eq!(number(&runs.file(), &sql), index, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hidden_tabs_are_read_and_charts_are_not() {
    let runs = start(|book, now| {
        book.add_sheet("Orders", &orders(), now);
        book.add_sheet("Secret", &orders(), now);
        book.sheets[1].hidden = true;
        book.add_sheet("Chart", &[], now);
        book.sheets[2].kind = SheetType::Object;
        book.add_sheet("Warehouse", &[], now);
        book.sheets[3].kind = SheetType::DataSource;
    });
    runs.sync().await;
    runs.assert_streams(&["Orders", "Secret"], "beside a chart");
    let tables = "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'api' ORDER BY 1";
    assert_eq!(line(&runs, tables), "Orders, Secret");
    let listed = runs
        .run(&["discover", "api", "--output", "json"])
        .await
        .exits(0);
    let listed = listed.json().to_string();
    assert!(
        listed.contains("Secret") && !listed.contains("Chart"),
        "{listed}"
    );
    assert!(
        listed.contains("\"id\"") && listed.contains("int64"),
        "{listed}"
    );
}

/// The cells of a merged area are empty but for the first: nothing is filled in.
#[tokio::test(flavor = "multi_thread")]
async fn merged_cells_hold_one_value() {
    let runs = start(|book, now| {
        let merged = rows(&[&["team", "name"], &["red", "ann"], &["", "bob"]]);
        book.add_sheet("Orders", &merged, now);
        book.sheets[0].merges.push(Area {
            from_row: Some(1),
            to_row: Some(3),
            from_column: Some(0),
            to_column: Some(1),
        });
    });
    runs.sync().await;
    let teams = "SELECT team, name FROM api.\"Orders\" ORDER BY _row";
    assert_eq!(line(&runs, teams), "red ann, - bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_tab_is_an_empty_table_and_an_emptied_one_becomes_one() {
    let runs = start(|book, now| {
        book.add_sheet("Orders", &orders(), now);
        book.add_sheet("Empty", &[], now);
        book.add_sheet("Header", &rows(&[&["id", "name"]]), now);
    });
    runs.sync().await;
    for table in ["Empty", "Header"] {
        let sql = format!("SELECT count(*) FROM api.\"{table}\"");
        assert_eq!(number(&runs.file(), &sql), 0);
    }
    edit(&runs, |book, now| {
        for row in 0..4 {
            for column in 0..2 {
                book.clear("Orders", (row, column), now);
            }
        }
        book.append("Header", &rows(&[&["1", "ann"]])[0], now);
    });
    runs.settle();
    runs.sync().await.says("holds no rows any more");
    assert_eq!(
        number(&runs.file(), "SELECT count(*) FROM api.\"Orders\""),
        0
    );
    assert_eq!(line(&runs, "SELECT id, name FROM api.\"Header\""), "1 ann");
}

/// A gap in the middle is not the end: two hundred empty rows have ended sheets elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_gap_is_not_the_end() {
    let runs = start(|book, now| {
        let mut long = orders();
        long.extend((0..300).map(|_| Vec::new()));
        long.extend(rows(&[&["4", "after the gap"]]));
        book.add_sheet("Orders", &long, now);
    });
    runs.sync().await;
    runs.assert_streams(&["Orders"], "with a gap");
    assert_eq!(runs.count("Orders"), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn named_ranges_are_streams_where_they_are_wanted() {
    let runs = start(|book, now| {
        let wide = rows(&[
            &["x", "x", "x"],
            &["x", "id", "name"],
            &["x", "1", "ann"],
            &["x", "2", "bob"],
        ]);
        book.add_sheet("Orders", &wide, now);
        let area = Area {
            from_row: Some(1),
            to_row: None,
            from_column: Some(1),
            to_column: Some(3),
        };
        book.name_area("people", "Orders", area, now);
    });
    let runs = runs.source(&json!({"named_ranges": true}));
    runs.sync().await;
    let people = "SELECT _row, id, name FROM api.people ORDER BY id";
    assert_eq!(line(&runs, people), "3 1 ann, 4 2 bob");
}

/// Between looking at the tabs and reading them, one was renamed, one removed, one made smaller.
#[tokio::test(flavor = "multi_thread")]
async fn tabs_may_move_while_they_are_read() {
    let runs = start(|book, now| {
        for title in ["Renamed", "Removed", "Shrunk"] {
            book.add_sheet(title, &orders(), now);
        }
    });
    runs.sync().await;
    edit(&runs, |book, now| book.set("Renamed", (1, 1), "new", now));
    runs.settle();
    let mut done = false;
    runs.simulator.before_each(move |sheets, request, now| {
        if request.path.ends_with("values:batchGet") && !std::mem::replace(&mut done, true) {
            let book = sheets.only_book();
            book.rename_sheet("Renamed", "New name", now);
            book.remove_sheet("Removed", now);
            book.delete_row("Shrunk", 1, now);
        }
    });
    runs.sync().await.says("the tab has gone");
    runs.simulator.stand_still();
    assert_eq!(
        line(
            &runs,
            "SELECT name FROM api.\"Renamed\" ORDER BY id LIMIT 1"
        ),
        "new"
    );
    assert_eq!(
        line(&runs, "SELECT name FROM api.\"Shrunk\" ORDER BY id"),
        "bob, cy"
    );
    let live = "SELECT count(*) FROM api.\"Removed\" WHERE NOT _tributary_deleted";
    assert_eq!(number(&runs.file(), live), 0);
}

/// More cells than Google computes in time.
#[tokio::test(flavor = "multi_thread")]
async fn windows_get_smaller_where_they_take_too_long() {
    let runs = start(|book, now| {
        let mut long = orders();
        long.extend((0..500).map(|row| vec![f64::from(row).into(), "more".into()]));
        book.add_sheet("Orders", &long, now);
    });
    runs.simulator
        .with(|sheets, _| sheets.slow_above = Some(1000));
    runs.sync().await;
    runs.assert_streams(&["Orders"], "in small windows");
}
