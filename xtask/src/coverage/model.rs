//! The models of botocore: what AWS has, as data.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use flate2::read::GzDecoder;
use serde::Deserialize;

/// How to get the models where there are none.
const REMEDY: &str = "run `tests/run python`, which installs botocore, or give `--model DIR`";

/// The models of one version of botocore.
pub(crate) struct Models {
    folder: PathBuf,
    /// Of botocore.
    pub(crate) version: String,
}

impl Models {
    /// The models in the folder given, or in the Python environment of the tests.
    pub(crate) fn open(root: &Path, folder: Option<PathBuf>) -> Result<Models> {
        let folder = match folder {
            Some(folder) => folder,
            None => installed(root)
                .with_context(|| format!("tests/.venv has no botocore/data: {REMEDY}"))?,
        };
        let about = folder.join("../__init__.py");
        let text = fs::read_to_string(&about).unwrap_or_default();
        let version = version(&text).with_context(|| {
            format!("{}: not the data of a botocore, which has its version there", about.display())
        })?;
        Ok(Models { folder, version })
    }

    /// The newest model of a service.
    pub(crate) fn newest(&self, service: &str) -> Result<Model> {
        let folder = self.folder.join(service);
        let missing =
            || format!("there is no model of {service} in {}: {REMEDY}", folder.display());
        let entries = fs::read_dir(&folder).with_context(missing)?;
        let files = entries.filter_map(|entry| Some(entry.ok()?.path().join("service-2.json.gz")));
        // Versions are dates, so the last is the newest.
        let newest = files.filter(|file| file.exists()).max().with_context(missing)?;
        let file = File::open(&newest).with_context(missing)?;
        serde_json::from_reader(std::io::BufReader::new(GzDecoder::new(file)))
            .with_context(|| format!("{} is not a model", newest.display()))
    }
}

fn installed(root: &Path) -> Option<PathBuf> {
    let lib = fs::read_dir(root.join("tests/.venv/lib")).ok()?;
    let data = lib.filter_map(|entry| Some(entry.ok()?.path().join("site-packages/botocore/data")));
    data.filter(|folder| folder.is_dir()).max()
}

fn version(text: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix("__version__ = "))?;
    Some(line.trim_matches(['\'', '"']).to_owned())
}

/// A service.
#[derive(Deserialize)]
pub(crate) struct Model {
    pub(crate) metadata: Metadata,
    pub(crate) operations: BTreeMap<String, Operation>,
    shapes: BTreeMap<String, Shape>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) protocol: String,
    pub(crate) target_prefix: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Operation {
    pub(crate) http: Http,
    pub(crate) input: Option<Reference>,
    pub(crate) output: Option<Reference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Http {
    pub(crate) method: String,
    pub(crate) request_uri: String,
    #[serde(default = "ok")]
    pub(crate) response_code: u16,
}

fn ok() -> u16 {
    200
}

/// Where a shape is used: as a member, an element, an input.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reference {
    pub(crate) shape: String,
    /// Outside of the body: `uri`, `querystring`, `header`, `headers`.
    pub(crate) location: Option<String>,
    location_name: Option<String>,
}

impl Reference {
    /// The name on the wire of a member with this name.
    pub(crate) fn wire_name<'a>(&'a self, name: &'a str) -> &'a str {
        self.location_name.as_deref().unwrap_or(name)
    }
}

#[derive(Deserialize)]
pub(crate) struct Shape {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) members: BTreeMap<String, Reference>,
    /// Of a list.
    pub(crate) member: Option<Reference>,
    /// Of a map.
    pub(crate) value: Option<Reference>,
    /// The member that is the body as it stands.
    pub(crate) payload: Option<String>,
}

impl Model {
    /// The shape that is used there.
    pub(crate) fn shape(&self, used: &Reference) -> Option<&Shape> {
        self.shapes.get(&used.shape)
    }
}
