//! Layers: packages that functions share. Each publication is a version with a number.

use base::Arn;
use bytes::Bytes;
use kit::{Ctx, unserved};
use store::{Body, Dir, Key, Tx};

use crate::api::Nothing;
use crate::api::layer::{
    LayerByArnInput, LayerContent, LayerItem, LayerVersionInput, LayerVersionItem,
    LayerVersionOutput, ListLayerVersionsInput, ListLayerVersionsOutput, ListLayersInput,
    ListLayersOutput, PublishLayerInput,
};
use crate::code::{self, sha256};
use crate::data::{self, Code, Config, Layer, LayerVersion, Policy};
use crate::downloads::Package;
use crate::error::Error;
use crate::functions::Lambda;
use crate::ops::configuration::{base64_sha, last_modified};
use crate::ops::{offer, package, page_len};
use crate::rules;
use crate::rules::layer::{self, Filter};

pub(crate) async fn publish(
    ctx: &Ctx,
    input: PublishLayerInput,
) -> Result<LayerVersionOutput, Error> {
    unserved::refuse(ctx, &input.content.unserved())?;
    let name = layer::name(&ctx.account, &ctx.region, &input.layer_name)?;
    let description = input.description.unwrap_or_default();
    rules::check_description(&description)?;
    layer::check_license(input.license_info.as_deref().unwrap_or_default())?;
    layer::check_runtimes(&input.compatible_runtimes)?;
    layer::check_architectures(&input.compatible_architectures)?;
    let zip = package(ctx, input.content.zip_file)?;
    let (sha, size) = (sha256(&zip), zip.len() as u64);
    Lambda::of(ctx).unpack(sha, zip.clone()).await?;
    let staged = &Body::stage(ctx.store(), &ctx.account, zip).await?;
    let made = &LayerVersion {
        layer: name,
        number: 0,
        description,
        license: input.license_info,
        runtimes: input.compatible_runtimes,
        architectures: input.compatible_architectures,
        code: Code { sha256: sha, size, zip: Body::Inline(Bytes::new()) },
        policy: Policy::default(),
        created: ctx.now(),
        deleted: false,
    };
    let made = ctx.store().transact(&ctx.account, |tx| async move {
        let counter = data::layers_key(&ctx.account, &ctx.region).str(&made.layer);
        let found: Option<Layer> = tx.get_record(&counter).await?;
        let mut layer = found.unwrap_or_default();
        layer.version_last += 1;
        tx.put_record(counter, &layer)?;
        let mut made = made.clone();
        made.number = layer.version_last;
        let key = key(ctx, &made.layer, made.number);
        made.code.zip = staged.link(&tx, &key);
        tx.put_record(key, &made)?;
        Ok::<_, Error>(made)
    });
    Ok(output(ctx, made.await?))
}

pub(crate) async fn get(ctx: &Ctx, input: LayerVersionInput) -> Result<LayerVersionOutput, Error> {
    let (name, number) = named(ctx, &input.layer_name, input.version_number)?;
    let found: Option<LayerVersion> = ctx.store().get_record(&key(ctx, &name, number)).await?;
    let version = found.filter(|version| !version.deleted).ok_or(Error::NoResource)?;
    Ok(output(ctx, version))
}

pub(crate) async fn get_by_arn(
    ctx: &Ctx,
    input: LayerByArnInput,
) -> Result<LayerVersionOutput, Error> {
    let arn = layer::version_arn("arn", &input.arn)?;
    let (layer, number) = arn.resource.rsplit_once(':').unwrap_or_default();
    let arn = Arn { resource: layer.to_owned(), ..arn.clone() };
    let version_number = number.parse().unwrap_or_default();
    get(ctx, LayerVersionInput { layer_name: arn.to_string(), version_number }).await
}

pub(crate) async fn delete(ctx: &Ctx, input: LayerVersionInput) -> Result<Nothing, Error> {
    let (name, number) = named(ctx, &input.layer_name, input.version_number)?;
    let key = &key(ctx, &name, number);
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            let found: Option<LayerVersion> = tx.get_record(key).await?;
            // As on AWS, one that is not there is deleted already. The rest is `work::sweep`.
            if let Some(mut version) = found {
                version.deleted = true;
                tx.put_record(key.clone(), &version)?;
            }
            Ok(Nothing {})
        })
        .await
}

pub(crate) async fn list(ctx: &Ctx, input: ListLayersInput) -> Result<ListLayersOutput, Error> {
    let limit = page_len(input.max_items)?;
    let filter =
        Filter { runtime: input.compatible_runtime, architecture: input.compatible_architecture };
    filter.check()?;
    let all = data::layer_versions_key(&ctx.account, &ctx.region);
    let mut layers: Vec<LayerItem> = Vec::new();
    for (key, value) in ctx.store().scan(all.prefix(), Dir::Forward, usize::MAX).await? {
        let version: LayerVersion = store::decode(&key, &value)?;
        // The marker is the last name of the page before.
        let seen = input.marker.as_ref().is_some_and(|last| version.layer <= *last);
        if seen || version.deleted || !filter.takes(&version.runtimes, &version.architectures) {
            continue;
        }
        let (layer_name, layer_arn) = (version.layer.clone(), layer_arn(ctx, &version.layer));
        let latest_matching_version = item(ctx, version);
        // Versions of one layer come in their order.
        match layers.last_mut().filter(|last| last.layer_name == layer_name) {
            Some(last) => last.latest_matching_version = latest_matching_version,
            None => layers.push(LayerItem { layer_name, layer_arn, latest_matching_version }),
        }
        if layers.len() > limit {
            break;
        }
    }
    let more = layers.len() > limit;
    layers.truncate(limit);
    let next_marker = layers.last().filter(|_| more).map(|last| last.layer_name.clone());
    Ok(ListLayersOutput { layers, next_marker })
}

pub(crate) async fn list_versions(
    ctx: &Ctx,
    input: ListLayerVersionsInput,
) -> Result<ListLayerVersionsOutput, Error> {
    let limit = page_len(input.max_items)?;
    let filter =
        Filter { runtime: input.compatible_runtime, architecture: input.compatible_architecture };
    filter.check()?;
    let name = layer::name(&ctx.account, &ctx.region, &input.layer_name)?;
    let all = data::layer_versions_key(&ctx.account, &ctx.region).str(&name);
    // The marker is the last number of the page before: the newest come first.
    let before = input.marker.map(|marker| rules::name::version("marker", &marker)).transpose()?;
    let mut range = all.prefix();
    if let Some(before) = before {
        range = range.before(all.u64(before.into()));
    }
    let mut layer_versions = Vec::new();
    for (key, value) in ctx.store().scan(range, Dir::Backward, usize::MAX).await? {
        let version: LayerVersion = store::decode(&key, &value)?;
        if !version.deleted && filter.takes(&version.runtimes, &version.architectures) {
            layer_versions.push(item(ctx, version));
        }
        if layer_versions.len() > limit {
            break;
        }
    }
    let more = layer_versions.len() > limit;
    layer_versions.truncate(limit);
    let next_marker = layer_versions.last().filter(|_| more).map(|last| last.version.to_string());
    Ok(ListLayerVersionsOutput { layer_versions, next_marker })
}

/// The layers that a function is to have must be there. Notes how large they are.
pub(crate) async fn resolve(ctx: &Ctx, tx: &Tx, config: &mut Config) -> Result<(), Error> {
    for used in &mut config.layers {
        if used.arn.account != ctx.account.as_str() {
            return Err(kit::Error::not_served("lambda: a layer of another account").into());
        }
        if used.arn.region != ctx.region.as_str() {
            return Err(Error::parameter(format!(
                "Layers are not in the same region as the function. Layers are expected to be in \
                 region {}.",
                ctx.region
            )));
        }
        let (name, number) = layer::version(&used.arn).unwrap_or_default();
        let found: Option<LayerVersion> = tx.get_record(&key(ctx, name, number)).await?;
        let Some(version) = found.filter(|version| !version.deleted) else {
            return Err(Error::parameter(format!("Layer version {} does not exist.", used.arn)));
        };
        used.size = version.code.size;
    }
    Ok(())
}

/// Code and layers must not be too large together.
pub(crate) async fn check_size(unpacked: &crate::functions::Unpacked) -> Result<(), Error> {
    if unpacked.layers.is_empty() {
        return Ok(());
    }
    let trees = unpacked.layers.iter().chain([&unpacked.code]).cloned().collect();
    let (bytes, max) = (code::tree_bytes(trees).await?, code::UNZIPPED_BYTES_MAX);
    if bytes > max {
        return Err(Error::parameter(format!(
            "Function code combined with layers exceeds the maximum allowed size of {max} bytes. \
             The actual size is {bytes} bytes."
        )));
    }
    Ok(())
}

/// The layer an operation touches, for authorization.
pub(crate) fn touched(ctx: &Ctx, name: &str, number: Option<i64>) -> Vec<Arn> {
    let name = layer::name(&ctx.account, &ctx.region, name).unwrap_or_else(|_| name.to_owned());
    let number = number.map(|number| format!(":{number}")).unwrap_or_default();
    vec![ctx.arn("lambda", format!("layer:{name}{number}"))]
}

/// The name and number of a version.
pub(crate) fn named(ctx: &Ctx, name: &str, number: i64) -> Result<(String, u64), Error> {
    let name = layer::name(&ctx.account, &ctx.region, name)?;
    match u64::try_from(number) {
        Ok(number) if number > 0 => Ok((name, number)),
        _ => Err(Error::parameter("Layer Version Cannot be less than 1")),
    }
}

pub(crate) fn key(ctx: &Ctx, name: &str, number: u64) -> Key {
    data::layer_versions_key(&ctx.account, &ctx.region).str(name).u64(number)
}

pub(crate) fn version_arn(ctx: &Ctx, name: &str, number: u64) -> Arn {
    ctx.arn("lambda", format!("layer:{name}:{number}"))
}

fn layer_arn(ctx: &Ctx, name: &str) -> String {
    ctx.arn("lambda", format!("layer:{name}")).to_string()
}

fn output(ctx: &Ctx, version: LayerVersion) -> LayerVersionOutput {
    let code = &version.code;
    let package = Package::Layer(key(ctx, &version.layer, version.number));
    let location = offer(ctx, package, code);
    let content =
        LayerContent { location, code_sha256: base64_sha(&code.sha256), code_size: code.size };
    let layer_arn = layer_arn(ctx, &version.layer);
    LayerVersionOutput { content, layer_arn, item: item(ctx, version) }
}

fn item(ctx: &Ctx, version: LayerVersion) -> LayerVersionItem {
    LayerVersionItem {
        layer_version_arn: version_arn(ctx, &version.layer, version.number).to_string(),
        version: version.number,
        description: version.description,
        created_date: last_modified(version.created),
        compatible_runtimes: version.runtimes,
        compatible_architectures: version.architectures,
        license_info: version.license,
    }
}
