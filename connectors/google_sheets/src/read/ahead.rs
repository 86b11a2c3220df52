//! Small tabs, fetched several at once.
//!
//! Google counts requests and not cells, so a spreadsheet of many small tabs would use a minute's
//! quota for next to nothing. What comes is held until the turn of its tab. It is as old as its
//! request: a tab that was fetched before Drive told of a change must not be taken for one that was
//! read after it, so all of it is forgotten then. // G1

use std::collections::BTreeMap;

use tributary_model::Result;

use crate::a1::Area;
use crate::catalog::Part;
use crate::google::{Google, Got, Spot};
use crate::row::Row;

use super::CELLS;

/// Cells of the grids of all tabs of one request. Grids are mostly empty, and what is empty is not
/// sent. // G6
const MOST: usize = 4 * CELLS;
/// Tabs of one request. // G6
const TABS: usize = 40;
/// Bytes of the ranges of one request: they stand in its address. // G6
const TEXT: usize = 1_500;

/// What was fetched and not read yet.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    tabs: BTreeMap<String, Fetched>,
    /// Whether several tabs were too much to ask for.
    is_over: bool,
}

/// A whole tab.
#[derive(Debug)]
pub(super) struct Fetched {
    area: Area,
    pub(super) rows: Vec<Row>,
    /// When it was asked for, unix seconds.
    pub(super) read_at: i64,
}

impl Ahead {
    /// Takes what there is of a tab, as long as it is as large as it was.
    pub(super) fn take(&mut self, part: &Part) -> Option<Fetched> {
        let fetched = self.tabs.remove(&part.id)?;
        (fetched.area == part.area).then_some(fetched)
    }

    /// The file has changed: what was fetched is of before.
    pub(super) fn forget(&mut self) {
        self.tabs.clear();
    }

    /// Fetches `part` together with those that `follow` it, where that is fewer requests.
    pub(super) async fn fetch<'p>(
        &mut self,
        google: &Google,
        part: &'p Part,
        follow: impl Iterator<Item = &'p Part>,
        now: i64,
    ) -> Result<()> {
        let group = group(std::iter::once(part).chain(follow));
        if self.is_over || self.tabs.contains_key(&part.id) || group.len() < 2 {
            return Ok(());
        }
        let spots: Vec<Spot<'_>> = group.iter().map(|part| spot(part)).collect();
        match google.cells(&spots).await? {
            Got::Cells(found) => {
                for (part, rows) in group.iter().zip(found) {
                    let (area, read_at) = (part.area, now);
                    let fetched = Fetched {
                        area,
                        rows,
                        read_at,
                    };
                    self.tabs.insert(part.id.clone(), fetched);
                }
            }
            // One by one it turns out which of them it is.
            Got::TooMuch(_) | Got::Moved(_) => self.is_over = true,
        }
        Ok(())
    }
}

fn spot(part: &Part) -> Spot<'_> {
    Spot {
        tab: part.tab,
        title: &part.title,
        area: part.area,
    }
}

/// Those from the beginning that fit into one request; none where the first is a large one.
fn group<'p>(parts: impl Iterator<Item = &'p Part>) -> Vec<&'p Part> {
    let (mut group, mut cells, mut text) = (Vec::new(), 0, 0);
    for part in parts {
        let own = (part.area.rows.1 - part.area.rows.0) * part.area.width();
        let is_small = !part.area.is_empty() && own <= CELLS;
        if !is_small {
            match group.is_empty() {
                true => break,
                false => continue,
            }
        }
        cells += own;
        text += part.area.text(&part.title).len();
        if group.len() == TABS || cells > MOST || text > TEXT {
            break;
        }
        group.push(part);
    }
    group
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(id: usize, rows: usize, title: &str) -> Part {
        Part {
            id: format!("sheet:{id}"),
            name: title.to_owned(),
            tab: id as u64,
            title: title.to_owned(),
            area: Area {
                rows: (0, rows),
                columns: (0, 26),
            },
            frozen: 0,
        }
    }

    fn grouped(parts: &[Part]) -> Vec<&str> {
        group(parts.iter())
            .iter()
            .map(|part| part.id.as_str())
            .collect()
    }

    #[test]
    fn small_tabs_are_asked_for_together() {
        let some = [
            part(1, 1000, "a"),
            part(2, 0, "nothing"),
            part(3, 100_000, "large"),
            part(4, 10, "b"),
        ];
        assert_eq!(grouped(&some), ["sheet:1", "sheet:4"]);
        assert!(grouped(&some[2..]).is_empty(), "a large one goes alone");
        let many: Vec<_> = (0..20).map(|id| part(id, 1000, "x")).collect();
        assert_eq!(grouped(&many).len(), MOST / 26_000);
        let tiny: Vec<_> = (0..90).map(|id| part(id, 2, "x")).collect();
        assert_eq!(grouped(&tiny).len(), TABS);
        let long: Vec<_> = (0..90).map(|id| part(id, 2, &"ü".repeat(100))).collect();
        assert!(grouped(&long).len() < 8);
    }
}
