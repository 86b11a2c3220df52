//! Preflight: every right, proved by using it as little as will do.
//!
//! Everything in the warehouse happens in transactions that are rolled back; the one file that is put
//! into the bucket is removed. A right that is missing is named with the statement that gives it.
//! Redshift has no savepoints: each trial is a transaction of its own.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use tributary_model::{
    ConnectionName, DataType, Deletes, Error, ErrorKind, LoadPlan, Mode, Op, Presence, Report,
    Result, StreamName, TableColumn, TableName, TablePlan, now,
};
use tributary_sql::{Dialect, Screened};
use tributary_store::Store;

use crate::describe::Inventory;
use crate::destination::room;
use crate::dialect::DIALECT;
use crate::ledger::Notes;
use crate::session::Session;
use crate::settings::{Reader, Settings, Tls};
use crate::system::{self, Own};
use crate::target::Target;
use crate::text::literal;
use crate::transaction::Site;

/// The schema of the trial where none is set.
const SCHEMA: &str = "_tributary_check";

/// Looks at everything a load needs.
pub(crate) async fn check(settings: &Settings, store: &Arc<dyn Store>) -> Report {
    let mut report = Report::default();
    let mut session = match Session::connect(settings).await {
        Ok(session) => session,
        Err(error) => {
            note(&mut report, "login", &error);
            return report;
        }
    };
    let (user, database) = (&settings.user, &settings.database);
    report.pass(
        "login",
        format!(
            "{user} may use the database {database} at {}",
            settings.place()
        ),
    );
    encryption(&mut report, settings);
    if let Err(error) = trials(&mut report, &mut session, settings, store).await {
        note(&mut report, "trial", &error);
    }
    report
}

fn note(report: &mut Report, requirement: &str, error: &Error) {
    let found = match error.why() {
        Some(why) => format!("{} ({why})", error.what()),
        None => error.what(),
    };
    report.fail(requirement, found, error.help().unwrap_or_default());
}

fn encryption(report: &mut Report, settings: &Settings) {
    match settings.tls {
        Tls::VerifyCa(_) | Tls::VerifyIdentity(_) => {
            report.pass(
                "encryption",
                "the connection is encrypted, the server verified",
            );
        }
        Tls::Required => report.pass("encryption", "the connection is encrypted"),
        Tls::Preferred => report.pass("encryption", "the server is on this machine"),
        Tls::Disabled => report.warn(
            "encryption",
            "the connection is not encrypted",
            "Set `tls: {mode: required}` or, better, `verify_identity`.",
        ),
    }
}

async fn trials(
    report: &mut Report,
    session: &mut Session,
    settings: &Settings,
    store: &Arc<dyn Store>,
) -> Result<()> {
    version(report, session).await?;
    let has_state = state(report, session, settings).await?;
    let has_temporary = temporary(report, session, settings).await?;
    let has_schema = tables(report, session, settings).await?;
    let has_bucket = bucket(report, store).await;
    if has_state && has_temporary && has_schema && has_bucket {
        load(report, session, settings, store).await?;
    }
    Ok(())
}

async fn version(report: &mut Report, session: &mut Session) -> Result<()> {
    let rows = session
        .ask("SELECT version()", "asking for the version")
        .await?;
    let version = match rows.first() {
        Some(row) => row.text(0)?.to_owned(),
        None => String::new(),
    };
    match version.split_once("Redshift ") {
        Some((_, number)) => report.pass("version", format!("Redshift {number}")),
        None => report.fail(
            "version",
            format!("the server is no Redshift: {version}"),
            "Correct `host`; for a PostgreSQL use `type: postgres`.",
        ),
    }
    Ok(())
}

/// A right on trial.
struct Right {
    requirement: &'static str,
    /// What was done where it is there.
    proved: String,
    /// What gives it.
    grant: String,
}

/// Tries statements in a transaction that is undone; whether the right is there.
async fn try_right(
    report: &mut Report,
    session: &mut Session,
    right: Right,
    statements: &[String],
) -> Result<bool> {
    session.run("BEGIN", "beginning a trial").await?;
    let tried = session.run_all(statements, "trying a right").await;
    session.run("ROLLBACK", "undoing a trial").await?;
    match tried {
        Ok(()) => {
            report.pass(right.requirement, right.proved);
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::Access => {
            let found = error.why().unwrap_or_else(|| error.what());
            report.fail(right.requirement, found, right.grant);
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// The tables of `_tributary`: making what is missing, and writing what is there.
async fn state(report: &mut Report, session: &mut Session, settings: &Settings) -> Result<bool> {
    let (user, database) = (
        DIALECT.quote(&settings.user),
        DIALECT.quote(&settings.database),
    );
    let there = has_schema(session, system::SCHEMA).await?;
    let grant = match there {
        true => format!(
            "Run: GRANT USAGE, CREATE ON SCHEMA _tributary TO {user}; GRANT SELECT, INSERT, UPDATE, \
             DELETE ON ALL TABLES IN SCHEMA _tributary TO {user};"
        ),
        false => format!(
            "Run: CREATE SCHEMA _tributary AUTHORIZATION {user}; or: GRANT CREATE ON DATABASE {database} TO {user};"
        ),
    };
    let right = Right {
        requirement: "state",
        proved: "the tables of `_tributary` can be made and written".to_owned(),
        grant,
    };
    let own = Own::new(&ConnectionName::new("_tributary check"));
    let mut statements = system::missing(session, &own).await?;
    let table = own.state();
    statements.extend([
        format!("LOCK {}", own.lock()),
        format!("INSERT INTO {table} (stream, kind) VALUES ('', '')"),
        format!("UPDATE {table} SET format = 0 WHERE kind = ''"),
        format!("DELETE FROM {table} WHERE kind = ''"),
        "INSERT INTO _tributary.loads (connection, sequence) VALUES ('', 0)".to_owned(),
        "INSERT INTO _tributary.long_texts (connection) VALUES ('')".to_owned(),
        "INSERT INTO _tributary.rejected (connection) VALUES ('')".to_owned(),
        "DELETE FROM _tributary.rejected WHERE connection = ''".to_owned(),
        "INSERT INTO _tributary.schema_changes (connection) VALUES ('')".to_owned(),
    ]);
    try_right(report, session, right, &statements).await
}

async fn temporary(
    report: &mut Report,
    session: &mut Session,
    settings: &Settings,
) -> Result<bool> {
    let (user, database) = (
        DIALECT.quote(&settings.user),
        DIALECT.quote(&settings.database),
    );
    let right = Right {
        requirement: "temporary tables",
        proved: "temporary tables can be made".to_owned(),
        grant: format!("Run: GRANT TEMPORARY ON DATABASE {database} TO {user};"),
    };
    let make = "CREATE TEMPORARY TABLE _tributary_right (id BIGINT)".to_owned();
    try_right(report, session, right, &[make]).await
}

async fn tables(report: &mut Report, session: &mut Session, settings: &Settings) -> Result<bool> {
    let (user, database) = (
        DIALECT.quote(&settings.user),
        DIALECT.quote(&settings.database),
    );
    let schema = settings.schema.as_deref().unwrap_or(SCHEMA);
    let quoted = DIALECT.quote(schema);
    let there = has_schema(session, schema).await?;
    let (proved, grant) = match (there, &settings.schema) {
        (true, _) => (
            format!("tables can be made in the schema {schema}"),
            format!("Run: GRANT USAGE, CREATE ON SCHEMA {quoted} TO {user};"),
        ),
        (false, Some(_)) => (
            format!("the schema {schema} can be made"),
            format!(
                "Run: CREATE SCHEMA {quoted} AUTHORIZATION {user}; or: GRANT CREATE ON DATABASE {database} TO {user};"
            ),
        ),
        (false, None) => (
            "schemas can be made".to_owned(),
            format!(
                "Run: GRANT CREATE ON DATABASE {database} TO {user}; or set `schema` of the destination to one in which this user may make tables."
            ),
        ),
    };
    let right = Right {
        requirement: "tables",
        proved,
        grant,
    };
    let mut statements = Vec::new();
    if !there {
        statements.push(format!("CREATE SCHEMA {quoted}"));
    }
    statements.extend([
        format!("CREATE TABLE {quoted}._tributary_right (id BIGINT)"),
        format!("DROP TABLE {quoted}._tributary_right"),
    ]);
    try_right(report, session, right, &statements).await
}

async fn has_schema(session: &mut Session, schema: &str) -> Result<bool> {
    let name = literal(&schema.to_ascii_lowercase());
    let sql = format!("SELECT 1 FROM pg_namespace WHERE nspname = {name}");
    Ok(!session
        .ask(&sql, "looking for the schema")
        .await?
        .is_empty())
}

/// Our own rights on the bucket: put, read back, list, remove.
async fn bucket(report: &mut Report, store: &Arc<dyn Store>) -> bool {
    let place = store.location();
    match try_bucket(store).await {
        Ok(()) => {
            report.pass(
                "staging",
                format!("files can be put into {place} and removed"),
            );
            true
        }
        Err(error) => {
            note(report, "staging", &error);
            false
        }
    }
}

async fn try_bucket(store: &Arc<dyn Store>) -> Result<()> {
    let room = room(store, "check");
    room.put("trial", bytes::Bytes::from_static(b"trial"))
        .await?;
    room.clear_surely().await
}

/// A small load by the very code that loads: the warehouse reads the bucket, merges, and undoes it.
async fn load(
    report: &mut Report,
    session: &mut Session,
    settings: &Settings,
    store: &Arc<dyn Store>,
) -> Result<()> {
    let schema = settings.schema.as_deref().unwrap_or(SCHEMA);
    // The trial is undone with its session, whatever has come of it.
    let trial = Session::connect(settings).await?;
    let tried = try_load(trial, settings, store, schema).await;
    match tried {
        Ok(()) => report.pass(
            "load",
            "a table was made, loaded from the bucket, merged, changed, dropped and rolled back",
        ),
        Err(error) if error.kind() == ErrorKind::Access => {
            let found = error.why().unwrap_or_else(|| error.what());
            report.fail("load", found, reading_grant(&settings.reader, store));
        }
        Err(error) => note(report, "load", &error),
    }
    session.run("SELECT 1", "ending the check").await?;
    Ok(())
}

/// What lets Redshift read the bucket.
fn reading_grant(reader: &Reader, store: &Arc<dyn Store>) -> String {
    let place = store.address("");
    let arn = place.replacen("s3://", "arn:aws:s3:::", 1);
    let bucket = arn.split('/').next().unwrap_or(&arn).to_owned();
    let who = match reader {
        Reader::OwnRole => "the warehouse's default role".to_owned(),
        Reader::Role(arn) => format!("{arn}, and attach it to the warehouse"),
        Reader::Keys { id, .. } => format!("the owner of the access key {id}"),
    };
    format!("Allow s3:GetObject on {arn}* and s3:ListBucket on {bucket} to {who}.")
}

async fn try_load(
    mut session: Session,
    settings: &Settings,
    store: &Arc<dyn Store>,
    schema: &str,
) -> Result<()> {
    let plan = Arc::new(trial_plan(schema));
    session.run("BEGIN", "beginning a trial").await?;
    let mut site = Site {
        session,
        load: LoadPlan {
            connection: ConnectionName::new("check"),
            load_id: "check".to_owned(),
            started_at: now(),
            tables: vec![plan.clone()],
        },
        room: room(store, "check"),
        reader: settings.reader.clone(),
        notes: Notes::default(),
        rejected: 0,
    };
    let tried = merge(&mut site, &plan).await;
    site.room.clear().await;
    tried
}

async fn merge(site: &mut Site, plan: &Arc<TablePlan>) -> Result<()> {
    let own = Own::new(&ConnectionName::new("_tributary check"));
    let missing = system::missing(&mut site.session, &own).await?;
    site.session.run_all(&missing, "making the state").await?;
    let mut inventory = Inventory::of(&mut site.session, &[&plan.table]).await?;
    let mut target = Target::prepare(site, plan.clone(), &mut inventory, 1).await?;
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 1, 2]));
    let batch = RecordBatch::try_from_iter([("id", ids)]);
    let rows = Screened {
        rows: batch.map_err(|cause| Error::bug("a trial's rows are odd").because(cause))?,
        ops: vec![Op::Create, Op::Delete, Op::Create],
        rejected: Vec::new(),
        at: Vec::new(),
    };
    target.take(site, rows, Presence::Possible).await?;
    target.settle(site).await?;
    site.notes.write(&mut site.session).await?;
    let table = DIALECT.table(&plan.table);
    let statements = [
        format!("ALTER TABLE {table} ADD COLUMN more VARCHAR(1)"),
        format!("DROP TABLE {table}"),
        "ROLLBACK".to_owned(),
    ];
    site.session.run_all(&statements, "undoing the trial").await
}

fn trial_plan(schema: &str) -> TablePlan {
    TablePlan {
        stream: StreamName::plain("check"),
        table: TableName {
            schema: schema.to_owned(),
            table: "_tributary_trial".to_owned(),
        },
        mode: Mode::Merge,
        deletes: Deletes::Soft,
        columns: vec![TableColumn {
            name: "id".to_owned(),
            data_type: DataType::Int64,
            default: None,
        }],
        key: vec!["id".to_owned()],
    }
}
