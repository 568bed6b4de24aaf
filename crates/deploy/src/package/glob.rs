//! The patterns of `package.patterns`: `*`, `?`, `**`, `{a,b}` and `[abc]`.

/// Alternatives that one pattern may expand to; the rest is not looked at.
const EXPANSIONS_MAX: usize = 64;

/// Whether a path with `/` between its steps matches.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    let pattern = pattern.trim_start_matches("./");
    expand(pattern).iter().any(|pattern| {
        let (pattern, path): (Vec<&str>, Vec<&str>) =
            (pattern.split('/').collect(), path.split('/').collect());
        steps(&pattern, &path)
    })
}

/// The pattern without braces, once for each alternative.
fn expand(pattern: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_owned()];
    while let Some(pattern) = open.pop() {
        // The innermost brace first, so that alternatives may nest.
        let brace = pattern.find('}').and_then(|end| Some((pattern[..end].rfind('{')?, end)));
        match brace {
            Some((start, end)) if done.len() + open.len() < EXPANSIONS_MAX => {
                for choice in pattern[start + 1..end].split(',') {
                    open.push(format!("{}{choice}{}", &pattern[..start], &pattern[end + 1..]));
                }
            }
            _ => done.push(pattern),
        }
    }
    done
}

fn steps(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => (0..=path.len()).any(|skipped| steps(rest, &path[skipped..])),
        (Some((step, rest)), Some((name, names))) => {
            name_matches(step.as_bytes(), name.as_bytes()) && steps(rest, names)
        }
        _ => false,
    }
}

/// One step, by bytes, going back to the last star where it does not go on.
fn name_matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            Some(b'[') => {
                if let Some(length) = class(&pattern[p..], name[n]) {
                    (p, n) = (p + length, n + 1);
                    continue;
                }
            }
            Some(wanted) if *wanted == b'?' || *wanted == name[n] => {
                (p, n) = (p + 1, n + 1);
                continue;
            }
            _ => {}
        }
        let Some((at, from)) = star else { return false };
        (p, n) = (at + 1, from + 1);
        star = Some((at, from + 1));
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// The length of a `[…]` that the byte is in.
fn class(pattern: &[u8], byte: u8) -> Option<usize> {
    let end = pattern.iter().position(|c| *c == b']')?;
    let inside = &pattern[1..end];
    let (negated, inside) = match inside.split_first() {
        Some((b'!' | b'^', rest)) => (true, rest),
        _ => (false, inside),
    };
    let mut found = inside.contains(&byte);
    for range in inside.windows(3).filter(|range| range[1] == b'-') {
        found |= (range[0]..=range[2]).contains(&byte);
    }
    (found != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, path, expected) in [
            ("**", "a/b/c.js", true),
            ("**/*.js", "c.js", true),
            ("**/*.js", "a/b/c.js", true),
            ("test/**", "test/a/b", true),
            ("test/**", "test", true),
            ("test/**", "tests/a", false),
            ("./src/*.ts", "src/a.ts", true),
            ("src/*.ts", "src/a/b.ts", false),
            ("*.{js,ts}", "a.ts", true),
            ("{a,b/{c,d}}/x", "b/d/x", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("node_modules/@aws-sdk/**", "node_modules/@aws-sdk/x/y.js", true),
            (".env", ".env", true),
            ("[", "[", false),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn long_patterns_end() {
        assert!(!matches(&"*a".repeat(40), &"a".repeat(39)));
        assert!(!matches(&"{a,b}".repeat(40), "x"));
    }
}
