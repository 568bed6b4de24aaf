//! How packages come to Python functions. Wheels made here are all that pip is given.

use std::io::Write as _;
use std::path::Path;

use tempfile::TempDir;

use crate::package::Folder;

const TEMPLATE: &str = "\
service: s
provider: { name: aws, runtime: python3.11 }
functions:
  f:
    handler: src/f.handler
";
const OFFLINE: &str = "--no-index\n--find-links wheels\n";

/// A project with a cache of its own, which has wheels of `one` and `two`, and `one` needs `two`.
struct Project {
    folder: Folder,
    cache: TempDir,
}

impl Project {
    fn new(requirements: &str) -> Project {
        let cache = TempDir::new().unwrap();
        let folder = Folder::with_cache(
            &[
                ("serverless.yml", TEMPLATE),
                ("src/f.py", "import one"),
                ("src/__pycache__/f.cpython-311.pyc", "compiled"),
                (".venv/pyvenv.cfg", "home = /usr"),
                (".venv/lib/huge.py", "huge"),
                ("requirements.txt", &format!("{OFFLINE}{requirements}")),
            ],
            cache.path(),
        );
        wheel(folder.dir.path(), "one", "Requires-Dist: two\n");
        wheel(folder.dir.path(), "two", "");
        Project { folder, cache }
    }

    fn custom(&self, settings: &str) {
        let plugin = "plugins: [serverless-python-requirements]\n";
        let custom = format!("custom: {{ pythonRequirements: {{ {settings} }} }}\n");
        self.folder.write("serverless.yml", &format!("{TEMPLATE}{plugin}{custom}"));
    }

    /// The paths in the package of function `f`.
    fn check(&self, expected: &str) {
        self.folder.check(&expected.split_whitespace().collect::<Vec<_>>());
    }

    fn said(&self) -> String {
        self.folder.said.take().join("\n")
    }

    fn installed(&self) -> usize {
        std::fs::read_dir(self.cache.path().join("python")).map_or(0, Iterator::count)
    }
}

fn wheel(dir: &Path, name: &str, more: &str) {
    let path = dir.join("wheels");
    std::fs::create_dir_all(&path).unwrap();
    let file = std::fs::File::create(path.join(format!("{name}-1.0-py3-none-any.whl"))).unwrap();
    let mut writer = zip::ZipWriter::new(file);
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{more}");
    for (path, text) in [
        (format!("{name}/__init__.py"), "made = 1\n"),
        (format!("{name}-1.0.dist-info/METADATA"), metadata.as_str()),
        (
            format!("{name}-1.0.dist-info/WHEEL"),
            "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        ),
        (format!("{name}-1.0.dist-info/RECORD"), ""),
    ] {
        writer.start_file(path, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap();
}

const INFO: [&str; 5] = ["INSTALLER", "METADATA", "RECORD", "REQUESTED", "WHEEL"];

#[test]
fn packages_are_installed_once_and_lie_beside_the_code() {
    let project = Project::new("one==1.0\n");
    let files = project.folder.package().unwrap();
    let said = project.said();
    assert!(
        said.starts_with("installing the packages of requirements.txt (pip of Python 3."),
        "{said}"
    );
    assert!(said.ends_with("\npip: Installing collected packages: two, one"), "{said}");
    let info = |name: &str, files: &[&str]| {
        let path = |file: &&str| format!("{name}-1.0.dist-info/{file} ");
        files.iter().map(path).collect::<String>()
    };
    let own = "requirements.txt src/f.py ";
    let rest = [&INFO[..3], &INFO[4..]].concat();
    let expected = format!(
        "{}one/__init__.py {own}{}two/__init__.py wheels/one-1.0-py3-none-any.whl \
         wheels/two-1.0-py3-none-any.whl",
        info("one", &INFO),
        info("two", &rest)
    );
    project.check(&expected);
    // Neither a change of the code nor a comment starts pip again.
    project.folder.write("src/f.py", "import two");
    project.folder.write("requirements.txt", &format!("# why\n{OFFLINE}one==1.0\n"));
    assert_ne!(files, project.folder.package().unwrap());
    assert_eq!((project.said().as_str(), project.installed()), ("", 1));
    project.folder.write("requirements.txt", &format!("{OFFLINE}two\n"));
    project.folder.package().unwrap();
    assert_eq!(project.installed(), 2);
}

#[test]
fn the_plugins_settings_are_done() {
    let project = Project::new("one\n");
    let patterns = "package: { patterns: ['!wheels/**'] }\n";
    project.custom("slim: true, zip: true, noDeploy: [two, boto3], dockerizePip: non-linux");
    let text = std::fs::read_to_string(project.folder.dir.path().join("serverless.yml")).unwrap();
    project.folder.write("serverless.yml", &(text + patterns));
    // What a package needs itself is brought along, as pip has it do.
    project
        .check("one/__init__.py requirements.txt src/f.py two/__init__.py unzip_requirements.py");
    let options = deploy::Options::new("000000000000".parse().unwrap());
    let report = deploy::read(project.folder.dir.path(), &options).unwrap().report;
    let notes: Vec<String> = report.notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes.join("\n"),
        "serverless.yml:6:11: plugins.serverless-python-requirements is covered: packages are \
         installed with pip\n\
         serverless.yml:7:80: custom.pythonRequirements.dockerizePip is not needed: packages are \
         installed for this machine, which runs them\n\
         serverless.yml:7:66: custom.pythonRequirements.noDeploy does not take away boto3, which \
         the runtime has on AWS only"
    );
    assert!(report.is_faithful(), "{report}");
    project.custom("fileName: deps/all.txt, slim: true, slimPatterns: ['two/**'], vendor: own");
    project.folder.write("deps/all.txt", "--no-index\n-f ../wheels\none\n");
    project.folder.write("own/mine.py", "");
    let text = std::fs::read_to_string(project.folder.dir.path().join("serverless.yml")).unwrap();
    project.folder.write("serverless.yml", &(text + patterns));
    project.check("deps/all.txt mine.py one/__init__.py own/mine.py requirements.txt src/f.py");
}

#[test]
fn a_module_has_packages_and_a_root_of_its_own() {
    let project = Project::new("two\n");
    let module = TEMPLATE.replace("src/f.handler", "f.handler") + "    module: src\n";
    project.folder.write("serverless.yml", &module);
    project.folder.write("src/requirements.txt", "--no-index\n-f ../wheels\ntwo\n");
    project.folder.write("src/two/__init__.py", "mine");
    let files = project.folder.package().unwrap();
    assert_eq!(project.folder.package().unwrap(), files);
    let info = INFO.map(|file| format!("two-1.0.dist-info/{file}")).join(" ");
    project.check(&format!("f.py requirements.txt {info} two/__init__.py"));
    project.folder.write("serverless.yml", &module.replace("module: src", "module: none"));
    project.folder.refused(
        "serverless.yml:5:14: the module of function 'f' is none, which has no files\n\
         help: name a folder of the project, or remove module:",
    );
}

#[test]
fn mistakes_name_the_line_of_the_requirement() {
    let project = Project::new("two\n\nthree>=2\n");
    project.folder.refused(
        "requirements.txt:5:1: pip failed: Could not find a version that satisfies the \
         requirement three>=2 (from versions: none)\n\
         help: correct its name, or name the index that has it: --index-url https://…",
    );
    assert_eq!(project.installed(), 0);
    project.folder.write("requirements.txt", "-r base.txt\n");
    project.folder.refused(
        "requirements.txt:1:1: the file base.txt does not exist\n\
         help: create it, or correct its name",
    );
    project.folder.write("Pipfile", "[packages]");
    project.custom("slim: true");
    project.folder.refused(
        "Pipfile: packages are to come from Pipfile, whose tool is not run here\n\
         help: pipenv requirements > requirements.txt, and set \
         custom.pythonRequirements.usePipenv: false",
    );
    project.custom("usePipenv: false, fileName: none.txt");
    project.folder.refused(
        "none.txt: the file none.txt does not exist\nhelp: create it, or correct its name",
    );
}
