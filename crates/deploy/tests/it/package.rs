//! What the packages of functions hold.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::path::Path;

use deploy::{Asset, Assets, Diagnostic, Options, Packager};
use tempfile::TempDir;

/// A project in a folder of its own.
pub(crate) struct Folder {
    pub(crate) dir: TempDir,
    packager: RefCell<Packager>,
    pub(crate) said: RefCell<Vec<String>>,
}

impl Folder {
    pub(crate) fn new(files: &[(&str, &str)]) -> Folder {
        // Kept between runs of the tests, so that the bundler is fetched once.
        Folder::with_cache(files, Path::new(env!("CARGO_TARGET_TMPDIR")))
    }

    pub(crate) fn with_cache(files: &[(&str, &str)], cache: &Path) -> Folder {
        let folder = Folder {
            dir: TempDir::new().unwrap(),
            packager: RefCell::new(Packager::new(cache)),
            said: RefCell::default(),
        };
        for (path, text) in files {
            folder.write(path, text);
        }
        folder
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn package(&self) -> Result<Assets, Diagnostic> {
        let options = Options::new("000000000000".parse().unwrap());
        let project = deploy::read(self.dir.path(), &options)?;
        let say = |text: &str| self.said.borrow_mut().push(text.to_owned());
        self.packager.borrow_mut().package(&project, &say)
    }

    /// The paths in the package of function `f`.
    pub(crate) fn check(&self, expected: &[&str]) -> BTreeMap<String, String> {
        let assets = self.package().unwrap_or_else(|error| panic!("{error}"));
        let files = unzip(&assets["f"]);
        assert_eq!(files.keys().map(String::as_str).collect::<Vec<_>>(), expected);
        files
    }

    pub(crate) fn refused(&self, expected: &str) {
        assert_eq!(self.package().unwrap_err().to_string(), expected);
    }
}

pub(crate) fn unzip(asset: &Asset) -> BTreeMap<String, String> {
    let mut archive = zip::ZipArchive::new(Cursor::new(&asset.zip.0)).unwrap();
    let mut files = BTreeMap::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let name = file.name().unwrap().into_owned();
        files.insert(name, String::from_utf8_lossy(&bytes).into_owned());
    }
    files
}

fn service(more: &str) -> String {
    format!("service: s\nprovider: {{ name: aws, runtime: nodejs20.x }}\n{more}\n")
}

fn one(handler: &str) -> String {
    service(&format!("functions:\n  f:\n    handler: {handler}"))
}

#[test]
fn plain_javascript_is_packed_as_it_stands() {
    let folder = Folder::new(&[
        ("serverless.yml", &one("src/f.handler")),
        ("src/f.js", "exports.handler = async () => 1"),
        ("data/words.txt", "a b"),
        (".env", "SECRET=1"),
        ("node_modules/x/index.js", ""),
        (".git/HEAD", ""),
    ]);
    folder.check(&["data/words.txt", "src/f.js"]);
    let patterns = "package: { patterns: ['!data/**', 'node_modules/x/**', .env] }\n";
    folder.write("serverless.yml", &(one("src/f.handler") + patterns));
    folder.check(&[".env", "node_modules/x/index.js", "src/f.js"]);
}

#[test]
fn a_data_folder_is_never_packed_whatever_its_name() {
    let folder = Folder::new(&[
        ("serverless.yml", &one("f.handler")),
        ("f.js", "1"),
        ("state/.cumulet-data", ""),
        ("state/kv/0.jnl", "huge"),
        ("deep/[er] {s}/.cumulet-data", ""),
        ("deep/[er] {s}/kv/0.jnl", "huge"),
        ("deep/words.txt", "a b"),
    ]);
    folder.check(&["deep/words.txt", "f.js"]);
    folder.write("serverless.yml", &(one("f.handler") + "package: { patterns: ['state/**'] }\n"));
    folder.check(&["deep/words.txt", "f.js"]);
}

#[test]
fn the_same_files_are_the_same_package() {
    let folder = Folder::new(&[("serverless.yml", &one("f.handler")), ("f.js", "1")]);
    let first = folder.package().unwrap();
    assert_eq!(first, folder.package().unwrap());
    folder.write("f.js", "2");
    assert_ne!(first["f"].sha256, folder.package().unwrap()["f"].sha256);
}

#[test]
fn typescript_is_bundled() {
    let folder = Folder::new(&[
        ("serverless.yml", &one("src/f.handler")),
        (
            "src/f.ts",
            "import { n } from './lib'; export const handler = async (): Promise<number> => n",
        ),
        ("src/lib.ts", "export const n: number = 41 + 1"),
        ("README.md", ""),
    ]);
    let files = folder.check(&["src/f.js", "src/f.js.map"]);
    assert!(files["src/f.js"].contains("41 + 1"), "{}", files["src/f.js"]);
    let first = folder.package().unwrap();
    folder.write("src/lib.ts", "export const n: number = 43 + 1");
    let second = folder.package().unwrap();
    assert_ne!(first["f"].sha256, second["f"].sha256);
    assert_eq!(second, folder.package().unwrap());
}

#[test]
fn modules_stay_modules() {
    let folder = Folder::new(&[
        ("serverless.yml", &one("f.handler")),
        ("f.mts", "export const handler = async () => import.meta.url; await Promise.resolve()"),
    ]);
    let files = folder.check(&["f.mjs", "f.mjs.map"]);
    assert!(files["f.mjs"].contains("export"), "{}", files["f.mjs"]);
}

#[test]
fn javascript_with_dependencies_is_bundled_with_its_neighbours() {
    let folder = Folder::new(&[
        ("serverless.yml", &one("f.handler")),
        ("package.json", r#"{ "dependencies": { "dep": "1" } }"#),
        (
            "f.js",
            "exports.handler = async () => require('dep') + require('fs').readFileSync('x.txt')",
        ),
        ("x.txt", "x"),
        ("node_modules/dep/index.js", "module.exports = 'from dep'"),
    ]);
    let files = folder.check(&["f.js", "f.js.map", "package.json", "x.txt"]);
    assert!(files["f.js"].contains("from dep"));
}

#[test]
fn external_packages_come_along_and_excluded_ones_do_not() {
    let esbuild = "plugins: [serverless-esbuild]\n\
                   custom: { esbuild: { external: [native], exclude: [layer, aws-sdk] } }\n";
    let folder = Folder::new(&[
        ("serverless.yml", &(esbuild.to_owned() + &one("f.handler"))),
        ("package.json", r#"{ "dependencies": { "native": "1" } }"#),
        ("f.js", "exports.handler = [require('native'), require('layer'), require('aws-sdk')]"),
        ("node_modules/native/package.json", r#"{ "dependencies": { "deep": "1" } }"#),
        ("node_modules/native/index.js", "require('deep')"),
        ("node_modules/deep/index.js", ""),
        ("node_modules/aws-sdk/index.js", "module.exports = 'the sdk'"),
    ]);
    let files = folder.check(&[
        "f.js",
        "f.js.map",
        "node_modules/deep/index.js",
        "node_modules/native/index.js",
        "node_modules/native/package.json",
    ]);
    assert!(files["f.js"].contains("the sdk"), "the runtime has no SDK of its own");
}

#[test]
fn an_artifact_is_taken_as_it_is() {
    let text = one("f.handler") + "    package: { artifact: build/f.zip }\n";
    let folder = Folder::new(&[("serverless.yml", &text), ("build/f.zip", "zip")]);
    assert_eq!(folder.package().unwrap()["f"].zip.0, b"zip");
    std::fs::remove_file(folder.dir.path().join("build/f.zip")).unwrap();
    folder.refused(
        "serverless.yml:5:14: the artifact build/f.zip cannot be read: No such file or directory \
         (os error 2)\nhelp: build it first, or remove package.artifact",
    );
}

#[test]
fn mistakes_name_line_and_remedy() {
    let folder = Folder::new(&[("serverless.yml", &one("src/f.handler"))]);
    folder.refused(
        "serverless.yml:5:14: the handler of function 'f' is in src/f, and there is no src/f.ts \
         or .js\nhelp: create the file, or correct handler:",
    );
    folder.write("serverless.yml", &one("src/f"));
    folder.refused(
        "serverless.yml:5:14: the handler 'src/f' names no function of its file\n\
         help: write src/f.handler",
    );
    folder.write("serverless.yml", &one("../f.handler"));
    folder.refused(
        "serverless.yml:5:14: the handler '../f.handler' lies outside the project\n\
         help: move it below the folder of serverless.yml",
    );
    folder.write("serverless.yml", &one("src/f.handler"));
    folder.write("src/f.ts", "export const handler = (");
    folder.refused("src/f.ts:1:25: Unexpected end of file");
    folder.write("src/f.ts", "\n  import x from '@a/b/c'; export const handler = x");
    folder
        .refused("src/f.ts:2:17: Could not resolve \"@a/b/c\"\nhelp: install it: npm install @a/b");
    folder.write("src/f.ts", "import x from './no'; export const handler = x");
    folder.refused(
        "src/f.ts:1:15: Could not resolve \"./no\"\nhelp: create ./no, or correct the import",
    );
    folder.write("package.json", "{");
    folder.refused("package.json: is not JSON: EOF while parsing an object at line 1 column 1");
}

#[test]
fn python_is_packed_and_not_looked_into() {
    let text = one("f.handler").replace("nodejs20.x", "python3.12");
    let folder = Folder::new(&[("serverless.yml", &text), ("f.py", "def handler(e, c): pass")]);
    folder.check(&["f.py"]);
}
