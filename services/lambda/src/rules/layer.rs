//! Layers by their names, and what functions may use of them.

use base::{AccountId, Arn, Region};

use super::name::is_word;
use crate::data::LayerUse;
use crate::error::Error;

const NAME_CHARS_MAX: usize = 140;
const NAME_PATTERN: &str = concat!(
    r"(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}",
    r":layer:[a-zA-Z0-9-_]{1,140}|[a-zA-Z0-9-_]{1,140})",
);
const VERSION_PATTERN: &str = concat!(
    r"(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}",
    r":layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)",
);
const LICENSE_CHARS_MAX: usize = 512;
const RUNTIMES_MAX: usize = 15;
/// Layers of a function.
const LAYERS_MAX: usize = 5;

/// The layer a caller means, by its name or its ARN.
pub(crate) fn name(account: &AccountId, region: &Region, given: &str) -> Result<String, Error> {
    let arn = given.parse::<Arn>().ok().filter(|arn| arn.service == "lambda");
    let name = match &arn {
        Some(arn) => arn.resource_after("layer:").unwrap_or_default(),
        None => given,
    };
    if !is_word(name) || name.len() > NAME_CHARS_MAX {
        let must = format!("Member must satisfy regular expression pattern: {NAME_PATTERN}");
        return Err(Error::constraint("layerName", given, &must));
    }
    match arn {
        Some(arn) if arn.account != account.as_str() || arn.region != region.as_str() => {
            Err(Error::NoResource)
        }
        _ => Ok(name.to_owned()),
    }
}

/// The name and number in the ARN of a layer's version.
pub(crate) fn version(arn: &Arn) -> Option<(&str, u64)> {
    let (name, number) = arn.resource_after("layer:")?.rsplit_once(':')?;
    let digits = number.bytes().all(|b| b.is_ascii_digit()) && !number.starts_with('0');
    let number = number.parse().ok().filter(|_| digits)?;
    (arn.service == "lambda" && is_word(name)).then_some((name, number))
}

/// The ARN of a layer's version, as a member of a request.
pub(crate) fn version_arn(member: &str, given: &str) -> Result<Arn, Error> {
    let arn = given.parse::<Arn>().ok().filter(|arn| version(arn).is_some());
    arn.ok_or_else(|| {
        let must = format!("Member must satisfy regular expression pattern: {VERSION_PATTERN}");
        Error::constraint(member, given, &must)
    })
}

/// The layers of a function, in their order, of sizes still unknown.
pub(crate) fn uses(given: &[String]) -> Result<Vec<LayerUse>, Error> {
    if given.len() > LAYERS_MAX {
        return Err(Error::parameter(format!("Cannot reference more than {LAYERS_MAX} layers.")));
    }
    let mut uses: Vec<LayerUse> = Vec::new();
    for text in given {
        let arn = version_arn("layers", text)?;
        let layer = |arn: &Arn| arn.resource.rsplit_once(':').map(|(layer, _)| layer.to_owned());
        if let Some(other) = uses.iter().find(|other| layer(&other.arn) == layer(&arn)) {
            return Err(Error::parameter(format!(
                "Two different versions of the same layer are not allowed to be referenced in the \
                 same function. {} and {arn} are versions of the same layer.",
                other.arn
            )));
        }
        uses.push(LayerUse { arn, size: 0 });
    }
    Ok(uses)
}

pub(crate) fn check_license(license: &str) -> Result<(), Error> {
    if license.chars().count() > LICENSE_CHARS_MAX {
        let must = format!("Member must have length less than or equal to {LICENSE_CHARS_MAX}");
        return Err(Error::constraint("licenseInfo", license, &must));
    }
    Ok(())
}

pub(crate) fn check_runtimes(runtimes: &[String]) -> Result<(), Error> {
    let given = || format!("[{}]", runtimes.join(", "));
    if runtimes.len() > RUNTIMES_MAX {
        let must = format!("Member must have length less than or equal to {RUNTIMES_MAX}");
        return Err(Error::constraint("compatibleRuntimes", given(), &must));
    }
    if !runtimes.iter().all(|runtime| super::is_runtime(runtime)) {
        return Err(Error::constraint("compatibleRuntimes", given(), super::RUNTIMES));
    }
    Ok(())
}

pub(crate) fn check_architectures(architectures: &[String]) -> Result<(), Error> {
    let known = |one: &String| one == "x86_64" || one == "arm64";
    if architectures.iter().all(known) && architectures.len() <= 2 {
        return Ok(());
    }
    let must = "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, \
                arm64], Member must not be null]";
    let given = format!("[{}]", architectures.join(", "));
    Err(Error::constraint("compatibleArchitectures", given, must))
}

/// What a list asks for. A version that names no runtimes fits none, as on AWS.
pub(crate) struct Filter {
    pub(crate) runtime: Option<String>,
    pub(crate) architecture: Option<String>,
}

impl Filter {
    pub(crate) fn check(&self) -> Result<(), Error> {
        if let Some(runtime) = self.runtime.as_deref().filter(|one| !super::is_runtime(one)) {
            return Err(Error::constraint("compatibleRuntime", runtime, super::RUNTIMES));
        }
        match self.architecture.as_deref() {
            None | Some("x86_64" | "arm64") => Ok(()),
            Some(other) => {
                let must = "Member must satisfy enum value set: [x86_64, arm64]";
                Err(Error::constraint("compatibleArchitecture", other, must))
            }
        }
    }

    pub(crate) fn takes(&self, runtimes: &[String], architectures: &[String]) -> bool {
        self.runtime.as_ref().is_none_or(|one| runtimes.contains(one))
            && self.architecture.as_ref().is_none_or(|one| architectures.contains(one))
    }
}
