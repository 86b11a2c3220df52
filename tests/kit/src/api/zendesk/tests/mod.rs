#![allow(clippy::unwrap_used)]
//! Zendesk by plain requests.

mod exports;
mod lists;
mod tokens;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::*;
use crate::api::client::{Answer, Client};
use crate::api::simulator::Simulator;

/// A help desk and someone with its API token.
struct World {
    simulator: Simulator<Zendesk>,
    client: Client,
}

impl World {
    /// `change` fills it; it gets the time now.
    fn new(change: impl FnOnce(&mut Zendesk, i64)) -> Self {
        let mut desk = Zendesk::new(3);
        change(&mut desk, tributary_model::now().timestamp());
        let pair = format!("{}/token:{}", desk.email, desk.api_token);
        let basic = format!("Basic {}", STANDARD.encode(pair));
        let simulator = Simulator::start(desk);
        let client = Client::new(&simulator.url()).with("authorization", basic);
        Self { simulator, client }
    }

    async fn get(&self, path: &str) -> Answer {
        self.client
            .get(&format!("/api/v2{path}"))
            .await
            .expect("an answer")
    }

    async fn read(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    fn now(&self) -> i64 {
        self.simulator.clock().now()
    }
}

fn rows(page: &Value, items: &str) -> Vec<Value> {
    page[items]
        .as_array()
        .unwrap_or_else(|| panic!("no {items} in {page}"))
        .clone()
}

fn ids(page: &Value, items: &str) -> Vec<u64> {
    rows(page, items)
        .iter()
        .map(|row| row["id"].as_u64().unwrap())
        .collect()
}
