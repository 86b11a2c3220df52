//! A spreadsheet: which stream is which of its tabs, whatever people call them by now.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tributary_model::{Catalog, DataType, Result, State, Stream, StreamName, StreamSchema, Vault};
use tributary_rest::Http;

use crate::book::Book;
use crate::catalog::{Names, Part, Parts};
use crate::config::Settings;
use crate::cursor::Cursor;
use crate::google::Google;
use crate::row::{ROW, described};

/// The spreadsheet, the way to it, and what is asked of it.
#[derive(Debug)]
pub(crate) struct Spreadsheet {
    pub(crate) google: Google,
    pub(crate) settings: Settings,
    /// Which stream is which tab, as of the last discovery: a cursor that was forgotten can't tell.
    known: Mutex<BTreeMap<StreamName, String>>,
}

impl Spreadsheet {
    pub(crate) fn new(http: Http, settings: Settings) -> Self {
        Self {
            google: Google {
                http,
                account: settings.account.clone(),
                spreadsheet: settings.spreadsheet.clone(),
            },
            settings,
            known: Mutex::default(),
        }
    }

    /// Keeps what must survive, such as a token that was renewed, in `vault`.
    pub(crate) fn with_vault(self, vault: Arc<dyn Vault>) -> Self {
        let google = Google {
            http: self.google.http.with_vault(vault),
            ..self.google
        };
        Self { google, ..self }
    }

    /// The streams as the engine must know them, those that have gone included.
    pub(crate) async fn streams(&self, state: &State<Cursor>) -> Result<Catalog> {
        self.google.log_in().await?;
        let book = self.google.book().await?;
        let parts = self.parts(&book, state);
        self.remember(&parts);
        let stream = |name, title| self.stream(name, title, state.streams.get(name));
        let there = parts.there.iter();
        let there = there.map(|(name, part)| stream(name, part.name.as_str()));
        let gone = parts.gone.iter();
        let gone = gone.map(|name| stream(name, name.name.as_str()));
        let mut streams: Vec<Stream> = there.chain(gone).collect();
        streams.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Catalog { streams })
    }

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
