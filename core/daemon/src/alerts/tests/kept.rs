//! An outbox in memory that outlives who uses it, as a store does, and that can fail.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tributary_model::{Error, ErrorKind, Result};

use crate::alerts::{Outbox, Remembered, Waiting};

#[derive(Default)]
pub(super) struct Kept {
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    waiting: Vec<Waiting>,
    remembered: BTreeMap<(String, String), String>,
    /// How many calls from now on fail.
    failing: u32,
}

impl Kept {
    pub(super) fn fail(&self, calls: u32) {
        self.inside.lock().unwrap().failing = calls;
    }

    pub(super) fn waiting(&self) -> Vec<Waiting> {
        self.inside.lock().unwrap().waiting.clone()
    }

    /// Lets time pass: all that waits is due.
    pub(super) fn later(&self, now: DateTime<Utc>) {
        for waiting in &mut self.inside.lock().unwrap().waiting {
            waiting.due_at = now;
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inside) -> T) -> Result<T> {
        let mut inside = self.inside.lock().unwrap();
        if inside.failing > 0 {
            inside.failing -= 1;
            return Err(Error::new(ErrorKind::Unavailable, "the store is away"));
        }
        Ok(act(&mut inside))
    }
}

#[async_trait]
impl Outbox for Kept {
    async fn remembered(&self) -> Result<Vec<Remembered>> {
        self.with(|inside| {
            let all = inside.remembered.iter();
            all.map(|((target, connection), memory)| Remembered {
                target: target.clone(),
                connection: connection.clone(),
                memory: memory.clone(),
            })
            .collect()
        })
    }

    async fn put(&self, remembered: &Remembered, alerts: &[Waiting]) -> Result<()> {
        self.with(|inside| {
            let key = (remembered.target.clone(), remembered.connection.clone());
            inside.remembered.insert(key, remembered.memory.clone());
            inside.waiting.extend(alerts.iter().cloned());
        })
    }

    async fn due(&self, target: &str, now: DateTime<Utc>, most: u32) -> Result<Vec<Waiting>> {
        self.with(|inside| {
            let all = inside.waiting.iter();
            all.filter(|waiting| waiting.target == target && waiting.due_at <= now)
                .take(most as usize)
                .cloned()
                .collect()
        })
    }

    async fn next_due(&self) -> Result<Option<DateTime<Utc>>> {
        self.with(|inside| inside.waiting.iter().map(|waiting| waiting.due_at).min())
    }

    async fn done(&self, id: &str) -> Result<()> {
        self.with(|inside| inside.waiting.retain(|waiting| waiting.id != id))
    }

    async fn postpone(&self, tried: &Waiting, due_at: DateTime<Utc>) -> Result<()> {
        self.with(|inside| {
            for waiting in &mut inside.waiting {
                if waiting.target == tried.target {
                    waiting.due_at = waiting.due_at.max(due_at);
                }
                if waiting.id == tried.id {
                    waiting.tries += 1;
                }
            }
        })
    }

    async fn keep_only(&self, targets: &[String]) -> Result<()> {
        self.with(|inside| {
            inside
                .waiting
                .retain(|waiting| targets.contains(&waiting.target));
            inside
                .remembered
                .retain(|(target, _), _| targets.contains(target));
        })
    }
}
