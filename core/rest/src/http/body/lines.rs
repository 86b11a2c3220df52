//! Lines of JSON as pages that are lists.

use std::io::Read;

use crate::json::Scanner;

use super::Unfit;
use super::emit::Emit;
use super::window::Window;

/// One value after the other; usually each has a line.
pub(super) fn ndjson(reader: &mut dyn Read, most: usize, emit: &mut Emit<'_>) -> Result<(), Unfit> {
    let mut window = Window::new(reader);
    let mut page = String::new();
    let mut at = 0;
    loop {
        let mut scanner = Scanner::new(&window.text[at..]);
        let is_blank = scanner.peek().is_none();
        match scanner.value() {
            Ok(raw) if at + scanner.place() < window.text.len() || window.has_ended() => {
                page.push(if page.is_empty() { '[' } else { ',' });
                page.push_str(raw.as_str());
                at += scanner.place();
                if page.len() >= most {
                    page.push(']');
                    emit(std::mem::take(&mut page))?;
                }
            }
            Ok(_) | Err(_) => {
                window.forget(at);
                at = 0;
                if !window.more()? {
                    match is_blank {
                        true => break,
                        false => {
                            return Err(Unfit::Broken(
                                "a line of the answer is not JSON".to_owned(),
                            ));
                        }
                    }
                }
            }
        }
    }
    if page.is_empty() {
        page.push('[');
    }
    page.push(']');
    emit(page)
}
