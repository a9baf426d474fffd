//! Paths as POSIX reads them, by their characters alone.

/// The path without `.`, doubled slashes and, where a name stands before it, `..`; `.` when nothing is left. Two slashes at the start stay
/// two, which POSIX leaves to the system; more are one. `slash` and `dot` are the characters in the path's units.
pub(crate) fn normalized<T: Copy + PartialEq>(path: &[T], slash: T, dot: T) -> Vec<T> {
    let leading = path.iter().take_while(|&&unit| unit == slash).count();
    let root = match leading {
        0 => 0,
        2 => 2,
        _ => 1,
    };
    let mut result = Vec::with_capacity(path.len().max(1));
    result.extend_from_slice(&path[..root]);
    // Where each part of the result starts, the slash before it not counted, and whether it is `..`.
    let mut parts: Vec<(usize, bool)> = Vec::new();
    for part in path[leading..].split(|&unit| unit == slash) {
        if part.is_empty() || *part == [dot] {
            continue;
        }
        let goes_up = *part == [dot, dot];
        match parts.last() {
            Some(&(start, false)) if goes_up => {
                result.truncate(start);
                parts.pop();
                if !parts.is_empty() {
                    // The slash before it goes too.
                    result.pop();
                }
            }
            None if goes_up && root > 0 => {}
            _ => {
                if !parts.is_empty() {
                    result.push(slash);
                }
                parts.push((result.len(), goes_up));
                result.extend_from_slice(part);
            }
        }
    }
    if result.is_empty() {
        result.push(dot);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::normalized;

    #[test]
    fn parts_that_lead_nowhere_go() {
        for (path, wanted) in [
            ("", "."),
            ("/", "/"),
            ("//", "//"),
            ("///", "/"),
            ("//a", "//a"),
            ("///a//b/", "/a/b"),
            ("a/./b/../c", "a/c"),
            ("a/..", "."),
            ("..", ".."),
            ("../../a/..", "../.."),
            ("/..", "/"),
            ("/../a/../..", "/"),
            ("a/../..", ".."),
            ("./...", "..."),
            ("a/b/c/../../d", "a/d"),
        ] {
            assert_eq!(String::from_utf8(normalized(path.as_bytes(), b'/', b'.')).as_deref(), Ok(wanted), "{path:?}");
        }
    }
}
