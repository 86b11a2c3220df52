//! What a spreadsheet has, for people: its streams with the columns that their first rows show.

use tributary_model::{Catalog, Result, State, Stream, StreamSchema};

use crate::a1::Area;
use crate::catalog::Part;
use crate::google::{Got, Spot};
use crate::grid::Columns;
use crate::header::Finder;
use crate::row::Row;
use crate::row::row_column;
use crate::spreadsheet::Spreadsheet;

/// Rows of each tab that are looked at.
const ROWS: usize = 50;
/// Tabs that one request asks about. // G6
const TABS: usize = 20;

/// Looks at the first rows of every tab.
pub(crate) async fn discover(spreadsheet: &Spreadsheet) -> Result<Catalog> {
    spreadsheet.google.log_in().await?;
    let book = spreadsheet.google.book().await?;
    let parts = spreadsheet.parts(&book, &State::default());
    let mut streams: Vec<Stream> = Vec::new();
    let there: Vec<_> = parts.there.into_iter().collect();
    for some in there.chunks(TABS) {
        let spots: Vec<Spot<'_>> = some.iter().map(|(_, part)| spot(part)).collect();
        let filled: Vec<Spot<'_>> = spots
            .iter()
            .filter(|spot| !spot.area.is_empty())
            .cloned()
            .collect();
        let mut found = match spreadsheet.google.cells(&filled).await? {
            Got::Cells(found) => found.into_iter(),
            Got::Moved(error) | Got::TooMuch(error) => return Err(error),
        };
        for ((name, part), spot) in some.iter().zip(&spots) {
            let rows = match spot.area.is_empty() {
                true => Vec::new(),
                false => found.next().unwrap_or_default(),
            };
            let place = spreadsheet.settings.place(&name.name, &part.name);
            let finder = Finder::new(place, part.frozen);
            streams.push(Stream {
                name: name.clone(),
                schema: schema(spreadsheet, &name.name, part, finder, rows)?,
                estimated_rows: None,
                filter: None,
                excluded: Vec::new(),
                cursor: Vec::new(),
                is_open: true,
                needs: None,
            });
        }
    }
    streams.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Catalog { streams })
}

fn spot(part: &Part) -> Spot<'_> {
    let (first, last) = part.area.rows;
    Spot {
        tab: part.tab,
        title: &part.title,
        area: Area {
            rows: (first, last.min(first + ROWS)),
            columns: part.area.columns,
        },
    }
}

/// The columns that hold something in these rows.
fn schema(
    spreadsheet: &Spreadsheet,
    name: &str,
    part: &Part,
    mut finder: Finder,
    rows: Vec<Row>,
) -> Result<StreamSchema> {
    let mut columns = Columns {
        key: spreadsheet.settings.key(name, &part.name),
        ..Columns::default()
    };
    let mut schema = StreamSchema {
        columns: match columns.key.is_empty() {
            true => vec![row_column()],
            false => Vec::new(),
        },
        key: columns.key(),
    };
    let mut header = finder.at_once();
    let mut data = Vec::new();
    for row in rows {
        if header.is_some() {
            data.push(row);
        } else if let Some(found) = finder.push(row) {
            header = Some(found.header);
            data.extend(found.rows);
        }
    }
    if header.is_none()
        && let Some(found) = finder.finish()
    {
        header = Some(found.header);
        data.extend(found.rows);
    }
    let Some(mut header) = header else {
        return Ok(schema);
    };
    let batches = columns.batches(&data, &mut header, part.area.columns.0, 0)?;
    for column in batches.iter().flat_map(|batch| &batch.schema.columns) {
        if schema.position(&column.name).is_none() {
            schema.columns.push(column.clone());
        }
    }
    Ok(schema)
}
