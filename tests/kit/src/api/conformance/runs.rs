//! The whole program, held to its simulator's truth: DuckDB is what it fills.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::subject::{Api, merge};
use super::warehouse;
use crate::api::faults::{Fault, When};
use crate::api::simulator::Simulator;
use crate::program::{Finished, Program};

/// The connection's name, and the schema of its tables.
pub const NAME: &str = "api";
const FILE: &str = "warehouse.duckdb";
/// How long the program may take to ask for something.
const PATIENCE: Duration = Duration::from_secs(60);

/// A simulator, and the program with a configuration that reads it.
#[derive(Debug)]
pub struct Runs<A> {
    /// The vendor.
    pub simulator: Simulator<A>,
    /// The program.
    pub program: Program,
    binary: PathBuf,
    settings: Value,
    connection: Value,
}

impl<A: Api> Runs<A> {
    /// The binary at `binary`, reading everything of `api`.
    pub fn new(binary: impl Into<PathBuf>, api: A) -> Self {
        let (simulator, binary) = (Simulator::start(api), binary.into());
        let url = simulator.url();
        let mut settings = simulator.with(|api, _| api.settings(&url));
        settings["type"] = json!(A::KIND);
        let connection = json!({"source": "api", "destination": "warehouse"});
        let program = Program::new(&binary);
        let runs = Self {
            simulator,
            program,
            binary,
            settings,
            connection,
        };
        runs.write(&runs.program);
        runs
    }

    /// Changes the settings of the source.
    #[must_use]
    pub fn source(mut self, more: &Value) -> Self {
        merge(&mut self.settings, more);
        self.write(&self.program);
        self
    }

    /// Changes the settings of the connection.
    #[must_use]
    pub fn connection(mut self, more: &Value) -> Self {
        merge(&mut self.connection, more);
        self.write(&self.program);
        self
    }

    fn write(&self, program: &Program) {
        let config = json!({
            "sources": {"api": self.settings},
            "destinations": {"warehouse": {"type": "duckdb", "path": FILE}},
            "connections": {NAME: self.connection},
        });
        program.write("tributary.yaml", &config.to_string());
        for (name, content) in self.simulator.with(|api, _| api.files()) {
            program.write(name, &content);
        }
    }

    /// Runs a command at the simulator's time.
    pub async fn run(&self, args: &[&str]) -> Finished {
        let clock = self.simulator.clock().failpoint();
        let env = [("FAILPOINTS", clock.as_str())];
        self.program.start_with(&env, args).wait().await
    }

    /// A sync that must succeed.
    pub async fn sync(&self) -> Finished {
        self.run(&["sync"]).await.exits(0)
    }

    /// Lets time pass until everyone can see what was changed.
    pub fn settle(&self) {
        self.simulator.clock().advance(A::SETTLES);
    }

    /// The DuckDB file.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.program.path(FILE)
    }

    /// Asserts that every table equals the truth.
    #[track_caller]
    pub fn assert_true(&self, when: &str) {
        self.assert_streams(A::STREAMS, when);
    }

    /// Asserts that the tables of these streams equal the truth.
    ///
    /// # Panics
    /// Panics with what differs.
    #[track_caller]
    pub fn assert_streams(&self, streams: &[&str], when: &str) {
        let mut wrong = self.differences(&self.program, streams);
        let count = wrong.len();
        wrong.truncate(20);
        assert!(
            wrong.is_empty(),
            "{when}: {count} differences\n  {}",
            wrong.join("\n  ")
        );
    }

    fn differences(&self, program: &Program, streams: &[&str]) -> Vec<String> {
        warehouse::differences(&self.simulator, (&program.path(FILE), NAME), streams)
    }

    /// How many rows a table holds.
    #[must_use]
    pub fn count(&self, stream: &str) -> usize {
        warehouse::rows(&self.file(), NAME, stream).len()
    }

    /// Killed at each of its requests, or at `cuts` of them spread evenly, and started again, a
    /// first sync is complete all the same.
    ///
    /// # Panics
    /// Panics where it is not.
    pub async fn survives_kills(&self, cuts: usize) {
        let before = self.simulator.recorder().total();
        self.sync().await;
        self.assert_true("never killed");
        let length = self.simulator.recorder().total() - before;
        let step = length.div_ceil(cuts).max(1);
        for cut in (1..=length).step_by(step) {
            let program = Program::new(&self.binary);
            self.write(&program);
            self.kill_at(&program, cut).await;
            let clock = self.simulator.clock().failpoint();
            let env = [("FAILPOINTS", clock.as_str())];
            program.start_with(&env, &["sync"]).wait().await.exits(0);
            let mut wrong = self.differences(&program, A::STREAMS);
            wrong.truncate(20);
            let when = format!("killed at request {cut} of {length}");
            assert!(wrong.is_empty(), "{when}\n  {}", wrong.join("\n  "));
        }
    }

    /// Starts a sync and kills it while it waits for the answer to its `number`th request.
    async fn kill_at(&self, program: &Program, number: usize) {
        let clock = self.simulator.clock().failpoint();
        let faults = self.simulator.faults();
        faults.add(When::nth(number as u64), Fault::Hang);
        let at = self.simulator.recorder().total() + number;
        let running = program.start_with(&[("FAILPOINTS", &clock)], &["sync"]);
        self.simulator.recorder().arrived(at, PATIENCE).await;
        running.kill().await;
        faults.clear();
    }
}
