//! Named places where a test can make the process die, fail or wait.
//!
//! A place costs one branch while nothing is armed. `fail::FailScenario` (armed by the program's
//! entry point from the `FAILPOINTS` variable) says what happens: `load.before_commit=3*off->return(kill)`
//! dies by SIGKILL at the fourth visit, `return(error)` fails as if the server had gone away.

use crate::{Error, ErrorKind, Result};

/// Visits the failpoint `name`.
///
/// # Errors
/// Fails with [`ErrorKind::Unavailable`] where a test armed the point with `return(error)`.
pub fn reach(name: &'static str) -> Result<()> {
    fail::fail_point!(name, |action| act(name, action.as_deref()));
    Ok(())
}

fn act(name: &str, action: Option<&str>) -> Result<()> {
    if action == Some("kill") {
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        std::thread::sleep(std::time::Duration::from_secs(60));
    }
    Err(Error::new(
        ErrorKind::Unavailable,
        format!("failpoint {name} was told to fail"),
    ))
}
