//! Which stretches of a field's axis are asked for. Pure.
//!
//! Stretches are half-open here, `[from, to)`, whatever the API counts in: asking translates. The
//! last one ends now, so that everything visible is read; but `done` never comes nearer than the lag
//! to now, and what lies behind it is read again next time and compared by digest. So a row that
//! appears late, with an older time, is not missed, and a row that is there at once is not sent twice.

use crate::cursor::Part;
use crate::manifest::cursor::{End, WindowSpec};
use crate::point::{self, Point};

/// A stretch that is asked for: `[from, to)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Point,
    pub(crate) to: Point,
}

/// What is to be read of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// In order; without gaps.
    pub(crate) spans: Vec<Span>,
    /// Where everything is done up to once all of them are.
    pub(crate) settled: Point,
    /// From here on rows are remembered, because they will be read again.
    pub(crate) remembered: Point,
}

/// The end of a field whose values only grow.
const ENDLESS: Point = i64::MAX;

/// What is to be read: from where the part stands, or from `start`, up to `now`.
pub(crate) fn plan(part: &Part, spec: &WindowSpec, start: Point, now: Point) -> Plan {
    let grain = spec.grain();
    let from = part.done.map_or(start, |done| done - spec.lookback);
    if !spec.format.is_time() {
        return Plan {
            spans: vec![Span { from, to: ENDLESS }],
            settled: from,
            remembered: ENDLESS,
        };
    }
    let from = point::floor(from, grain);
    let to = point::above(now, grain).max(from);
    let settled = point::floor(now - spec.lag, grain).clamp(from.min(to), to);
    let settled = part.done.map_or(settled, |done| settled.max(done));
    Plan {
        spans: split(Span { from, to }, spec.window.map(|size| size.max(grain))),
        settled,
        remembered: settled - spec.lookback,
    }
}

/// A stretch in pieces of at most `size`.
pub(crate) fn split(span: Span, size: Option<i64>) -> Vec<Span> {
    let Some(size) = size.filter(|size| span.to.saturating_sub(span.from) > *size) else {
        return vec![span];
    };
    let mut pieces = Vec::new();
    let mut from = span.from;
    while from < span.to {
        let to = from.saturating_add(size).min(span.to);
        pieces.push(Span { from, to });
        from = to;
    }
    pieces
}

/// The two halves of a stretch, where it can be halved.
pub(crate) fn halves(span: Span, spec: &WindowSpec) -> Option<[Span; 2]> {
    let grain = spec.grain();
    let middle = point::floor(span.from + span.to.checked_sub(span.from)? / 2, grain);
    let half = |from, to| Span { from, to };
    (middle > span.from && middle < span.to)
        .then(|| [half(span.from, middle), half(middle, span.to)])
}

/// A stretch as the API wants it: its ends, or none where there is no end.
pub(crate) fn ask(span: Span, spec: &WindowSpec) -> (String, Option<String>) {
    let grain = spec.grain();
    let from = match spec.bounds.first {
        End::In => span.from,
        End::Out => span.from.saturating_sub(grain),
    };
    // Hardly any API understands a time before 1970.
    let from = if spec.format.is_time() {
        from.max(0)
    } else {
        from
    };
    let to = match spec.bounds.last {
        End::Out => span.to,
        End::In => span.to.saturating_sub(grain),
    };
    let end = (span.to != ENDLESS).then(|| spec.format.write(to));
    (spec.format.write(from), end)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::manifest::cursor::CursorSpec;
    use crate::point::DAY;
    use crate::problem::Log;

    fn spec(text: &str) -> WindowSpec {
        let mut log = Log::default();
        let node = crate::yaml::read(text, &mut log).unwrap();
        let Some(CursorSpec::Window(spec)) = CursorSpec::read(&node, &mut log) else {
            panic!("{}", log.close("w"));
        };
        spec
    }

    fn timed(more: &str) -> WindowSpec {
        spec(&format!(
            "{{field: t, format: unix, from: a, to: b, order: desc, lag: 60s, {more}}}"
        ))
    }

    #[test]
    fn bounds_are_translated() {
        let span = Span {
            from: 10_000,
            to: 20_000,
        };
        for (bounds, from, to) in [
            ("[)", "10", "20"),
            ("[]", "10", "19"),
            ("(]", "9", "19"),
            ("()", "9", "20"),
        ] {
            let asked = ask(span, &timed(&format!("bounds: \"{bounds}\"")));
            assert_eq!(asked, (from.to_owned(), Some(to.to_owned())), "{bounds}");
        }
    }

    #[test]
    fn the_last_window_ends_now_and_done_stays_behind() {
        let spec = timed("bounds: \"[)\", window: 1d");
        let now = 3 * DAY + 500;
        let first = plan(&Part::default(), &spec, DAY, now);
        assert_eq!(first.spans.len(), 3);
        assert_eq!(
            first.spans[2],
            Span {
                from: 3 * DAY,
                to: 3 * DAY + 1000
            }
        );
        assert!(
            first
                .spans
                .windows(2)
                .all(|pair| pair[0].to == pair[1].from)
        );
        assert_eq!(
            (first.settled, first.remembered),
            (3 * DAY - 60_000, 3 * DAY - 60_000)
        );
        let part = Part {
            done: Some(first.settled),
            ..Part::default()
        };
        let next = plan(&part, &spec, 0, now + 10_000);
        assert_eq!(next.spans[0].from, first.settled);
    }

    #[test]
    fn a_lookback_reads_again_and_done_never_goes_back() {
        let spec = timed("bounds: \"[)\", lookback: 1d");
        let part = Part {
            done: Some(5 * DAY),
            ..Part::default()
        };
        let plan = plan(&part, &spec, 0, 5 * DAY + 30_000);
        assert_eq!(plan.spans[0].from, 4 * DAY);
        assert_eq!((plan.settled, plan.remembered), (5 * DAY, 4 * DAY));
    }

    #[test]
    fn a_start_in_the_future_asks_for_nothing_wrong() {
        let spec = timed("bounds: \"[)\"");
        let plan = plan(&Part::default(), &spec, 10 * DAY, DAY);
        assert_eq!(
            plan.spans,
            [Span {
                from: 10 * DAY,
                to: 10 * DAY
            }]
        );
    }

    #[test]
    fn windows_are_halved_down_to_the_grain() {
        let spec = timed("bounds: \"[)\"");
        let [first, second] = halves(Span { from: 0, to: 5000 }, &spec).unwrap();
        assert_eq!((first.to, second.from, second.to), (2000, 2000, 5000));
        assert_eq!(halves(Span { from: 0, to: 1000 }, &spec), None);
    }

    #[test]
    fn numbers_have_no_end() {
        let spec = spec("{field: n, format: int, from: since, bounds: \"()\", order: asc}");
        let part = Part {
            done: Some(8),
            ..Part::default()
        };
        let plan = plan(&part, &spec, 0, DAY);
        assert_eq!(ask(plan.spans[0], &spec), ("7".to_owned(), None));
    }
}
