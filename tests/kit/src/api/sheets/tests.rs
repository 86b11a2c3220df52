#![allow(clippy::unwrap_used)]
//! Google Sheets by plain requests.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};

use super::*;
use crate::api::client::{Answer, Client};
use crate::api::clock::{DAY, HOUR};
use crate::api::simulator::Simulator;

const SCOPES: &str = "https://www.googleapis.com/auth/spreadsheets.readonly \
                      https://www.googleapis.com/auth/drive.metadata.readonly";

struct World {
    simulator: Simulator<Sheets>,
    book: String,
}

impl World {
    fn new() -> Self {
        let now = tributary_model::now().timestamp();
        let mut sheets = Sheets::new(9);
        let id = sheets.create_book("Plans", now - DAY);
        let book = sheets.book(&id);
        book.add_sheet("Orders", &orders(), now - DAY);
        let odd = vec![vec!["x".into()], vec![1.0.into()]];
        book.add_sheet("A1", &odd, now - DAY);
        book.add_sheet("O'Brien's", &odd, now - DAY);
        let simulator = Simulator::start(sheets);
        Self {
            simulator,
            book: id,
        }
    }

    /// Someone with a token for these scopes.
    async fn client(&self, scopes: &str) -> Client {
        let answer = self
            .ask_token(|claims| claims["scope"] = json!(scopes))
            .await;
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        Client::new(&self.simulator.url()).with("authorization", format!("Bearer {token}"))
    }

    /// Asks for a token with claims that `change` has spoilt, or not.
    async fn ask_token(&self, change: impl FnOnce(&mut Value)) -> Answer {
        let file = self.simulator.with(|sheets, _| sheets.key_file());
        let now = self.simulator.clock().now();
        let mut claims = json!({"iss": file["client_email"], "scope": SCOPES,
            "aud": file["token_uri"], "iat": now, "exp": now + HOUR});
        change(&mut claims);
        let body = format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={}",
            signed(&file, &claims)
        );
        Client::new(&self.simulator.url())
            .post("/token", body)
            .await
            .unwrap()
    }

    async fn values(&self, range: &str) -> Answer {
        let range: String = url::form_urlencoded::byte_serialize(range.as_bytes()).collect();
        let path = format!(
            "/v4/spreadsheets/{}/values:batchGet?ranges={range}&majorDimension=ROWS\
             &valueRenderOption=UNFORMATTED_VALUE&dateTimeRenderOption=SERIAL_NUMBER",
            self.book
        );
        self.client(SCOPES).await.get(&path).await.unwrap()
    }

    async fn get(&self, query: &str) -> Value {
        let path = format!("/v4/spreadsheets/{}?{query}", self.book);
        self.client(SCOPES).await.read(&path).await
    }

    async fn file(&self) -> Value {
        let path = format!(
            "/drive/v3/files/{}?fields=id,modifiedTime,version",
            self.book
        );
        self.client(SCOPES).await.read(&path).await
    }
}

fn orders() -> Vec<Vec<Cell>> {
    vec![
        vec![
            "id".into(),
            "day".into(),
            "share".into(),
            "paid".into(),
            "id".into(),
        ],
        vec![
            1.0.into(),
            Cell::number(46_024.0, Format::Date),
            Cell::number(0.125, Format::Percent),
            true.into(),
            "a".into(),
        ],
        vec![2.5.into(), Cell::number(46_024.5, Format::DateTime)],
        vec![],
        vec!["x".into(), Cell::plain(Content::Error("#N/A")), "".into()],
    ]
}

fn signed(file: &Value, claims: &Value) -> String {
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": file["private_key_id"]});
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encoded(&header), encoded(claims));
    let pem = file["private_key"].as_str().unwrap();
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let key = RsaKeyPair::from_pkcs8(&STANDARD.decode(base64).unwrap()).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        message.as_bytes(),
        &mut signature,
    )
    .unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn values_end_with_what_is_there() {
    let world = World::new();
    let answer = world.values("'Orders'!A1:E20").await.json();
    let expected = json!([
        ["id", "day", "share", "paid", "id"],
        [1, 46_024, 0.125, true, "a"],
        [2.5, 46_024.5],
        [],
        ["x", "#N/A", ""],
    ]);
    assert_eq!(answer["valueRanges"][0]["values"], expected);
    assert_eq!(answer["valueRanges"][0]["range"], "Orders!A1:E20");
    let empty = world.values("Orders!A15:E20").await.json();
    assert!(empty["valueRanges"][0].get("values").is_none());
    let path = format!("/v4/spreadsheets/{}/values/Orders!B2:C3", world.book);
    let seen = world.client(SCOPES).await.read(&path).await;
    assert_eq!(
        seen["values"],
        json!([["1/2/2026", "12.50%"], ["1/2/2026 12:00:00"]])
    );
}

#[tokio::test]
async fn a_sheet_called_like_a_cell_must_be_quoted() {
    let world = World::new();
    let first = async |range: &str| {
        world.values(range).await.json()["valueRanges"][0]["values"][0][0].clone()
    };
    assert_eq!(first("A1").await, "id", "the first sheet's first cell");
    assert_eq!(first("'A1'").await, "x");
    assert_eq!(first("'O''Brien's'!A1").await, Value::Null);
    assert_eq!(first("'O''Brien''s'!A1:A2").await, "x");
    let wrong = world.values("Nothing!A1").await;
    assert!(wrong.status == 400 && wrong.text().contains("Unable to parse range: Nothing!A1"));
    let beyond = world.values("Orders!A1:E21").await;
    assert!(
        beyond
            .text()
            .contains("exceeds grid limits. Max rows: 20, max columns: 10")
    );
}

#[tokio::test]
async fn properties_and_grids_come_as_the_mask_says() {
    let world = World::new();
    world.simulator.with(|sheets, now| {
        let book = sheets.book(&world.book);
        let area = Area {
            from_row: Some(1),
            ..Area::default()
        };
        book.name_area("body", "Orders", area, now);
        book.add_sheet("Chart", &[], now);
        book.sheets[3].kind = SheetType::Object;
    });
    let shown = world
        .get("fields=sheets(properties(title,sheetType)),namedRanges")
        .await;
    assert_eq!(
        shown["sheets"][3],
        json!({"properties": {"title": "Chart", "sheetType": "OBJECT"}})
    );
    assert_eq!(
        shown["namedRanges"][0]["range"],
        json!({"sheetId": 0, "startRowIndex": 1})
    );
    assert!(shown.get("spreadsheetId").is_none());
    let fields =
        "fields=sheets.data.rowData.values(effectiveValue,effectiveFormat.numberFormat.type)";
    let grid = world.get(&format!("ranges=Orders!A2:B3&{fields}")).await;
    let rows = &grid["sheets"][0]["data"][0]["rowData"];
    assert_eq!(
        rows[0]["values"][1]["effectiveFormat"]["numberFormat"]["type"],
        "DATE"
    );
    assert_eq!(
        rows[1]["values"][0]["effectiveValue"],
        json!({"numberValue": 2.5})
    );
    assert!(world.get("").await["sheets"][0].get("data").is_none());
    let named = world.values("body").await.json();
    assert_eq!(named["valueRanges"][0]["range"], "Orders!A2:J20");
}

#[tokio::test]
async fn an_assertion_is_verified() {
    let world = World::new();
    let refused = async |change: fn(&mut Value)| {
        let answer = world.ask_token(change).await;
        let body = answer.json();
        assert_eq!(
            (answer.status, &body["error"]),
            (400, &json!("invalid_grant"))
        );
        body["error_description"].as_str().unwrap().to_owned()
    };
    assert!(
        refused(|claims| claims["iss"] = json!("x@y"))
            .await
            .contains("account not found")
    );
    assert!(
        refused(|claims| claims["aud"] = json!("https://x"))
            .await
            .contains("audience")
    );
    let long = |claims: &mut Value| claims["exp"] = json!(claims["exp"].as_i64().unwrap() + 1);
    assert!(refused(long).await.contains("short-lived"));
    let old = |claims: &mut Value| {
        claims["iat"] = json!(claims["iat"].as_i64().unwrap() - 2 * HOUR);
        claims["exp"] = json!(claims["exp"].as_i64().unwrap() - 2 * HOUR);
    };
    assert!(refused(old).await.contains("reasonable timeframe"));
    world.simulator.with(|sheets, _| sheets.revoke());
    assert_eq!(refused(|_| {}).await, "Invalid JWT Signature.");
}

#[tokio::test]
async fn tokens_expire_and_have_scopes() {
    let world = World::new();
    let narrow = world
        .client("https://www.googleapis.com/auth/spreadsheets.readonly")
        .await;
    let drive = format!("/drive/v3/files/{}", world.book);
    let answer = narrow.get(&drive).await.unwrap();
    assert!(answer.status == 403 && answer.text().contains("insufficient authentication scopes"));
    let sheet = format!("/v4/spreadsheets/{}", world.book);
    assert_eq!(narrow.get(&sheet).await.unwrap().status, 200);
    world.simulator.clock().advance(HOUR);
    assert_eq!(narrow.get(&sheet).await.unwrap().status, 401);
    let (id, secret, refresh) = world.simulator.with(|sheets, _| sheets.oauth());
    let body = format!(
        "grant_type=refresh_token&client_id={id}&client_secret={secret}&refresh_token={refresh}"
    );
    let answer = narrow.post("/token", body.clone()).await.unwrap();
    assert!(answer.status == 200 && answer.json().get("refresh_token").is_none());
    world.simulator.with(|sheets, _| sheets.revoke());
    assert_eq!(
        narrow.post("/token", body).await.unwrap().json()["error"],
        "invalid_grant"
    );
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let world = World::new();
    let refusal = async |change: fn(&mut Book)| {
        world
            .simulator
            .with(|sheets, _| change(sheets.book(&world.book)));
        let answer = world.values("Orders").await;
        let body = answer.json();
        (
            answer.status,
            body["error"]["status"].as_str().unwrap().to_owned(),
        )
    };
    let denied = (403, "PERMISSION_DENIED".to_owned());
    assert_eq!(refusal(|book| book.shared = false).await, denied);
    let office = (400, "FAILED_PRECONDITION".to_owned());
    assert_eq!(
        refusal(|book| (book.shared, book.office) = (true, true)).await,
        office
    );
    world
        .simulator
        .with(|sheets, _| sheets.sheets_enabled = false);
    assert!(
        world
            .values("Orders")
            .await
            .text()
            .contains("has not been used in project")
    );
    let nothing = world
        .client(SCOPES)
        .await
        .get("/v4/spreadsheets/x")
        .await
        .unwrap();
    assert_eq!(nothing.status, 403, "the API comes before the file");
}

#[tokio::test]
async fn drive_tells_late_and_nothing_of_formulas() {
    let world = World::new();
    let before = world.file().await;
    world
        .simulator
        .with(|sheets, now| sheets.book(&world.book).set("Orders", (1, 0), 7.0, now));
    let first = world.file().await;
    assert_ne!(
        first["modifiedTime"], before["modifiedTime"],
        "nobody had edited for long"
    );
    world.simulator.clock().advance(10);
    world
        .simulator
        .with(|sheets, now| sheets.book(&world.book).set("Orders", (1, 0), 8.0, now));
    assert_eq!(
        world.file().await,
        first,
        "an edit soon after another is not told yet"
    );
    world.simulator.clock().advance(DRIVE_DELAY);
    let second = world.file().await;
    assert_ne!(second["version"], first["version"]);
    world
        .simulator
        .with(|sheets, _| sheets.book(&world.book).recalculate("Orders", (1, 0), 9.0));
    world.simulator.clock().advance(DAY);
    assert_eq!(world.file().await, second);
    world
        .simulator
        .with(|sheets, _| sheets.book(&world.book).on_shared_drive = true);
    let path = format!("/drive/v3/files/{}", world.book);
    let client = world.client(SCOPES).await;
    assert_eq!(client.get(&path).await.unwrap().status, 404);
    assert_eq!(
        client
            .get(&format!("{path}?supportsAllDrives=true"))
            .await
            .unwrap()
            .status,
        200
    );
}

#[tokio::test]
async fn rows_come_and_go() {
    let world = World::new();
    world.simulator.with(|sheets, now| {
        let book = sheets.book(&world.book);
        book.append("Orders", &[3.0.into()], now);
        book.delete_row("Orders", 1, now);
        book.rename_sheet("A1", "Second", now);
        book.clear("Second", (1, 0), now);
    });
    let answer = world.values("Orders!A1:A19").await.json();
    assert_eq!(
        answer["valueRanges"][0]["values"],
        json!([["id"], [2.5], [], ["x"], [3]])
    );
    assert_eq!(
        world.values("Second").await.json()["valueRanges"][0]["values"],
        json!([["x"]])
    );
    world
        .simulator
        .with(|sheets, now| sheets.book(&world.book).remove_sheet("Second", now));
    assert_eq!(world.values("Second").await.status, 400);
}

#[test]
fn the_truth_has_names_and_types() {
    let mut sheets = Sheets::new(1);
    let id = sheets.create_book("Plans", 0);
    sheets.book(&id).add_sheet("Orders", &orders(), 0);
    let truth = sheets.truth(&id, "Orders");
    let expected = json!({"id": 1, "day": "2026-01-02", "share": 0.125, "paid": true, "id_2": "a",
        "_row": 2});
    assert_eq!(json!(truth.rows["2"]), expected);
    assert_eq!(truth.rows["3"]["day"], "2026-01-02 12:00:00");
    assert_eq!(truth.rows["5"]["day"], Value::Null);
    assert!(truth.len() == 3 && truth.perhaps.contains_key("4"));
}

#[tokio::test]
async fn the_quota_is_for_the_account() {
    let world = World::new();
    world
        .simulator
        .limits()
        .set(Sheets::limits(Duration::from_secs(60)));
    let client = world.client(SCOPES).await;
    let path = format!("/v4/spreadsheets/{}?fields=spreadsheetId", world.book);
    let mut refused = 0;
    for _ in 0..62 {
        let answer = client.get(&path).await.unwrap();
        refused += usize::from(answer.text().contains("RESOURCE_EXHAUSTED"));
    }
    assert_eq!(refused, 2);
}
