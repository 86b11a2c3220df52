//! The formats of text that our own types ask for.

use std::net::SocketAddr;

use crate::{column, duration, rejections, schedule, size, table, telemetry, window, zone};

/// An IP address and a port.
pub(crate) const SOCKET_ADDRESS: &str = "socket-address";

/// Whether `text` is of `format`; formats that are not ours are left to whoever takes the value.
///
/// # Errors
/// A sentence that does not repeat the text.
pub(crate) fn check(format: &str, text: &str) -> Result<(), String> {
    match format {
        duration::FORMAT => duration::parse(text).map(drop),
        rejections::FORMAT => rejections::parse(text).map(drop),
        size::FORMAT => size::parse(text).map(drop),
        schedule::FORMAT => schedule::parse(text).map(drop),
        column::FORMAT => column::parse(text).map(drop),
        table::FORMAT => table::parse(text).map(drop),
        window::FORMAT => window::parse(text).map(drop),
        zone::FORMAT => zone::parse(text).map(drop),
        telemetry::HTTP_ADDRESS => telemetry::parse_address(text),
        SOCKET_ADDRESS => match text.parse::<SocketAddr>() {
            Ok(_) => Ok(()),
            Err(_) => Err("an address is written like 127.0.0.1:8642".to_owned()),
        },
        _ => Ok(()),
    }
}
