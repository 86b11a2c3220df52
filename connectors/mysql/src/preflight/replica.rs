//! The server among its replicas: is it one itself, and is our id taken?

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use tributary_model::{Report, Result};

use crate::server::{Flavor, Server, Version};
use crate::settings::Settings;

/// Notes what stands in the way.
pub(super) async fn check(
    conn: &mut Conn,
    settings: &Settings,
    server: &Server,
    report: &mut Report,
) -> Result<()> {
    applied_changes(conn, server, report).await;
    if settings.server_id_chosen {
        our_id(conn, settings, server, report).await;
    }
    Ok(())
}

/// A replica whose applied changes do not reach its own log shows only part of what happens.
async fn applied_changes(conn: &mut Conn, server: &Server, report: &mut Report) {
    const NAME: &str = "replica as a source";
    if server.is_on("log_replica_updates") || server.is_on("log_slave_updates") {
        return;
    }
    let statement = match server.flavor {
        Flavor::MySql if server.version >= Version::new(8, 0, 22) => "SHOW REPLICA STATUS",
        Flavor::MySql => "SHOW SLAVE STATUS",
        Flavor::MariaDb => "SHOW ALL SLAVES STATUS",
    };
    // MariaDB asks for a privilege that reading does not need: then there are only signs.
    let asked: Result<Vec<Row>, mysql_async::Error> = conn.query(statement).await;
    let signs = server
        .variable("gtid_slave_pos")
        .is_some_and(|pos| !pos.is_empty())
        || server.is_on("read_only");
    const FIX: &str = "Set log_slave_updates=ON (MySQL 8.0.26 and newer: log_replica_updates=ON) in the \
         server's configuration and restart it, or read from the primary.";
    match asked {
        Ok(rows) if rows.is_empty() => {}
        Ok(_) => report.fail(
            NAME,
            "the server is a replica that does not write the changes it applies to its own log",
            FIX,
        ),
        Err(_) if signs => report.warn(
            NAME,
            "the server looks like a replica, and would not write the changes it applies to its own log",
            FIX,
        ),
        Err(_) => {}
    }
}

/// Two replicas with one id throw each other out.
async fn our_id(conn: &mut Conn, settings: &Settings, server: &Server, report: &mut Report) {
    const NAME: &str = "server_id";
    const FIX: &str = "Choose another `server_id`, or take the line out to get a random one.";
    let ours = settings.server_id;
    if ours == server.server_id {
        report.fail(
            NAME,
            format!("`server_id` is {ours}, which is the server's own"),
            FIX,
        );
        return;
    }
    let statement = match server.flavor {
        Flavor::MySql if server.version >= Version::new(8, 0, 22) => "SHOW REPLICAS",
        Flavor::MySql | Flavor::MariaDb => "SHOW SLAVE HOSTS",
    };
    let replicas: Result<Vec<Row>, mysql_async::Error> = conn.query(statement).await;
    let taken = replicas.is_ok_and(|rows| {
        rows.iter()
            .any(|row| row.get_opt::<u32, _>(0).and_then(Result::ok) == Some(ours))
    });
    if taken {
        report.warn(
            NAME,
            format!("a replica with the id {ours} is connected: a sync that is running, or another program"),
            FIX,
        );
    } else {
        report.pass(NAME, ours.to_string());
    }
}
