//! The contract of sources, kept by a spreadsheet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tributary_model::{
    Catalog, CursorSummary, DataType, Error, Fault, Output, ReadRequest, Report, Result, Source,
    State, Stream, StreamName, StreamSchema, Vault,
};
use tributary_rest::{Http, Manifest};

use crate::book::Book;
use crate::catalog::{Names, Part, Parts};
use crate::config::{Config, Settings};
use crate::cursor::Cursor;
use crate::google::{DRIVE, Google};
use crate::grid::described;
use crate::header::ROW;
use crate::{check, discover, read};

const MANIFEST: &str = include_str!("../api.yaml");

/// A spreadsheet of Google Sheets.
#[derive(Debug)]
pub struct GoogleSheets(Inner);

/// What reading needs.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) google: Google,
    pub(crate) settings: Settings,
    /// Which stream is which tab, as of the last discovery: a cursor that was forgotten can't tell.
    known: Mutex<BTreeMap<StreamName, String>>,
}

impl Inner {
    /// The streams of a spreadsheet, by the names that they have in `state` or had before.
    pub(crate) fn parts(&self, book: &Book, state: &State<Cursor>) -> Parts {
        let mut state = state.clone();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, part) in known.iter() {
            state.streams.entry(name.clone()).or_insert_with(|| Cursor {
                spreadsheet: self.google.spreadsheet.clone(),
                part: part.clone(),
                is_gone: true,
                ..Cursor::default()
            });
        }
        Parts::of(book, self.names(), &self.google.spreadsheet, &state)
    }

    /// A tab or named range, by what stays of it.
    pub(crate) fn part(&self, book: &Book, id: &str) -> Option<Part> {
        let all = Parts::of(book, Names::Read, "", &State::default());
        all.there.into_values().find(|part| part.id == id)
    }

    fn names(&self) -> Names {
        match self.settings.named_ranges {
            true => Names::Read,
            false => Names::Left,
        }
    }

    fn remember(&self, parts: &Parts) {
        let named = parts.there.iter();
        let known = named.map(|(name, part)| (name.clone(), part.id.clone()));
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known.collect();
    }

    /// A fingerprint of whatever decides what is made of a tab's cells.
    pub(crate) fn options(&self, name: &StreamName, part: &Part) -> String {
        let place = self.settings.place(&name.name, &part.name);
        let key = self.settings.key(&name.name, &part.name);
        let area = match part.id.starts_with("range:") {
            true => format!("{:?}", part.area),
            false => String::new(),
        };
        let text = format!("{place:?} {key:?} {area}");
        blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
    }

    /// A stream as the engine must know it before its rows come: only what is certain to stay.
    fn stream(&self, name: &StreamName, title: &str, cursor: Option<&Cursor>) -> Stream {
        let own = self.settings.key(&name.name, title);
        let (key, key_type) = match own.is_empty() {
            true => (vec![ROW.to_owned()], DataType::Int64),
            false => (own, DataType::Text),
        };
        let mut columns = cursor.map_or_else(Vec::new, |cursor| cursor.columns.clone());
        for name in &key {
            if !columns.iter().any(|column| column.name == *name) {
                columns.insert(0, described(name, key_type));
            }
        }
        Stream {
            name: name.clone(),
            schema: StreamSchema { columns, key },
            estimated_rows: cursor.map(|cursor| cursor.rows),
            filter: None,
            excluded: Vec::new(),
            cursor: Vec::new(),
            is_open: true,
            needs: None,
        }
    }
}

#[async_trait]
impl Source for GoogleSheets {
    const KIND: &'static str = "google_sheets";
    type Config = Config;
    type Cursor = Cursor;

    fn faults(settings: &Config) -> Vec<Fault> {
        settings.faults()
    }

    fn summarize(cursor: &Cursor) -> Option<CursorSummary> {
        Some(cursor.summary())
    }

    async fn connect(config: Config) -> Result<Self> {
        let manifest = Manifest::parse("google_sheets", MANIFEST)
            .map_err(|why| Error::bug("the manifest of Google Sheets has mistakes").because(why))?;
        let (settings, given) = Settings::new(config)?;
        let http = Http::new(&manifest, &given, &[DRIVE])?;
        Ok(Self(Inner {
            google: Google {
                http,
                account: settings.account.clone(),
                spreadsheet: settings.spreadsheet.clone(),
            },
            settings,
            known: Mutex::default(),
        }))
    }

    fn with_vault(self, vault: Arc<dyn Vault>) -> Self {
        let Inner {
            google,
            settings,
            known,
        } = self.0;
        Self(Inner {
            google: Google {
                http: google.http.with_vault(vault),
                ..google
            },
            settings,
            known,
        })
    }

    async fn check(&self, streams: &[StreamName]) -> Result<Report> {
        check::check(&self.0, streams).await
    }

    async fn discover(&self) -> Result<Catalog> {
        discover::discover(&self.0).await
    }

    async fn discover_after(&self, state: &State<Cursor>) -> Result<Catalog> {
        let Self(inner) = self;
        inner.google.log_in().await?;
        let book = inner.google.book().await?;
        let parts = inner.parts(&book, state);
        inner.remember(&parts);
        let there = parts.there.iter().map(|(name, part)| {
            let cursor = state.streams.get(name);
            inner.stream(name, &part.name, cursor)
        });
        let gone = parts.gone.iter().map(|name| {
            let cursor = state.streams.get(name);
            inner.stream(name, &name.name, cursor)
        });
        let mut streams: Vec<Stream> = there.chain(gone).collect();
        streams.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Catalog { streams })
    }

    async fn read(&self, request: ReadRequest<'_, Cursor>, out: &Output<Cursor>) -> Result<()> {
        read::read(&self.0, request, out).await
    }
}

/// The column that rows are told apart by without a key.
pub(crate) fn row_column() -> tributary_model::Column {
    described(ROW, DataType::Int64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_has_no_mistakes() {
        if let Err(problems) = Manifest::parse("api.yaml", MANIFEST) {
            panic!("{problems}");
        }
    }
}
