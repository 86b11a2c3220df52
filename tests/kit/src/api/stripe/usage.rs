//! What meters have counted, by customer and day.
//!
//! Nothing is stored: what was counted follows from who counted it for whom on which day.

use serde_json::{Value, json};
use tributary_model::Row;

use super::account::Account;
use super::error::Failure;
use super::list;
use crate::api::clock::DAY;
use crate::api::exchange::Request;
use crate::api::truth::Truth;

/// There are events on each how-manieth day.
const RARELY: i64 = 30;
const KNOWN: [&str; 7] = [
    "customer",
    "start_time",
    "end_time",
    "value_grouping_window",
    "limit",
    "starting_after",
    "ending_before",
];

impl Account {
    /// Answers `GET /billing/meters/{id}/event_summaries`.
    pub(super) fn event_summaries(
        &self,
        meter: &str,
        request: &Request,
        now: i64,
    ) -> Result<Value, Failure> {
        if self.object("billing_meters", meter).is_none() {
            return Err(Failure::missing(404, "meter", meter, "id"));
        }
        if let Some((name, _)) = request
            .query
            .iter()
            .find(|(name, _)| !KNOWN.contains(&name.as_str()))
        {
            return Err(list::unknown(name));
        }
        let customer = required(request, "customer")?;
        let time = |name: &'static str| {
            let text = required(request, name)?;
            let time = text.parse::<i64>().ok().filter(|time| time % DAY == 0);
            time.ok_or_else(|| {
                Failure::invalid(400, format!("{name} must align with UTC day boundaries."))
                    .about(name)
            })
        };
        let (from, to) = (time("start_time")?, time("end_time")?);
        let mut rows = self.summaries(meter, &customer, now);
        rows.retain(|row| (from..to).contains(&row["start_time"].as_i64().unwrap_or(0)));
        rows.reverse();
        let after = request.param("starting_after");
        let place = after.and_then(|id| rows.iter().position(|row| row["id"] == id));
        let rest = rows.split_off(place.map_or(0, |place| place + 1));
        let limit = request
            .param("limit")
            .and_then(|text| text.parse().ok())
            .unwrap_or(10);
        let data: Vec<&Row> = rest.iter().take(limit).collect();
        Ok(
            json!({"object": "list", "url": request.path, "has_more": rest.len() > limit, "data": data}),
        )
    }

    /// What a meter has counted for a customer, the oldest first.
    fn summaries(&self, meter: &str, customer: &str, now: i64) -> Vec<Row> {
        let (Some(counted), Some(of)) = (
            self.object("billing_meters", meter),
            self.object("customers", customer),
        ) else {
            return Vec::new();
        };
        let first = counted.made.max(of.made) / DAY + 1;
        let days = (first..=now / DAY).filter(|day| day % RARELY == 0);
        let row = |day: i64| {
            let value = day % 97 + 1;
            let row = json!({"id": format!("mtrusg_{meter}_{customer}_{day}"),
                "object": "billing.meter_event_summary", "aggregated_value": value,
                "start_time": day * DAY, "end_time": (day + 1) * DAY,
                "livemode": self.livemode, "meter": meter});
            row.as_object().cloned().unwrap_or_default()
        };
        days.map(row).collect()
    }

    /// What is there of all meters and customers; of customers that are gone it may be.
    pub(super) fn truth_of_summaries(&self, now: i64) -> Truth {
        let mut truth = Truth::keyed(&["meter", "customer", "start_time"]);
        for meter in self.ids("billing_meters") {
            for customer in self.ids("customers") {
                for mut row in self.summaries(&meter, &customer, now) {
                    row.insert("customer".to_owned(), json!(customer));
                    truth.add(row);
                }
            }
        }
        truth.others_may_be()
    }
}

fn required(request: &Request, name: &'static str) -> Result<String, Failure> {
    let given = request.param(name).map(str::to_owned);
    given.ok_or_else(|| {
        Failure::invalid(400, format!("Missing required param: {name}.")).about(name)
    })
}
