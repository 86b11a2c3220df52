//! Child processes that do not outlive the tests.
//!
//! `Drop` ends a child when a test passes or panics. When the whole test process is killed, the
//! kernel does it: `setpriv` asks for SIGKILL at the death of the *thread* that spawned the child,
//! so that all children are spawned by one thread that lives as long as the process.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::thread;

type Order = (Command, Sender<io::Result<Child>>);

/// A command for `program` whose process dies with this one.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Spawns from the thread that lives on.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    static ORDERS: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
    let orders = ORDERS.get_or_init(|| {
        let (sender, receiver) = channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in receiver {
                // The one who ordered may have gone; its child then has nobody to wait for it.
                if let Err(unclaimed) = reply.send(command.spawn())
                    && let Ok(mut child) = unclaimed.0
                {
                    let _ = child.kill();
                    let _ = child.wait();
                }
            }
        });
        Mutex::new(sender)
    });
    let (reply, answer) = channel();
    let gone = || io::Error::other("the spawning thread has ended");
    orders
        .lock()
        .map_err(|_| gone())?
        .send((command, reply))
        .map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}

/// Ends `child` without asking, and waits for it.
pub(crate) fn kill(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Sends a signal other than SIGKILL.
pub(crate) fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .expect("a child has a process id");
    // It may have ended already.
    let _ = rustix::process::kill_process(pid, signal);
}
