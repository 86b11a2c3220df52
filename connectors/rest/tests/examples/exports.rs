//! An API that makes exports: `rest-exports.manifest.yaml`.

use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tributary_model::Row;
use tributary_testkit::api::clock;
use tributary_testkit::api::conformance::{Api, Reading};
use tributary_testkit::api::exchange::{Reply, Request};
use tributary_testkit::api::limits::Refusal;
use tributary_testkit::api::simulator::Vendor;
use tributary_testkit::api::truth::Truth;

use super::{object, settings, simulated, source};

/// Rows of one export at most: more has to be asked for in shorter windows.
const MOST: usize = 12;

/// Reports.
#[derive(Debug, Default)]
struct Reports {
    orders: BTreeMap<u64, Row>,
    refunds: BTreeMap<u64, Row>,
    exports: BTreeMap<String, (u32, Vec<u8>)>,
    made: u64,
}

impl Reports {
    fn next(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    fn order(&mut self, request: &Request) -> Reply {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let packed = match body["table"].as_str() {
            Some("orders") => {
                let time = |name: &str| body[name].as_str().and_then(clock::parse).unwrap_or(0);
                let (from, to) = (time("from"), time("to"));
                let within = |row: &&Row| (from..to).contains(&changed(row, 1));
                let rows: Vec<&Row> = self.orders.values().filter(within).collect();
                if rows.len() > MOST {
                    return Reply::json(422, &json!({"error": "too_many_rows"}));
                }
                if rows.is_empty() {
                    return Reply::json(404, &json!({"error": "no rows in this range"}));
                }
                csv(&rows)
            }
            _ => {
                let time = |name: &str| body[name].as_str().and_then(|text| text.parse().ok());
                let (from, to): (i64, i64) = (time("from").unwrap_or(0), time("to").unwrap_or(0));
                let within = |row: &&Row| (from..=to).contains(&changed(row, 1000));
                let lines: Vec<String> = self
                    .refunds
                    .values()
                    .filter(within)
                    .map(|row| json!(row).to_string())
                    .collect();
                lines.join("\n").into_bytes()
            }
        };
        let id = format!("x{}", self.next());
        self.exports.insert(id.clone(), (0, packed));
        Reply::json(202, &json!({"id": id, "status": "queued"}))
    }

    fn poll(&mut self, id: &str) -> Reply {
        let Some((asked, _)) = self.exports.get_mut(id) else {
            return Reply::json(404, &json!({"error": "unknown export"}));
        };
        *asked += 1;
        match asked {
            1 => Reply::json(200, &json!({"status": "running"})),
            _ => Reply::json(
                200,
                &json!({"status": "ready",
                "url": format!("https://eu.files.example/{id}/part.gz")}),
            ),
        }
    }

    fn add(&mut self, at: i64) {
        let id = self.next();
        let coupon = if id.is_multiple_of(2) { "" } else { "SPRING" };
        self.orders.insert(
            id,
            object(json!({"id": id.to_string(), "amount": format!("{id}.50"),
            "coupon": coupon, "note": "a, \"b\"", "changed_at": clock::rfc3339(at)})),
        );
        let id = self.next();
        self.refunds.insert(
            id,
            object(json!({"id": id, "changed_at": at * 1000, "internal": "x"})),
        );
    }
}

fn changed(row: &Row, _unit: i64) -> i64 {
    match &row["changed_at"] {
        Value::String(text) => clock::parse(text).unwrap_or(0),
        other => other.as_i64().unwrap_or(0),
    }
}

fn csv(rows: &[&Row]) -> Vec<u8> {
    let mut text = "id,amount,coupon,note,changed_at\n".to_owned();
    for row in rows {
        let field = |name: &str| row[name].as_str().unwrap_or_default().replace('"', "\"\"");
        let names = ["id", "amount", "coupon", "note", "changed_at"];
        let fields: Vec<String> = names
            .iter()
            .map(|name| format!("\"{}\"", field(name)))
            .collect();
        text += &(fields.join(",") + "\n");
    }
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer
        .write_all(text.as_bytes())
        .expect("memory takes everything");
    packer.finish().expect("memory takes everything")
}

impl Vendor for Reports {
    fn answer(&mut self, request: &Request, _now: i64) -> Reply {
        // `etl:password`
        let known = request.header("authorization") == Some("Basic ZXRsOnBhc3N3b3Jk");
        match request.segments().as_slice() {
            [id, "part.gz"] if !known => match self.exports.get(*id) {
                Some((_, packed)) => Reply::new(200, "application/octet-stream", packed.clone()),
                None => Reply::text(404, "gone"),
            },
            [_, "part.gz"] => Reply::text(400, "the credential came along"),
            _ if !known => Reply::text(401, "who are you?"),
            ["api", "status"] => Reply::json(200, &json!({"status": "ok"})),
            ["api", "exports"] => self.order(request),
            ["api", "exports", id] => self.poll(id),
            _ => Reply::text(404, "no such path"),
        }
    }

    fn failure(&self, status: u16) -> Reply {
        Reply::text(status, "planned")
    }

    fn throttled(&self, _refusal: Refusal) -> Reply {
        Reply::text(429, "slow down").with("retry-after", 0)
    }
}

impl Api for Reports {
    const KIND: &'static str = "rest";
    const SETTLES: i64 = 90;
    const STREAMS: &'static [&'static str] = &["orders", "refunds"];

    fn begin(_now: i64) -> Self {
        Self::default()
    }

    fn settings(&mut self, url: &str) -> Value {
        settings(
            "rest-exports.manifest.yaml",
            url,
            json!({"user": "etl", "password": "password",
            "start_date": clock::format(tributary_model::now().timestamp() - 200 * clock::DAY, "%Y-%m-%d")}),
        )
    }

    fn truth_of(&self, stream: &str, _now: i64) -> Truth {
        let mut truth = Truth::keyed(&["id"]);
        if stream == "refunds" {
            for row in self.refunds.values() {
                let mut row = row.clone();
                row.shift_remove("internal");
                truth.add(row);
            }
            return truth;
        }
        for row in self.orders.values() {
            let mut row = row.clone();
            if row["coupon"] == "" {
                row.insert("coupon".to_owned(), Value::Null);
            }
            let amount: f64 = row["amount"]
                .as_str()
                .and_then(|it| it.parse().ok())
                .unwrap_or(0.0);
            row.insert("amount".to_owned(), json!(amount));
            truth.add(row);
        }
        truth
    }

    fn populate_all(&mut self, count: usize, now: i64) {
        for index in 0..count {
            self.add(now - 150 * clock::DAY + i64::try_from(index).unwrap_or(0) * clock::DAY);
        }
    }

    fn change_some(&mut self, count: usize, from: i64, to: i64) {
        let steps = i64::try_from(count.max(1)).unwrap_or(1);
        for index in 0..count {
            self.add(from + i64::try_from(index).unwrap_or(0) * (to - from) / steps);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_are_read() {
    let simulator = simulated::<Reports>(40);
    let read = source(&simulator).await;
    Reading::new(&simulator, &read).await.is_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_survive_cuts_and_drift() {
    let simulator = simulated::<Reports>(8);
    let read = source(&simulator).await;
    Reading::new(&simulator, &read).await.survives_cuts(6).await;
    Reading::new(&simulator, &read).await.survives_drift().await;
}
