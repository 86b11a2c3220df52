//! Runs, pauses, and when the streams of a track last began.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::Row;
use tributary_model::Result;

use super::Store;
use crate::view::{KEPT, RunRecord};

/// Runs of a connection that are kept. // G6
const HISTORY: i64 = 200;

/// What a daemon that starts wants to know of a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) paused_at: Option<DateTime<Utc>>,
    /// When each track last began.
    pub(crate) last_starts: BTreeMap<String, DateTime<Utc>>,
    /// The last runs that ended, the newest first.
    pub(crate) runs: Vec<RunRecord>,
}

impl Store {
    /// Everything that is histories, by connection.
    pub(crate) async fn histories(&self) -> Result<BTreeMap<String, History>> {
        let mut all: BTreeMap<String, History> = BTreeMap::new();
        let pauses = "SELECT connection, since FROM tributary_pauses";
        for row in self.note(sqlx::query(pauses).fetch_all(&self.pool).await)? {
            let (name, since): (String, i64) = (row.get(0), row.get(1));
            all.entry(name).or_default().paused_at = DateTime::from_timestamp_millis(since);
        }
        let tracks = "SELECT connection, track, last_start FROM tributary_tracks";
        for row in self.note(sqlx::query(tracks).fetch_all(&self.pool).await)? {
            let (name, track, at): (String, String, i64) = (row.get(0), row.get(1), row.get(2));
            let starts = &mut all.entry(name).or_default().last_starts;
            starts.extend(DateTime::from_timestamp_millis(at).map(|at| (track, at)));
        }
        let runs = "SELECT connection, record FROM (SELECT connection, record, started_at, \
                    ROW_NUMBER() OVER (PARTITION BY connection ORDER BY started_at DESC) AS place \
                    FROM tributary_runs WHERE status IS NOT NULL) AS numbered \
                    WHERE place <= $1 ORDER BY connection, place";
        let limit = i64::try_from(KEPT).unwrap_or(i64::MAX);
        let rows = sqlx::query(runs).bind(limit).fetch_all(&self.pool).await;
        for row in self.note(rows)? {
            let (name, record): (String, String) = (row.get(0), row.get(1));
            // A record of another version that can't be read is history nobody misses.
            let record = serde_json::from_str(&record).ok();
            all.entry(name).or_default().runs.extend(record);
        }
        Ok(all)
    }

    /// Notes that a run began, and the tracks that it runs.
    pub(crate) async fn run_started(&self, run: &RunRecord, tracks: &[String]) -> Result<()> {
        self.put_run(run).await?;
        for track in tracks {
            let sql = "INSERT INTO tributary_tracks (connection, track, last_start) \
                       VALUES ($1, $2, $3) ON CONFLICT (connection, track) \
                       DO UPDATE SET last_start = excluded.last_start";
            let outcome = sqlx::query(sql)
                .bind(run.connection.as_str())
                .bind(track.as_str())
                .bind(run.started_at.timestamp_millis())
                .execute(&self.pool)
                .await;
            self.note(outcome.map(drop))?;
        }
        Ok(())
    }

    /// Notes how a run ended, and forgets those that are too old.
    pub(crate) async fn run_ended(&self, run: &RunRecord) -> Result<()> {
        self.put_run(run).await?;
        let sql = "DELETE FROM tributary_runs WHERE connection = $1 AND started_at < \
                   (SELECT MIN(started_at) FROM (SELECT started_at FROM tributary_runs \
                   WHERE connection = $2 ORDER BY started_at DESC LIMIT $3) AS kept)";
        let outcome = sqlx::query(sql)
            .bind(run.connection.as_str())
            .bind(run.connection.as_str())
            .bind(HISTORY)
            .execute(&self.pool)
            .await;
        self.note(outcome.map(drop))
    }

    async fn put_run(&self, run: &RunRecord) -> Result<()> {
        let sql = "INSERT INTO tributary_runs (id, connection, started_at, status, record) \
                   VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) \
                   DO UPDATE SET status = excluded.status, record = excluded.record";
        let status = run.status.as_ref().map(text);
        let outcome = sqlx::query(sql)
            .bind(run.id.as_str())
            .bind(run.connection.as_str())
            .bind(run.started_at.timestamp_millis())
            .bind(status)
            .bind(text(run))
            .execute(&self.pool)
            .await;
        self.note(outcome.map(drop))
    }

    /// Notes that a connection is paused, or no longer.
    pub(crate) async fn set_paused(&self, name: &str, since: Option<DateTime<Utc>>) -> Result<()> {
        let outcome = match since {
            Some(since) => {
                let sql = "INSERT INTO tributary_pauses (connection, since) VALUES ($1, $2) \
                           ON CONFLICT (connection) DO NOTHING";
                let query = sqlx::query(sql).bind(name).bind(since.timestamp_millis());
                query.execute(&self.pool).await
            }
            None => {
                let sql = "DELETE FROM tributary_pauses WHERE connection = $1";
                sqlx::query(sql).bind(name).execute(&self.pool).await
            }
        };
        self.note(outcome.map(drop))
    }
}

/// A value as JSON.
fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
