//! Numbers as pictures: the line of rows beside a connection, the bars of its loads, the bar of a
//! copy. Plain SVG: attributes only, so that it needs no exception from the page's policy. Shapes
//! are closed (`{}`): within SVG, HTML takes what follows an open one for its content.

use maud::{Markup, html};

use super::words;

/// The sparkline's own units.
const WIDTH: usize = 120;
const HEIGHT: usize = 28;
/// Room for the line's thickness.
const EDGE: usize = 2;

/// The rows of equal spans of time, the oldest first, as a line over an area.
pub(super) fn sparkline(rows: &[u64], said: &str) -> Markup {
    let (line, area) = path(rows);
    let base = HEIGHT - EDGE;
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" role="img" aria-label=(said) {
            @if rows.iter().any(|rows| *rows > 0) {
                path class="area" d=(area) {}
                path class="line" d=(line) {}
            } @else {
                path class="base" d=(format!("M0 {base}H{WIDTH}")) {}
            }
        }
    }
}

/// The line through the values and the closed shape beneath it.
fn path(values: &[u64]) -> (String, String) {
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    let steps = values.len().saturating_sub(1).max(1);
    let mut line = String::new();
    for (at, value) in values.iter().enumerate() {
        let x = at * WIDTH * 10 / steps;
        let y = (HEIGHT - EDGE) * 10 - scaled(*value, most, (HEIGHT - 2 * EDGE) * 10);
        line.push(if at == 0 { 'M' } else { 'L' });
        line.push_str(&format!("{} {}", tenths(x), tenths(y)));
    }
    let end = values.len().saturating_sub(1) * WIDTH / steps;
    let area = format!("{line}L{end} {HEIGHT}L0 {HEIGHT}Z");
    (line, area)
}

/// `value` of `most`, as part of `room`.
fn scaled(value: u64, most: u64, room: usize) -> usize {
    let part = u128::from(value) * room as u128 / u128::from(most.max(1));
    usize::try_from(part).unwrap_or(room).min(room)
}

fn tenths(value: usize) -> String {
    match value % 10 {
        0 => (value / 10).to_string(),
        rest => format!("{}.{rest}", value / 10),
    }
}

/// One bar of a chart.
pub(super) struct Bar {
    /// Its height, in any unit that is the same for all bars.
    pub(super) height: u64,
    /// Whether it stands out: rows were rejected.
    pub(super) marked: bool,
    /// What it is, in words.
    pub(super) said: String,
}

/// Bars from left to right, with room for at least `places` of them, so that few do not look like
/// many.
pub(super) fn bars(bars: &[Bar], places: usize, said: &str) -> Markup {
    const TALL: usize = 100;
    const STEP: usize = 10;
    let most = bars.iter().map(|bar| bar.height).max().unwrap_or(0).max(1);
    let wide = bars.len().max(places) * STEP;
    html! {
        svg viewBox=(format!("0 0 {wide} {TALL}")) preserveAspectRatio="none" role="img" aria-label=(said) {
            path class="rule" d=(format!("M0 0H{wide}M0 {}H{wide}M0 {TALL}H{wide}", TALL / 2)) {}
            @for (at, bar) in bars.iter().enumerate() {
                @let height = scaled(bar.height, most, TALL).max(2);
                g {
                    title { (bar.said) }
                    rect class="bar-hit" x=(at * STEP) y="0" width=(STEP) height=(TALL) {}
                    rect class=(if bar.marked { "marked" } else { "fine" })
                        x=(at * STEP + 2) y=(TALL - height) width=(STEP - 4) height=(height) {}
                }
            }
        }
    }
}

/// How much of a copy is done.
pub(super) fn progress(done: u64, whole: u64) -> Markup {
    let percent = words::percent(done, whole);
    html! {
        svg class="bar-of" viewBox="0 0 100 6" preserveAspectRatio="none" role="progressbar"
            aria-valuemin="0" aria-valuemax="100" aria-valuenow=(percent) aria-label="copied" {
            rect class="track" width="100" height="6" {}
            rect class="done" width=(percent) height="6" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_within_its_picture() {
        let (line, area) = path(&[0, u64::MAX, u64::MAX / 2]);
        assert_eq!(line, "M0 26L60 2L120 14.1");
        assert_eq!(area, "M0 26L60 2L120 14.1L120 28L0 28Z");
        assert_eq!(path(&[]).0, "");
        assert_eq!(path(&[5]).0, "M0 2");
    }

    #[test]
    fn nothing_moved_is_a_flat_line() {
        let drawn = sparkline(&[0, 0, 0], "no rows").into_string();
        assert!(drawn.contains("class=\"base\""), "{drawn}");
        assert!(!drawn.contains("class=\"area\""), "{drawn}");
    }

    #[test]
    fn bars_are_drawn_against_the_tallest() {
        let of = |height, marked| Bar {
            height,
            marked,
            said: format!("<{height}>"),
        };
        let drawn = bars(&[of(10, false), of(5, true), of(0, false)], 10, "loads").into_string();
        assert!(drawn.contains("viewBox=\"0 0 100 100\""), "{drawn}");
        assert!(
            drawn.contains("class=\"marked\" x=\"12\" y=\"50\""),
            "{drawn}"
        );
        assert!(
            drawn.contains("y=\"98\" width=\"6\" height=\"2\""),
            "{drawn}"
        );
        assert!(drawn.contains("<title>&lt;10&gt;</title>"), "{drawn}");
    }
}
