//! All statements of a load: before its transaction, inside it, and after it.
//!
//! Before it come the tables that rows are staged in, which no one else sees: what makes a table
//! can't be part of a transaction. After it they go. Where that fails they are removed by age.
//!
//! Invariant: the transaction begins by counting what was staged before it, and fails unless every row
//! is there. So no load takes less than it was given, whatever the account, the user or the stage has
//! been set to. // G1

use tributary_sql::Dialect;
use tributary_store::staging::StagedFile;

use crate::fence::count_guard;
use crate::files;
use crate::site::Site;

/// The statements of a load.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) before: Vec<String>,
    /// What must hold of the staging tables when the transaction begins.
    pub(crate) counted: Vec<String>,
    pub(crate) inside: Vec<String>,
    pub(crate) after: Vec<String>,
    /// Bytes of the files that are copied.
    pub(crate) bytes: u64,
}

impl Script {
    /// Makes a table of this load, and copies files into it.
    pub(crate) fn stage(&mut self, site: &Site, name: &str, create: String, files: &[StagedFile]) {
        let dialect = site.dialect();
        let table = dialect.quote(name);
        self.before.push(create);
        self.before
            .extend(files::copy(dialect, &table, &site.place.stage(), files));
        self.count(&table, files);
        self.bytes += files.iter().map(|file| file.bytes).sum::<u64>();
        self.after.push(format!("DROP TABLE IF EXISTS {table}"));
    }

    /// Holds the transaction to the rows of `files`, which `table` has when it begins.
    pub(crate) fn count(&mut self, table: &str, files: &[StagedFile]) {
        if !files.is_empty() {
            let rows: u64 = files.iter().map(|file| file.rows).sum();
            self.counted.push(count_guard(table, rows));
        }
    }

    /// Copies files into a table as a part of the transaction.
    pub(crate) fn copy(&mut self, site: &Site, table: &str, files: &[StagedFile]) {
        self.inside.extend(files::copy(
            site.dialect(),
            table,
            &site.place.stage(),
            files,
        ));
        self.bytes += files.iter().map(|file| file.bytes).sum::<u64>();
    }
}
