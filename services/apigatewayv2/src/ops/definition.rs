use std::sync::Arc;

use gateway::apis::{Api, Apis, Definition, Kind, Page, parse};
use kit::{Ctx, unserved};

use crate::api::{
    ApiOutput, DeleteApiInput, DeleteApiOutput, GetApiInput, GetApisInput, GetApisOutput,
    ImportApiInput, ReimportApiInput,
};
use crate::error::Error;

type Result<T> = std::result::Result<T, Error>;

/// `ImportApi`: a new API from a definition.
pub(crate) async fn import(ctx: &Ctx, input: ImportApiInput) -> Result<ApiOutput> {
    unserved::refuse(ctx, &input.directions.unserved())?;
    let api = Apis::fresh(Kind::Http, define(ctx, &input.body)?, &ctx.kit);
    let output = describe(ctx, &api);
    apis(ctx).put(api).await?;
    Ok(output)
}

/// `ReimportApi`: the same API with another definition.
pub(crate) async fn reimport(ctx: &Ctx, input: ReimportApiInput) -> Result<ApiOutput> {
    unserved::refuse(ctx, &input.directions.unserved())?;
    let before = find(ctx, &input.api_id)?;
    let api = before.redefined(define(ctx, &input.body)?);
    let output = describe(ctx, &api);
    apis(ctx).put(api).await?;
    Ok(output)
}

/// `GetApi`.
pub(crate) async fn get(ctx: &Ctx, input: GetApiInput) -> Result<ApiOutput> {
    Ok(describe(ctx, &*find(ctx, &input.api_id)?))
}

/// `GetApis`: all of them at once unless a limit is given; there are at most 600.
pub(crate) async fn list(ctx: &Ctx, input: GetApisInput) -> Result<GetApisOutput> {
    let page = Page { after: input.next_token, limit: input.max_results };
    let (found, next_token) = apis(ctx).list(Kind::Http, &page);
    Ok(GetApisOutput { items: found.iter().map(|api| describe(ctx, api)).collect(), next_token })
}

/// `DeleteApi`.
pub(crate) async fn delete(ctx: &Ctx, input: DeleteApiInput) -> Result<DeleteApiOutput> {
    find(ctx, &input.api_id)?;
    apis(ctx).remove(&input.api_id).await?;
    Ok(DeleteApiOutput {})
}

fn define(ctx: &Ctx, body: &str) -> Result<Definition> {
    Ok(parse(body, Kind::Http).map_err(|invalid| invalid.refusal(ctx))?)
}

fn apis(ctx: &Ctx) -> &Apis {
    ctx.state::<Arc<Apis>>()
}

fn find(ctx: &Ctx, id: &str) -> Result<Arc<Api>> {
    let found = apis(ctx).get(id).filter(|api| api.kind == Kind::Http);
    found.ok_or_else(|| Error::NotFound(id.to_owned()))
}

fn describe(ctx: &Ctx, api: &Api) -> ApiOutput {
    let millis = i64::try_from(api.created.as_millis()).unwrap_or(i64::MAX);
    let created = jiff::Timestamp::from_millisecond(millis).unwrap_or_default();
    ApiOutput {
        api_endpoint: api.url(&ctx.base_url),
        api_id: api.id.clone(),
        created_date: created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        name: api.name.clone(),
        protocol_type: "HTTP",
        route_selection_expression: "$request.method $request.path",
    }
}
