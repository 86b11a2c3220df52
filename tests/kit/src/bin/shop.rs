//! Prints the demo's shop as SQL: `shop | mariadb`.
//!
//! With `small` as its argument, the smaller one of the tests.

use std::io::{self, Write};
use std::process::ExitCode;

use tributary_testkit::shop::Shop;

fn main() -> ExitCode {
    let shop = match std::env::args().nth(1).as_deref() {
        None => Shop::DEMO,
        Some("small") => Shop::SMALL,
        Some(other) => {
            let _ = writeln!(io::stderr(), "usage: shop [small] (not `{other}`)");
            return ExitCode::from(2);
        }
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let print = shop
        .statements()
        .try_for_each(|statement| writeln!(out, "{statement};"));
    match print.and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "the shop can't be printed: {error}");
            ExitCode::FAILURE
        }
    }
}
