//! Products that speak MySQL's protocol and have no binary log of its kind.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tributary_model::{Error, ErrorKind};

/// What stands in the version or its comment, and what the product is called.
const PRODUCTS: [(&str, &str); 12] = [
    ("planetscale", "PlanetScale"),
    ("vitess", "Vitess"),
    ("tidb", "TiDB"),
    ("singlestore", "SingleStore"),
    ("memsql", "SingleStore"),
    ("oceanbase", "OceanBase"),
    ("starrocks", "StarRocks"),
    ("doris", "Apache Doris"),
    ("dolt", "Dolt"),
    ("clickhouse", "ClickHouse"),
    ("readyset", "ReadySet"),
    ("databend", "Databend"),
];

/// The error for such a product; `None` for a MySQL or MariaDB.
pub(super) fn refuse(version: &str, comment: &str) -> Option<Error> {
    let text = format!("{version} {comment}").to_lowercase();
    let (_, name) = PRODUCTS.iter().find(|(mark, _)| text.contains(mark))?;
    Some(
        Error::new(
            ErrorKind::Config,
            format!("this server is {name}, which speaks MySQL's protocol but has no binary log like MySQL's"),
        )
        .fix("Only MySQL 5.7 to 9.x, MariaDB from 10.6 on, RDS, Aurora and Cloud SQL can be read by `type: mysql`."),
    )
}

/// The same, for a connection on which something else has failed.
pub(crate) async fn unsupported_product(conn: &mut Conn) -> Option<Error> {
    let version: Option<String> = conn.query_first("SELECT VERSION()").await.ok()?;
    let comment: Option<String> = conn
        .query_first("SELECT @@version_comment")
        .await
        .unwrap_or_default();
    refuse(&version?, &comment.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_refused_by_name() {
        for (version, comment, name) in [
            ("8.0.30-Vitess", "Version: 19.0.1", "Vitess"),
            ("8.0.34", "PlanetScale", "PlanetScale"),
            (
                "8.0.11-TiDB-v7.5.0",
                "TiDB Server (Apache License 2.0)",
                "TiDB",
            ),
            ("5.7.32", "SingleStoreDB source distribution", "SingleStore"),
        ] {
            let error = refuse(version, comment);
            assert!(
                error.is_some_and(|error| error.to_string().contains(name)),
                "{name}"
            );
        }
    }

    #[test]
    fn the_real_ones_are_not_refused() {
        for (version, comment) in [
            ("9.7.4-2", "(Debian)"),
            ("10.11.19-MariaDB-0+deb12u1-log", "Debian 12"),
            (
                "8.0.36-28",
                "Percona Server (GPL), Release 28, Revision 47601f19",
            ),
            ("8.0.mysql_aurora.3.05.2", "Source distribution"),
            ("8.0.35-google", "(Google)"),
            (
                "5.7.44-rds.20240408",
                "managed by https://aws.amazon.com/rds/",
            ),
        ] {
            assert!(refuse(version, comment).is_none(), "{version}");
        }
    }
}
