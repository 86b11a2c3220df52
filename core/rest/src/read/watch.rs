//! What is looked for in the records of a window: those that were sent before, those that will come
//! again, and how far the window has come.

use crate::json::Raw;
use crate::manifest::cursor::WindowSpec;
use crate::path::Path;
use crate::point::{Format, Point};
use crate::seen::Seen;

use super::taken::point_of;

/// Passes over rows of one place before it is said that they never rest. // G6
const MAX_PASSES: u32 = 100;

/// Whether the greatest place seen is of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    Yes,
    No,
}

/// Watches the records of a window go by.
#[derive(Debug, Default)]
pub(crate) struct Watch<'a> {
    field: Option<(&'a Path, &'a Format)>,
    /// Rows sent by an earlier run.
    before: Option<&'a Seen>,
    /// Rows of this one that will come again.
    pub(crate) again: Seen,
    /// From here on rows will come again.
    remembered: Option<Point>,
    /// Rows with less than this are left out.
    pub(crate) least: Option<Point>,
    /// The greatest place seen, where it is followed.
    pub(crate) reached: Option<Point>,
    /// The greatest since the window was begun anew, and the rows there.
    pub(crate) here: Option<Point>,
    edge: Seen,
    /// Rows that came before the window was begun anew, and come once more.
    anchor: Seen,
    /// Where the window began, and the rows that this pass and the one before it found.
    base: Point,
    pass: Seen,
    last_pass: Option<Seen>,
    passes: u32,
    /// Of them those further on.
    beyond: Seen,
    follows: bool,
    watching: bool,
    overlaps: bool,
}

impl<'a> Watch<'a> {
    /// Looks at nothing.
    pub(crate) fn nothing() -> Self {
        Self::default()
    }

    /// Watches a window of `spec` that ends at `to`: rows in `before` are left out, rows from
    /// `remembered` on are noted in `again`.
    pub(crate) fn window(
        spec: &'a WindowSpec,
        follow: Follow,
        before: &'a Seen,
        again: Seen,
        remembered: Point,
        to: Point,
    ) -> Self {
        let follows = follow == Follow::Yes || !spec.format.is_time();
        let ends_before = spec.to.is_some() && to <= remembered;
        Self {
            field: Some((&spec.field, &spec.format)),
            before: Some(before),
            remembered: Some(remembered),
            follows,
            watching: follows || !ends_before || !before.is_empty() || !again.is_empty(),
            again,
            ..Self::default()
        }
    }

    /// Leaves out rows whose field is below `least`, and those in `before`.
    pub(crate) fn local(
        field: &'a Path,
        format: &'a Format,
        least: Option<Point>,
        before: &'a Seen,
    ) -> Self {
        Self {
            field: Some((field, format)),
            before: Some(before),
            least,
            follows: true,
            watching: true,
            ..Self::default()
        }
    }

    /// Leaves out records in `before`, and notes all in `again`: what a token leads to next begins with
    /// some of them.
    pub(crate) fn overlap(before: &'a Seen) -> Self {
        Self {
            before: Some(before),
            remembered: Some(Point::MIN),
            watching: true,
            overlaps: true,
            ..Self::default()
        }
    }

    /// Whether records that come out of the same page come again with it.
    pub(crate) fn overlaps(&self) -> bool {
        self.overlaps
    }

    /// Whether no record needs to be looked at.
    pub(crate) fn is_blind(&self) -> bool {
        !self.watching
    }

    /// Whether records that lie before what comes again pass without being noted.
    pub(crate) fn is_quiet(&self) -> bool {
        let none_known = self.before.is_none_or(Seen::is_empty);
        none_known && !self.follows && self.least.is_none()
    }

    /// Whether a record is one of those.
    pub(crate) fn lies_before(&self, raw: Raw<'_>) -> bool {
        let point = self
            .field
            .and_then(|(field, format)| point_of(raw, field, format));
        point
            .zip(self.remembered)
            .is_some_and(|(at, from)| at < from)
    }

    fn follow(&mut self, point: Option<Point>, digest: u64) {
        let grain = self.field.map_or(1, |(_, format)| format.grain());
        let point = point.map(|point| crate::point::floor(point, grain));
        if point > self.here {
            self.here = point;
            self.reached = self.reached.max(point);
            self.edge = Seen::default();
        }
        if point == self.here {
            self.edge.add(digest);
        }
        self.pass.add(digest);
        if point.is_some_and(|point| point > self.base) {
            self.beyond.add(digest);
        }
    }

    /// The window begins at `base`, for the first time or anew.
    pub(crate) fn begin(&mut self, base: Point) {
        if base == self.base && self.passes > 0 {
            self.anchor.add_all(&self.pass);
        } else {
            (self.passes, self.last_pass) = (0, None);
            self.anchor = std::mem::take(&mut self.beyond);
            self.anchor.add_all(&self.edge);
        }
        (self.pass, self.beyond, self.edge) = Default::default();
        (self.base, self.here) = (base, None);
    }

    /// Whether this pass found all rows that the one before it did; `None` where too many did not.
    pub(crate) fn found_the_same(&mut self) -> Option<bool> {
        self.passes += 1;
        let last = self.last_pass.replace(self.pass.clone());
        let same = last.is_some_and(|last| last.is_within(&self.pass));
        (same || self.passes < MAX_PASSES).then_some(same)
    }

    /// The rows that come again when the window is begun anew from the greatest place seen.
    pub(crate) fn starting_at_edge(&self) -> Seen {
        self.and(&[&self.edge])
    }

    /// The same behind the place where it began.
    pub(crate) fn starting_behind(&self) -> Seen {
        self.and(&[&self.beyond])
    }

    /// The same from the place where it began.
    pub(crate) fn starting_over(&self) -> Seen {
        self.and(&[&self.anchor, &self.pass])
    }

    fn and(&self, others: &[&Seen]) -> Seen {
        let mut seen = self.again.clone();
        others.iter().for_each(|other| seen.add_all(other));
        seen
    }

    /// Whether a record is taken; notes it where it will come again.
    pub(crate) fn lets_pass(&mut self, raw: Raw<'_>, digest: impl Fn(Raw<'_>) -> u64) -> bool {
        if !self.watching {
            return true;
        }
        let point = self
            .field
            .and_then(|(field, format)| point_of(raw, field, format));
        if let (Some(least), Some(point)) = (self.least, point)
            && point < least
        {
            return false;
        }
        let comes_again = self
            .remembered
            .is_some_and(|from| point.is_none_or(|at| at >= from));
        let known = self.before.is_some_and(|before| !before.is_empty());
        // All in `again` lie further on, and so are others.
        if !comes_again && !known && !self.follows {
            return true;
        }
        let digest = digest(raw);
        if self.follows {
            self.follow(point, digest);
        }
        let was_sent = self.before.is_some_and(|before| before.contains(digest))
            || self.again.contains(digest)
            || self.anchor.contains(digest);
        if comes_again {
            self.again.add(digest);
        }
        !was_sent
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::manifest::cursor::CursorSpec;
    use crate::problem::Log;

    #[test]
    fn rows_near_the_end_are_remembered_and_do_not_come_twice() {
        let mut log = Log::default();
        let text = "{field: t, format: unix, from: a, to: b, bounds: \"[)\", order: desc}";
        let node = crate::yaml::read(text, &mut log).unwrap();
        let Some(CursorSpec::Window(spec)) = CursorSpec::read(&node, &mut log) else {
            panic!("no window");
        };
        let row = |at: i64| format!("{{\"t\":{at}}}");
        let passes = |watch: &mut Watch<'_>, at| {
            let row = row(at);
            watch.lets_pass(Raw::parse(&row).unwrap(), |raw| raw.digest())
        };
        let none = Seen::default();
        let mut first = Watch::window(&spec, Follow::No, &none, Seen::default(), 10_000, 20_000);
        assert!(passes(&mut first, 5) && passes(&mut first, 12) && passes(&mut first, 15));
        let seen = first.again;
        let mut second = Watch::window(&spec, Follow::No, &seen, Seen::default(), 14_000, 30_000);
        assert!(!passes(&mut second, 12) && !passes(&mut second, 15));
        assert!(passes(&mut second, 13) && passes(&mut second, 25));
        assert!(!second.is_quiet());
        let quiet = Watch::window(&spec, Follow::No, &none, Seen::default(), 10_000, 20_000);
        let lies_before = |text| quiet.lies_before(Raw::parse(text).unwrap());
        assert!(quiet.is_quiet() && !quiet.is_blind());
        assert!(lies_before(r#"{"t":9}"#));
        assert!(!lies_before(r#"{"t":10}"#) && !lies_before("{}"));
        assert!(second.again.contains(Raw::known(&row(15)).digest()));
        assert!(!second.again.contains(Raw::known(&row(13)).digest()));
        assert!(Watch::window(&spec, Follow::No, &none, Seen::default(), 10_000, 9_000).is_blind());
    }
}
