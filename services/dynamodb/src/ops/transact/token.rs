//! `ClientRequestToken`: within ten minutes a transaction is done once, however often it is asked
//! for. What the request asked for is remembered as a digest, in the transaction that does it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kit::Ctx;
use sha2::{Digest as _, Sha256};
use store::{Key, Tx};

use crate::data::Tables;
use crate::data::token::{self, Forget, token_key};
use crate::error::Error;
use crate::item;
use crate::rules::Violations;
use crate::value::Item;

/// For how long a token is known.
const KNOWN: Duration = Duration::from_secs(600);
const CHARS_MAX: usize = 36;

/// A token and what was asked for with it.
pub(crate) struct Token {
    key: Key,
    digest: [u8; 32],
}

/// Notes what no token may be.
pub(crate) fn check(violations: &mut Violations, token: Option<&String>) {
    violations.length("clientRequestToken", token.map(String::as_str), 1, CHARS_MAX);
}

impl Token {
    pub(crate) fn new(ctx: &Ctx, token: &str, asked: Asked) -> Token {
        Token {
            key: token_key(&ctx.account, &ctx.region, token),
            digest: asked.0.finalize().into(),
        }
    }

    /// Whether the transaction was done already. Fails if another was, under the same token.
    pub(crate) async fn is_known(&self, ctx: &Ctx, tx: &Tx) -> Result<bool, Error> {
        match tx.get_record::<token::Token>(&self.key).await? {
            Some(known) if ctx.now() >= known.done + KNOWN => Ok(false),
            Some(known) if known.digest != self.digest => Err(Error::TokenMismatch),
            known => Ok(known.is_some()),
        }
    }

    /// Makes it known from the transaction on.
    pub(crate) async fn remember(&self, ctx: &Ctx, tx: &Tx) -> Result<(), Error> {
        let tokens = &ctx.state::<Arc<Tables>>().tokens;
        if let Some(old) = tx.get_record::<token::Token>(&self.key).await? {
            tokens.cancel(tx, old.forget);
        }
        let done = ctx.now();
        let work = Forget { key: self.key.as_bytes().clone() };
        let forget = tokens.schedule(tx, done + KNOWN, &work)?;
        tx.put_record(self.key.clone(), &token::Token { digest: self.digest, done, forget })?;
        Ok(())
    }
}

/// Takes in what a request asks for, part by part. Each part is preceded by its length, so that
/// no two requests are the same bytes.
///
/// Digests are compared with stored ones, so the order of parts must stay as it is.
#[derive(Clone)]
pub(crate) struct Asked(Sha256);

impl Asked {
    pub(crate) fn new(operation: &str) -> Asked {
        let mut asked = Asked(Sha256::new());
        asked.text(operation);
        asked
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.0.update(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// A text that may be missing, which is not the same as empty.
    pub(crate) fn option(&mut self, text: Option<&str>) {
        self.text(if text.is_some() { "+" } else { "-" });
        self.text(text.unwrap_or_default());
    }

    pub(crate) fn item(&mut self, item: &Item) {
        self.bytes(&item::encode(item));
    }

    pub(crate) fn names(&mut self, names: Option<&BTreeMap<String, String>>) {
        for (name, stands_for) in names.into_iter().flatten() {
            self.text(name);
            self.text(stands_for);
        }
        self.text("");
    }
}
