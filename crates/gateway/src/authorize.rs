//! Whether a caller may do an action on resources. Until policies are evaluated there are two
//! kinds of callers: the root of the account and the functions deployed in it. Both may do
//! everything on the resources of their own account, and nothing on another's; that a function's
//! role would say less is listed in the fidelity report of every deploy.

use base::AccountId;
use kit::{Call, Caller, Error};

pub(crate) fn check(account: &AccountId, caller: &Caller, call: &Call) -> Result<(), Error> {
    let foreign = |owner: &str| !owner.is_empty() && owner != account.as_str();
    let denied = call.resources.iter().find(|resource| foreign(&resource.account));
    let refusal = |why: String| Err(Error::new("AccessDeniedException", 403, why));
    if foreign(&caller.arn.account) {
        return refusal(format!("User: {} is of another account", caller.arn));
    }
    match denied {
        Some(resource) => refusal(format!(
            "User: {} is not authorized to perform: {} on resource: {resource}",
            caller.arn, call.action
        )),
        None => Ok(()),
    }
}
