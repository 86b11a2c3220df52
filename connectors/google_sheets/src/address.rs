//! A spreadsheet's id, written as such or as the address that a browser shows.

use tributary_model::{Error, ErrorKind, Result};

/// The id in `text`.
///
/// # Errors
/// [`ErrorKind::Config`] where there is none.
pub(crate) fn spreadsheet_id(text: &str) -> Result<String> {
    let text = text.trim();
    let id = match text.contains('/') {
        true => in_address(text),
        false => Some(text),
    };
    match id.filter(|id| is_id(id)) {
        Some(id) => Ok(id.to_owned()),
        None => Err(
            Error::new(ErrorKind::Config, "`spreadsheet_id` names no spreadsheet").fix(
                "Copy the address from the browser, https://docs.google.com/spreadsheets/d/…/edit, \
                 or the part of it between /d/ and /edit.",
            ),
        ),
    }
}

fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

/// The part after `/d/`, or the parameter `id` or `key` of older addresses. What was published to the
/// web is at `/d/e/…`, which is no id.
fn in_address(text: &str) -> Option<&str> {
    let (path, rest) = text.split_once(['?', '#']).unwrap_or((text, ""));
    let mut segments = path.split('/');
    if segments.any(|segment| segment == "d") {
        return segments.next().filter(|id| *id != "e");
    }
    let mut params = rest.split(['&', '#']);
    params.find_map(|param| {
        let (name, value) = param.split_once('=')?;
        matches!(name, "id" | "key").then_some(value)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_in_any_address() {
        let id = "1AbC-def_0123456789012345678901234567890123";
        for text in [
            id.to_owned(),
            format!(" {id}\n"),
            format!("https://docs.google.com/spreadsheets/d/{id}/edit#gid=0"),
            format!("https://docs.google.com/spreadsheets/d/{id}"),
            format!("docs.google.com/spreadsheets/d/{id}/edit?usp=sharing"),
            format!("https://docs.google.com/spreadsheets/u/1/d/{id}/edit?gid=7#gid=7"),
            format!("https://drive.google.com/open?id={id}&usp=drive_fs"),
        ] {
            assert_eq!(spreadsheet_id(&text).unwrap(), id, "{text}");
        }
    }

    #[test]
    fn what_is_no_spreadsheet_is_refused() {
        for text in [
            "",
            "my sheet",
            "https://docs.google.com/spreadsheets/",
            "https://docs.google.com/spreadsheets/d/e/2PACX-1v/pubhtml",
        ] {
            assert!(spreadsheet_id(text).is_err(), "{text}");
        }
    }
}
