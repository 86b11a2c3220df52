//! Preflight: every right, proved by using it as little as will do.
//!
//! What is made goes again. A right that is missing is named with the statement that gives it.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use tributary_model::{
    ConnectionName, DataType, Deletes, Error, ErrorKind, Fence, LoadPlan, Mode, Op, Presence,
    Report, Result, StreamName, TableColumn, TableName, TablePlan, now,
};
use tributary_sql::{Dialect, Screened};
use uuid::Uuid;

use crate::answer::Rows;
use crate::client::Scope;
use crate::describe::Inventory;
use crate::dialect::{BINARY, SYSTEM};
use crate::script::Script;
use crate::settings::Stage;
use crate::site::{Place, Site};
use crate::tables;
use crate::target::Target;

/// The schema of the trial where none is set.
const SCHEMA: &str = "_tributary_check";

/// Looks at everything a load needs.
pub(crate) async fn check(place: &Place) -> Report {
    let mut report = Report::default();
    let Some(who) = login(&mut report, place).await else {
        return report;
    };
    let has_bucket = bucket(&mut report, place).await;
    let trial = Trial { place, who };
    let state = trial.state().await;
    let has_state = trial.judge(
        &mut report,
        "state",
        "the tables of `_tributary` can be made and written",
        state,
        &trial.grant_state(),
    );
    if !has_state {
        return report;
    }
    let tables = trial.tables().await;
    let has_tables = trial.judge(
        &mut report,
        "tables",
        &trial.tables_proved(),
        tables,
        &trial.grant_tables(),
    );
    if !(has_bucket && has_tables) {
        return report;
    }
    let made = trial.make_stage().await;
    if !trial.judge(
        &mut report,
        "stage",
        "there is a stage for the bucket",
        made,
        &trial.grant_stage(),
    ) {
        return report;
    }
    let loaded = trial.load().await;
    let proved = "a file was put into the bucket, copied, merged and undone";
    trial.judge(&mut report, "load", proved, loaded, &trial.grant_reading());
    report
}

/// Who we are in Snowflake.
struct Who {
    user: String,
    role: String,
}

async fn login(report: &mut Report, place: &Place) -> Option<Who> {
    let sql = "SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_WAREHOUSE(), CURRENT_DATABASE(), CURRENT_VERSION()";
    let rows = match place.client.ask(Scope::Database, sql, "logging in").await {
        Ok(rows) => rows,
        Err(error) => {
            note(report, "login", &error);
            return None;
        }
    };
    let row = rows.rows.first().cloned().unwrap_or_default();
    let cell = |number: usize| row.get(number).cloned().flatten();
    let who = Who {
        user: cell(0).unwrap_or_default(),
        role: cell(1).unwrap_or_else(|| "PUBLIC".to_owned()),
    };
    let Who { user, role } = &who;
    let settings = &place.client.settings;
    report.pass(
        "login",
        format!(
            "{user} may use {} with the role {role}, Snowflake {}",
            settings.url,
            cell(4).unwrap_or_default()
        ),
    );
    let database = &settings.database;
    let mut complete = true;
    match cell(2) {
        Some(warehouse) => report.pass("warehouse", format!("{warehouse} computes")),
        None => {
            complete = false;
            let name = settings.warehouse.as_deref().unwrap_or("<warehouse>");
            report.fail("warehouse", "there is none to compute with", format!(
                "Set `warehouse` of the destination, and run: GRANT USAGE ON WAREHOUSE {name} TO ROLE {role};"
            ));
        }
    }
    if cell(3).is_none() {
        complete = false;
        report.fail("database", format!("there is no database {database} that the role may use"), format!(
            "Run: GRANT USAGE ON DATABASE {database} TO ROLE {role}; or correct `database`, which is written as Snowflake shows it."
        ));
    }
    complete.then_some(who)
}

/// Whether files can be put into the bucket and taken out of it.
async fn bucket(report: &mut Report, place: &Place) -> bool {
    let key = format!("tributary-staging/check-{}", Uuid::new_v4().simple());
    let tried = async {
        place.store.put(&key, "trial".into()).await?;
        place.store.delete(&key).await
    };
    match tried.await {
        Ok(()) => {
            report.pass(
                "staging",
                format!("files can be put into {}", place.store.location()),
            );
            true
        }
        Err(error) => {
            note(report, "staging", &error);
            false
        }
    }
}

struct Trial<'a> {
    place: &'a Place,
    who: Who,
}

impl Trial<'_> {
    /// Notes how a trial came out; whether the right is there.
    fn judge(
        &self,
        report: &mut Report,
        requirement: &str,
        proved: &str,
        tried: Result<()>,
        grant: &str,
    ) -> bool {
        match tried {
            Ok(()) => {
                report.pass(requirement, proved);
                true
            }
            Err(error) if error.kind() == ErrorKind::Access => {
                report.fail(
                    requirement,
                    error.why().unwrap_or_else(|| error.what()),
                    grant,
                );
                false
            }
            Err(error) => {
                note(report, requirement, &error);
                false
            }
        }
    }

    async fn run(&self, statements: &[String], doing: &str) -> Result<()> {
        self.place
            .client
            .run(Scope::Database, statements, doing)
            .await
    }

    /// Makes what is missing and writes a row of each kind, which is undone.
    async fn state(&self) -> Result<()> {
        let (client, dialect) = (&self.place.client, self.place.dialect);
        tables::create(client, dialect).await?;
        let mut statements = vec!["BEGIN TRANSACTION".to_owned()];
        for table in ["state", "loads", "rejected", "tables", "schema_changes"] {
            let (table, column) = (dialect.own(table), dialect.quote("connection"));
            statements.push(format!(
                "INSERT INTO {table} ({column}) SELECT '_tributary_check'"
            ));
            statements.push(format!("UPDATE {table} SET {column} = '_tributary_trial' WHERE {column} = '_tributary_check'"));
            statements.push(format!(
                "DELETE FROM {table} WHERE {column} = '_tributary_trial'"
            ));
        }
        statements.push("ROLLBACK".to_owned());
        self.run(&statements, "writing the state").await
    }

    fn schema(&self) -> &str {
        self.place
            .client
            .settings
            .schema
            .as_deref()
            .unwrap_or(SCHEMA)
    }

    /// Makes a schema and a table, changes the table, and drops what was made.
    async fn tables(&self) -> Result<()> {
        let dialect = self.place.dialect;
        let schema = dialect.schema(self.schema());
        let table = format!("{schema}.{}", dialect.quote("_tributary_right"));
        let mut statements = vec![
            format!("CREATE SCHEMA IF NOT EXISTS {schema} {BINARY}"),
            format!("CREATE TABLE IF NOT EXISTS {table} (ID NUMBER(19,0)) {BINARY}"),
            format!("ALTER TABLE {table} ADD COLUMN IF NOT EXISTS MORE VARCHAR"),
            format!("DROP TABLE IF EXISTS {table}"),
        ];
        if self.has_schema(self.schema()).await? {
            // The right to make it is not needed.
            statements.remove(0);
        }
        self.run(&statements, "making a table").await
    }

    async fn has_schema(&self, schema: &str) -> Result<bool> {
        let dialect = self.place.dialect;
        let sql = format!(
            "SELECT 1 FROM INFORMATION_SCHEMA.SCHEMATA WHERE SCHEMA_NAME = {}",
            dialect.literal(&dialect.fold(schema))
        );
        let rows: Rows = self
            .place
            .client
            .ask(Scope::Database, &sql, "looking for the schema")
            .await?;
        Ok(!rows.rows.is_empty())
    }

    async fn make_stage(&self) -> Result<()> {
        let statements: Vec<String> = match self.place.create_stage() {
            Some(create) => vec![create],
            None => vec![format!("DESCRIBE STAGE {}", self.place.stage())],
        };
        self.run(&statements, "looking for the stage").await
    }

    /// A small load by the very code that loads; it is undone.
    async fn load(&self) -> Result<()> {
        let (place, dialect) = (self.place, self.place.dialect);
        let plan = Arc::new(trial_plan(self.schema()));
        let load = LoadPlan {
            connection: ConnectionName::new("check"),
            load_id: "check".to_owned(),
            started_at: now(),
            tables: vec![plan.clone()],
        };
        let fence = Fence {
            connection: load.connection.clone(),
            epoch: 0,
            sequence: 0,
            last_load: None,
        };
        let mut site = Site::new(place.clone(), load, fence);
        let mut inventory = Inventory::of(&place.client, dialect, &[&plan.table]).await?;
        let mut target = Target::prepare(&mut site, plan.clone(), &mut inventory).await?;
        target.take(&mut site, rows()?, Presence::Possible).await?;
        target.settle().await?;
        let mut script = Script::default();
        target.write(&mut site, &mut script)?;
        let copied = site.run(&script.before, "copying a file").await;
        let loaded = match copied {
            Ok(()) => {
                let mut all = vec!["BEGIN TRANSACTION".to_owned()];
                all.append(&mut script.counted);
                all.append(&mut script.inside);
                all.push("ROLLBACK".to_owned());
                site.run(&all, "merging rows").await
            }
            Err(error) => Err(error),
        };
        // What was noted of the trial's own table.
        script.after.push(format!(
            "DELETE FROM {} WHERE {} = 'check'",
            dialect.own("schema_changes"),
            dialect.quote("load_id")
        ));
        script.after.push(format!(
            "DROP TABLE IF EXISTS {}",
            dialect.table(&plan.table)
        ));
        if self.schema() == SCHEMA {
            script
                .after
                .push(format!("DROP SCHEMA IF EXISTS {}", dialect.schema(SCHEMA)));
        }
        let undone = site.run(&script.after, "undoing the trial").await;
        site.room.clear().await;
        loaded.and(undone)
    }

    fn tables_proved(&self) -> String {
        match &self.place.client.settings.schema {
            Some(schema) => format!(
                "tables can be made in the schema {}",
                self.place.dialect.fold(schema)
            ),
            None => "schemas and tables can be made".to_owned(),
        }
    }

    fn grant_state(&self) -> String {
        let (database, role) = (&self.place.client.settings.database, &self.who.role);
        let schema = self.place.dialect.schema(SYSTEM);
        format!(
            "Run: GRANT CREATE SCHEMA ON DATABASE {database} TO ROLE {role}; or, where {schema} is there: \
             GRANT USAGE, CREATE TABLE, CREATE STAGE ON SCHEMA {database}.{schema} TO ROLE {role}; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {database}.{schema} TO ROLE {role};"
        )
    }

    fn grant_tables(&self) -> String {
        let (database, role) = (&self.place.client.settings.database, &self.who.role);
        match &self.place.client.settings.schema {
            Some(schema) => {
                let schema = self.place.dialect.schema(schema);
                format!(
                    "Run: GRANT USAGE, CREATE TABLE ON SCHEMA {database}.{schema} TO ROLE {role}; or, where it is not there: \
                     GRANT CREATE SCHEMA ON DATABASE {database} TO ROLE {role};"
                )
            }
            None => format!(
                "Run: GRANT CREATE SCHEMA ON DATABASE {database} TO ROLE {role}; or set `schema` of the destination to one in which this role may make tables."
            ),
        }
    }

    fn grant_stage(&self) -> String {
        let (database, role) = (&self.place.client.settings.database, &self.who.role);
        match &self.place.client.settings.stage {
            Stage::Named(name) => format!("Run: GRANT USAGE ON STAGE {name} TO ROLE {role};"),
            Stage::Made(integration) => format!(
                "Run: GRANT USAGE ON INTEGRATION {} TO ROLE {role}; GRANT CREATE STAGE ON SCHEMA {database}.{} TO ROLE {role};",
                integration.as_deref().unwrap_or("<integration>"),
                self.place.dialect.schema(SYSTEM)
            ),
        }
    }

    fn grant_reading(&self) -> String {
        let url = &self.place.client.settings.bucket_url;
        format!(
            "The stage must have the address {url} (`DESC STAGE {}`), and its storage integration must be allowed to read it: \
             ALTER STORAGE INTEGRATION <integration> SET STORAGE_ALLOWED_LOCATIONS = ('{url}/'); {} must have USAGE on the stage: \
             GRANT USAGE ON STAGE {} TO ROLE {};",
            self.place.stage(),
            self.who.user,
            self.place.stage(),
            self.who.role
        )
    }
}

fn note(report: &mut Report, requirement: &str, error: &Error) {
    let found = match error.why() {
        Some(why) => format!("{} ({why})", error.what()),
        None => error.what(),
    };
    report.fail(requirement, found, error.help().unwrap_or_default());
}

fn rows() -> Result<Screened> {
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 1, 2]));
    let batch = RecordBatch::try_from_iter([("id", ids)]);
    Ok(Screened {
        rows: batch.map_err(|cause| Error::bug("a trial's rows are odd").because(cause))?,
        ops: vec![Op::Create, Op::Delete, Op::Create],
        rejected: Vec::new(),
        at: Vec::new(),
    })
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
