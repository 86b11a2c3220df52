//! Independent readers: scripts for the Python that `make setup` installs, with pyiceberg and
//! pyarrow. What they find decides, because they share no line with us.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::cache;

/// Runs a script, which finds its input as JSON on its standard input, and returns what it prints,
/// which is JSON too.
///
/// # Panics
/// Panics with the script's errors where it fails, and with the command that installs Python where
/// it is missing.
#[must_use]
pub fn run(script: &str, input: &Value) -> Value {
    run_by(&program("python", "python"), script, input)
}

/// A program of an environment that `make setup` makes: `python` has readers of lakes, `checkers` has
/// Airflow, Kubernetes' schemas and OpenLineage's types.
///
/// # Panics
/// Panics with the command that installs it where it is missing.
#[must_use]
pub fn program(environment: &str, name: &str) -> PathBuf {
    let program = cache::dir().join(environment).join("bin").join(name);
    assert!(
        program.exists(),
        "Python is not installed for the tests (no {}). Run `make setup`.",
        program.display()
    );
    program
}

/// As [`run`], by the Python at `program`.
///
/// # Panics
/// Panics with the script's errors where it fails.
#[must_use]
pub fn run_by(program: &Path, script: &str, input: &Value) -> Value {
    let mut child = Command::new(program)
        .args(["-W", "ignore", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{} can't run: {error}", program.display()));
    let mut stdin = child.stdin.take().expect("the script has an input");
    // A script that fails at once does not read; its errors say why.
    let _ = stdin.write_all(input.to_string().as_bytes());
    drop(stdin);
    let output = child
        .wait_with_output()
        .expect("a script can be waited for");
    assert!(
        output.status.success(),
        "the script failed with {}:\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let said = String::from_utf8_lossy(&output.stdout);
        panic!("the script did not print JSON ({error}): {said}")
    })
}
