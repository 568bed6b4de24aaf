use std::fmt::Write as _;

use crate::tree::Tree;
use crate::{Names, Style};

/// Writes XML with the naming of one service and operation.
pub(crate) struct Writer<'a> {
    pub(crate) text: String,
    pub(crate) names: &'a Names,
    pub(crate) operation: &'a str,
}

impl Writer<'_> {
    /// The members of a structure, one element each, those without a value left out.
    pub(crate) fn members(&mut self, members: &[(String, Tree)]) {
        for (name, value) in members {
            self.member(name, value);
        }
    }

    fn member(&mut self, name: &str, value: &Tree) {
        let plural = self.names.of_member(name);
        let element = plural.map(|plural| match plural.element.strip_prefix('*') {
            Some(suffix) => format!("{}{suffix}", self.operation),
            None => plural.element.to_owned(),
        });
        match (value, element, plural.map(|plural| plural.style)) {
            (Tree::Nothing, ..) => {}
            (Tree::List(items), Some(element), _) => {
                for item in items {
                    self.element(&element, |writer| writer.content(item));
                }
            }
            (Tree::Map(pairs), Some(element), Some(Style::Map { key, value })) => {
                self.pairs(&element, key, value, pairs);
            }
            _ => self.element(name, |writer| writer.content(value)),
        }
    }

    fn content(&mut self, value: &Tree) {
        match value {
            Tree::Nothing => {}
            Tree::Text(text) => self.escaped(text),
            Tree::List(items) => {
                for item in items {
                    self.element("member", |writer| writer.content(item));
                }
            }
            Tree::Map(pairs) => self.pairs("entry", "key", "value", pairs),
            Tree::Structure(members) => self.members(members),
        }
    }

    fn pairs(&mut self, element: &str, key: &str, value: &str, pairs: &[(String, Tree)]) {
        for (name, content) in pairs {
            self.element(element, |writer| {
                writer.element(key, |writer| writer.escaped(name));
                writer.element(value, |writer| writer.content(content));
            });
        }
    }

    /// An element around what the function writes.
    pub(crate) fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        let _infallible = write!(self.text, "<{name}>");
        content(self);
        let _infallible = write!(self.text, "</{name}>");
    }

    /// Text with what XML reserves escaped. A character XML cannot hold becomes U+FFFD: no reply
    /// may be unreadable for one bad byte of a user's.
    pub(crate) fn escaped(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                '\r' => self.text.push_str("&#xD;"),
                '\t' | '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'.. => {
                    self.text.push(character);
                }
                _ => self.text.push('\u{fffd}'),
            }
        }
    }
}
