//! Alerts that wait, and what webhooks were told: the part of the store that is for alerts.
//!
//! Alerts share a table with other messages; the names of their receivers begin with `alert:`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::any::AnyRow;
use sqlx::{Any, Row, Transaction};
use tributary_model::Result;

use super::Store;
use crate::alerts::{MOST, Outbox, Remembered, Waiting};

fn receiver(target: &str) -> String {
    format!("alert:{target}")
}

#[async_trait]
impl Outbox for Store {
    async fn remembered(&self) -> Result<Vec<Remembered>> {
        let sql = "SELECT target, connection, memory FROM tributary_told";
        let rows = self.note(sqlx::query(sql).fetch_all(&self.pool).await)?;
        let remembered = |row: AnyRow| Remembered {
            target: row.get(0),
            connection: row.get(1),
            memory: row.get(2),
        };
        Ok(rows.into_iter().map(remembered).collect())
    }

    async fn put(&self, remembered: &Remembered, alerts: &[Waiting]) -> Result<()> {
        self.note(put(self, remembered, alerts).await)
    }

    async fn due(&self, target: &str, now: DateTime<Utc>, most: u32) -> Result<Vec<Waiting>> {
        let sql = "SELECT id, body, created_at, next_at, attempts FROM tributary_outbox \
                   WHERE target = $1 AND next_at <= $2 ORDER BY created_at, id LIMIT $3";
        let rows = sqlx::query(sql)
            .bind(receiver(target))
            .bind(now.timestamp_millis())
            .bind(i64::from(most))
            .fetch_all(&self.pool)
            .await;
        let at = |millis: i64| DateTime::from_timestamp_millis(millis).unwrap_or(now);
        let waiting = |row: AnyRow| Waiting {
            id: row.get(0),
            target: target.to_owned(),
            body: row.get(1),
            queued_at: at(row.get(2)),
            due_at: at(row.get(3)),
            tries: u32::try_from(row.get::<i64, _>(4)).unwrap_or(u32::MAX),
        };
        Ok(self.note(rows)?.into_iter().map(waiting).collect())
    }

    async fn next_due(&self) -> Result<Option<DateTime<Utc>>> {
        let sql = "SELECT next_at FROM tributary_outbox WHERE target LIKE 'alert:%' \
                   ORDER BY next_at LIMIT 1";
        let row = self.note(sqlx::query(sql).fetch_optional(&self.pool).await)?;
        Ok(row.and_then(|row| DateTime::from_timestamp_millis(row.get(0))))
    }

    async fn done(&self, id: &str) -> Result<()> {
        let sql = "DELETE FROM tributary_outbox WHERE id = $1";
        let outcome = sqlx::query(sql).bind(id).execute(&self.pool).await;
        self.note(outcome.map(drop))
    }

    async fn postpone(&self, waiting: &Waiting, due_at: DateTime<Utc>) -> Result<()> {
        self.note(postpone(self, waiting, due_at).await)
    }

    async fn keep_only(&self, targets: &[String]) -> Result<()> {
        self.note(keep_only(self, targets).await)
    }
}

async fn put(store: &Store, remembered: &Remembered, alerts: &[Waiting]) -> sqlx::Result<()> {
    let mut transaction = store.pool.begin().await?;
    let sql = "INSERT INTO tributary_told (target, connection, memory) VALUES ($1, $2, $3) \
               ON CONFLICT (target, connection) DO UPDATE SET memory = excluded.memory";
    sqlx::query(sql)
        .bind(remembered.target.as_str())
        .bind(remembered.connection.as_str())
        .bind(remembered.memory.as_str())
        .execute(&mut *transaction)
        .await?;
    for alert in alerts {
        add(&mut transaction, alert).await?;
    }
    if !alerts.is_empty() {
        trim(&mut transaction, &remembered.target).await?;
    }
    transaction.commit().await
}

async fn add(transaction: &mut Transaction<'_, Any>, alert: &Waiting) -> sqlx::Result<()> {
    let sql = "INSERT INTO tributary_outbox (id, target, body, created_at, next_at, attempts) \
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING";
    sqlx::query(sql)
        .bind(alert.id.as_str())
        .bind(receiver(&alert.target))
        .bind(alert.body.as_str())
        .bind(alert.queued_at.timestamp_millis())
        .bind(alert.due_at.timestamp_millis())
        .bind(i64::from(alert.tries))
        .execute(&mut **transaction)
        .await
        .map(drop)
}

/// Lets the oldest go where too many wait for one webhook.
async fn trim(transaction: &mut Transaction<'_, Any>, target: &str) -> sqlx::Result<()> {
    let sql = "DELETE FROM tributary_outbox WHERE target = $1 AND id NOT IN (SELECT id FROM \
               tributary_outbox WHERE target = $2 ORDER BY created_at DESC, id DESC LIMIT $3)";
    let gone = sqlx::query(sql)
        .bind(receiver(target))
        .bind(receiver(target))
        .bind(i64::from(MOST))
        .execute(&mut **transaction)
        .await?
        .rows_affected();
    if gone > 0 {
        tracing::error!(alert = %target, gone, "too many alerts wait; the oldest are given up");
    }
    Ok(())
}

async fn postpone(store: &Store, waiting: &Waiting, due_at: DateTime<Utc>) -> sqlx::Result<()> {
    let mut transaction = store.pool.begin().await?;
    sqlx::query("UPDATE tributary_outbox SET attempts = attempts + 1 WHERE id = $1")
        .bind(waiting.id.as_str())
        .execute(&mut *transaction)
        .await?;
    let sql = "UPDATE tributary_outbox SET next_at = $1 WHERE target = $2 AND next_at < $3";
    sqlx::query(sql)
        .bind(due_at.timestamp_millis())
        .bind(receiver(&waiting.target))
        .bind(due_at.timestamp_millis())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

async fn keep_only(store: &Store, targets: &[String]) -> sqlx::Result<()> {
    // `alert:` has six characters.
    let sql = "SELECT target FROM tributary_told UNION \
               SELECT SUBSTR(target, 7) FROM tributary_outbox WHERE target LIKE 'alert:%'";
    let known = sqlx::query(sql).fetch_all(&store.pool).await?;
    let known = known.into_iter().map(|row| row.get::<String, _>(0));
    for gone in known.filter(|known| !targets.contains(known)) {
        for (sql, name) in [
            (
                "DELETE FROM tributary_outbox WHERE target = $1",
                receiver(&gone),
            ),
            ("DELETE FROM tributary_told WHERE target = $1", gone.clone()),
        ] {
            sqlx::query(sql).bind(name).execute(&store.pool).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::Place;
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_225_600 + seconds, 0).unwrap()
    }

    fn waiting(id: &str, target: &str, queued: i64) -> Waiting {
        Waiting {
            id: id.to_owned(),
            target: target.to_owned(),
            body: format!("{{\"id\":\"{id}\"}}"),
            queued_at: at(queued),
            due_at: at(queued),
            tries: 0,
        }
    }

    fn told(target: &str, memory: &str) -> Remembered {
        Remembered {
            target: target.to_owned(),
            connection: "shop".to_owned(),
            memory: memory.to_owned(),
        }
    }

    #[tokio::test]
    async fn alerts_and_what_was_told_survive_together() {
        let folder = tempfile::tempdir().unwrap();
        let place = || Place::File(folder.path().join("control.sqlite"));
        let store = Store::open(place()).await.unwrap();
        let alerts = [waiting("a", "ops", 1), waiting("b", "ops", 2)];
        store.put(&told("ops", "one"), &alerts).await.unwrap();
        let third = waiting("c", "ops", 3);
        store.put(&told("ops", "two"), &[third]).await.unwrap();
        drop(store);

        let store = Store::open(place()).await.unwrap();
        let outbox: &dyn Outbox = &store;
        assert_eq!(outbox.remembered().await.unwrap(), [told("ops", "two")]);
        assert_eq!(outbox.due("ops", at(2), 9).await.unwrap(), alerts);
        assert_eq!(outbox.due("ops", at(3), 2).await.unwrap(), alerts);
        assert_eq!(outbox.due("other", at(3), 9).await.unwrap(), []);
        outbox.postpone(&alerts[0], at(60)).await.unwrap();
        assert_eq!(outbox.due("ops", at(59), 9).await.unwrap(), []);
        assert_eq!(outbox.next_due().await.unwrap(), Some(at(60)));
        let due = outbox.due("ops", at(60), 9).await.unwrap();
        let tries: Vec<(&str, u32)> = due.iter().map(|one| (one.id.as_str(), one.tries)).collect();
        assert_eq!(tries, [("a", 1), ("b", 0), ("c", 0)]);
        for id in ["a", "b", "c"] {
            outbox.done(id).await.unwrap();
        }
        assert_eq!(outbox.next_due().await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_kept_for_others_is_left_alone() {
        let store = Store::open(Place::Memory).await.unwrap();
        let outbox: &dyn Outbox = &store;
        for target in ["ops", "gone"] {
            let alert = waiting(target, target, 1);
            outbox.put(&told(target, "m"), &[alert]).await.unwrap();
        }
        let sql = "INSERT INTO tributary_outbox VALUES ('x', 'lineage', '', 0, 0, 0)";
        sqlx::query(sql).execute(&store.pool).await.unwrap();
        outbox.keep_only(&["ops".to_owned()]).await.unwrap();
        assert_eq!(outbox.remembered().await.unwrap(), [told("ops", "m")]);
        assert_eq!(outbox.due("gone", at(9), 9).await.unwrap(), []);
        assert_eq!(outbox.due("ops", at(9), 9).await.unwrap().len(), 1);
        let left = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM tributary_outbox");
        assert_eq!(left.fetch_one(&store.pool).await.unwrap(), 2);
    }
}
