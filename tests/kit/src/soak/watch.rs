//! What is seen of the daemon while it runs.

use std::fmt;
use std::fs;

use super::daemon::Daemon;

/// The most that was seen.
#[derive(Debug, Default)]
pub(super) struct Watch {
    looks: u64,
    memory: u64,
    handles: usize,
    lag: f64,
}

impl Watch {
    /// Looks at the process and at what it says.
    pub(super) async fn look(&mut self, daemon: &Daemon) {
        let process = format!("/proc/{}", daemon.running.pid());
        let status = fs::read_to_string(format!("{process}/status")).unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes =
            resident.and_then(|text| text.trim().strip_suffix("kB")?.trim().parse().ok());
        let handles = fs::read_dir(format!("{process}/fd")).map_or(0, Iterator::count);
        self.looks += 1;
        self.memory = self.memory.max(kilobytes.unwrap_or(0u64) << 10);
        self.handles = self.handles.max(handles);
        for view in daemon.connections().await {
            self.lag = self
                .lag
                .max(view["lag_seconds"].as_f64().unwrap_or_default());
        }
    }

    /// Asserts that it took no more than it may.
    #[track_caller]
    pub(super) fn assert_within(&self, memory: u64, handles: usize) {
        assert!(
            self.looks > 0 && self.memory > 0,
            "nothing was seen: {self}"
        );
        assert!(self.memory <= memory, "too much memory: {self}");
        assert!(self.handles <= handles, "too many handles: {self}");
    }
}

impl fmt::Display for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            looks,
            memory,
            handles,
            lag,
        } = self;
        let megabytes = memory >> 20;
        write!(
            f,
            "{looks} looks; at most {megabytes} MiB, {handles} handles, {lag:.0} s of lag"
        )
    }
}
