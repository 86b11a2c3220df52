//! A JSON document as pages: as it is where it is small, else its list of records cut into several.
//!
//! Each page holds some of the records at the place where the list was; the last one also has what is
//! around it, as the document has it. So whoever reads pages need not know that they were one.

use std::io::Read;

use crate::json::{Broken, Raw, Scanner};
use crate::path::Path;

use super::emit::Emit;
use super::window::Window;
use super::{HELD, Unfit};

/// A document whose records can't be told apart, or need what is around them.
pub(super) fn whole(reader: &mut dyn Read, emit: &mut Emit<'_>) -> Result<(), Unfit> {
    let mut window = Window::new(reader);
    while window.more()? {}
    Raw::parse(&window.text)?;
    emit(window.text)
}

/// A document with a list of records at `list`.
pub(super) fn json(reader: &mut dyn Read, list: &Path, emit: &mut Emit<'_>) -> Result<(), Unfit> {
    let mut window = Window::new(reader);
    window.fill()?;
    if window.has_ended() {
        Raw::parse(&window.text)?;
        return emit(window.text);
    }
    let start = loop {
        match begin(&window.text, list) {
            Ok(Some(start)) => break start,
            // There is none, or it is further on.
            Ok(None) | Err(_) if window.more()? => {}
            Ok(None) | Err(_) => {
                Raw::parse(&window.text)?;
                return emit(window.text);
            }
        }
    };
    let head = window.text[..start].to_owned();
    window.forget(start);
    items(&mut window, list, emit)?;
    while window.more()? {}
    let last = head + &window.text;
    Raw::parse(&last)?;
    emit(last)
}

/// Where the first item of the list would stand; `None` where there is no list.
fn begin(text: &str, list: &Path) -> Result<Option<usize>, Broken> {
    let mut scanner = Scanner::new(text);
    let found = descend(&mut scanner, list.steps());
    match found? {
        true => Ok(Some(scanner.place())),
        false => Ok(None),
    }
}

fn descend(scanner: &mut Scanner<'_>, steps: &[String]) -> Result<bool, Broken> {
    let Some((step, rest)) = steps.split_first() else {
        if scanner.peek() == Some(b'[') {
            scanner.expect(b'[')?;
            return Ok(true);
        }
        scanner.value()?;
        return Ok(false);
    };
    if scanner.peek() != Some(b'{') {
        scanner.value()?;
        return Ok(false);
    }
    scanner.expect(b'{')?;
    if scanner.peek() == Some(b'}') {
        scanner.expect(b'}')?;
        return Ok(false);
    }
    loop {
        let name = scanner.name()?.text();
        if name == *step {
            if descend(scanner, rest)? {
                return Ok(true);
            }
        } else {
            scanner.value()?;
        }
        if scanner.peek() != Some(b',') {
            scanner.expect(b'}')?;
            return Ok(false);
        }
        scanner.expect(b',')?;
    }
}

/// Hands out the items as far as they fill pages. What is left in the window begins with an item or
/// with the list's end.
fn items(window: &mut Window<'_>, list: &Path, emit: &mut Emit<'_>) -> Result<(), Unfit> {
    let (open, close) = around(list);
    let (mut from, mut at, mut is_first) = (0, 0, true);
    loop {
        let place = match is_first {
            true => Comma::No,
            false => Comma::Before,
        };
        match step(&window.text[at..], place, window.has_ended())? {
            Step::Item { start, end } => {
                if from == at && !is_first {
                    from = at + start;
                }
                (at, is_first) = (at + end, false);
            }
            Step::End => break,
            Step::Cut if window.more()? => continue,
            Step::Cut => return Err(Unfit::Broken("the answer breaks off".to_owned())),
        }
        if at - from >= HELD {
            emit([&open, &window.text[from..at], &close].concat())?;
            window.forget(at);
            (from, at) = (0, 0);
        }
    }
    window.forget(from);
    Ok(())
}

/// What stands around the list in a page of nothing else.
fn around(list: &Path) -> (String, String) {
    let mut open = String::new();
    for step in list.steps() {
        open.push('{');
        open.push_str(&serde_json::Value::from(step.as_str()).to_string());
        open.push(':');
    }
    (open + "[", format!("]{}", "}".repeat(list.steps().len())))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comma {
    Before,
    No,
}

enum Step {
    /// An item; where it begins and ends.
    Item { start: usize, end: usize },
    /// The list ends.
    End,
    /// The text ends first.
    Cut,
}

fn step(text: &str, comma: Comma, has_ended: bool) -> Result<Step, Unfit> {
    let mut scanner = Scanner::new(text);
    match (scanner.peek(), comma) {
        (None, _) => return Ok(Step::Cut),
        (Some(b']'), _) => return Ok(Step::End),
        (Some(b','), Comma::Before) => scanner.expect(b',')?,
        (Some(_), Comma::No) => {}
        (Some(_), Comma::Before) => return Err(Broken(scanner.place()).into()),
    }
    scanner.peek();
    let start = scanner.place();
    // A number that ends with the text may go on.
    let is_whole = scanner.value().is_ok() && (scanner.place() < text.len() || has_ended);
    Ok(match is_whole {
        true => Step::Item {
            start,
            end: scanner.place(),
        },
        false => Step::Cut,
    })
}
