use std::fmt;

/// The five forms, named as the parameters that carry them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Condition,
    Filter,
    KeyCondition,
    Update,
    Projection,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Condition => "ConditionExpression",
            Kind::Filter => "FilterExpression",
            Kind::KeyCondition => "KeyConditionExpression",
            Kind::Update => "UpdateExpression",
            Kind::Projection => "ProjectionExpression",
        })
    }
}

/// What is wrong with the expressions of a request. The messages are AWS's.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum Error {
    #[error("Invalid {0}: {1}")]
    Invalid(Kind, Fault),
    #[error("ExpressionAttributeNames can only be specified when using expressions")]
    NamesWithoutExpression,
    #[error("ExpressionAttributeValues can only be specified when using expressions: {0}")]
    ValuesWithoutExpression(&'static str),
    #[error("{0} must not be empty")]
    NoPlaceholders(&'static str),
    #[error("{0} contains invalid key: Syntax error; key: \"{1}\"")]
    PlaceholderKey(&'static str, String),
    #[error("ExpressionAttributeValues contains invalid value: {1} for key {0}")]
    PlaceholderValue(String, crate::value::Fault),
    #[error("Value provided in {0} unused in expressions: keys: {{{1}}}")]
    Unused(&'static str, String),
    // Faults of key conditions that AWS words without the usual beginning.
    #[error("Invalid operator used in KeyConditionExpression: {0}")]
    KeyOperator(&'static str),
    #[error(
        "Invalid condition in KeyConditionExpression: {0} operator must have the key attribute as \
         its first operand"
    )]
    KeyFirst(&'static str),
    #[error("KeyConditionExpressions cannot contain nested operations")]
    KeyNestedOperation,
    #[error(
        "Invalid condition in KeyConditionExpression: Multiple attribute names used in one \
         condition"
    )]
    KeyAttributes,
    #[error("KeyConditionExpressions cannot have conditions on nested attributes")]
    KeyNestedAttribute,
    #[error("Invalid condition in KeyConditionExpression: No key attribute specified")]
    KeyMissing,
    #[error("KeyConditionExpressions must only contain one condition per key")]
    KeyTwice,
    #[error("Conditions can be of length 1 or 2 only")]
    KeyCount,
}

/// What is wrong with one expression.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("The expression can not be empty;")]
    Empty,
    #[error("Expression size has exceeded the maximum allowed size; expression size: {0}")]
    Size(usize),
    #[error("Syntax error; token: \"{token}\", near: \"{near}\"")]
    Syntax { token: String, near: String },
    #[error("List index is not within the allowable range; index: [{0}]")]
    Index(String),
    /// Ours: AWS documents no bound, but needs one too.
    #[error("The expression is nested too deeply; maximum depth: {0}")]
    Depth(usize),
    #[error("The document path has too many nesting elements; nesting levels: {0}")]
    PathDepth(usize),
    #[error("The expression contains too many operators; operator count: {0}")]
    Operators(usize),
    #[error("The IN operator is provided with too many operands; number of operands: {0}")]
    InOperands(usize),
    #[error("The expression has redundant parentheses;")]
    Parentheses,
    #[error("Invalid function name; function: {0}")]
    UnknownFunction(String),
    #[error("The function is not allowed to be used this way in an expression; function: {0}")]
    MisusedFunction(String),
    #[error("Attribute name is a reserved keyword; reserved keyword: {0}")]
    Reserved(String),
    #[error("The \"{0}\" section can only be used once in an update expression;")]
    Section(&'static str),
    #[error(
        "An expression attribute name used in the document path is not defined; attribute name: \
         {0}"
    )]
    UndefinedName(String),
    #[error(
        "An expression attribute value used in expression is not defined; attribute value: {0}"
    )]
    UndefinedValue(String),
    #[error(
        "Two document paths overlap with each other; must remove or rewrite one of these paths; \
         path one: {0}, path two: {1}"
    )]
    Overlap(String, String),
    #[error(
        "Two document paths conflict with each other; must remove or rewrite one of these paths; \
         path one: {0}, path two: {1}"
    )]
    Conflict(String, String),
    #[error(
        "Incorrect operand type for operator or function; operator: {clause}, operand type: {kind}"
    )]
    ClauseType { clause: &'static str, kind: &'static str },
    #[error(
        "Incorrect number of operands for operator or function; operator or function: {0}, number \
         of operands: {1}"
    )]
    OperandCount(&'static str, usize),
    #[error(
        "The first operand must be distinct from the remaining operands for this operator or \
         function; operator: {0}, first operand: {1}"
    )]
    Distinct(&'static str, String),
    #[error("Operator or function requires a document path; operator or function: {0}")]
    PathRequired(&'static str),
    #[error(
        "Incorrect operand type for operator or function; operator or function: {0}, operand \
         type: {1}"
    )]
    OperandType(&'static str, &'static str),
    #[error(
        "Invalid attribute type name found; type: {0}, valid types: \
         {{B,NULL,SS,BOOL,L,BS,N,NS,S,M}}"
    )]
    TypeName(String),
    #[error(
        "The BETWEEN operator requires same data type for lower and upper bounds; lower bound \
         operand: AttributeValue: {0}, upper bound operand: AttributeValue: {1}"
    )]
    BetweenTypes(String, String),
    #[error(
        "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; \
         lower bound operand: AttributeValue: {0}, upper bound operand: AttributeValue: {1}"
    )]
    BetweenOrder(String, String),
}

impl Fault {
    /// Which of several faults AWS reports: the lowest rank, of equal ranks the first in the text.
    /// A condition is checked operator by operator, an update as a whole.
    pub(crate) fn rank(&self, kind: Kind) -> u8 {
        match self {
            Fault::Empty | Fault::Size(_) | Fault::Syntax { .. } | Fault::Depth(_) => 0,
            Fault::Index(_) | Fault::PathDepth(_) => 0,
            Fault::Parentheses => 1,
            Fault::UnknownFunction(_) => 2,
            Fault::MisusedFunction(_) => 3,
            Fault::Reserved(_) => 4,
            Fault::Operators(_) => 5,
            Fault::Section(_) => 6,
            Fault::UndefinedName(_) | Fault::UndefinedValue(_) => match kind {
                Kind::Update | Kind::Projection => 7,
                Kind::Condition | Kind::Filter | Kind::KeyCondition => 11,
            },
            Fault::Overlap(..) => 8,
            Fault::Conflict(..) => 9,
            Fault::ClauseType { .. } => 10,
            Fault::OperandCount(..)
            | Fault::InOperands(_)
            | Fault::Distinct(..)
            | Fault::PathRequired(_)
            | Fault::OperandType(..)
            | Fault::TypeName(_)
            | Fault::BetweenTypes(..)
            | Fault::BetweenOrder(..) => 11,
        }
    }
}
