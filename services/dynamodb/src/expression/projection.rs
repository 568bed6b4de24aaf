use crate::expression::parser::Parser;
use crate::expression::path::{Path, Step};
use crate::expression::{Error, Fault, Kind, Placeholders};
use crate::value::{Item, Value};

/// Which parts of an item are wanted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Projection(Vec<Path>);

impl Projection {
    /// Reads document paths between commas.
    pub(crate) fn parse(text: &str, placeholders: &mut Placeholders) -> Result<Projection, Error> {
        let mut parser = Parser::new(Kind::Projection, text, placeholders)?;
        let mut paths = vec![parser.path()?];
        while parser.symbol(",") {
            paths.push(parser.path()?);
        }
        note_collisions(&mut parser, &paths);
        parser.finish()?;
        Ok(Projection(paths))
    }

    /// Wants whole attributes.
    pub(crate) fn of_attributes(paths: Vec<Path>) -> Projection {
        Projection(paths)
    }

    /// What it wants, as far as the item has it.
    pub(crate) fn of(&self, item: &Item) -> Item {
        project(item, self.0.iter())
    }

    pub(crate) fn paths(&self) -> &[Path] {
        &self.0
    }
}

/// Notes paths that would touch the same place, or need it to be of two types.
pub(crate) fn note_collisions<'p>(
    parser: &mut Parser,
    paths: impl IntoIterator<Item = &'p Path, IntoIter: Clone>,
) {
    let mut later = paths.into_iter();
    while let Some(one) = later.next() {
        for two in later.clone() {
            if one.overlaps(two) {
                parser.note(Fault::Overlap(one.to_string(), two.to_string()));
            } else if one.conflicts(two) {
                parser.note(Fault::Conflict(one.to_string(), two.to_string()));
            }
        }
    }
}

/// The parts of an item at the paths. Documents keep only the members that are on a path; lists
/// close up.
pub(crate) fn project<'p>(item: &Item, paths: impl IntoIterator<Item = &'p Path>) -> Item {
    let mut heads: Vec<(&str, Vec<&[Step]>)> = Vec::new();
    for path in paths {
        match heads.iter_mut().find(|(head, _)| *head == path.head()) {
            Some((_, ways)) => ways.push(path.steps()),
            None => heads.push((path.head(), vec![path.steps()])),
        }
    }
    let part = |(head, ways): (&str, Vec<&[Step]>)| {
        Some((head.to_owned(), part_of(item.get(head)?, &ways)?))
    };
    heads.into_iter().filter_map(part).collect()
}

fn part_of(value: &Value, ways: &[&[Step]]) -> Option<Value> {
    if ways.iter().any(|way| way.is_empty()) {
        return Some(value.clone());
    }
    let behind = |step: &Step| -> Vec<&[Step]> {
        let on_the_way = ways.iter().filter(|way| way.first() == Some(step));
        on_the_way.map(|way| &way[1..]).collect()
    };
    match value {
        Value::M(map) => {
            let members = map.iter().filter_map(|(name, member)| {
                let behind = behind(&Step::Name(name.clone()));
                (!behind.is_empty()).then(|| Some((name.clone(), part_of(member, &behind)?)))?
            });
            let members: Item = members.collect();
            (!members.is_empty()).then_some(Value::M(members))
        }
        Value::L(list) => {
            let members = list.iter().enumerate().filter_map(|(index, member)| {
                let behind = behind(&Step::Index(index));
                (!behind.is_empty()).then(|| part_of(member, &behind))?
            });
            let members: Vec<Value> = members.collect();
            (!members.is_empty()).then_some(Value::L(members))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Given;

    fn check(text: &str, wanted: &str) {
        let json = r##"{"a":{"M":{"b":{"S":"x"},"c":{"L":[{"N":"0"},{"N":"1"},{"N":"2"}]}}},
            "s":{"S":"y"},"#":{"N":"7"}}"##;
        let item = serde_json::from_str::<Given<Item>>(json).unwrap().checked().unwrap();
        let names = serde_json::from_str(r##"{"#a":"a","#n":"#","#i":"[3]"}"##).unwrap();
        let mut placeholders =
            Placeholders::new(Some(names), None, &[(Kind::Projection, true)]).unwrap();
        let got = match Projection::parse(text, &mut placeholders) {
            Ok(projection) => serde_json::to_string(&projection.of(&item)).unwrap(),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, wanted, "{text}");
    }

    #[test]
    fn parts_of_an_item() {
        check("s, #n, absent", r##"{"#":{"N":"7"},"s":{"S":"y"}}"##);
        check("a.b", r#"{"a":{"M":{"b":{"S":"x"}}}}"#);
        check("#a.c[2],a.c[0]", r#"{"a":{"M":{"c":{"L":[{"N":"0"},{"N":"2"}]}}}}"#);
        check("a.x, a.c[9], s.b, t[0]", "{}");
    }

    #[test]
    fn faults_have_the_words_of_aws() {
        let invalid = |why: &str| format!("Invalid ProjectionExpression: {why}");
        check("", &invalid("The expression can not be empty;"));
        for (text, token, near) in [
            ("whatever(stuff)", "(", "whatever(stuff"),
            (":a", ":a", ":a"),
            ("a,", "<EOF>", ","),
            ("a,,b", ",", ",,b"),
            ("a..b", ".", "..b"),
            ("a[b]", "b", "[b]"),
            ("(a)", "(", "(a"),
            ("a-b", "-", "a-b"),
            ("ü", "ü", "ü"),
        ] {
            check(text, &invalid(&format!("Syntax error; token: \"{token}\", near: \"{near}\"")));
        }
        check(
            "#i,ABSoLUTE",
            &invalid("Attribute name is a reserved keyword; reserved keyword: ABSoLUTE"),
        );
        check(
            "s,b,s,#x",
            &invalid(
                "An expression attribute name used in the document path is not defined; \
                 attribute name: #x",
            ),
        );
        for (text, what, one, two) in [
            ("b[1], b.a, #a.b, a", "overlap", "[a, b]", "[a]"),
            ("a, #a[1]", "overlap", "[a]", "[a, [1]]"),
            ("a.b, #a[1], #i", "conflict", "[a, b]", "[a, [1]]"),
            ("a[3].b, #a.#i.b", "conflict", "[a, [3], b]", "[a, [3], b]"),
        ] {
            let why = format!(
                "Two document paths {what} with each other; must remove or rewrite one of these \
                 paths; path one: {one}, path two: {two}"
            );
            check(text, &invalid(&why));
        }
    }
}
