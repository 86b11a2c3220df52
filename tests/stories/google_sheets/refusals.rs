//! What is missing is said by its name: who must share what with whom, switch what on.

use super::*;

fn filled() -> Runs<Sheets> {
    start(|book, now| {
        book.add_sheet("Orders", &orders(), now);
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn check_passes_where_nothing_is_missing() {
    let runs = filled();
    let check = runs.run(&["check"]).await.exits(0);
    let email = runs
        .simulator
        .with(|sheets, _| sheets.client_email().to_owned());
    check
        .says(&email)
        .says("Drive tells when the spreadsheet changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spreadsheet_that_is_not_shared_names_the_address_to_share_with() {
    let runs = filled();
    edit(&runs, |book, _| book.shared = false);
    let email = runs
        .simulator
        .with(|sheets, _| sheets.client_email().to_owned());
    let share = format!("Share the spreadsheet with {email} as Viewer");
    runs.run(&["check"]).await.exits(1).says(&share);
    runs.run(&["sync"]).await.exits(1).says(&share);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_is_not_enabled_is_named_with_the_address_to_enable_it() {
    let runs = filled();
    runs.simulator
        .with(|sheets, _| sheets.sheets_enabled = false);
    let enable = "Enable the Google Sheets API at https://console.developers.google.com";
    runs.run(&["check"]).await.exits(1).says(enable);
    runs.simulator.with(|sheets, _| {
        sheets.sheets_enabled = true;
        sheets.drive_enabled = false;
    });
    runs.run(&["check"])
        .await
        .exits(0)
        .says("Enable the Google Drive API");
    runs.sync().await.says("every tab is read in full");
    runs.assert_streams(&["Orders"], "without Drive");
    let before = loads(&runs);
    runs.sync().await;
    assert_eq!(loads(&runs), before, "what was read is the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_office_file_must_be_converted() {
    let runs = filled();
    edit(&runs, |book, _| book.office = true);
    runs.run(&["check"])
        .await
        .exits(1)
        .says("Save as Google Sheets");
    runs.run(&["sync"])
        .await
        .exits(1)
        .says("Save as Google Sheets");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_id_is_told() {
    let runs = filled().source(&json!({"spreadsheet_id": "1WrongWrongWrongWrongWrong"}));
    runs.run(&["check"])
        .await
        .exits(1)
        .says("Check `spreadsheet_id`");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_the_browser_is_as_good_as_the_id() {
    let runs = filled();
    let id = runs
        .simulator
        .with(|sheets, _| sheets.only_book().id.clone());
    let address = format!("https://docs.google.com/spreadsheets/d/{id}/edit?gid=0#gid=0");
    let runs = runs.source(&json!({ "spreadsheet_id": address }));
    runs.sync().await;
    runs.assert_streams(&["Orders"], "by its address");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_shared_drive_is_found() {
    let runs = filled();
    edit(&runs, |book, _| book.on_shared_drive = true);
    runs.sync().await;
    let asked = values_asked(&runs);
    runs.sync().await;
    assert_eq!(values_asked(&runs), asked, "Drive tells of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_deleted_is_told_by_check_and_sync() {
    let runs = filled();
    let key = runs.simulator.with(|sheets, _| {
        sheets.revoke();
        sheets.key_file()["private_key"].as_str().unwrap()[30..80].to_owned()
    });
    let check = runs
        .run(&["check"])
        .await
        .exits(1)
        .says("Google refuses the key of");
    let sync = runs
        .run(&["sync"])
        .await
        .exits(1)
        .says("Google refuses the key of");
    for said in [check, sync] {
        assert!(!said.to_string().contains(&key), "the key is shown");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_may_give_access_instead_and_take_it_back() {
    let runs = filled();
    let (id, secret, refresh) = runs.simulator.with(|sheets, _| sheets.oauth());
    let runs = runs.source(&json!({"credentials_file": null, "client_id": id,
        "client_secret": secret, "refresh_token": refresh}));
    runs.sync().await;
    runs.assert_streams(&["Orders"], "as a user");
    runs.simulator.with(|sheets, _| sheets.revoke());
    let sync = runs.run(&["sync"]).await.exits(1);
    let sync = sync.says("authorize again and set the new `refresh_token`");
    assert!(!sync.to_string().contains(&refresh), "the token is shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spreadsheet_in_the_bin_is_read_and_told_of() {
    let runs = filled();
    edit(&runs, |book, _| book.trashed = true);
    runs.sync().await.says("in the bin");
    runs.run(&["check"]).await.exits(0).says("in the bin");
    runs.assert_streams(&["Orders"], "from the bin");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_can_not_be_meant_are_told_without_asking_google() {
    let runs = filled().source(&json!({"credentials_file": null, "client_id": "c"}));
    runs.run(&["validate"])
        .await
        .exits(2)
        .says("no complete credential");
    let runs = filled().source(&json!({"spreadsheet_id": "my plans"}));
    runs.run(&["validate"])
        .await
        .exits(2)
        .says("names no spreadsheet");
    assert_eq!(runs.simulator.recorder().count(), 0);
}
