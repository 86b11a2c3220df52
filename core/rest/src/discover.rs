//! The streams of a manifest, as a catalog.

use tributary_model::{Catalog, Stream, StreamName};

use crate::manifest::cursor::CursorSpec;
use crate::manifest::stream::StreamSpec;
use crate::ready::Ready;
use crate::sheet::declared;

/// Every stream, with its key and the columns that are known before a record was seen.
pub(crate) fn discover(api: &Ready) -> Catalog {
    let shown = api.manifest.streams.values().filter(|spec| !spec.hidden);
    let streams = shown.map(|spec| Stream {
        name: StreamName::plain(&spec.name),
        schema: declared(&api.layout(spec)),
        estimated_rows: None,
        filter: None,
        excluded: Vec::new(),
        cursor: cursor(spec).into_iter().collect(),
        is_open: true,
        needs: needs(api, spec),
    });
    Catalog {
        streams: streams.collect(),
    }
}

/// The column that says how far the stream has been read, where it is one that records have.
fn cursor(spec: &StreamSpec) -> Option<String> {
    let field = match spec.cursor.as_ref()? {
        CursorSpec::Window(window) => &window.field,
        CursorSpec::Local { field, .. } => field,
        CursorSpec::Token(_) => return None,
    };
    let name = field.to_string();
    (!name.contains('.')).then_some(name)
}

/// The permission that a stream takes: its own, or that of the stream its records come out of.
fn needs(api: &Ready, spec: &StreamSpec) -> Option<String> {
    let above = || api.manifest.stream(spec.driver()?);
    spec.needs.clone().or_else(|| needs(api, above()?))
}
