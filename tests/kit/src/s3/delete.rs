//! Deleting many objects at once.

use super::reply::{Outcome, Refusal, Reply};
use super::request::Call;
use super::state::State;
use super::xml::{self, Element};

/// S3's own limit.
const MOST: usize = 1000;

pub(super) fn many(state: &mut State, call: &Call) -> Outcome {
    let text = String::from_utf8_lossy(&call.body).into_owned();
    let keys: Vec<String> = xml::all(&text, "Object")
        .into_iter()
        .filter_map(|object| xml::text(object, "Key"))
        .collect();
    if keys.is_empty() || keys.len() > MOST {
        let message = "The XML you provided was not well-formed or did not validate against our \
                       published schema";
        return Err(Refusal::bad("MalformedXML", message));
    }
    let quiet = xml::text(&text, "Quiet").as_deref() == Some("true");
    let bucket = state.bucket_mut(&call.bucket)?;
    for key in &keys {
        bucket.objects.remove(key);
    }
    let said = keys
        .iter()
        .filter(|_| !quiet)
        .map(|key| Element::new("Deleted").text("Key", key));
    Ok(Reply::xml(&Element::new("DeleteResult").children(said)))
}
