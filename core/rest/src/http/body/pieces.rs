//! The pages that an answer holds.

use std::io::Read;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::manifest::stream::Decode;
use crate::path::Path;

use super::emit::Emit;
use super::{Body, HELD, MAX_WHOLE, Unfit, cut, lines, table, unpack};

/// Whether one answer may become several pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Whatever is asked of a page is asked of all of it.
    Never,
    /// Its records are in the list at this path, and may come in several.
    At(Path),
}

/// A page as text.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) text: String,
    /// Whether it ends the answer.
    pub(crate) is_last: bool,
    /// Whether it is known to be whole.
    pub(crate) is_proved: bool,
}

/// The pages of one answer, which is known to be whole.
#[derive(Debug)]
pub(crate) struct Pieces(Supply);

#[derive(Debug)]
enum Supply {
    One {
        text: Option<String>,
        is_proved: bool,
    },
    /// What is left to come, from a thread of its own.
    Many {
        left: usize,
        pages: mpsc::Receiver<Result<String, Unfit>>,
    },
}

impl Pieces {
    /// Looks at all of an answer. Only a small one that is not wrapped is not: whoever takes it sees
    /// whether it is whole.
    ///
    /// # Errors
    /// What it is instead.
    pub(crate) async fn open(body: Body, decode: &[Decode], cut: Cut) -> Result<Self, Unfit> {
        let body = match body {
            Body::Held(bytes) if is_plain(decode) && bytes.len() <= HELD => {
                let text = Some(super::text(bytes.into())?);
                return Ok(Self(Supply::One {
                    text,
                    is_proved: false,
                }));
            }
            other => Arc::new((other, decode.to_vec(), cut)),
        };
        let again = body.clone();
        let (count, first) = in_thread(move || prove(&again)).await?;
        if count <= 1 {
            let is_proved = true;
            return Ok(Self(Supply::One {
                text: first,
                is_proved,
            }));
        }
        let (sender, pages) = mpsc::channel(1);
        tokio::task::spawn_blocking(move || {
            let (body, decode, cut) = &*body;
            let gone = || Unfit::Broken("nobody takes the answer's pages any more".to_owned());
            let mut send = |text| sender.blocking_send(Ok(text)).map_err(|_| gone());
            if let Err(why) = read(body, decode, cut, &mut send) {
                // Nobody hears it where nobody listens.
                let _ = sender.blocking_send(Err(why));
            }
        });
        Ok(Self(Supply::Many { left: count, pages }))
    }

    /// The next page; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Piece>, Unfit> {
        match &mut self.0 {
            Supply::One { text, is_proved } => Ok(text.take().map(|text| Piece {
                text,
                is_last: true,
                is_proved: *is_proved,
            })),
            Supply::Many { left: 0, .. } => Ok(None),
            Supply::Many { left, pages } => {
                let text = pages.recv().await;
                let ended = || Unfit::Broken("the answer is shorter than it was".to_owned());
                let text = text.ok_or_else(ended)??;
                *left -= 1;
                Ok(Some(Piece {
                    text,
                    is_last: *left == 0,
                    is_proved: true,
                }))
            }
        }
    }
}

async fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Unfit> + Send + 'static,
) -> Result<T, Unfit> {
    let broke_down = |_| Unfit::Refused("reading the answer broke down".to_owned());
    tokio::task::spawn_blocking(work)
        .await
        .map_err(broke_down)?
}

fn is_plain(decode: &[Decode]) -> bool {
    decode.iter().all(|step| *step == Decode::Json)
}

/// Reads an answer through; its pages, counted, and the first of them.
fn prove(answer: &(Body, Vec<Decode>, Cut)) -> Result<(usize, Option<String>), Unfit> {
    let (body, decode, cut) = answer;
    let (mut count, mut first) = (0, None);
    read(body, decode, cut, &mut |text| {
        count += 1;
        first = (count == 1).then_some(text);
        Ok(())
    })?;
    Ok((count, first))
}

fn read(body: &Body, decode: &[Decode], cut: &Cut, emit: &mut Emit<'_>) -> Result<(), Unfit> {
    let mut all = Joined::default();
    let format = decode.last().copied().unwrap_or(Decode::Json);
    let mut count = 0;
    unpack::documents(body, decode, &mut |document| {
        count += 1;
        match cut {
            Cut::Never => one(document, format, None, &mut |text| all.add(text)),
            Cut::At(list) => one(document, format, Some(list), emit),
        }
    })?;
    match all.0 {
        Some(text) => emit(text),
        // An archive without files is an export without records.
        None if count == 0 => emit("[]".to_owned()),
        None => Ok(()),
    }
}

/// Documents that have to be one page: that is possible for lists.
#[derive(Default)]
struct Joined(Option<String>);

impl Joined {
    fn add(&mut self, text: String) -> Result<(), Unfit> {
        let Some(before) = &mut self.0 else {
            self.0 = Some(text);
            return Ok(());
        };
        let items = |text: &str| {
            let inside = text.trim().strip_prefix('[')?.strip_suffix(']')?.trim();
            Some(inside.to_owned())
        };
        let (Some(first), Some(second)) = (items(before), items(&text)) else {
            let why = "the answer holds several documents that are no lists of records";
            return Err(Unfit::Refused(why.to_owned()));
        };
        let comma = if first.is_empty() || second.is_empty() {
            ""
        } else {
            ","
        };
        *before = format!("[{first}{comma}{second}]");
        match before.len() > MAX_WHOLE {
            true => Err(Unfit::Refused(
                "the answer is too large for one page".to_owned(),
            )),
            false => Ok(()),
        }
    }
}

fn one(
    document: &mut dyn Read,
    format: Decode,
    list: Option<&Path>,
    emit: &mut Emit<'_>,
) -> Result<(), Unfit> {
    let most = list.map_or(usize::MAX, |_| HELD);
    match (format, list) {
        (Decode::Ndjson, _) => lines::ndjson(document, most, emit),
        (Decode::Csv, _) => table::csv(document, most, emit),
        (Decode::Json | Decode::Gzip | Decode::Zip, Some(list)) => cut::json(document, list, emit),
        (Decode::Json | Decode::Gzip | Decode::Zip, None) => cut::whole(document, emit),
    }
}
