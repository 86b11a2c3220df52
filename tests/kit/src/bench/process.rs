//! What a process costs: time, processor time and memory.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use serde::{Deserialize, Serialize, Serializer};
use wait4::Wait4;

use crate::child;

/// Clock ticks of a second in what the kernel tells programs, whatever it counts in itself.
const TICKS: f64 = 100.0;
const NANOS: f64 = 1e9;

/// What a run to its end has cost.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Usage {
    pub(super) seconds: f64,
    /// In user and system mode, of all threads.
    pub(super) cpu_seconds: f64,
    #[serde(rename = "peak_mib", serialize_with = "in_mib")]
    pub(super) peak_bytes: u64,
}

impl Usage {
    pub(super) fn peak_mib(&self) -> f64 {
        mib(self.peak_bytes)
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1 << 20) as f64
}

fn in_mib<S: Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(mib(*bytes))
}

/// Time and processor time of a part of a process.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Spent {
    pub(super) seconds: f64,
    pub(super) cpu_seconds: f64,
}

/// Runs `program` in `dir` to its end, which must be a success, and returns what it printed.
pub(super) fn run(program: &Path, arguments: &[String], dir: &Path) -> (Usage, String) {
    let file = |name: &str| {
        let path = dir.join(name);
        (fs::File::create(&path).expect("a file can be made"), path)
    };
    let ((stdout, printed), (stderr, logged)) = (file(".stdout"), file(".stderr"));
    let mut command = child::command(program);
    command.args(arguments).current_dir(dir);
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    let began = Instant::now();
    let mut child = child::spawn(command).expect("the program can be started");
    let ended = child.wait4().expect("a child can be waited for");
    let seconds = began.elapsed().as_secs_f64();
    let read = |path| fs::read_to_string(path).expect("what a program prints is text");
    let printed = read(printed);
    assert!(
        ended.status.success(),
        "`{} {}` ended with {}\n{printed}\n{}",
        program.display(),
        arguments.join(" "),
        ended.status,
        read(logged)
    );
    let usage = Usage {
        seconds,
        cpu_seconds: (ended.rusage.utime + ended.rusage.stime).as_secs_f64(),
        peak_bytes: ended.rusage.maxrss,
    };
    (usage, printed)
}

/// The processor time that a running process has taken so far, to a hundredth of a second.
pub(super) fn cpu_seconds_of(pid: u32) -> f64 {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    ticks(&text).unwrap_or_else(|| panic!("{path} is not understood: {text}")) / TICKS
}

/// User and system time; the program's name before them may hold anything.
fn ticks(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<f64>().ok();
    Some(next()? + next()?)
}

/// Measures parts of this process.
#[derive(Debug, Default)]
pub(super) struct Meter(Spent);

impl Meter {
    /// Does `work` and counts what it costs.
    pub(super) fn count<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (began, cpu) = (Instant::now(), own_cpu_seconds());
        let done = work();
        self.0.seconds += began.elapsed().as_secs_f64();
        self.0.cpu_seconds += own_cpu_seconds() - cpu;
        done
    }

    pub(super) fn spent(&self) -> Spent {
        self.0
    }
}

/// The processor time of all threads of this process, finer than its clock ticks.
fn own_cpu_seconds() -> f64 {
    let tasks = fs::read_dir("/proc/self/task").expect("a process can list its threads");
    let nanos = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    nanos.sum::<f64>() / NANOS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_measured() {
        let dir = tempfile::tempdir().expect("a folder");
        let count = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo $i".to_owned();
        let (usage, printed) = run(Path::new("/bin/sh"), &["-c".to_owned(), count], dir.path());
        assert_eq!(printed.trim(), "100000");
        assert!(
            usage.cpu_seconds > 0.001 && usage.cpu_seconds <= usage.seconds * 2.0,
            "{usage:?}"
        );
        assert!(usage.peak_bytes > 1 << 19, "{usage:?}");
    }

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 5 1 1 1";
        assert_eq!(ticks(stat), Some(300.0));
        assert!(cpu_seconds_of(std::process::id()) >= 0.0);
    }

    #[test]
    fn a_part_of_this_process_is_measured() {
        let mut meter = Meter::default();
        let sum =
            meter.count(|| (0..20_000_000u64).fold(0, |sum, i| sum ^ i.wrapping_mul(sum | 3)));
        assert_ne!(std::hint::black_box(sum), 1);
        let Spent {
            seconds,
            cpu_seconds,
        } = meter.spent();
        assert!(seconds > 0.0 && cpu_seconds > 0.0, "{meter:?}");
    }
}
