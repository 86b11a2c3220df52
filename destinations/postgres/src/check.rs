//! Preflight: every right, proved by using it as little as will do.
//!
//! Everything happens in one transaction that is rolled back: a check leaves nothing behind. A right
//! that is missing is named with the statement that gives it.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use sqlx::Row;
use tributary_model::{
    ConnectionName, DataType, Deletes, Error, ErrorKind, LoadPlan, Mode, Op, Presence, Report,
    Result, StreamName, TableColumn, TableName, TablePlan, now,
};
use tributary_sql::{Dialect, Screened};

use crate::describe::Inventory;
use crate::dialect::DIALECT;
use crate::error::Explain;
use crate::session::{For, Session};
use crate::settings::{Settings, Tls};
use crate::system;
use crate::target::Target;
use crate::transaction::Site;

/// PostgreSQL 12.
const OLDEST: u32 = 120_000;
/// The schema of the trial where none is set.
const SCHEMA: &str = "_tributary_check";

/// Looks at everything a load needs.
pub(crate) async fn check(settings: &Arc<Settings>) -> Report {
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
    version(&mut report, session.version());
    if let Err(error) = server(&mut report, &mut session, settings).await {
        note(&mut report, "server", &error);
        return report;
    }
    match trials(&mut report, session, settings).await {
        Ok(()) => report,
        Err(error) => {
            note(&mut report, "trial", &error);
            report
        }
    }
}

fn note(report: &mut Report, requirement: &str, error: &Error) {
    let found = match error.why() {
        Some(why) => format!("{} ({why})", error.what()),
        None => error.what(),
    };
    report.fail(requirement, found, error.help().unwrap_or_default());
}

fn version(report: &mut Report, version: u32) {
    let (major, minor) = (version / 10_000, version % 10_000);
    match version {
        0 => report.warn(
            "version",
            "the server does not say which PostgreSQL it is",
            "Use PostgreSQL 12 or newer, or what is compatible with it.",
        ),
        1..OLDEST => report.fail(
            "version",
            format!("PostgreSQL {major}.{minor}"),
            "Use PostgreSQL 12 or newer.",
        ),
        _ => report.pass("version", format!("PostgreSQL {major}.{minor}")),
    }
}

/// What the server says of itself.
async fn server(report: &mut Report, session: &mut Session, settings: &Settings) -> Result<()> {
    let doing = "asking the server about itself";
    session.begin(For::Reading).await?;
    let sql = "SELECT pg_is_in_recovery(), coalesce((SELECT ssl FROM pg_stat_ssl \
         WHERE pid = pg_backend_pid()), false), current_setting('server_encoding')";
    let rows = session.ask(sqlx::query(sql), doing).await?;
    let row = rows
        .first()
        .ok_or_else(|| Error::bug("the server gave no answer"))?;
    if row.try_get(0).explain(doing)? {
        report.fail(
            "primary",
            "the server is a standby, which only reads",
            "Give the address of the primary server.",
        );
    }
    let encrypted: bool = row.try_get(1).explain(doing)?;
    match (encrypted, &settings.tls) {
        (true, _) => report.pass("encryption", "the connection is encrypted"),
        (false, Tls::Preferred) => report.pass("encryption", "the server is on this machine"),
        (false, _) => report.warn(
            "encryption",
            "the connection is not encrypted",
            "Set `tls: {mode: required}` or, better, `verify_identity`.",
        ),
    }
    let encoding: String = row.try_get(2).explain(doing)?;
    if encoding == "UTF8" {
        report.pass("encoding", "the database holds UTF-8");
    } else {
        report.warn(
            "encoding",
            format!("the database holds {encoding}: a text with other characters fails its load"),
            "Use a database that was made with `ENCODING 'UTF8'`.",
        );
    }
    session.run("COMMIT", doing).await.map(drop)
}

/// A right on trial.
struct Right {
    requirement: &'static str,
    /// What was done where it is there.
    proved: String,
    /// What gives it.
    grant: String,
}

impl Right {
    /// Notes how a trial came out, and undoes it; whether the right is there.
    async fn judge(
        self,
        report: &mut Report,
        session: &mut Session,
        tried: Result<()>,
    ) -> Result<bool> {
        let doing = "undoing a trial";
        match tried {
            Ok(()) => {
                session.run("RELEASE SAVEPOINT trial", doing).await?;
                report.pass(self.requirement, self.proved);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::Access => {
                session.run("ROLLBACK TO SAVEPOINT trial", doing).await?;
                let found = error.why().unwrap_or_else(|| error.what());
                report.fail(self.requirement, found, self.grant);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

async fn begin_trial(session: &mut Session) -> Result<()> {
    session.run("SAVEPOINT trial", "beginning a trial").await?;
    Ok(())
}

async fn trials(report: &mut Report, mut session: Session, settings: &Settings) -> Result<()> {
    session.begin(For::Writing).await?;
    let user = DIALECT.quote(&settings.user);
    let database = DIALECT.quote(&settings.database);
    begin_trial(&mut session).await?;
    let tried = try_state(&mut session).await;
    let state = Right {
        requirement: "state",
        proved: "the tables of `_tributary` can be made and written".to_owned(),
        grant: state_grant(&mut session, &user, &database, &tried).await?,
    };
    let has_state = state.judge(report, &mut session, tried).await?;

    begin_trial(&mut session).await?;
    let staging = "CREATE TEMPORARY TABLE _tributary_trial (id bigint)";
    let tried = session.run(staging, "staging").await.map(drop);
    let right = Right {
        requirement: "staging",
        proved: "temporary tables can be made".to_owned(),
        grant: format!("Run: GRANT TEMPORARY ON DATABASE {database} TO {user};"),
    };
    let has_staging = right.judge(report, &mut session, tried).await?;

    begin_trial(&mut session).await?;
    let schema = settings.schema.as_deref().unwrap_or(SCHEMA);
    let quoted = DIALECT.quote(schema);
    let there = has_schema(&mut session, schema).await?;
    let tried = try_schema(&mut session, &quoted, there).await;
    let right = Right {
        requirement: "tables",
        proved: match (there, &settings.schema) {
            (true, _) => format!("tables can be made in the schema {schema}"),
            (false, Some(_)) => format!("the schema {schema} can be made"),
            (false, None) => "schemas can be made".to_owned(),
        },
        grant: match (there, &settings.schema) {
            (true, _) => format!("Run: GRANT USAGE, CREATE ON SCHEMA {quoted} TO {user};"),
            (false, Some(_)) => format!(
                "Run: CREATE SCHEMA {quoted} AUTHORIZATION {user}; or: GRANT CREATE ON DATABASE {database} TO {user};"
            ),
            (false, None) => format!(
                "Run: GRANT CREATE ON DATABASE {database} TO {user}; or set `schema` of the destination to one in which this user may make tables."
            ),
        },
    };
    let has_schema = right.judge(report, &mut session, tried).await?;
    if has_state && has_staging && has_schema {
        try_load(session, schema).await?;
        report.pass(
            "load",
            "a table was made, loaded, merged, changed, dropped and rolled back",
        );
    }
    Ok(())
}

/// Makes what is missing and writes a row of each kind.
async fn try_state(session: &mut Session) -> Result<()> {
    system::create(session).await?;
    let statements = [
        "INSERT INTO _tributary.state (connection, stream) VALUES ('', '')",
        "UPDATE _tributary.state SET format = 0 WHERE connection = '' AND stream = ''",
        "DELETE FROM _tributary.state WHERE connection = '' AND stream = ''",
        "INSERT INTO _tributary.loads (connection, sequence) VALUES ('', 0)",
        "INSERT INTO _tributary.rejected (connection) VALUES ('')",
        "INSERT INTO _tributary.schema_changes (connection) VALUES ('')",
    ]
    .map(ToOwned::to_owned);
    session.run_all(&statements, "writing the state").await
}

/// The statement that gives the right to keep the state: it depends on what is there.
async fn state_grant(
    session: &mut Session,
    user: &str,
    database: &str,
    tried: &Result<()>,
) -> Result<String> {
    if tried.is_err() {
        let doing = "undoing a trial";
        session.run("ROLLBACK TO SAVEPOINT trial", doing).await?;
    }
    Ok(match has_schema(session, "_tributary").await? {
        true => format!(
            "Run: GRANT USAGE, CREATE ON SCHEMA _tributary TO {user}; GRANT SELECT, INSERT, UPDATE, \
             DELETE ON ALL TABLES IN SCHEMA _tributary TO {user};"
        ),
        false => format!(
            "Run: CREATE SCHEMA _tributary AUTHORIZATION {user}; or: GRANT CREATE ON DATABASE {database} TO {user};"
        ),
    })
}

async fn has_schema(session: &mut Session, schema: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM pg_namespace WHERE nspname::text = $1";
    let query = sqlx::query(sql).bind(schema);
    Ok(!session
        .ask(query, "looking for the schema")
        .await?
        .is_empty())
}

async fn try_schema(session: &mut Session, quoted: &str, there: bool) -> Result<()> {
    if !there {
        let create = format!("CREATE SCHEMA {quoted}");
        session.run(&create, "making a schema").await?;
    }
    let statements = [
        format!("CREATE TABLE {quoted}._tributary_right (id bigint)"),
        format!("DROP TABLE {quoted}._tributary_right"),
    ];
    session.run_all(&statements, "making a table").await
}

/// A small load by the very code that loads; the session's end undoes it.
async fn try_load(session: Session, schema: &str) -> Result<()> {
    let plan = Arc::new(trial_plan(schema));
    let mut site = Site {
        session,
        load: LoadPlan {
            connection: ConnectionName::new("check"),
            load_id: "check".to_owned(),
            started_at: now(),
            tables: vec![plan.clone()],
        },
    };
    let mut inventory = Inventory::of(&mut site.session, &[&plan.table]).await?;
    let mut target = Target::prepare(&mut site, plan.clone(), &mut inventory, 1).await?;
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 1, 2]));
    let batch = RecordBatch::try_from_iter([("id", ids)]);
    let rows = Screened {
        rows: batch.map_err(|cause| Error::bug("a trial's rows are odd").because(cause))?,
        ops: vec![Op::Create, Op::Delete, Op::Create],
        rejected: Vec::new(),
        at: Vec::new(),
    };
    target.take(&mut site, rows, Presence::Possible).await?;
    target.settle(&mut site).await?;
    let table = DIALECT.table(&plan.table);
    let statements = [
        format!("ALTER TABLE {table} ADD COLUMN more text"),
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
