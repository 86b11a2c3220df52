//! The program under test: run in a folder of its own, with what it prints kept.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::child;

const LIMIT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(5);

/// A binary, a folder with its configuration, and its environment.
#[derive(Debug)]
pub struct Program {
    binary: PathBuf,
    dir: TempDir,
    env: Vec<(OsString, OsString)>,
    limit: Duration,
    runs: std::sync::atomic::AtomicUsize,
}

impl Program {
    /// The binary at `binary`: in the tests of package `tributary`,
    /// `env!("CARGO_BIN_EXE_tributary")`.
    ///
    /// # Panics
    /// Panics where no temporary folder can be made.
    #[must_use]
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("tributary-run-")
            .tempdir()
            .expect("a temporary folder can be made");
        let runs = std::sync::atomic::AtomicUsize::new(0);
        // What it remembers for its user is not for the one who runs the tests.
        let state = dir.path().join("state").into_os_string();
        Self {
            binary: binary.into(),
            env: vec![("TRIBUTARY_STATE_DIR".into(), state)],
            dir,
            limit: LIMIT,
            runs,
        }
    }

    /// The binary that was built last, beside the running test or benchmark.
    ///
    /// # Panics
    /// Panics where there is none.
    #[must_use]
    pub fn built() -> Self {
        let here = std::env::current_exe().expect("a process knows its own program");
        let binary = here
            .ancestors()
            .skip(1)
            .take(2)
            .map(|dir| dir.join("tributary"));
        let binary = binary.into_iter().find(|path| path.is_file());
        Self::new(binary.expect("there is no `tributary` yet; build it with `cargo build`"))
    }

    /// Writes `tributary.yaml`.
    ///
    /// # Panics
    /// Panics where it can't be written.
    #[must_use]
    pub fn config(self, yaml: &str) -> Self {
        self.write("tributary.yaml", yaml);
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// How long a run may take.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Writes a file into its folder.
    ///
    /// # Panics
    /// Panics where it can't be written.
    pub fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).expect("a file can be written");
    }

    /// A path in its folder, which is also where it runs.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// Panics with what it printed where it takes too long.
    pub async fn run(&self, args: &[&str]) -> Finished {
        self.start(args).wait().await
    }

    /// Starts it.
    ///
    /// # Panics
    /// Panics where it can't be started.
    pub fn start(&self, args: &[&str]) -> Running {
        self.start_with(&[], args)
    }

    /// Starts it with more variables in its environment, for this run only.
    ///
    /// # Panics
    /// Panics where it can't be started.
    pub fn start_with(&self, env: &[(&str, &str)], args: &[&str]) -> Running {
        let number = self.runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let capture = |stream: &str| {
            let path = self.path(&format!(".{number}.{stream}"));
            (File::create(&path).expect("a file can be made"), path)
        };
        let (stdout, stdout_path) = capture("stdout");
        let (stderr, stderr_path) = capture("stderr");
        let mut command = child::command(&self.binary);
        command.args(args).current_dir(self.dir.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TRIBUTARY") {
                command.env_remove(name);
            }
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.envs(env.iter().copied());
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        let child = child::spawn(command).expect("the program can be started");
        Running {
            what: format!("tributary {}", args.join(" ")),
            child,
            began: Instant::now(),
            limit: self.limit,
            stdout: stdout_path,
            stderr: stderr_path,
        }
    }
}

/// A run under way; dropping it kills it.
#[derive(Debug)]
pub struct Running {
    what: String,
    child: Child,
    began: Instant,
    limit: Duration,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    /// Kills it as a crash would, and waits until it is gone.
    pub async fn kill(mut self) -> Finished {
        child::kill(&mut self.child);
        self.wait().await
    }

    /// Asks it to stop, as Ctrl-C does.
    pub fn interrupt(&self) {
        child::signal(&self.child, Signal::INT);
    }

    /// Asks it to stop, as a supervisor does.
    pub fn terminate(&self) {
        child::signal(&self.child, Signal::TERM);
    }

    /// Tells it that its configuration has changed.
    pub fn hang_up(&self) {
        child::signal(&self.child, Signal::HUP);
    }

    /// Freezes it.
    pub fn freeze(&self) {
        child::signal(&self.child, Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        child::signal(&self.child, Signal::CONT);
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// What it has logged so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// Waits until its log holds `text`.
    ///
    /// # Panics
    /// Panics with what it printed where it ends or takes too long before that.
    pub async fn logged(&mut self, text: &str) {
        while !self.stderr().contains(text) {
            let running = self.is_running();
            assert!(
                running && self.began.elapsed() < self.limit,
                "`{}` never logged `{text}`\n{}",
                self.what,
                self.stderr()
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// Panics with what it printed where it takes too long.
    pub async fn wait(mut self) -> Finished {
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return Finished {
                    what: self.what.clone(),
                    status,
                    elapsed: self.began.elapsed(),
                    stdout: read(&self.stdout),
                    stderr: read(&self.stderr),
                };
            }
            if self.began.elapsed() > self.limit {
                child::kill(&mut self.child);
                panic!(
                    "`{}` took longer than {:?}\n--- stdout\n{}\n--- stderr\n{}",
                    self.what,
                    self.limit,
                    read(&self.stdout),
                    read(&self.stderr)
                );
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        child::kill(&mut self.child);
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// A run that has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    what: String,
    status: ExitStatus,
    /// How long it took.
    pub elapsed: Duration,
    /// What it printed.
    pub stdout: String,
    /// What it logged.
    pub stderr: String,
}

impl Finished {
    /// Its exit code; `None` where a signal ended it.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Asserts the exit code.
    ///
    /// # Panics
    /// Panics with what it printed where it is another.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "exit code\n{self}");
        self
    }

    /// Asserts that a text is in its log or output.
    ///
    /// # Panics
    /// Panics with what it printed where it is not.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(
            self.stderr.contains(text) || self.stdout.contains(text),
            "nothing says `{text}`\n{self}"
        );
        self
    }

    /// What it printed as one JSON document.
    ///
    /// # Panics
    /// Panics with what it printed where that is no JSON.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no JSON: {error}\n{self}"))
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            status,
            elapsed,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "`{what}`: {status} after {elapsed:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell() -> Program {
        Program::new("/bin/sh")
            .env("GREETING", "hello")
            .limit(Duration::from_millis(500))
    }

    #[tokio::test]
    async fn what_a_run_prints_and_how_it_ends_is_kept() {
        let program = shell().config("a: 1");
        let finished = program
            .run(&["-c", "cat tributary.yaml; echo $GREETING >&2; exit 3"])
            .await;
        assert_eq!((&*finished.stdout, finished.code()), ("a: 1", Some(3)));
        let finished = finished.exits(3).says("hello");
        assert!(finished.to_string().contains("exit status: 3"));
    }

    #[tokio::test]
    async fn a_run_can_be_killed_at_any_moment() {
        let program = shell();
        let mut running = program.start(&["-c", "echo ready >&2; sleep 60"]);
        running.logged("ready").await;
        assert!(running.is_running());
        assert_eq!(running.kill().await.code(), None);
    }

    #[tokio::test]
    #[should_panic(expected = "took longer than")]
    async fn a_run_has_a_limit() {
        shell().run(&["-c", "exec sleep 60"]).await;
    }
}
