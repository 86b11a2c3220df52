//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

const EVERYWHERE: &str = "Options of every command";
const AFTER: &str = "\
Examples:
  tributary init mysql://reader@db.internal/shop duckdb:warehouse.duckdb
  tributary check
  tributary sync
  tributary query warehouse \"SELECT count(*) FROM shop.orders\"

Exit codes: 0 done, 1 failed, 2 bad configuration or usage, 3 some streams failed and the others
committed, 130 interrupted.";

/// Moves data from databases and APIs into warehouses and lakes, exactly once.
#[derive(Debug, Parser)]
#[command(name = "tributary", version, after_help = AFTER, max_term_width = 100)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// The configuration file [default: tributary.yaml, env: TRIBUTARY_CONFIG]
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        env = "TRIBUTARY_CONFIG"
    )]
    #[arg(default_value = "tributary.yaml", help_heading = EVERYWHERE)]
    #[arg(hide_env = true, hide_default_value = true)]
    pub(crate) config: PathBuf,
    #[command(flatten)]
    pub(crate) logging: LoggingArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How to log, on stderr.
#[derive(Debug, Args)]
pub(crate) struct LoggingArgs {
    /// How logs are written to stderr [default: text]
    #[arg(long, global = true, value_name = "text|json", default_value = "text")]
    #[arg(help_heading = EVERYWHERE, hide_default_value = true, hide_possible_values = true)]
    pub(crate) log_format: LogFormat,
    /// error, warn, info, debug, trace or a filter [default: info, warn with bars, env: RUST_LOG]
    #[arg(long, global = true, value_name = "LEVEL", env = "RUST_LOG")]
    #[arg(help_heading = EVERYWHERE, hide_env = true)]
    pub(crate) log_level: Option<String>,
}

/// How logs are written: lines for people, with progress bars on a terminal, or one JSON object a
/// line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    // Comments here would become part of the help.
    Text,
    Json,
}

/// How a result is written to stdout: tables for people, or one JSON document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    // Comments here would become part of the help.
    #[default]
    Text,
    Json,
}

/// For every command with a result.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct OutputArgs {
    /// How the result is written to stdout [default: text]
    #[arg(short, long, value_name = "text|json", default_value = "text")]
    #[arg(hide_default_value = true, hide_possible_values = true)]
    pub(crate) output: Format,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented configuration with every stream of a source listed
    #[command(after_help = "\
Example:
  export SHOP_PASSWORD='the password'
  tributary init mysql://reader@db.internal:3306/shop duckdb:warehouse.duckdb

The password comes from the variable that the file will name: SHOP_PASSWORD for the database `shop`.
Name another in the address, in single quotes: 'mysql://reader:${DB_PASSWORD}@db.internal/shop'; or
set TRIBUTARY_SOURCE_PASSWORD for this one run. A password in the address itself works too, but
whoever lists the processes of this machine can read it. It goes into the file in no case.")]
    Init(InitArgs),
    /// Read the configuration and contact nothing
    Validate(ValidateArgs),
    /// Test every requirement of connections, with the exact fix for what is missing
    #[command(after_help = "\
Examples:
  tributary check            every connection
  tributary check shop       one of them

Exits with 1 if anything is a FAIL.")]
    Check(CheckArgs),
    /// List the streams of a source with keys, columns and types
    #[command(after_help = "Example:\n  tributary discover shop")]
    Discover(DiscoverArgs),
    /// Run connections once: what is new since the last run, or all of it the first time
    #[command(after_help = "\
Examples:
  tributary sync                              every connection
  tributary sync shop                         one of them
  tributary sync shop:shop.orders             one stream of it
  tributary sync --select 'shop.*' --dry-run  what would be read, and into which tables

A stream or --select says what is copied for the first time, and with --full-refresh what is copied
anew. Streams of a database that were copied before are kept up to date all the same: all of them
share one place in its change log, which can't move on for some of them alone.")]
    Sync(SyncArgs),
    /// Run every connection on its schedule until told to stop, with a status page
    #[command(after_help = "\
SIGTERM and Ctrl-C let runs commit what is complete, then end it. SIGHUP, or a changed file, reads
the configuration again: connections that did not change go on undisturbed, and a mistake changes
nothing.

The page, the API and the metrics are at http://127.0.0.1:8642 if `daemon.listen` says nothing else.")]
    Daemon,
    /// Show how far every connection and stream has come
    Status(StatusArgs),
    /// Look at cursors, move them, or keep a copy
    State(StateArgs),
    /// Ask a destination a question in SQL
    #[command(after_help = "\
Example:
  tributary query warehouse \"SELECT * FROM _tributary.loads ORDER BY committed_at DESC\"")]
    Query(QueryArgs),
    /// Prove source and destination equal, or list the keys that differ and repair them
    #[command(after_help = "\
Examples:
  tributary verify shop                       every stream of a connection
  tributary verify shop:shop.orders           one of them
  tributary verify shop:shop.orders --repair  write the keys that differ anew, then compare again

Nothing is locked and, without --repair, nothing is written. Keys that changed in the source since
the last sync are counted and not judged: the next sync writes them. Exits with 1 if anything
differs.")]
    Verify(VerifyArgs),
    /// Tidy a lake: put small files together, forget old snapshots, delete files nobody names
    #[command(after_help = "\
Example:
  tributary maintain lake

Safe at any time, also beside `sync`. Once a day is often enough.")]
    Maintain(MaintainArgs),
    /// Write the connections down for Airflow or Kubernetes
    #[command(after_help = "\
Examples:
  tributary export airflow -o dags/tributary_dag.py
  tributary export kubernetes --image registry.example.com/tributary:0.1.0 | kubectl apply -f -

The variables and secret files that the configuration names need not be there: they are wanted where
the result runs. No secret is written.")]
    Export(ExportArgs),
    /// List the kinds of source and destination, or the settings of one
    #[command(
        after_help = "Examples:\n  tributary connectors\n  tributary connectors mysql\n  \
tributary connectors test crm.manifest.yaml --fixtures fixtures/crm",
        args_conflicts_with_subcommands = true
    )]
    Connectors(ConnectorsArgs),
    /// Print the JSON Schema of the configuration, for editors
    #[command(after_help = "Example:\n  tributary schema > tributary.schema.json")]
    Schema(JsonArgs),
}

/// For commands whose result is JSON whatever is asked for.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct JsonArgs {
    /// Always JSON; accepted so that every command takes the same options
    #[arg(short, long, value_name = "json", default_value = "json", hide = true)]
    output: Format,
}

/// `init`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Where records come from: mysql://user@host:3306/database
    #[arg(value_name = "SOURCE_URL")]
    pub(crate) source: String,
    /// Where they go: duckdb:file.duckdb, postgres://user@host/db, ./dir, s3://bucket
    #[arg(value_name = "DESTINATION_URL")]
    pub(crate) destination: String,
    /// The file to write; never one that exists [default: that of --config]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// `validate`.
#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// `check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The connections to test [default: all]
    #[arg(value_name = "CONNECTION")]
    pub(crate) connections: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// `discover`.
#[derive(Debug, Args)]
pub(crate) struct DiscoverArgs {
    /// A name under `sources`
    #[arg(value_name = "SOURCE")]
    pub(crate) source: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// `sync`.
#[derive(Debug, Args)]
pub(crate) struct SyncArgs {
    /// What to run: connections, or single streams of them [default: every connection]
    #[arg(value_name = "CONNECTION[:STREAM]")]
    pub(crate) targets: Vec<String>,
    /// Copy the streams anew: each copy is built beside its table, and takes its place once it is
    /// complete
    #[arg(long)]
    pub(crate) full_refresh: bool,
    /// Read nothing; try the rows in `_tributary.rejected` again: those that fit now move into their
    /// tables, unless a newer version is there, and the others stay
    #[arg(long, conflicts_with_all = ["full_refresh", "dry_run"])]
    pub(crate) retry_rejected: bool,
    /// Only streams that fit this pattern, such as 'shop.*'; `!` takes away; may be given again
    #[arg(long, value_name = "PATTERN")]
    pub(crate) select: Vec<String>,
    /// Say what would be read and into which tables, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The connections to show [default: all]
    #[arg(value_name = "CONNECTION")]
    pub(crate) connections: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// `query`.
#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// A name under `destinations`
    #[arg(value_name = "DESTINATION")]
    pub(crate) destination: String,
    /// The question
    #[arg(value_name = "SQL")]
    pub(crate) sql: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// What to compare: connections, or single streams of them
    #[arg(value_name = "CONNECTION[:STREAM]", required = true)]
    pub(crate) targets: Vec<String>,
    /// Read the keys that differ again and write them, then compare again
    #[arg(long)]
    pub(crate) repair: bool,
    /// How many keys of each stream are listed
    #[arg(long, value_name = "KEYS", default_value_t = 20)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// `maintain`.
#[derive(Debug, Args)]
pub(crate) struct MaintainArgs {
    /// A name under `destinations`
    #[arg(value_name = "DESTINATION")]
    pub(crate) destination: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// `export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(subcommand)]
    pub(crate) to: ExportTo,
}

/// What to export to.
#[derive(Debug, Subcommand)]
pub(crate) enum ExportTo {
    /// Print a DAG for each connection, as one Python file for Airflow 2.9 and later
    Airflow(AirflowArgs),
    /// Print manifests: CronJobs, and a Deployment for what is continuous
    Kubernetes(KubernetesArgs),
}

/// `export airflow`.
#[derive(Debug, Args)]
pub(crate) struct AirflowArgs {
    /// The file to write, anew each time [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Print the pools that the DAGs use instead, for `airflow pools import`
    #[arg(long)]
    pub(crate) pools: bool,
}

/// `export kubernetes`.
#[derive(Debug, Args)]
pub(crate) struct KubernetesArgs {
    /// The file to write, anew each time [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The image of this program [default: tributary with this program's version]
    #[arg(long, value_name = "IMAGE", hide_default_value = true)]
    #[arg(default_value = concat!("tributary:", env!("CARGO_PKG_VERSION")))]
    pub(crate) image: String,
    /// The namespace of all objects [default: that of kubectl]
    #[arg(long, value_name = "NAME", value_parser = label)]
    pub(crate) namespace: Option<String>,
    /// The Secret with the variables and files that the configuration names
    #[arg(long, value_name = "NAME", default_value = "tributary", value_parser = label)]
    pub(crate) secret: String,
    /// The size of the volume of a destination on disk
    #[arg(long, value_name = "SIZE", default_value = "10Gi", value_parser = quantity)]
    pub(crate) storage: String,
}

/// A name as Kubernetes takes it.
fn label(text: &str) -> Result<String, String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let proper = text.chars().all(inner) && !text.starts_with('-') && !text.ends_with('-');
    match proper && !text.is_empty() && text.len() <= 63 {
        true => Ok(text.to_owned()),
        false => Err("it takes lower-case letters, digits and `-`".to_owned()),
    }
}

/// A size as Kubernetes takes it.
fn quantity(text: &str) -> Result<String, String> {
    const UNITS: [&str; 9] = ["", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"];
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    match UNITS.contains(&unit) && unit.len() < text.len() {
        true => Ok(text.to_owned()),
        false => Err("a size is written like 10Gi".to_owned()),
    }
}

/// `connectors`.
#[derive(Debug, Args)]
pub(crate) struct ConnectorsArgs {
    #[command(subcommand)]
    pub(crate) action: Option<ConnectorsAction>,
    /// A kind, to see its settings
    #[arg(value_name = "TYPE")]
    pub(crate) kind: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// What is done with connectors.
#[derive(Debug, Subcommand)]
pub(crate) enum ConnectorsAction {
    /// Try a manifest out on recorded exchanges; contacts nothing
    #[command(
        after_help = "Exit codes: 0 everything as expected, 1 not so, 2 a mistake in the manifest or a fixture.
Example:\n  tributary connectors test crm.manifest.yaml --fixtures fixtures/crm"
    )]
    Test {
        /// The manifest
        #[arg(value_name = "MANIFEST")]
        manifest: PathBuf,
        /// The folder with recorded exchanges
        #[arg(long, value_name = "DIR")]
        fixtures: PathBuf,
        #[command(flatten)]
        output: OutputArgs,
    },
}

/// `state`.
#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    #[command(subcommand)]
    pub(crate) action: StateAction,
}

/// What to do with cursors.
#[derive(Debug, Subcommand)]
pub(crate) enum StateAction {
    /// List the cursors of connections
    List {
        /// The connections [default: all]
        #[arg(value_name = "CONNECTION")]
        connections: Vec<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Print the state of a connection, or the cursor of a stream, as JSON
    Get {
        /// Which
        #[arg(value_name = "CONNECTION[:STREAM]")]
        target: String,
        #[command(flatten)]
        output: JsonArgs,
    },
    /// Replace the shared cursor of a connection, or the cursor of a stream
    #[command(after_help = "\
Examples:
  tributary state get shop:shop.orders > orders.json
  tributary state set shop:shop.orders \"$(cat orders.json)\"

The tables stay as they are: what lies between the old cursor and the new one is read again, or not
at all.")]
    Set {
        /// Which
        #[arg(value_name = "CONNECTION[:STREAM]")]
        target: String,
        /// The cursor, as `state get` prints it
        #[arg(value_name = "JSON")]
        cursor: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Forget all cursors of a connection, or that of a stream: the next run reads it anew
    Reset {
        /// Which
        #[arg(value_name = "CONNECTION[:STREAM]")]
        target: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Print the state of connections as one JSON document
    Export {
        /// The connections [default: all]
        #[arg(value_name = "CONNECTION")]
        connections: Vec<String>,
        #[command(flatten)]
        output: JsonArgs,
    },
    /// Replace the state of the connections in a document that `state export` printed
    Import {
        /// The document; `-` reads stdin
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        output: OutputArgs,
    },
}
