#![allow(clippy::unwrap_used)]
//! Stripe by plain requests.

mod errors;
mod events;
mod lists;

use serde_json::Value;

use super::*;
use crate::api::client::{Answer, Client};
use crate::api::clock::DAY;
use crate::api::simulator::Simulator;

/// A Stripe, and someone with a key that may read everything.
struct World {
    simulator: Simulator<Stripe>,
    client: Client,
}

impl World {
    /// `change` fills it; it gets the time now.
    fn new(change: impl FnOnce(&mut Account, i64)) -> Self {
        let now = tributary_model::now().timestamp();
        let mut stripe = Stripe::new(7, now - 400 * DAY);
        change(&mut stripe.account, now);
        let key = stripe.secret_key();
        let simulator = Simulator::start(stripe);
        let client = Client::new(&simulator.url()).with("authorization", format!("Bearer {key}"));
        Self { simulator, client }
    }

    async fn get(&self, path: &str) -> Answer {
        self.client.get(path).await.expect("an answer")
    }

    async fn read(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// The status and message of an error.
    async fn error(&self, path: &str) -> (u16, String) {
        message(&self.get(path).await)
    }

    /// Walks a list to its end.
    async fn walk(&self, path: &str, size: usize) -> Vec<Value> {
        let glue = if path.contains('?') { '&' } else { '?' };
        let mut all: Vec<Value> = Vec::new();
        loop {
            let mut url = format!("{path}{glue}limit={size}");
            if let Some(last) = all.last() {
                url = format!("{url}&starting_after={}", last["id"].as_str().unwrap());
            }
            let page = self.read(&url).await;
            all.extend(page["data"].as_array().unwrap().iter().cloned());
            if page["has_more"] == false {
                return all;
            }
        }
    }
}

fn message(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    let message = body["error"]["message"]
        .as_str()
        .expect("an error")
        .to_owned();
    (answer.status, message)
}

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["id"].as_str().unwrap()).collect()
}
