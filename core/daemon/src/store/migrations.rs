//! The tables, step by step. A step that has been released is never changed: another follows it.
//!
//! Times are milliseconds since 1970.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;

use sqlx::AnyPool;
use sqlx::error::BoxDynError;
use sqlx::migrate::{Migration, MigrationSource, MigrationType, Migrator};

const STEPS: [(&str, &str); 2] = [
    ("first", include_str!("migrations/0001_first.sql")),
    ("told", include_str!("migrations/0002_told.sql")),
];

#[derive(Debug)]
struct Steps;

type Resolving = Pin<Box<dyn Future<Output = Result<Vec<Migration>, BoxDynError>> + Send>>;

impl MigrationSource<'static> for Steps {
    fn resolve(self) -> Resolving {
        let migration = |(number, (name, sql)): (i64, (&'static str, &'static str))| {
            let (name, sql) = (Cow::Borrowed(name), Cow::Borrowed(sql));
            Migration::new(number, name, MigrationType::Simple, sql, false)
        };
        let all = (1..).zip(STEPS).map(migration).collect();
        Box::pin(async { Ok(all) })
    }
}

/// Makes the tables that are not there yet.
pub(super) async fn run(pool: &AnyPool) -> sqlx::Result<()> {
    let migrator = Migrator::new(Steps).await?;
    Ok(migrator.run(pool).await?)
}
