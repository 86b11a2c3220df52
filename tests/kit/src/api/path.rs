//! Which of a vendor's paths a request means.

/// What stands in the braces of a path such as `tickets/{parent}/audits`, in order, or `None` where
/// the segments are those of another path.
pub(super) fn places<'a>(path: &str, segments: &[&'a str]) -> Option<Vec<&'a str>> {
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    let open = |part: &str| part.starts_with('{');
    let both = || parts.iter().zip(segments);
    let fits = parts.len() == segments.len()
        && both().all(|(part, segment)| open(part) || part == segment);
    let filled = both().filter(|(part, _)| open(part));
    fits.then(|| filled.map(|(_, segment)| *segment).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_take_one_segment_each_and_the_rest_is_fixed() {
        let path = "/posts/{}/comments/{parent}";
        let comment = ["posts", "7", "comments", "8"];
        assert_eq!(places(path, &comment), Some(vec!["7", "8"]));
        assert_eq!(places("posts", &["posts"]), Some(vec![]));
        for other in [
            &["posts", "7", "comments"][..],
            &["posts", "7", "votes", "8"],
            &["posts", "7", "comments", "8", "9"],
        ] {
            assert_eq!(places(path, other), None, "{other:?}");
        }
    }
}
