//! The word that was probably meant.

/// The nearest of `known` to `word`, if any is near.
#[must_use]
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|known| (score(&word, &known.to_lowercase()), known))
        .filter(|(score, _)| *score > 0.0)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// How well `word` fits; zero where it doesn't.
fn score(word: &str, known: &str) -> f64 {
    let distance = strsim::osa_distance(word, known);
    let allowed = (word.chars().count().max(known.chars().count()) / 3).max(1);
    let similar = strsim::jaro_winkler(word, known);
    match distance <= allowed || similar >= 0.88 {
        true => similar,
        false => 0.0,
    }
}

/// "; did you mean `source`?", or the list of what there is.
pub(crate) fn instead<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_unstable();
    known.dedup();
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => list(&known),
    }
}

/// "; known are …".
pub(crate) fn list(known: &[&str]) -> String {
    match known {
        [] => "; there are none".to_owned(),
        [one] => format!("; there is only `{one}`"),
        many => format!("; known are {}", many.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_seen_and_strangers_are_not() {
        let known = ["source", "destination", "schedule", "password", "host"];
        for (word, meant) in [
            ("sorce", Some("source")),
            ("destnation", Some("destination")),
            ("Schedule", Some("schedule")),
            ("passwd", Some("password")),
            ("pass", Some("password")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }
}
