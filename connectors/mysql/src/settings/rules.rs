//! What each setting must be, and beside which others it may stand.

use tributary_model::{Error, ErrorKind, Fault, Secret};

use super::{Checked, Endpoint, Limits, Tls, random_server_id};
use crate::address::{self, UrlParts};
use crate::config::{Config, TlsConfig, TlsMode};
use crate::names::is_system_database;

const DEFAULT_PORT: u16 = 3306;
const DEFAULT_PARALLELISM: usize = 2;
const MAX_PARALLELISM: usize = 64;
const DEFAULT_CHUNK_ROWS: u64 = 100_000;

fn wrong(key: &'static [&'static str], what: impl Into<String>, fix: impl Into<String>) -> Fault {
    Fault::mistake(key, Error::new(ErrorKind::Config, what).fix(fix))
}

pub(super) fn read_url(text: &str) -> Checked<UrlParts> {
    address::read(text).map_err(|error| Fault::mistake(&["url"], error))
}

/// There is one place that says where the server is.
pub(super) fn one_place(config: &Config) -> Checked<()> {
    let mut named = Vec::new();
    named.extend(config.url.is_some().then_some("url"));
    named.extend(config.host.is_some().then_some("host"));
    named.extend(config.socket.is_some().then_some("socket"));
    match named.as_slice() {
        [_] => {}
        [] => {
            return Err(wrong(
                &[],
                "a MySQL source needs the server's address",
                "Add `host:` (and `port:`), `socket:`, or `url: mysql://user@host:3306`.",
            ));
        }
        several => {
            return Err(wrong(
                &[],
                format!(
                    "`{}` are given, each of which says where the server is",
                    several.join("` and `")
                ),
                "Keep one of them.",
            ));
        }
    }
    match (config.port, &config.host) {
        (Some(_), None) => Err(wrong(
            &["port"],
            "`port` is given without `host`",
            "Add `host:`, or write the port into `url:`.",
        )),
        _ => Ok(()),
    }
}

pub(super) fn endpoint(config: &Config, url: &UrlParts) -> Checked<Endpoint> {
    if let Some(socket) = config.socket.clone().or_else(|| url.socket.clone()) {
        return Ok(Endpoint::Socket(socket));
    }
    let no_host = |host: &str| host.trim().is_empty() || host.contains(['/', ' ', '@']);
    let host = match (&config.host, &url.host) {
        (Some(host), _) if no_host(host) => {
            return Err(wrong(
                &["host"],
                format!("`{host}` is not the name of a host"),
                "Write the name or address alone, such as `host: db.internal`; a whole address goes into `url:`.",
            ));
        }
        (None, url) if url.as_deref().is_none_or(no_host) => {
            return Err(wrong(
                &["url"],
                "`url` names no host",
                "Write it like `mysql://reader@db.internal:3306/shop`.",
            ));
        }
        (host, url) => host.as_ref().or(url.as_ref()).cloned().unwrap_or_default(),
    };
    match config.port.or(url.port).unwrap_or(DEFAULT_PORT) {
        0 => Err(wrong(
            if config.port.is_some() {
                &["port"]
            } else {
                &["url"]
            },
            "the port is 0",
            "Write the server's port, usually 3306.",
        )),
        port => Ok(Endpoint::Tcp { host, port }),
    }
}

pub(super) fn user(beside: Option<String>, inside: Option<String>) -> Checked<String> {
    match (beside, inside) {
        (Some(beside), Some(inside)) if beside != inside => Err(wrong(
            &["user"],
            "`user` and `url` name two users",
            "Keep one of them: `user:`, or the part of `url:`.",
        )),
        (beside, inside) => match beside.or(inside).filter(|user| !user.is_empty()) {
            Some(user) => Ok(user),
            None => Err(wrong(
                &[],
                "a MySQL source needs `user`",
                "Add `user:`, such as `user: reader`.",
            )),
        },
    }
}

pub(super) fn password(beside: Option<Secret>, inside: Option<Secret>) -> Checked<Option<Secret>> {
    match (beside, inside) {
        (Some(_), Some(_)) => Err(wrong(
            &["password"],
            "a password stands in `url` and in `password`",
            "Keep `password: ${...}` and take the one in `url` out.",
        )),
        (beside, inside) => Ok(beside.or(inside)),
    }
}

pub(super) fn tls(config: Option<TlsConfig>, local: bool) -> Checked<Tls> {
    let TlsConfig { mode, ca_file } = config.unwrap_or_default();
    match (mode, ca_file) {
        (Some(TlsMode::VerifyCa), ca_file) => Ok(Tls::VerifyCa(ca_file)),
        (Some(TlsMode::VerifyIdentity), ca_file) => Ok(Tls::VerifyIdentity(ca_file)),
        // Who names an authority wants the server verified.
        (None, Some(ca_file)) => Ok(Tls::VerifyIdentity(Some(ca_file))),
        (Some(TlsMode::Disabled | TlsMode::Required), Some(_)) => Err(wrong(
            &["tls", "ca_file"],
            "`tls.ca_file` is given, and `tls.mode` verifies nothing",
            "Set `tls.mode` to `verify_identity` or `verify_ca`, or take `ca_file` out.",
        )),
        (Some(TlsMode::Disabled), None) => Ok(Tls::Disabled),
        (Some(TlsMode::Required), None) => Ok(Tls::Required),
        (None, None) if local => Ok(Tls::Preferred),
        (None, None) => Ok(Tls::Required),
    }
}

pub(super) fn databases(
    listed: Option<Vec<String>>,
    in_url: Option<String>,
) -> Checked<Vec<String>> {
    let mut names = match (listed, in_url) {
        (Some(listed), Some(in_url)) if listed != [in_url.as_str()] => {
            return Err(wrong(
                &["databases"],
                "`databases` is given, and `url` names another database",
                "Keep one of them.",
            ));
        }
        (Some(listed), _) if listed.is_empty() => {
            return Err(wrong(
                &["databases"],
                "`databases` is empty",
                "Name at least one, or take the line out to read all of them.",
            ));
        }
        (Some(listed), _) => listed,
        (None, in_url) => in_url.into_iter().collect(),
    };
    for name in &names {
        check_database(name)?;
    }
    names.sort();
    names.dedup();
    Ok(names)
}

fn check_database(name: &str) -> Checked<()> {
    let wrong = |what: String, fix: &str| Err(wrong(&["databases"], what, fix));
    if name.trim().is_empty() {
        return wrong("`databases` holds an empty name".to_owned(), "Take it out.");
    }
    if name.contains('*') {
        return wrong(
            format!("`{name}` in `databases` is a pattern"),
            "Name the databases one by one; patterns go into `select` of a connection.",
        );
    }
    if name.contains('.') {
        return wrong(
            format!("the database `{name}` has a dot in its name"),
            "Such a database can't be read, since a dot ends the database in the name of a stream; rename it. To choose tables, use `select` of a connection.",
        );
    }
    if is_system_database(name) {
        return wrong(
            format!("`{name}` is a database of the server itself"),
            "Take it out of `databases`.",
        );
    }
    Ok(())
}

pub(super) fn server_id(chosen: Option<u32>) -> Checked<u32> {
    match chosen {
        Some(0) => Err(wrong(
            &["server_id"],
            "`server_id` is 0",
            "Choose a number that no other replica of the server uses, or take the line out.",
        )),
        Some(id) => Ok(id),
        None => Ok(random_server_id()),
    }
}

pub(super) fn parallelism(chosen: Option<usize>) -> Checked<usize> {
    let parallelism = chosen.unwrap_or(DEFAULT_PARALLELISM);
    if (1..=MAX_PARALLELISM).contains(&parallelism) {
        return Ok(parallelism);
    }
    Err(wrong(
        &["parallelism"],
        format!("`parallelism` is {parallelism}"),
        format!("Choose a number from 1 to {MAX_PARALLELISM}."),
    ))
}

pub(super) fn chunk_rows(chosen: Option<u64>) -> Checked<u64> {
    match chosen {
        Some(0) => Err(wrong(
            &["chunk_rows"],
            "`chunk_rows` is 0",
            format!("Choose at least 1; the default is {DEFAULT_CHUNK_ROWS}."),
        )),
        chosen => Ok(chosen.unwrap_or(DEFAULT_CHUNK_ROWS)),
    }
}

pub(super) fn limits(config: &Config) -> Checked<Limits> {
    let at_least_one = |key: &'static [&'static str], chosen: Option<u64>| match chosen {
        Some(0) => Err(wrong(
            key,
            format!("`{}` is 0: no table would ever be copied", key[0]),
            "Choose at least 1, or take the line out to have no limit.",
        )),
        chosen => Ok(chosen),
    };
    Ok(Limits {
        rows_per_second: at_least_one(&["max_rows_per_second"], config.max_rows_per_second)?,
        threads_running: at_least_one(&["max_threads_running"], config.max_threads_running)?,
        replica_lag: at_least_one(&["max_replica_lag"], config.max_replica_lag)?,
    })
}
