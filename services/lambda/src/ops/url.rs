//! Function URLs: addresses at which functions and aliases answer HTTP. The gateway serves them.

use std::net::IpAddr;

use kit::{Ctx, Kit, functions};
use store::{Dir, Key, Tx};

use crate::api::concurrency::ListInput;
use crate::api::url::{Cors, CreateUrlInput, ListUrlsOutput, UpdateUrlInput, UrlConfig};
use crate::api::{FunctionInput, Nothing};
use crate::data::{self, Qualifier, Target, Url, UrlCors, UrlName};
use crate::error::Error;
use crate::ops::configuration::iso8601;
use crate::ops::{existing_version, page_len, place, target};
use crate::rules::within;

const METHODS: [&str; 7] = ["GET", "PUT", "HEAD", "POST", "PATCH", "DELETE", "*"];
const METHODS_MAX: usize = 6;
/// Origins, and headers of either kind.
const LIST_MAX: usize = 100;
const MAX_AGE_SECS: (i64, i64) = (0, 86_400);
/// Random bytes of an id: 32 digits.
const ID_BYTES: usize = 16;

pub(crate) async fn create(ctx: &Ctx, input: CreateUrlInput) -> Result<UrlConfig, Error> {
    let target = &own(ctx, &input.function_name, input.qualifier.as_deref())?;
    let streams = input.invoke_mode.as_deref().map(streams).transpose()?;
    let url = &Url {
        id: base::hex(&*ctx.kit.random, ID_BYTES),
        target: target.arn(),
        signed: signed(&input.auth_type)?,
        streams: streams.unwrap_or(false),
        cors: input.cors.map(cors).transpose()?,
        created: ctx.now(),
        modified: ctx.now(),
    };
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            exists(&tx, target).await?;
            let key = key(target);
            if tx.get(&key).await?.is_some() {
                return Err(Error::UrlExists(Box::new(target.arn())));
            }
            tx.put_record(key, url)?;
            let name = UrlName { target: url.target.clone() };
            tx.put_record(data::url_name_key(&ctx.account, &url.id), &name)?;
            Ok(())
        })
        .await?;
    Ok(UrlConfig { last_modified_time: None, ..config(ctx, url.clone()) })
}

pub(crate) async fn get(ctx: &Ctx, input: FunctionInput) -> Result<UrlConfig, Error> {
    let target = own(ctx, &input.function_name, input.qualifier.as_deref())?;
    let found = ctx.store().get_record(&key(&target)).await?;
    Ok(config(ctx, found.ok_or(Error::NoResource)?))
}

pub(crate) async fn update(ctx: &Ctx, input: UpdateUrlInput) -> Result<UrlConfig, Error> {
    let target = &own(ctx, &input.function_name, input.qualifier.as_deref())?;
    let streams = input.invoke_mode.as_deref().map(streams).transpose()?;
    let signed = input.auth_type.as_deref().map(signed).transpose()?;
    let cors = &input.cors.map(cors).transpose()?;
    let url = ctx.store().transact(&ctx.account, |tx| async move {
        exists(&tx, target).await?;
        let found: Option<Url> = tx.get_record(&key(target)).await?;
        let mut url = found.ok_or(Error::NoResource)?;
        url.signed = signed.unwrap_or(url.signed);
        url.streams = streams.unwrap_or(url.streams);
        if let Some(cors) = cors {
            url.cors = Some(cors.clone());
        }
        url.modified = ctx.now();
        tx.put_record(key(target), &url)?;
        Ok::<_, Error>(url)
    });
    Ok(config(ctx, url.await?))
}

pub(crate) async fn delete(ctx: &Ctx, input: FunctionInput) -> Result<Nothing, Error> {
    let target = &own(ctx, &input.function_name, input.qualifier.as_deref())?;
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            if tx.get(&key(target)).await?.is_none() {
                return Err(Error::NoResource);
            }
            remove(&tx, &key(target)).await?;
            Ok(Nothing {})
        })
        .await
}

pub(crate) async fn list(ctx: &Ctx, input: ListInput) -> Result<ListUrlsOutput, Error> {
    let place = place(ctx, &input.function_name)?;
    let limit = page_len(input.max_items)?;
    if ctx.store().get(&place.key()).await?.is_none() {
        return Err(Error::NoUrlFunction);
    }
    let all = place.urls_key();
    // The marker is the last alias of the page before, or `$LATEST`.
    let start = input.marker.map_or_else(|| all.clone(), |last| all.clone().str(&last).successor());
    let found = ctx.store().scan(all.prefix().from(start), Dir::Forward, limit + 1).await?;
    let more = found.len() > limit;
    let (mut configs, mut next_marker) = (Vec::new(), None);
    for (key, value) in found.into_iter().take(limit) {
        let url: Url = store::decode(&key, &value)?;
        next_marker = Some(Target::of(&url.target)?.qualifier_text()).filter(|_| more);
        configs.push(config(ctx, url));
    }
    Ok(ListUrlsOutput { function_url_configs: configs, next_marker })
}

/// Whose a URL is, for those who serve it.
pub(crate) async fn find(kit: &Kit, id: &str) -> Result<Option<functions::Url>, Error> {
    let name: Option<UrlName> = kit.store.get_record(&data::url_name_key(&kit.account, id)).await?;
    let Some(name) = name else { return Ok(None) };
    let found = kit.store.get_record(&key(&Target::of(&name.target)?)).await?;
    Ok(found.map(|url: Url| functions::Url {
        function: url.target,
        signed: url.signed,
        streams: url.streams,
        cors: url.cors.map(|cors| functions::UrlCors {
            allow_origins: cors.origins.unwrap_or_default(),
            allow_methods: cors.methods.unwrap_or_default(),
            allow_headers: cors.headers.unwrap_or_default(),
            expose_headers: cors.expose.unwrap_or_default(),
            max_age: cors.max_age,
            allow_credentials: cors.credentials.unwrap_or_default(),
        }),
    }))
}

/// Deletes the URLs whose keys begin with this one.
pub(crate) async fn remove(tx: &Tx, prefix: &Key) -> Result<(), Error> {
    for (key, value) in tx.scan(prefix.prefix(), Dir::Forward, usize::MAX).await? {
        let url: Url = store::decode(&key, &value)?;
        tx.delete(data::url_name_key(tx.account(), &url.id));
        tx.delete(key);
    }
    Ok(())
}

/// A function or an alias: no version has a URL.
fn own(ctx: &Ctx, name: &str, qualifier: Option<&str>) -> Result<Target, Error> {
    let target = target(ctx, name, qualifier)?;
    if let Some(qualifier @ Qualifier::Version(_)) = &target.qualifier {
        let must = r"Member must satisfy regular expression pattern: ((?!^\d+$)^[0-9a-zA-Z-_]+$)";
        return Err(Error::constraint("qualifier", qualifier, must));
    }
    Ok(target)
}

fn key(target: &Target) -> Key {
    target.place.urls_key().str(&target.qualifier_text())
}

async fn exists(tx: &Tx, target: &Target) -> Result<(), Error> {
    match existing_version(tx, target).await {
        Err(Error::NoFunction(_) | Error::NoAlias(_)) => Err(Error::NoUrlFunction),
        other => other.map(drop),
    }
}

fn signed(auth_type: &str) -> Result<bool, Error> {
    match auth_type {
        "NONE" => Ok(false),
        "AWS_IAM" => Ok(true),
        other => {
            let must = "Member must satisfy enum value set: [AWS_IAM, NONE]";
            Err(Error::constraint("authType", other, must))
        }
    }
}

fn streams(invoke_mode: &str) -> Result<bool, Error> {
    match invoke_mode {
        "BUFFERED" => Ok(false),
        "RESPONSE_STREAM" => Ok(true),
        other => {
            let must = "Member must satisfy enum value set: [RESPONSE_STREAM, BUFFERED]";
            Err(Error::constraint("invokeMode", other, must))
        }
    }
}

fn cors(given: Cors) -> Result<UrlCors, Error> {
    let check = |member: &str, list: &Option<Vec<String>>, max: usize| match list {
        Some(list) if list.len() > max => {
            let must = format!("Member must have length less than or equal to {max}");
            Err(Error::constraint(&format!("cors.{member}"), list.join(", "), &must))
        }
        _ => Ok(()),
    };
    check("allowMethods", &given.allow_methods, METHODS_MAX)?;
    check("allowOrigins", &given.allow_origins, LIST_MAX)?;
    check("allowHeaders", &given.allow_headers, LIST_MAX)?;
    check("exposeHeaders", &given.expose_headers, LIST_MAX)?;
    let methods = given.allow_methods.iter().flatten();
    if let Some(odd) = methods.into_iter().find(|method| !METHODS.contains(&method.as_str())) {
        let must = format!(
            "Member must satisfy constraint: [Member must satisfy enum value set: [{}]]",
            METHODS.join(", ")
        );
        return Err(Error::constraint("cors.allowMethods", format!("[{odd}]"), &must));
    }
    let age = given.max_age;
    Ok(UrlCors {
        credentials: given.allow_credentials,
        headers: given.allow_headers,
        methods: given.allow_methods,
        origins: given.allow_origins,
        expose: given.expose_headers,
        max_age: age.map(|age| within("cors.maxAge", age, MAX_AGE_SECS)).transpose()?,
    })
}

fn config(ctx: &Ctx, url: Url) -> UrlConfig {
    UrlConfig {
        function_url: address(&ctx.base_url, &url.id, ctx.region.as_str()),
        function_arn: url.target.to_string(),
        auth_type: if url.signed { "AWS_IAM" } else { "NONE" },
        cors: url.cors.map(|cors| Cors {
            allow_credentials: cors.credentials,
            allow_headers: cors.headers,
            allow_methods: cors.methods,
            allow_origins: cors.origins,
            expose_headers: cors.expose,
            max_age: cors.max_age.map(i64::from),
        }),
        creation_time: iso8601(url.created),
        last_modified_time: Some(iso8601(url.modified)),
        invoke_mode: if url.streams { "RESPONSE_STREAM" } else { "BUFFERED" },
    }
}

/// Where a URL is found below our own address. A number has no names below it, so that of
/// loopback is used.
fn address(base_url: &str, id: &str, region: &str) -> String {
    let (scheme, authority) = base_url.split_once("://").unwrap_or(("http", base_url));
    let authority = authority.trim_end_matches('/');
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, format!(":{port}")),
        _ => (authority, String::new()),
    };
    let number = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let host = if number { "localhost" } else { host };
    format!("{scheme}://{id}.lambda-url.{region}.{host}{port}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_lies_below_our_own_address() {
        for (base, expected) in [
            ("http://localhost:4566", "http://id.lambda-url.us-east-1.localhost:4566/"),
            ("http://127.0.0.1:80", "http://id.lambda-url.us-east-1.localhost:80/"),
            ("http://[::1]:80", "http://id.lambda-url.us-east-1.localhost:80/"),
            ("http://[::1]", "http://id.lambda-url.us-east-1.localhost/"),
            ("https://cloud.example", "https://id.lambda-url.us-east-1.cloud.example/"),
        ] {
            assert_eq!(address(base, "id", "us-east-1"), expected);
        }
    }
}
