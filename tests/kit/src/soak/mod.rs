//! `make soak MINUTES=10`: a daemon with four connections under load and faults, watched.
//!
//! Each connection copies the same shop into a file of its own, on a schedule of its own, while
//! customers keep buying and something goes wrong every few seconds. In the end every file must equal
//! the source, row by row; memory and file handles must have stayed within their limits.

mod daemon;
mod faults;
mod watch;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::compare;
use crate::program::Program;
use crate::random::Random;
use crate::server::{Flavor, MySqlServer, Options};
use crate::shop::{Shop, TABLES, Writer};
use daemon::Daemon;
use watch::Watch;

/// The connections: their names and schedules.
const CONNECTIONS: [(&str, &str); 4] = [
    ("follows", "schedule: continuous"),
    ("often", "schedule: 3s, defaults: {deletes: hard}"),
    ("minutely", "schedule: \"* * * * *\""),
    ("fresh", "freshness: 15s"),
];
/// What the daemon may take: the rows' own limit, and DuckDB's for four files.
const MEMORY: u64 = 900 << 20;
const HANDLES: usize = 400;
/// The time between two faults.
const PAUSE: Duration = Duration::from_secs(10);
/// How long the connections may take to catch up in the end.
const CATCH_UP: Duration = Duration::from_secs(180);

/// Runs for as many minutes as the first argument says.
#[must_use]
pub fn main() -> ExitCode {
    let minutes = std::env::args().nth(1).map_or(Ok(10), |text| text.parse());
    let Ok(minutes) = minutes else {
        say("usage: soak [MINUTES]");
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    runtime.block_on(soak(Duration::from_secs(60 * minutes)));
    ExitCode::SUCCESS
}

fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

async fn soak(length: Duration) {
    let mut server = MySqlServer::start(Flavor::MariaDb, Options::default()).await;
    Shop::SMALL.load(&server).await;
    let reader = server.reader().await;
    let program = Program::built()
        .env("SHOP_PASSWORD", &reader.password)
        .limit(length + CATCH_UP * 4);
    program.write("tributary.yaml", &configuration(&server, &reader.name));
    let mut daemon = Daemon::start(&program).await;
    let writer = Writer::start(&server, Shop::SMALL, 3, 11);
    let (mut watch, mut random, begun) = (Watch::default(), Random::new(7), Instant::now());
    while begun.elapsed() < length {
        let fault = faults::pick(&mut random);
        say(&format!("{:>5.0?} {fault:?}", begun.elapsed()));
        daemon = faults::happen(fault, daemon, &program, &mut server, &mut random).await;
        let next = Instant::now() + PAUSE;
        while Instant::now() < next {
            watch.look(&daemon).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    let tally = writer.stop().await;
    let names = CONNECTIONS.map(|(name, _)| name);
    daemon.wait_until_complete(&names, CATCH_UP).await;
    daemon.stop().await;
    for name in names {
        let file = program.path(&format!("{name}.duckdb"));
        let rows = compare::assert_equal(&server, &file, &TABLES).await;
        say(&format!("{name}: {rows} rows, equal"));
    }
    say(&format!("{} transactions; {watch}", tally.committed));
    watch.assert_within(MEMORY, HANDLES);
}

fn configuration(server: &MySqlServer, user: &str) -> String {
    let mut yaml = format!(
        "sources:\n  shop: {{type: mysql, host: 127.0.0.1, port: {}, user: {user}, \
         password: \"${{SHOP_PASSWORD}}\"}}\ndestinations:\n",
        server.port()
    );
    for (name, _) in CONNECTIONS {
        yaml += &format!("  {name}: {{type: duckdb, path: {name}.duckdb}}\n");
    }
    yaml += "connections:\n";
    for (name, choices) in CONNECTIONS {
        yaml += &format!(
            "  {name}: {{source: shop, destination: {name}, flush: {{every: 1s}}, {choices}}}\n"
        );
    }
    yaml + &format!(
        "daemon: {{token: {}, store: control.sqlite, time_zone: UTC}}\n",
        daemon::TOKEN
    )
}
