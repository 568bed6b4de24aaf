//! DynamoDB: tables, items, queries, and the expression language.
mod expression;
mod item;
mod number;
mod value;
