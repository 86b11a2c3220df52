//! The parts of a walk: one for each parent, each value and each sweep.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::OnceCell;
use tributary_model::{Error, ErrorKind};

use crate::cursor::Place;
use crate::http::Failure;
use crate::json::Raw;
use crate::manifest::cursor::{CursorSpec, WindowSpec};
use crate::manifest::each::{By, Parent};
use crate::manifest::request::Target;
use crate::manifest::stream::StreamSpec;
use crate::record::Record;
use crate::template::Scope;
use crate::window::{self, Span};

use super::Reader;
use super::taken::Context;

/// Parents whose records may be gone through at most. // G6
const MAX_PARENTS: usize = 1_000_000;

/// Rows by the name of their stream.
pub(super) type Parents = Mutex<BTreeMap<String, Arc<OnceCell<Arc<Vec<Record>>>>>>;

/// One part.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    /// Empty where there is only one.
    pub(super) name: String,
    pub(super) each: Option<Value>,
    /// Which of the sweeps.
    pub(super) sweep: Option<usize>,
    /// A digest of the parent's touched fields, where such are named.
    pub(super) touched: Option<u64>,
}

impl Reader<'_> {
    /// The parts of a walk through `spec`.
    pub(super) async fn parts(&self, spec: &StreamSpec) -> Result<Vec<Part>, Failure> {
        let parents = match &spec.each {
            None
            | Some(Parent::Stream {
                by: By::Changed, ..
            }) => vec![Part::default()],
            Some(parent) => self.parents(parent).await?,
        };
        if spec.sweeps.is_empty() {
            return Ok(parents);
        }
        let sweeps = 0..spec.sweeps.len();
        let both = parents.iter().flat_map(|parent| {
            sweeps.clone().map(|sweep| Part {
                name: join(&parent.name, &self.sweep_name(spec, sweep)),
                sweep: Some(sweep),
                ..parent.clone()
            })
        });
        Ok(both.collect())
    }

    /// A part for each parent.
    async fn parents(&self, parent: &Parent) -> Result<Vec<Part>, Failure> {
        Ok(match parent {
            Parent::Values(values) => values.iter().map(|value| of_value(value)).collect(),
            Parent::Stream { of, touched, .. } => {
                let parent = self.api.manifest.stream(of);
                let parent = parent.ok_or_else(|| Error::bug("a parent is not in the manifest"))?;
                let rows = self.known(parent).await?;
                let part = |row: &Record| of_row(parent, touched, row.raw());
                rows.iter().map(part).collect()
            }
            Parent::Cross(parents) => Box::pin(self.cross(parents)).await?,
        })
    }

    /// A part for each combination of parents; where there is none of one, the others are not asked for.
    async fn cross(&self, parents: &[(String, Parent)]) -> Result<Vec<Part>, Failure> {
        let mut all = vec![Part::default()];
        for (name, parent) in parents {
            if all.is_empty() {
                break;
            }
            let own = self.parents(parent).await?;
            if all.len().saturating_mul(own.len()) > MAX_PARENTS {
                return Err(too_many(name));
            }
            let both = all
                .iter()
                .flat_map(|part| own.iter().map(|more| part.and(name, more)));
            all = both.collect();
        }
        Ok(all)
    }

    fn sweep_name(&self, spec: &StreamSpec, sweep: usize) -> String {
        let scope = self.scope(Context::default());
        let pairs = spec.sweeps[sweep].iter().filter_map(|(name, template)| {
            let value = template.render(&scope).ok().flatten()?;
            Some(format!("{name}={value}"))
        });
        pairs.collect::<Vec<_>>().join("&")
    }

    /// Every record of a stream, listed once in a reading: many streams may be read for its rows. What
    /// comes later is the next reading's.
    async fn known(&self, spec: &StreamSpec) -> Result<Arc<Vec<Record>>, Failure> {
        let cell = {
            let mut parents = self.parents.lock().unwrap_or_else(PoisonError::into_inner);
            parents.entry(spec.name.clone()).or_default().clone()
        };
        let rows = cell.get_or_try_init(|| async {
            let rows = Box::pin(self.everything(spec)).await?;
            Ok::<_, Failure>(Arc::new(rows))
        });
        rows.await.cloned()
    }

    /// Every record of a stream, wherever its own reading stands.
    async fn everything(&self, spec: &StreamSpec) -> Result<Vec<Record>, Failure> {
        let mut all = Vec::new();
        for part in self.parts(spec).await? {
            let asked = match &spec.cursor {
                Some(CursorSpec::Window(window)) => {
                    let span = Span {
                        from: self.api.start,
                        to: crate::point::above(self.now, window.grain()),
                    };
                    Some((window, window::ask(span, window)))
                }
                _ => None,
            };
            let (from, to) = match &asked {
                Some((_, (from, to))) => (Some(from.as_str()), to.as_deref()),
                None => (None, None),
            };
            let context = Context {
                each: part.each.as_ref(),
                from,
                to,
            };
            let scope = self.scope(context);
            let window = asked.as_ref().map(|(window, _)| *window);
            let found = self.walk_all(spec, &part, window, &scope).await?;
            all.extend(found.iter().map(Record::alone));
            if all.len() > MAX_PARENTS {
                return Err(too_many(&spec.name));
            }
        }
        Ok(all)
    }

    async fn walk_all(
        &self,
        spec: &StreamSpec,
        part: &Part,
        window: Option<&WindowSpec>,
        scope: &Scope<'_>,
    ) -> Result<Vec<Record>, Failure> {
        let mut whole = spec.clone();
        if let (Some(request), Some(window)) = (&mut whole.request, window) {
            // The window's ends become parameters like any other.
            let ends = [(&window.from, "{from}"), (&window.to, "{to}")];
            for (target, text) in ends {
                if let Some(Target::Param(name)) = target {
                    let mut log = crate::problem::Log::default();
                    let template = crate::template::Template::parse(text, spec.at, &mut log);
                    request
                        .params
                        .extend(template.map(|template| (name.clone(), template)));
                }
            }
        }
        if let (Some(request), Some(sweep)) = (&mut whole.request, part.sweep) {
            request.params.extend(spec.sweeps[sweep].iter().cloned());
        }
        self.all_pages(&whole, scope, Place::Start).await
    }
}

impl Part {
    /// This one, and `more` under a name.
    fn and(&self, name: &str, more: &Self) -> Self {
        let mut each = match &self.each {
            Some(Value::Object(each)) => each.clone(),
            _ => serde_json::Map::new(),
        };
        each.insert(name.to_owned(), more.each.clone().unwrap_or_default());
        Self {
            name: match self.name.is_empty() {
                true => more.name.clone(),
                false => format!("{}/{}", self.name, more.name),
            },
            each: Some(Value::Object(each)),
            ..Self::default()
        }
    }
}

fn too_many(name: &str) -> Failure {
    let what = format!("`{name}` has too many rows to be gone through one by one");
    Failure::Stream(
        Error::new(ErrorKind::Incompatible, what)
            .fix("Read the stream for changed rows only: `by: changed`."),
    )
}

fn of_row(parent: &StreamSpec, touched: &[crate::path::Path], row: Raw<'_>) -> Part {
    Part {
        name: name_of(parent, row),
        each: Some(row.to_value()),
        sweep: None,
        touched: (!touched.is_empty()).then(|| {
            let fields = touched.iter().map(|path| row.find(path));
            let text: Vec<&str> = fields.map(|raw| raw.map_or("", Raw::as_str)).collect();
            Raw::known(&text.join("\u{1f}")).digest()
        }),
    }
}

fn of_value(value: &str) -> Part {
    Part {
        name: value.to_owned(),
        each: Some(Value::from(value)),
        ..Part::default()
    }
}

/// What names a parent's row: its key, or all of it.
fn name_of(parent: &StreamSpec, row: Raw<'_>) -> String {
    if parent.key.is_empty() {
        return format!("{:016x}", row.digest());
    }
    let path = |name: &String| crate::path::Path::parse(name);
    let values = parent.key.iter().filter_map(|name| row.find(&path(name)));
    values
        .map(|raw| raw.text().into_owned())
        .collect::<Vec<_>>()
        .join("/")
}

fn join(parent: &str, sweep: &str) -> String {
    match parent.is_empty() {
        true => sweep.to_owned(),
        false => format!("{parent} {sweep}"),
    }
}
