use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::{DEPTH_MAX, Map, NODES_MAX, Node, Pair, TEXT_BYTES_MAX, Value, scalar, tags};
use crate::diagnostic::{Diagnostic, Place};

/// Reads the one document of a file.
pub fn parse(file: &str, text: &str) -> Result<Node, Diagnostic> {
    let whole = Place::file(file);
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("the file has {} bytes, more than {TEXT_BYTES_MAX}", text.len());
        return Err(Diagnostic::new(&whole, message)
            .help("split it and bring the parts in with ${file(./part.yml)}"));
    }
    let mut loader = Loader {
        place: whole,
        stack: Vec::new(),
        anchors: HashMap::new(),
        nodes: 0,
        document: None,
    };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| syntax(&loader.place, text, &error))?;
        loader.event(event, span)?;
    }
    let Loader { document, place, .. } = loader;
    Ok(document.unwrap_or_else(|| place.node(Value::Null)))
}

/// The parser's complaint, or a better one where the cause is a tab.
fn syntax(file: &Place, text: &str, error: &ScanError) -> Diagnostic {
    let marker = error.marker();
    let lines = || text.lines().enumerate();
    let tabbed =
        |line: &str| line.trim_start_matches(' ').starts_with('\t') && !line.trim().is_empty();
    // The parser may notice a tab only on a following line, so the nearest one above counts.
    let near = lines().take(marker.line()).skip(marker.line().saturating_sub(2));
    if let Some((index, line)) = near.filter(|(_, line)| tabbed(line)).last() {
        let col = line.find('\t').unwrap_or_default();
        let at = position(file, index + 1, col);
        return Diagnostic::new(&at, "a tab is used for indentation, which YAML does not allow")
            .help("indent with spaces: most editors have a setting that does it for you");
    }
    Diagnostic::new(&position(file, marker.line(), marker.col()), error.info())
        .help("check the indentation and the quotes of this line and of the one before it")
}

fn position(file: &Place, line: usize, col: usize) -> Place {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Place { file: file.file.clone(), line: number(line), col: number(col + 1) }
}

/// A map or list that is still open.
struct Open {
    at: Place,
    anchor: usize,
    tag: Option<Tag>,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { pairs: Vec<Pair>, key: Option<(String, Place)>, merges: Vec<Node> },
}

struct Loader {
    place: Place,
    stack: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    document: Option<Node>,
}

impl Loader {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Diagnostic> {
        let at = position(&self.place, span.start.line(), span.start.col());
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.document.is_some() => {
                Err(Diagnostic::new(&at, "a second document begins here")
                    .help("a template is one document: remove the `---` line"))
            }
            Event::DocumentStart(_) => Ok(()),
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(Diagnostic::new(&at, "an alias stands inside its own anchor"));
                };
                self.grow(node.count(), &at)?;
                self.add(node, at)
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.grow(1, &at)?;
                let node = scalar_node(at, &text, style, tag.as_deref())?;
                self.close(node, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                let content = Content::List(Vec::new());
                self.open(Open { at, anchor, tag: tag.map(|tag| tag.into_owned()), content })
            }
            Event::MappingStart(anchor, tag) => {
                let content = Content::Map { pairs: Vec::new(), key: None, merges: Vec::new() };
                self.open(Open { at, anchor, tag: tag.map(|tag| tag.into_owned()), content })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.stack.pop() else { return Ok(()) };
                let anchor = open.anchor;
                let node = finish(open)?;
                self.close(node, anchor)
            }
        }
    }

    fn grow(&mut self, by: usize, at: &Place) -> Result<(), Diagnostic> {
        self.nodes += by;
        if self.nodes > NODES_MAX {
            let message = format!("with its aliases the file has more than {NODES_MAX} values");
            return Err(Diagnostic::new(at, message).help("use fewer or smaller aliases"));
        }
        Ok(())
    }

    fn open(&mut self, open: Open) -> Result<(), Diagnostic> {
        self.grow(1, &open.at)?;
        if self.stack.len() == DEPTH_MAX {
            let message = format!("maps and lists nest more than {DEPTH_MAX} deep");
            return Err(Diagnostic::new(&open.at, message));
        }
        self.stack.push(open);
        Ok(())
    }

    /// A node is complete: remember its anchor, then add it to what it stands in.
    fn close(&mut self, node: Node, anchor: usize) -> Result<(), Diagnostic> {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let at = node.at.clone();
        self.add(node, at)
    }

    fn add(&mut self, node: Node, at: Place) -> Result<(), Diagnostic> {
        let Some(open) = self.stack.last_mut() else {
            self.document = Some(node);
            return Ok(());
        };
        match &mut open.content {
            Content::List(list) => list.push(node),
            Content::Map { pairs, key, merges } => match key.take() {
                None => *key = Some((key_text(&node)?, at)),
                Some((name, at)) if name == "<<" => merges.extend(merge_sources(node, &at)?),
                Some((name, at)) => pairs.push(Pair { key: name, at, node }),
            },
        }
        Ok(())
    }
}

fn scalar_node(
    at: Place,
    text: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
) -> Result<Node, Diagnostic> {
    let plain = || match style {
        ScalarStyle::Plain => scalar::plain(text),
        _ => Value::String(text.to_owned()),
    };
    match tag {
        None => Ok(at.node(plain())),
        Some(tag) if tag.is_yaml_core_schema() => match tags::core(&tag.suffix, text) {
            Some(value) => Ok(at.node(value)),
            None => Err(Diagnostic::new(&at, format!("the tag !!{} is not known", tag.suffix))),
        },
        Some(tag) => tags::long_form(&tag.suffix, at.node(plain())),
    }
}

fn finish(open: Open) -> Result<Node, Diagnostic> {
    let value = match open.content {
        Content::List(list) => Value::List(list),
        Content::Map { mut pairs, merges, .. } => {
            refuse_duplicates(&pairs)?;
            // What is written in the map wins over what is merged, whichever comes first.
            let mut keys: HashSet<String> = pairs.iter().map(|pair| pair.key.clone()).collect();
            let merged = merges.into_iter().flat_map(|source| match source.value {
                Value::Map(map) => map.0,
                _ => Vec::new(),
            });
            pairs.extend(merged.filter(|pair| keys.insert(pair.key.clone())));
            Value::Map(Map(pairs))
        }
    };
    let node = open.at.node(value);
    match open.tag {
        Some(tag) if !tag.is_yaml_core_schema() => tags::long_form(&tag.suffix, node),
        _ => Ok(node),
    }
}

fn refuse_duplicates(pairs: &[Pair]) -> Result<(), Diagnostic> {
    let mut seen: HashMap<&str, &Place> = HashMap::with_capacity(pairs.len());
    for pair in pairs {
        if let Some(first) = seen.insert(&pair.key, &pair.at) {
            let message = format!("the key '{}' stands twice in this map", pair.key);
            return Err(Diagnostic::new(&pair.at, message)
                .help(format!("keep one: the first is at line {}", first.line)));
        }
    }
    Ok(())
}

fn key_text(node: &Node) -> Result<String, Diagnostic> {
    match &node.value {
        Value::Null => Ok("null".to_owned()),
        _ => node.scalar_text().ok_or_else(|| node.unexpected("a key", "plain text")),
    }
}

/// The maps behind a `<<` key.
fn merge_sources(node: Node, at: &Place) -> Result<Vec<Node>, Diagnostic> {
    match node.value {
        Value::Map(_) => Ok(vec![node]),
        Value::List(list) if list.iter().all(|item| item.as_map().is_some()) => Ok(list),
        _ => Err(Diagnostic::new(at, "`<<` merges a map or a list of maps")
            .help("write `<<: *name`, where `&name` stands before a map")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The document as JSON, or the diagnostic.
    fn check(text: &str, expected: &str) {
        let found = match parse("t.yml", text) {
            Ok(node) => node.to_json().to_string(),
            Err(diagnostic) => diagnostic.to_string(),
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn tags_become_long_forms() {
        for (text, expected) in [
            ("!Ref Table", r#"{"Ref":"Table"}"#),
            ("a: !Sub '${Table}-x'", r#"{"a":{"Fn::Sub":"${Table}-x"}}"#),
            ("!GetAtt Queue.Arn", r#"{"Fn::GetAtt":["Queue","Arn"]}"#),
            ("!GetAtt Nested.Outputs.X", r#"{"Fn::GetAtt":["Nested","Outputs.X"]}"#),
            ("!GetAtt [Queue, Arn]", r#"{"Fn::GetAtt":["Queue","Arn"]}"#),
            ("!Join ['-', [!Ref A, b]]", r#"{"Fn::Join":["-",[{"Ref":"A"},"b"]]}"#),
            (
                "!If [Prod, !ImportValue x, !Ref AWS::NoValue]",
                r#"{"Fn::If":["Prod",{"Fn::ImportValue":"x"},{"Ref":"AWS::NoValue"}]}"#,
            ),
            ("!Select [0, !Split [',', 'a,b']]", r#"{"Fn::Select":[0,{"Fn::Split":[",","a,b"]}]}"#),
            ("!Base64\n  Fn::Sub: x", r#"{"Fn::Base64":{"Fn::Sub":"x"}}"#),
            ("c: !Equals [!Ref S, prod]", r#"{"c":{"Fn::Equals":[{"Ref":"S"},"prod"]}}"#),
            ("!Condition Prod", r#"{"Condition":"Prod"}"#),
            ("!FindInMap [A, b, c]", r#"{"Fn::FindInMap":["A","b","c"]}"#),
            ("a: !!str 5", r#"{"a":"5"}"#),
            ("a: '5'", r#"{"a":"5"}"#),
            ("a: 5", r#"{"a":5}"#),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn anchors_and_merges() {
        check(
            "base: &b {x: 1, y: 2}\none:\n  y: 3\n  <<: *b\n",
            r#"{"base":{"x":1,"y":2},"one":{"y":3,"x":1}}"#,
        );
        check(
            "a: &a {x: 1}\nb: &b {x: 2, z: 3}\nc: {<<: [*a, *b]}",
            r#"{"a":{"x":1},"b":{"x":2,"z":3},"c":{"x":1,"z":3}}"#,
        );
        check("a: &l [1, 2]\nb: *l", r#"{"a":[1,2],"b":[1,2]}"#);
        check("", "null");
        check("# only a comment\n", "null");
    }

    #[test]
    fn places_are_those_of_the_text() {
        let node = parse("t.yml", "a:\n  b:\n    - c\n    - {d: e}\n").unwrap();
        let b = node.get("a").unwrap().as_map().unwrap().pair("b").unwrap();
        assert_eq!(b.at.to_string(), "t.yml:2:3");
        let list = b.node.as_list().unwrap();
        assert_eq!(list[0].at.to_string(), "t.yml:3:7");
        assert_eq!(list[1].get("d").unwrap().at.to_string(), "t.yml:4:11");
    }

    #[test]
    fn mistakes_name_line_and_remedy() {
        for (text, expected) in [
            (
                "a:\n\tb: 1\n",
                "t.yml:2:1: a tab is used for indentation, which YAML does not allow\n\
                 help: indent with spaces: most editors have a setting that does it for you",
            ),
            (
                "a: 1\nb: 2\na: 3\n",
                "t.yml:3:1: the key 'a' stands twice in this map\n\
                 help: keep one: the first is at line 1",
            ),
            (
                "a: 1\n---\nb: 2\n",
                "t.yml:2:1: a second document begins here\n\
                 help: a template is one document: remove the `---` line",
            ),
            (
                "x: &x [1]\ny:\n  <<: *x\n",
                "t.yml:3:3: `<<` merges a map or a list of maps\n\
                 help: write `<<: *name`, where `&name` stands before a map",
            ),
            (
                "a: !GetAtt Queue\n",
                "t.yml:1:4: !GetAtt Queue names no attribute\n\
                 help: write !GetAtt Queue.Arn, or whichever attribute you need",
            ),
        ] {
            check(text, expected);
        }
    }

    /// The first line of the diagnostic starts so.
    fn refused(text: &str, start: &str) {
        let diagnostic = parse("t.yml", text).unwrap_err().to_string();
        assert!(diagnostic.starts_with(start), "{diagnostic}");
    }

    #[test]
    fn bombs_and_nonsense_are_refused() {
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for n in 1..9 {
            let before = format!("*a{},", n - 1).repeat(10);
            bomb += &format!("a{n}: &a{n} [{before}]\n");
        }
        refused(&bomb, "t.yml:6:");
        refused(&"[".repeat(100), "t.yml:1:65: maps and lists nest more than 64 deep");
        refused(&" ".repeat(TEXT_BYTES_MAX + 1), "t.yml: the file has 4194305 bytes");
        refused("a: !Rev x", "t.yml:1:4: the tag !Rev is not known");
        refused("a: !!set x", "t.yml:1:4: the tag !!set is not known");
        refused("a: *nowhere", "t.yml:1:4: ");
        refused("a: &a [*a]", "t.yml:1:8: an alias stands inside its own anchor");
        refused("? [a]\n: b", "t.yml:1:3: a key must be plain text, but is a list");
        refused("a: 'open", "t.yml:");
        refused("a: b: c", "t.yml:1:");
        refused("a: [1, 2", "t.yml:");
        refused("a: 1\n b: 2", "t.yml:2:");
    }
}
