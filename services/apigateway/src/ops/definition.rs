use std::sync::Arc;

use gateway::apis::{Api, Apis, Definition, Kind, Page, parse};
use kit::{Ctx, unserved};
use serde_json::Value;

use crate::api::{
    CreateDeploymentInput, CreateDeploymentOutput, DeleteRestApiInput, DeleteRestApiOutput,
    Document, GetRestApiInput, GetRestApisInput, GetRestApisOutput, ImportRestApiInput,
    PutRestApiInput, RestApiOutput,
};
use crate::error::Error;

type Result<T> = std::result::Result<T, Error>;

/// `ImportRestApi`: a new API from a definition. It has no URL until it is deployed to a stage.
pub(crate) async fn import(ctx: &Ctx, input: ImportRestApiInput) -> Result<RestApiOutput> {
    if input.mode.as_deref() != Some("import") {
        return Err(Error::NotServed("apigateway.CreateRestApi"));
    }
    unserved::refuse(ctx, &[("failonwarnings", &input.fail_on_warnings)])?;
    let api = Apis::fresh(Kind::Rest, define(ctx, input.body)?, &ctx.kit);
    let output = describe(&api);
    apis(ctx).put(api).await?;
    Ok(output)
}

/// `PutRestApi`: the same API with another definition.
pub(crate) async fn put(ctx: &Ctx, input: PutRestApiInput) -> Result<RestApiOutput> {
    if input.mode.as_deref() != Some("overwrite") {
        return Err(Error::NotServed("apigateway.PutRestApi in mode merge"));
    }
    unserved::refuse(ctx, &[("failonwarnings", &input.fail_on_warnings)])?;
    let before = find(ctx, &input.restapi_id)?;
    let api = before.redefined(define(ctx, input.body)?);
    let output = describe(&api);
    apis(ctx).put(api).await?;
    Ok(output)
}

/// `CreateDeployment`: gives the API a stage, and so its URL.
pub(crate) async fn deploy(
    ctx: &Ctx,
    input: CreateDeploymentInput,
) -> Result<CreateDeploymentOutput> {
    unserved::refuse(ctx, &input.stage.unserved())?;
    let name = &input.stage_name;
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 128 || !name.chars().all(valid) {
        return Err(Error::InvalidStage(name.clone()));
    }
    let before = find(ctx, &input.restapi_id)?;
    apis(ctx).put(Api { stage: name.clone(), ..(*before).clone() }).await?;
    Ok(CreateDeploymentOutput { id: Apis::fresh_id(&ctx.kit), created_date: ctx.now().as_secs() })
}

/// `GetRestApi`.
pub(crate) async fn get(ctx: &Ctx, input: GetRestApiInput) -> Result<RestApiOutput> {
    Ok(describe(&*find(ctx, &input.restapi_id)?))
}

/// `GetRestApis`: all of them at once unless a limit is given; there are at most 600.
pub(crate) async fn list(ctx: &Ctx, input: GetRestApisInput) -> Result<GetRestApisOutput> {
    let page = Page { after: input.position, limit: input.limit };
    let (found, position) = apis(ctx).list(Kind::Rest, &page);
    Ok(GetRestApisOutput { item: found.iter().map(|api| describe(api)).collect(), position })
}

/// `DeleteRestApi`.
pub(crate) async fn delete(ctx: &Ctx, input: DeleteRestApiInput) -> Result<DeleteRestApiOutput> {
    find(ctx, &input.restapi_id)?;
    apis(ctx).remove(&input.restapi_id).await?;
    Ok(DeleteRestApiOutput {})
}

fn define(ctx: &Ctx, document: Document) -> Result<Definition> {
    let others: Vec<_> = document.others.iter().map(|(name, given)| (&**name, given)).collect();
    unserved::refuse(ctx, &others)?;
    let body = Value::Object(document.members).to_string();
    Ok(parse(&body, Kind::Rest).map_err(|invalid| invalid.refusal(ctx))?)
}

fn apis(ctx: &Ctx) -> &Apis {
    ctx.state::<Arc<Apis>>()
}

fn find(ctx: &Ctx, id: &str) -> Result<Arc<Api>> {
    let found = apis(ctx).get(id).filter(|api| api.kind == Kind::Rest);
    found.ok_or_else(|| Error::NotFound(id.to_owned()))
}

fn describe(api: &Api) -> RestApiOutput {
    RestApiOutput {
        id: api.id.clone(),
        name: api.name.clone(),
        created_date: api.created.as_secs(),
    }
}
