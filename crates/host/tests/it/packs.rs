//! Code packs: what is loaded of one is what would be loaded without, and only its own function's.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use host::FunctionSpec;
use serde_json::{Value, json};

use crate::world::{Function, World};

/// Less code than this has no pack.
const PAD: usize = 40_000;

/// A host that keeps packs in a folder.
fn world(packs: &Path) -> World {
    let packs = packs.to_owned();
    World::with(move |config| config.packs = Some(packs))
}

/// A function that is large enough to have a pack.
fn function(files: &[(&str, &str)], change: impl FnOnce(&mut FunctionSpec)) -> Function {
    let pad = format!("exports.pad = '{}';", "x".repeat(PAD));
    let mut all = files.to_vec();
    all.push(("pad.js", &pad));
    Function::with(&all, "index.handler", change)
}

/// One that answers with some text and where it is.
fn says(text: &str, change: impl FnOnce(&mut FunctionSpec)) -> Function {
    let index = format!("require('./pad'); exports.handler = async () => '{text}'");
    function(&[("index.js", &index)], change)
}

/// Makes the pack, as after a deploy; whether there is one.
async fn make(world: &World, function: &Function) -> bool {
    world.host.warm(&function.spec).await.unwrap();
    world.host.pack(&function.spec).await
}

/// The answer of a slot that is started for it, and whether it loaded the function of its pack.
async fn start(world: &World, function: &Function) -> (Value, bool) {
    world.host.end_idle();
    world.host.warm(&function.spec).await.unwrap();
    let (answer, failed) = world.invoke(function, json!({})).await;
    assert!(!failed, "{answer} {:?}", world.texts());
    let live = world.host.live();
    let live = live.iter().find(|live| live.spec == function.spec).unwrap();
    (answer, live.environments[0].origin.packed)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)),
            path => found.push(path),
        }
    }
    found
}

/// All that a module can ask of how it was loaded.
const MODULES: [(&str, &str); 24] = [
    (
        "index.js",
        "const fs = require('fs'), path = require('path');
        const ours = (stack) => stack.split('\\n').filter((line) => line.includes(__dirname));
        const failure = (run) => {
            try { return run() } catch (e) {
                return [e.name, e.code, e.message, e.requireStack, ours(e.stack)];
            }
        };
        const importer = require('./nested/importer');
        const early = importer.load();
        const loads = {
            pad: require('./pad').pad.length,
            json: [require('./data.json'), require('./data') === require('./data.json')],
            bom: require('./bom.json'),
            cycle: require('./a'),
            dep: [require('dep'), require('dep/feature'), require('dep/sub/x')],
            builtin: [require('node:fs') === fs, require.resolve('fs'), require.resolve('node:os')],
            linked: require('linked'),
            child: require('./nested/child.js').seen,
            parent: require('./nested/child.js').parent === module,
            folder: require('./nested'),
            text: require('./text'),
            hashbang: require('./hashbang'),
            toString: require('./function').toString() + require('./function').inner,
        };
        const dependency = require.resolve('dep');
        const first = require('./counted');
        delete require.cache[require.resolve('./counted')];
        const again = require('./counted');
        const other = path.join(require('os').tmpdir(), `${path.basename(__dirname)}.js`);
        fs.writeFileSync(other, `exports.pid = ${process.pid}`);
        loads.outside = require(other).pid === process.pid;
        fs.unlinkSync(other);
        exports.handler = async () => ({
            ...loads,
            names: [__filename, __dirname, module.id, module.path, module.paths, module.loaded],
            top: [this === module.exports, arguments.length, require.main === module],
            cache: Object.keys(require.cache).filter((name) => name.startsWith(__dirname)),
            children: module.children.map(({ filename }) => filename),
            extensions: Object.keys(require.extensions),
            resolved: [dependency, require.resolve('./child', { paths: [`${__dirname}/nested`] })],
            places: [require.resolve.paths('dep'), require.resolve.paths('./x')],
            reload: [first.count, again.count, first === again],
            created: require('module').createRequire(__filename)('./a') === loads.cycle,
            late: require('./late'),
            imported: [(await early).default, (await importer.load()).default],
            throws: failure(() => require('./throws')),
            thrown: failure(() => loads.throwing),
            firstLine: failure(() => require('./function')(1)),
            missing: failure(() => require('./missing')),
            constructor: failure(() => require('constructor')),
            hidden: failure(() => require('dep/hidden')),
            number: [failure(() => require(1)), failure(() => require.resolve(1))],
            badJson: failure(() => require('./bad.json')),
            syntax: failure(() => require('./syntax')),
        });
        loads.early = [
            failure(() => require('./throws')),
            // What is not packed has a frame of ours more.
            Error.stackTraceLimit = 20,
            failure(() => require('./missing')),
            failure(() => require('./bad.json')),
            failure(() => require('./syntax')),
            failure(() => require('./function')(1)),
        ];",
    ),
    ("data.json", "{ \"a\": [1, 2] }"),
    ("bom.json", "\u{feff}{ \"bom\": true }"),
    ("bad.json", "{ \"a\": }"),
    ("a.js", "exports.early = 1; exports.b = require('./b').sawA; exports.late = 2;"),
    ("b.js", "exports.sawA = Object.keys(require('./a'));"),
    (
        "node_modules/dep/package.json",
        "{ \"name\": \"dep\", \"imports\": { \"#in\": \"./in.js\" }, \"exports\": {
            \".\": { \"special\": \"./special.js\", \"import\": \"./no.mjs\", \"require\": \"./yes.js\" },
            \"./feature\": { \"node\": \"./node.js\", \"default\": \"./no.js\" },
            \"./sub/*\": \"./lib/*.js\" } }",
    ),
    ("node_modules/dep/yes.js", "module.exports = ['yes', require('#in'), require('dep/feature')];"),
    ("node_modules/dep/special.js", "module.exports = 'special';"),
    ("node_modules/dep/in.js", "module.exports = 'in';"),
    ("node_modules/dep/node.js", "module.exports = 'node';"),
    ("node_modules/dep/lib/x.js", "module.exports = __filename;"),
    ("node_modules/dep/hidden.js", ""),
    ("real/index.js", "module.exports = [__filename, require('dep'), require('./beside')];"),
    ("real/beside.js", "module.exports = require.resolve('../data');"),
    (
        "nested/child.js",
        "exports.parent = module.parent;
        exports.seen = [module.parent.filename, module.id, __dirname, require('../data')];",
    ),
    ("nested/index.js", "module.exports = 'index';"),
    ("nested/importer.js", "exports.load = () => import('./module.mjs');"),
    ("nested/module.mjs", "export default ['module', import.meta.url];"),
    ("text.js", "module.exports = 'Grüße, 日本, 🦀';"),
    ("hashbang.js", "#!/usr/bin/env node\nmodule.exports = new Error('x').stack.split('\\n')[1];"),
    (
        "function.js",
        "module.exports = function f( a ) { /* as written */ throw new TypeError('f') };\n\
         module.exports.inner = String((() => { return 'inner' }));",
    ),
    ("throws.js", "\n\n  function deep() { throw new RangeError('deep'); }\n    deep();"),
    ("syntax.js", "\n\nconst = 1;"),
];

#[tokio::test(flavor = "multi_thread")]
async fn modules_are_loaded_of_a_pack_as_without_one() {
    let more = [
        ("counted.js", "globalThis.n = (globalThis.n ?? 0) + 1; exports.count = globalThis.n;"),
        ("late.js", "module.exports = [__filename, require('./nested')];"),
    ];
    let function = function(&[&MODULES[..], &more].concat(), |_spec| {});
    let folder = PathBuf::from(function.folder());
    std::os::unix::fs::symlink("../real", folder.join("node_modules/linked")).unwrap();

    let (expected, packed) = start(&World::new(), &function).await;
    assert!(!packed);
    let packs = tempfile::tempdir().unwrap();
    let world = world(packs.path());
    assert!(make(&world, &function).await);
    let (answer, packed) = start(&world, &function).await;
    assert!(packed);
    for (name, expected) in expected.as_object().unwrap() {
        assert_eq!(answer[name], *expected, "{name}");
    }
    assert_eq!(answer, expected);
    assert!(answer["early"][0][4][0].as_str().unwrap().ends_with("throws.js:3:27)"), "{answer}");
    assert_eq!(answer["dep"][0], json!(["yes", "in", "node"]));
    let start = "with code pack\tReason: there is no sandbox";
    assert!(world.texts().iter().any(|line| line.contains(start)), "{:?}", world.texts());
}

/// The same code with other conditions is another revision, and has a pack of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_pack_is_of_one_revision() {
    let packs = tempfile::tempdir().unwrap();
    let world = world(packs.path());
    let index = "require('./pad'); const dep = require('dep');
        exports.handler = async () => [dep, process.env.NODE_OPTIONS ?? null];";
    let all = [&[("index.js", index)], &MODULES[1..]].concat();
    let plain = function(&all, |_spec| {});
    let special = plain.revised(|spec| {
        spec.revision = "with conditions".into();
        spec.env.insert("NODE_OPTIONS".into(), "--conditions=special".into());
    });

    assert!(make(&world, &plain).await);
    let dep = json!(["yes", "in", "node"]);
    assert_eq!(start(&world, &plain).await.0, json!([dep, null]));
    // It has none yet, and the other's is not its own.
    let special_answer = json!(["special", "--conditions=special"]);
    assert_eq!(start(&world, &special).await, (special_answer.clone(), false));
    assert!(world.host.pack(&special.spec).await);
    assert_eq!(start(&world, &special).await, (special_answer, true));
    assert_eq!(files(packs.path()).len(), 2);
}

/// Whatever became of the file, the function runs; and then there is a whole one.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_pack_is_ignored_and_made_anew() {
    let packs = tempfile::tempdir().unwrap();
    let (one, other) = (says("one", |_| {}), says("two", |spec| spec.arn.resource.push('2')));
    let first = world(packs.path());
    assert!(make(&first, &other).await);
    let foreign = std::fs::read(&files(packs.path())[0]).unwrap();
    assert!(make(&first, &one).await);
    let of_one = |path: &PathBuf| std::fs::read(path).unwrap() != foreign;
    let file = files(packs.path()).into_iter().find(of_one).unwrap();
    let whole = std::fs::read(&file).unwrap();
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let half = whole.len() / 2;
    for (what, bytes) in [
        ("empty", Vec::new()),
        ("its beginning", whole[..20].to_vec()),
        ("without its end", whole[..whole.len() - 1].to_vec()),
        ("half", whole[..half].to_vec()),
        ("longer", [&whole[..], b"x"].concat()),
        ("of another format", flipped(3)),
        ("with a flipped bit at its beginning", flipped(30)),
        ("of another sum", flipped(whole.len() - 2)),
        ("of another length", flipped(whole.len() - 6)),
        ("with a flipped bit in the index", flipped(whole.len() - 20)),
        ("with a flipped bit in the middle", flipped(half)),
        ("with a flipped bit at its end", flipped(whole.len() - 1)),
        ("of another function", foreign.clone()),
    ] {
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, bytes).unwrap();
        // Of an earlier run, as far as this one knows.
        let world = world(packs.path());
        world.host.warm(&one.spec).await.unwrap();
        assert_eq!(start(&world, &one).await, (json!("one"), false), "{what}");
        assert!(world.host.pack(&one.spec).await, "{what}");
        assert_eq!(start(&world, &one).await, (json!("one"), true), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_finds_the_packs_there_were() {
    let packs = tempfile::tempdir().unwrap();
    let function = says("one", |_| {});
    assert!(make(&world(packs.path()), &function).await);
    assert_eq!(start(&world(packs.path()), &function).await, (json!("one"), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn packs_are_removed_with_what_they_are_of() {
    let packs = tempfile::tempdir().unwrap();
    let world = world(packs.path());
    let (one, other) = (says("one", |_| {}), says("two", |spec| spec.arn.resource.push('2')));
    let next = says("next", |_| {});
    for function in [&one, &other, &next] {
        assert!(make(&world, function).await);
    }
    assert_eq!(files(packs.path()).len(), 3);
    world.host.retire(&one.spec.arn, Some(&next.spec.revision));
    assert_eq!(files(packs.path()).len(), 2);
    assert_eq!(start(&world, &next).await, (json!("next"), true));
    world.host.retire(&one.spec.arn, None);
    assert_eq!(files(packs.path()).len(), 1);
    assert_eq!(start(&world, &other).await, (json!("two"), true));
    // What an earlier run left of a function that is no more.
    let other_run = self::world(packs.path());
    let kept = HashSet::from([other.spec.revision.clone()]);
    other_run.host.sweep_packs(&kept).unwrap();
    assert_eq!(files(packs.path()).len(), 1);
    // What this run has asked for is as good as there.
    world.host.sweep_packs(&HashSet::new()).unwrap();
    assert_eq!(files(packs.path()).len(), 1);
    other_run.host.sweep_packs(&HashSet::new()).unwrap();
    assert_eq!(files(packs.path()), Vec::<PathBuf>::new());
}

/// A process that ends while it loads a pack may do so because of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_ends_over_a_pack_is_followed_by_one_without() {
    let packs = tempfile::tempdir().unwrap();
    let world = world(packs.path());
    let index = "require('./pad'); const fs = require('fs');
        const file = require('path').join(__dirname, 'end');
        if (fs.existsSync(file)) { fs.unlinkSync(file); process.abort(); }
        exports.handler = async () => 'ran'";
    let function = function(&[("index.js", index)], |_spec| {});
    assert!(make(&world, &function).await);
    std::fs::write(PathBuf::from(function.folder()).join("end"), "").unwrap();
    assert_eq!(start(&world, &function).await, (json!("ran"), false));
    // Nor is it made again.
    assert!(!make(&world, &function).await);
    assert_eq!(files(packs.path()), Vec::<PathBuf>::new());
}

/// A pack comes out of the function's own process: it may say what it likes.
#[tokio::test(flavor = "multi_thread")]
async fn a_pack_without_end_is_not_kept() {
    let packs = tempfile::tempdir().unwrap();
    let world = world(packs.path());
    let function = function(
        &[(
            "index.js",
            "const piece = Buffer.alloc(1 << 20, 120);
            piece.writeUInt32LE(piece.length - 4); piece[4] = 28;
            if (require('os').getPriority() === 19) {
                for (let n = 0; n < 70; n++) {
                    for (let at = 0; at < piece.length; ) {
                        at += require('fs').writeSync(4, piece, at);
                    }
                }
            }
            require('./pad');
            exports.handler = async () => 'ran'",
        )],
        |_spec| {},
    );
    assert!(!make(&world, &function).await);
    assert_eq!(start(&world, &function).await, (json!("ran"), false));
    assert_eq!(files(packs.path()), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_small_has_no_pack_and_what_does_not_load_neither() {
    let packs = tempfile::tempdir().unwrap();
    let world = world(packs.path());
    let small = Function::js("exports.handler = async () => 'small'");
    assert!(!make(&world, &small).await);
    assert_eq!(start(&world, &small).await, (json!("small"), false));
    let broken = function(&[("index.js", "require('./pad'); throw new Error('no')")], |_spec| {});
    assert!(!make(&world, &broken).await);
    assert_eq!(files(packs.path()), Vec::<PathBuf>::new());
}

/// What Python compiles is packed, with its errors where they are in the sources.
#[tokio::test(flavor = "multi_thread")]
async fn modules_of_python_are_loaded_of_a_pack_as_without_one() {
    let pad = "PAD = [\n".to_owned() + &"    1.5, 'text of its own', None,\n".repeat(20) + "]\n";
    let many: String =
        (0..1000).map(|n| format!("def f{n}(a, b=({n}, 'x')): return a\n")).collect();
    let function = Function::with(
        &[
            ("index.py", PYTHON),
            ("pad.py", &format!("{pad}{many}")),
            ("pkg/__init__.py", "from . import inner\nfrom .cycle import late\n"),
            ("pkg/inner.py", "def fail():\n\n    raise ValueError('inner')\n"),
            ("pkg/cycle.py", "import pkg\nearly = hasattr(pkg, 'late')\nlate = 1\n"),
            ("later.py", "NAME = __name__\n"),
            ("plain.py", "NAME = 'plain'\n"),
            ("data.txt", "data"),
        ],
        "index.handler",
        |spec| spec.runtime = "python3.12".into(),
    );
    let (expected, packed) = start(&World::new(), &function).await;
    assert!(!packed);
    let packs = tempfile::tempdir().unwrap();
    let world = world(packs.path());
    assert!(make(&world, &function).await);
    assert_eq!(expected[6], json!(["plain", "changed"]));
    assert_eq!(start(&world, &function).await, (expected, true));
    let file = files(packs.path()).remove(0);
    let whole = std::fs::read(&file).unwrap();
    for at in [3, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, &bytes).unwrap();
        let world = self::world(packs.path());
        assert!(!start(&world, &function).await.1, "flipped at {at}");
        assert!(make(&world, &function).await, "flipped at {at}");
    }
}

const PYTHON: &str = "
import importlib, importlib.util, inspect, pkgutil, sys, traceback
import pad, pkg

def seen(module):
    spec = module.__spec__
    return [module.__file__, module.__name__, type(module.__loader__).__name__, spec.origin,
        spec.cached, spec.has_location, getattr(module, '__path__', None) and list(module.__path__)]

def failure(run):
    try:
        run()
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        return [repr(error), [[frame.filename, frame.lineno, frame.line] for frame in frames]]

class Changing(importlib.machinery.SourceFileLoader):
    def source_to_code(self, data, path, **more):
        return super().source_to_code(data.replace(b'plain', b'changed'), path, **more)

def changed(file):
    spec = importlib.util.spec_from_file_location('changed', file, loader=Changing('changed', file))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.NAME

import plain
names = [plain.NAME, changed(plain.__file__)]
loaded = failure(lambda: importlib.import_module('missing'))

def handler(event, context):
    before = 'later' in sys.modules
    import later
    return [
        [seen(module) for module in (sys.modules[__name__], pkg, pkg.inner, pkg.cycle, later)],
        before, pkg.cycle.early, len(pad.PAD), pad.f7(1), loaded[0], names,
        failure(pkg.inner.fail), inspect.getsource(pkg.inner.fail),
        pkgutil.get_data('pkg', '../data.txt').decode(), pkg.inner.fail.__code__.co_filename,
        importlib.util.find_spec('later').origin, importlib.reload(pkg.inner) is pkg.inner,
    ]
";

/// Modules that have a hand in how others are loaded are heard as ever.
#[tokio::test(flavor = "multi_thread")]
async fn those_who_change_how_modules_are_loaded_are_heard() {
    let index = "require('./pad'); const Module = require('module');
        const js = Module._extensions['.js'];
        Module._extensions['.js'] = (module, name) => {
            const compile = module._compile;
            module._compile = (text, ...rest) => {
                module._compile = compile;
                return module._compile(text.replace('plain', 'changed'), ...rest);
            };
            js(module, name);
        };
        const changed = require('./changed');
        Module._extensions['.js'] = js;
        const resolve = Module._resolveFilename;
        Module._resolveFilename = (name, ...rest) =>
            resolve(name === 'alias' ? `${__dirname}/data.json` : name, ...rest);
        const alias = require('alias');
        const compile = Module.prototype._compile;
        const compiled = [];
        Module.prototype._compile = function (text, name) {
            compiled.push(require('path').basename(name));
            return compile.call(this, text, name);
        };
        const plain = require('./plain');
        exports.handler = async () =>
            [changed, alias, plain, compiled, require('./late')];";
    let function = function(
        &[
            ("index.js", index),
            ("changed.js", "module.exports = 'plain';"),
            ("plain.js", "module.exports = 'plain';"),
            ("late.js", "module.exports = 'plain';"),
            ("data.json", "1"),
        ],
        |_spec| {},
    );
    let expected = json!(["changed", 1, "plain", ["plain.js", "late.js"], "plain"]);
    // The list is written when it is complete.
    let (answer, _) = start(&World::new(), &function).await;
    assert_eq!(answer, expected);
    let packs = tempfile::tempdir().unwrap();
    let world = world(packs.path());
    assert!(make(&world, &function).await);
    let (answer, packed) = start(&world, &function).await;
    assert!(packed);
    assert_eq!(answer, expected);
}

/// A source map is used where one is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn source_maps_are_used_as_without_a_pack() {
    // Its first line is line 7 of orders.ts.
    let map =
        "eyJ2ZXJzaW9uIjozLCJzb3VyY2VzIjpbIm9yZGVycy50cyJdLCJuYW1lcyI6W10sIm1hcHBpbmdzIjoiQUFNQSJ9";
    let fails = format!(
        "module.exports = () => new Error('x').stack.split('\\n')[1];\n\
         //# sourceMappingURL=data:application/json;base64,{map}"
    );
    let index = "require('./pad'); exports.handler = async () => require('./built')();
        exports.loaded = require('./built')();";
    let function = function(&[("index.js", index), ("built.js", &fails)], |spec| {
        spec.env.insert("NODE_OPTIONS".into(), "--enable-source-maps".into());
    });
    let (expected, _) = start(&World::new(), &function).await;
    assert!(expected.as_str().unwrap().contains("orders.ts:7"), "{expected}");
    let packs = tempfile::tempdir().unwrap();
    let world = world(packs.path());
    assert!(make(&world, &function).await);
    assert_eq!(start(&world, &function).await, (expected, true));
}
