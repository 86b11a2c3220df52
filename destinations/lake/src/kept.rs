//! How a table is kept: what the configuration, the plan and what is there come to.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use tributary_model::{Mode, Result, TableColumn, TablePlan};

use crate::config::{Format, MergeBy};
use crate::equality::tells_rows;
use crate::iceberg::{Division, of_files};
use crate::keys::Keys;
use crate::layout::schema;
use crate::partition::{Partitions, Term};
use crate::roller::{Folders, Roller};
use crate::site::Site;
use crate::table::{Definition, Table};
use crate::upload::ReadBack;
use crate::writer::Shape;

/// The schema of new files.
pub(crate) fn schema_of(definition: &Definition, format: Format) -> SchemaRef {
    match format {
        Format::Parquet => schema(definition.columns()),
        Format::Iceberg => of_files(&definition.layouts),
    }
}

/// How the table is changed: as configured, save that changes stay changes until it is emptied.
pub(crate) fn merge_by(site: &Site, plan: &TablePlan, base: Option<&Table>) -> MergeBy {
    if base.is_some_and(|base| base.definition.is_beside()) {
        return MergeBy::CopyOnWrite;
    }
    let wanted = site.config.merge_by(&plan.table);
    let is_log = |base: &Table| base.definition.is_change_log() && !base.files.is_empty();
    if wanted == MergeBy::CopyOnWrite && base.is_some_and(is_log) {
        let table = plan.table.to_string();
        tracing::warn!(
            table,
            "stays a change log until `--full-refresh` empties it"
        );
        return MergeBy::ChangeLog;
    }
    let is_of_key = |column: &&TableColumn| plan.key.contains(&column.name);
    let mut key = plan.columns.iter().filter(is_of_key);
    match wanted {
        // Iceberg does not compare numbers that are only about equal.
        MergeBy::EqualityDeletes if key.any(|column| !tells_rows(&column.data_type.to_arrow())) => {
            MergeBy::PositionDeletes
        }
        wanted => wanted,
    }
}

/// By what the table is divided: of the configured ways those for which it has the columns.
pub(crate) fn divisions(site: &Site, definition: &Definition) -> Result<Vec<Term>> {
    let settings = definition.beside.as_ref().unwrap_or(&definition.table);
    let mut terms = site.config.partition_by(settings)?;
    terms.retain(|term| term.fits(definition.columns()));
    Ok(terms)
}

/// New files, of rows where they belong.
pub(crate) fn roller(
    site: &Arc<Site>,
    plan: &TablePlan,
    definition: &Definition,
    schema: &SchemaRef,
) -> Result<Roller> {
    let terms = definition.partitions.clone();
    let columns: &[TableColumn] = definition.columns();
    let mut shape = shape(plan, definition, schema)?;
    let partitions = match site.config.format {
        Format::Parquet => Partitions::new(terms, columns, site.load.started_at)?,
        Format::Iceberg => {
            let division = Division::new(terms, columns)?;
            shape.division = Some(division.clone());
            Partitions::of_iceberg(division)
        }
    };
    Ok(Roller::new(site, Folders::Divided(partitions), shape))
}

/// What new files are like.
pub(crate) fn shape(
    plan: &TablePlan,
    definition: &Definition,
    schema: &SchemaRef,
) -> Result<Shape> {
    let is_merged = plan.mode != Mode::Append && !definition.is_change_log();
    let key = match is_merged {
        true => Keys::new(schema, &plan.key)?.first(),
        false => None,
    };
    Ok(Shape {
        folder: definition.folder(),
        partition: String::new(),
        layout: definition.newest(),
        schema: schema.clone(),
        key,
        // Files of a table beside are copied when it takes its place, perhaps in this load.
        read_back: if is_merged || definition.is_beside() {
            ReadBack::Maybe
        } else {
            ReadBack::Never
        },
        division: None,
    })
}
