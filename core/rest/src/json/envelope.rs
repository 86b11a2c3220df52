//! A page taken apart: its records, and everything around them.

use crate::path::{Path, Records};

use super::raw::Raw;
use super::scan::{Broken, Scanner};

/// What stands around the records of a page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Envelope<'a> {
    parts: Vec<(Vec<String>, Raw<'a>)>,
    /// How many items the outermost list has, which is what pages are counted in.
    pub(crate) items: usize,
}

impl<'a> Envelope<'a> {
    /// What `path` leads to; null counts as none.
    pub(crate) fn find(&self, path: &Path) -> Option<Raw<'a>> {
        let steps = path.steps();
        let (at, raw) = self.parts.iter().find(|(at, _)| steps.starts_with(at))?;
        let rest = Path::parse(&steps[at.len()..].join("."));
        raw.find(&rest)
    }
}

/// What takes a record: the page where it begins, and what its list is in.
pub(crate) type Taking<'t, 'a> =
    dyn FnMut(&mut Scanner<'a>, Option<Raw<'a>>) -> Result<(), Broken> + 't;

/// Goes through a page once. `record` is called where a record begins, and must take it; it gets
/// what the record's list is in, where the page has lists in lists.
pub(crate) fn walk<'a>(
    text: &'a str,
    records: &Records,
    record: &mut Taking<'_, 'a>,
) -> Result<Envelope<'a>, Broken> {
    let mut scanner = Scanner::new(text);
    let mut envelope = Envelope::default();
    match records.levels.split_first() {
        None => {
            // The whole body is the one record.
            let mut ahead = scanner;
            let whole = ahead.value()?;
            envelope.parts.push((Vec::new(), whole));
            envelope.items = 1;
            scanner.peek();
            record(&mut scanner, None)?;
        }
        Some((first, deeper)) => {
            let mut down = Descent {
                envelope: &mut envelope,
                at: Vec::new(),
                deeper,
                record,
            };
            down.enter(&mut scanner, first.steps())?;
        }
    }
    match scanner.is_done() {
        true => Ok(envelope),
        false => Err(Broken(scanner.place())),
    }
}

type OnRecord<'f, 'a> = &'f mut dyn FnMut(&mut Scanner<'a>, Option<Raw<'a>>) -> Result<(), Broken>;

struct Descent<'f, 'a> {
    envelope: &'f mut Envelope<'a>,
    at: Vec<String>,
    deeper: &'f [Path],
    record: OnRecord<'f, 'a>,
}

impl<'a> Descent<'_, 'a> {
    /// Follows `steps` down to the list of records; keeps what lies beside the way.
    fn enter(&mut self, scanner: &mut Scanner<'a>, steps: &[String]) -> Result<(), Broken> {
        let Some((step, rest)) = steps.split_first() else {
            return self.list(scanner);
        };
        if scanner.peek() != Some(b'{') {
            // Not what the way leads through: there are no records here.
            return scanner.value().map(drop);
        }
        let mut fields = *scanner;
        fields.object(|scanner, name| {
            self.at.push(name.into_owned());
            let on_the_way = self.at.last() == Some(step);
            match on_the_way {
                true => self.enter(scanner, rest)?,
                false => {
                    let value = scanner.value()?;
                    self.envelope.parts.push((self.at.clone(), value));
                }
            }
            self.at.pop();
            Ok(())
        })?;
        *scanner = fields;
        Ok(())
    }

    fn list(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Broken> {
        if scanner.peek() != Some(b'[') {
            return scanner.value().map(drop);
        }
        let (deeper, record) = (self.deeper, &mut *self.record);
        let items = &mut self.envelope.items;
        scanner.list(|scanner| {
            *items += 1;
            match deeper {
                [] => record(scanner, None),
                levels => inside(scanner.value()?, levels, record),
            }
        })
    }
}

/// The records inside an item that is itself in a list.
fn inside<'a>(item: Raw<'a>, levels: &[Path], record: &mut Taking<'_, 'a>) -> Result<(), Broken> {
    let Some((first, deeper)) = levels.split_first() else {
        return Ok(());
    };
    for found in item.items(first) {
        match deeper {
            [] => record(&mut Scanner::new(found.as_str()), Some(item))?,
            levels => inside(found, levels, record)?,
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ids(text: &str, records: &str) -> (Vec<String>, Option<String>) {
        let mut found = Vec::new();
        let records = Records::parse(records).unwrap();
        let envelope = walk(text, &records, &mut |scanner, around| {
            let raw = scanner.value()?;
            let around = around.and_then(|raw| raw.find(&Path::parse("id")));
            let around = around.map_or("", Raw::as_str);
            found.push(format!("{around}{}", raw.as_str()));
            Ok(())
        });
        let more = envelope.unwrap().find(&Path::parse("meta.more"));
        (found, more.map(|more| more.as_str().to_owned()))
    }

    fn items(text: &str, records: &str) -> usize {
        let records = Records::parse(records).unwrap();
        let walked = walk(text, &records, &mut |scanner, _| scanner.value().map(drop));
        walked.unwrap().items
    }

    #[test]
    fn records_and_what_is_around_them_come_out_of_one_pass() {
        let (found, more) = ids(
            r#"{"a": 1, "data": [7, 8], "meta": {"more": true}}"#,
            "data[]",
        );
        assert_eq!(
            (found.join(" "), more.as_deref()),
            ("7 8".into(), Some("true"))
        );
        let (found, more) = ids(
            r#"{"meta": {"list": [1], "more": 2}, "x": {}}"#,
            "meta.list[]",
        );
        assert_eq!((found.join(" "), more.as_deref()), ("1".into(), Some("2")));
        let (found, _) = ids(r#"{"a": [{"id": 1, "b": [5, 6]}, {"id": 2}]}"#, "a[].b[]");
        assert_eq!(found.join(" "), "15 16");
        assert_eq!(
            items(r#"{"a": [{"b": [5, 6]}, {"b": []}, {}]}"#, "a[].b[]"),
            3
        );
        assert_eq!((items("[1, 2]", "[]"), items("{}", "")), (2, 1));
        let (found, more) = ids(r#"{"meta": {"more": 0}}"#, "");
        assert_eq!((found.len(), more.as_deref()), (1, Some("0")));
        assert_eq!(ids("[1,2]", "[]").0.len(), 2);
        assert_eq!(ids(r#"{"data": null}"#, "data[]").0.len(), 0);
        assert_eq!(ids("[]", "data[]").0.len(), 0);
    }

    #[test]
    fn a_page_that_breaks_off_is_broken() {
        let records = Records::parse("data[]").unwrap();
        for text in [r#"{"data": [1, 2"#, r#"{"data": [1]} x"#, "<html>"] {
            let walked = walk(text, &records, &mut |scanner, _| scanner.value().map(drop));
            assert!(walked.is_err(), "{text}");
        }
    }
}
