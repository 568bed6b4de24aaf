//! What holds for the account, and what tables are asked about that they do not have.

use kit::{Ctx, unserved};

use crate::api::resource::{
    ContributorInsightsOutput, DescribeContributorInsightsInput, DescribeEndpointsOutput,
    DescribeKinesisStreamingDestinationOutput, DescribeLimitsOutput, Endpoint,
    ListContributorInsightsInput, ListContributorInsightsOutput, NothingAsked,
    UpdateContributorInsightsInput,
};
use crate::api::table::TableNameInput;
use crate::error::Error;
use crate::ops::table::find;
use crate::rules::Violations;

/// What AWS allows until it is asked for more.
const ACCOUNT_UNITS_MAX: u64 = 80_000;
const TABLE_UNITS_MAX: u64 = 40_000;
const ENDPOINT_CACHE_MINUTES: u64 = 1_440;
const INSIGHTS_LIST_MAX: i64 = 100;

pub(crate) async fn limits(_: &Ctx, _: NothingAsked) -> Result<DescribeLimitsOutput, Error> {
    Ok(DescribeLimitsOutput {
        account_max_read_capacity_units: ACCOUNT_UNITS_MAX,
        account_max_write_capacity_units: ACCOUNT_UNITS_MAX,
        table_max_read_capacity_units: TABLE_UNITS_MAX,
        table_max_write_capacity_units: TABLE_UNITS_MAX,
    })
}

/// The endpoint is the one that was asked.
pub(crate) async fn endpoints(
    ctx: &Ctx,
    _: NothingAsked,
) -> Result<DescribeEndpointsOutput, Error> {
    let address = ctx.base_url.split_once("://").map_or(&*ctx.base_url, |(_, rest)| rest);
    let address = address.trim_end_matches('/').to_owned();
    let endpoint = Endpoint { address, cache_period_in_minutes: ENDPOINT_CACHE_MINUTES };
    Ok(DescribeEndpointsOutput { endpoints: vec![endpoint] })
}

pub(crate) async fn describe_insights(
    ctx: &Ctx,
    input: DescribeContributorInsightsInput,
) -> Result<ContributorInsightsOutput, Error> {
    unserved::refuse(ctx, &[("IndexName", &input.index_name)])?;
    let table = find(ctx, input.table_name.as_ref()).await?;
    Ok(ContributorInsightsOutput {
        table_name: table.name.clone(),
        contributor_insights_status: "DISABLED",
    })
}

/// Insights are never on: to switch them off is no change, to switch them on is refused.
pub(crate) async fn update_insights(
    ctx: &Ctx,
    input: UpdateContributorInsightsInput,
) -> Result<ContributorInsightsOutput, Error> {
    unserved::refuse(ctx, &[("IndexName", &input.index_name)])?;
    let action = input.contributor_insights_action.as_deref();
    let mut violations = Violations::default();
    violations.required("contributorInsightsAction", action.is_some());
    violations.one_of("contributorInsightsAction", action, &["ENABLE", "DISABLE"]);
    violations.finish()?;
    unserved::refuse(ctx, &[("ContributorInsightsMode", &input.contributor_insights_mode)])?;
    let table = find(ctx, input.table_name.as_ref()).await?;
    if action == Some("ENABLE") {
        return Err(unserved::refusal(ctx, "ContributorInsightsAction ENABLE").into());
    }
    Ok(ContributorInsightsOutput {
        table_name: table.name.clone(),
        contributor_insights_status: "DISABLED",
    })
}

pub(crate) async fn list_insights(
    ctx: &Ctx,
    input: ListContributorInsightsInput,
) -> Result<ListContributorInsightsOutput, Error> {
    unserved::refuse(ctx, &[("NextToken", &input.next_token)])?;
    let mut violations = Violations::default();
    violations.range("maxResults", input.max_results, i64::MIN, INSIGHTS_LIST_MAX);
    violations.finish()?;
    if input.table_name.is_some() {
        find(ctx, input.table_name.as_ref()).await?;
    }
    Ok(ListContributorInsightsOutput { contributor_insights_summaries: [] })
}

pub(crate) async fn describe_kinesis(
    ctx: &Ctx,
    input: TableNameInput,
) -> Result<DescribeKinesisStreamingDestinationOutput, Error> {
    let table = find(ctx, input.table_name.as_ref()).await?;
    Ok(DescribeKinesisStreamingDestinationOutput {
        table_name: table.name.clone(),
        kinesis_data_stream_destinations: [],
    })
}
