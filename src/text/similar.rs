//! Which name was meant: the suggestions of "Did you mean", by CPython's measure and bounds.

/// More candidates than this are not looked at.
const MAX_CANDIDATES: usize = 749;
/// Longer names, without what they have in common at both ends, are not compared.
const MAX_LEN: usize = 40;
const MOVE_COST: usize = 2;
const CASE_COST: usize = 1;

/// The candidate nearest to `name`, the first of several; `None` when all are too far or there are too many.
pub(crate) fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(&str, usize)> = None;
    for (index, candidate) in candidates.into_iter().enumerate() {
        if index >= MAX_CANDIDATES {
            return None;
        }
        if candidate == name {
            continue;
        }
        let mut most = (name.len() + candidate.len() + 3) * MOVE_COST / 6;
        if let Some((_, distance)) = best {
            most = most.min(distance - 1);
        }
        let distance = distance(name.as_bytes(), candidate.as_bytes(), most);
        if distance <= most && best.is_none_or(|best| distance < best.1) {
            best = Some((candidate, distance));
            if distance == 0 {
                break;
            }
        }
    }
    best.map(|best| best.0)
}

/// The edit distance of two names in which a changed case costs less; above `most` any number above it.
fn distance(left: &[u8], right: &[u8], most: usize) -> usize {
    let prefix = left.iter().zip(right).take_while(|(left, right)| left == right).count();
    let (left, right) = (&left[prefix..], &right[prefix..]);
    let suffix = left.iter().rev().zip(right.iter().rev()).take_while(|(left, right)| left == right).count();
    let (left, right) = (&left[..left.len() - suffix], &right[..right.len() - suffix]);
    if left.is_empty() || right.is_empty() {
        return (left.len() + right.len()) * MOVE_COST;
    }
    if left.len() > MAX_LEN || right.len() > MAX_LEN || left.len().abs_diff(right.len()) * MOVE_COST > most {
        return most + 1;
    }
    let mut row: Vec<usize> = (0..=right.len()).map(|column| column * MOVE_COST).collect();
    for (index, &from) in left.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = (index + 1) * MOVE_COST;
        let mut least = row[0];
        for (column, &to) in right.iter().enumerate() {
            let replaced = diagonal + substitution(from, to);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + MOVE_COST).min(diagonal + MOVE_COST);
            least = least.min(row[column + 1]);
        }
        if least > most {
            return most + 1;
        }
    }
    row[right.len()]
}

fn substitution(from: u8, to: u8) -> usize {
    if from == to {
        0
    } else if from.eq_ignore_ascii_case(&to) {
        CASE_COST
    } else {
        MOVE_COST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested() {
        assert_eq!(closest("lenght", ["len", "length", "strength"]), Some("length"));
        assert_eq!(closest("Foo", ["foo", "fo"]), Some("foo"));
        assert_eq!(closest("abc", ["xyz", "quux"]), None);
        assert_eq!(closest("a", ["b"]), None);
        assert_eq!(closest("spam", ["spam"]), None);
        assert_eq!(closest("blech", ["fluch", "bluch", "black"]), Some("bluch"));
    }

    #[test]
    fn too_many_candidates_suggest_nothing() {
        assert_eq!(closest("spam", std::iter::repeat_n("spa", 749)), Some("spa"));
        assert_eq!(closest("spam", std::iter::repeat_n("spa", 750)), None);
    }
}
