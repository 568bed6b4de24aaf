use crate::expression::{Condition, Path, Step, Update};
use crate::ops::write::Returns;
use crate::partiql::Fault;
use crate::partiql::condition::condition;
use crate::partiql::lexer::{Token, tokens};
use crate::partiql::parser::Parser;
use crate::partiql::update::update;
use crate::value::{Item, Value};

/// What a statement says, before its table is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Statement {
    Select(Select),
    /// That there is an item a SELECT finds: within transactions.
    Exists(Select),
    Insert {
        table: String,
        item: Item,
    },
    Update {
        table: String,
        update: Update,
        condition: Option<Condition>,
        returns: Returns,
    },
    Delete {
        table: String,
        condition: Option<Condition>,
        returns: Returns,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Select {
    /// None for `*`.
    pub(crate) columns: Option<Vec<Column>>,
    pub(crate) source: Source,
    pub(crate) condition: Option<Condition>,
    pub(crate) orders: Vec<Order>,
}

/// A part of an item that is wanted, and what the reply calls it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) path: Path,
}

/// What a SELECT reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) table: String,
    pub(crate) index: Option<String>,
}

/// What ORDER BY says of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) attribute: String,
    pub(crate) descending: bool,
}

impl Statement {
    /// Reads a statement whose question marks stand for the parameters, in their order.
    pub(crate) fn parse(text: &str, parameters: &[Value]) -> Result<Statement, Fault> {
        let mut parser = Parser::new(text, parameters)?;
        let statement = if parser.keyword("SELECT") {
            Statement::Select(select(&mut parser)?)
        } else if parser.keyword("INSERT") {
            insert(&mut parser)?
        } else if parser.keyword("UPDATE") {
            let table = table_name(&mut parser)?;
            let update = update(&mut parser)?;
            let condition = wanted(&mut parser)?;
            let returns = returning(&mut parser)?;
            Statement::Update { table, update, condition, returns }
        } else if parser.keyword("DELETE") {
            delete(&mut parser)?
        } else if parser.keyword("FROM") {
            let table = table_name(&mut parser)?;
            let condition = wanted(&mut parser)?;
            let update = update(&mut parser)?;
            let returns = returning(&mut parser)?;
            Statement::Update { table, update, condition, returns }
        } else if parser.keyword("EXISTS") {
            parser.expect("(")?;
            if !parser.keyword("SELECT") {
                return Err(parser.unexpected());
            }
            let select = select(&mut parser)?;
            parser.expect(")")?;
            Statement::Exists(select)
        } else {
            return Err(Fault::Form("Expected data manipulation"));
        };
        parser.finish()?;
        Ok(statement)
    }

    /// The table it is about.
    pub(crate) fn table(&self) -> &String {
        match self {
            Statement::Select(select) | Statement::Exists(select) => &select.source.table,
            Statement::Insert { table, .. }
            | Statement::Update { table, .. }
            | Statement::Delete { table, .. } => table,
        }
    }

    /// Whether it changes nothing. `EXISTS` stands among writes.
    pub(crate) fn reads(&self) -> bool {
        matches!(self, Statement::Select(_))
    }

    /// Whether it wants to know what it has changed.
    pub(crate) fn has_returning(&self) -> bool {
        match self {
            Statement::Update { returns, .. } | Statement::Delete { returns, .. } => {
                *returns != Returns::Nothing
            }
            _ => false,
        }
    }
}

/// The table a text is about, if it could be a statement: what `authorize` looks at. The table
/// follows the first of three words, which can stand before it only in quotes.
pub(crate) fn table(text: &str) -> Option<String> {
    let tokens = tokens(text).ok()?;
    let is_before = |token: &Token<'_>| match token {
        Token::Word(word) => {
            ["FROM", "INTO", "UPDATE"].iter().any(|each| word.eq_ignore_ascii_case(each))
        }
        _ => false,
    };
    let at = tokens.iter().position(|spanned| is_before(&spanned.token))?;
    match &tokens.get(at + 1)?.token {
        Token::Word(word) => Some((*word).to_owned()),
        Token::Name(name) => Some(name.clone()),
        _ => None,
    }
}

fn select(parser: &mut Parser<'_>) -> Result<Select, Fault> {
    let columns = columns(parser)?;
    if !parser.keyword("FROM") {
        return Err(parser.unexpected());
    }
    let source = source(parser).map_err(|fault| match fault {
        // Only here AWS does not say what it has expected.
        Fault::Form(_) => parser.unexpected(),
        other => other,
    })?;
    let condition = wanted(parser)?;
    let mut orders = Vec::new();
    if parser.keywords("ORDER", "BY") {
        orders.push(order(parser)?);
        while parser.symbol(",") {
            orders.push(order(parser)?);
        }
    }
    Ok(Select { columns, source, condition, orders })
}

fn columns(parser: &mut Parser<'_>) -> Result<Option<Vec<Column>>, Fault> {
    if parser.symbol("*") {
        return Ok(None);
    }
    let mut columns = vec![column(parser)?];
    while parser.symbol(",") {
        columns.push(column(parser)?);
    }
    Ok(Some(columns))
}

fn column(parser: &mut Parser<'_>) -> Result<Column, Fault> {
    if let Some((_, place)) = parser.function() {
        return Err(Fault::PathComponent(place));
    }
    let path = parser.path()?;
    // Called by its last name and what follows that.
    let name = path.steps().iter().fold(path.head().to_owned(), |name, step| match step {
        Step::Name(last) => last.clone(),
        Step::Index(index) => format!("{name}[{index}]"),
    });
    Ok(Column { name, path })
}

fn order(parser: &mut Parser<'_>) -> Result<Order, Fault> {
    let Some(attribute) = parser.name() else { return Err(parser.unexpected()) };
    let descending = parser.keyword("DESC");
    if !descending {
        parser.keyword("ASC");
    }
    Ok(Order { attribute, descending })
}

fn insert(parser: &mut Parser<'_>) -> Result<Statement, Fault> {
    if !parser.keyword("INTO") {
        return Err(parser.unexpected());
    }
    let Source { table, index } = bare_source(parser)?;
    if index.is_some() {
        return Err(Fault::Index);
    }
    if !parser.keyword("VALUE") {
        return Err(Fault::LEFTOVER);
    }
    parser.expect("{")?;
    Ok(Statement::Insert { table, item: parser.item()? })
}

fn delete(parser: &mut Parser<'_>) -> Result<Statement, Fault> {
    if !parser.keyword("FROM") {
        return Err(parser.unexpected());
    }
    let table = table_name(parser)?;
    let condition = wanted(parser)?;
    let returns = returning(parser)?;
    let refused = match returns {
        Returns::Nothing | Returns::AllOld => None,
        Returns::AllNew => Some("ALL NEW"),
        Returns::UpdatedOld => Some("MODIFIED OLD"),
        Returns::UpdatedNew => Some("MODIFIED NEW"),
    };
    match refused {
        Some(refused) => Err(Fault::Returning(refused)),
        None => Ok(Statement::Delete { table, condition, returns }),
    }
}

/// The table of a write.
fn table_name(parser: &mut Parser<'_>) -> Result<String, Fault> {
    let Source { table, index } = source(parser)?;
    if index.is_some() { Err(Fault::Index) } else { Ok(table) }
}

/// A table and perhaps its index, without another name for them.
fn source(parser: &mut Parser<'_>) -> Result<Source, Fault> {
    let source = bare_source(parser)?;
    if parser.keyword("AS") || parser.name().is_some() {
        return Err(Fault::Alias);
    }
    Ok(source)
}

fn bare_source(parser: &mut Parser<'_>) -> Result<Source, Fault> {
    const IDENTIFIER: Fault = Fault::Form("Expected identifier for simple path");
    let table = parser.name().ok_or(IDENTIFIER)?;
    let index = match parser.symbol(".") {
        true => Some(parser.name().ok_or(IDENTIFIER)?),
        false => None,
    };
    Ok(Source { table, index })
}

/// What follows WHERE, if that is there.
fn wanted(parser: &mut Parser<'_>) -> Result<Option<Condition>, Fault> {
    parser.keyword("WHERE").then(|| condition(parser)).transpose()
}

fn returning(parser: &mut Parser<'_>) -> Result<Returns, Fault> {
    if !parser.keyword("RETURNING") {
        return Ok(Returns::Nothing);
    }
    let returns = if parser.keywords("ALL", "OLD") {
        Returns::AllOld
    } else if parser.keywords("ALL", "NEW") {
        Returns::AllNew
    } else if parser.keywords("MODIFIED", "OLD") {
        Returns::UpdatedOld
    } else if parser.keywords("MODIFIED", "NEW") {
        Returns::UpdatedNew
    } else {
        return Err(parser.unexpected());
    };
    parser.expect("*")?;
    Ok(returns)
}
