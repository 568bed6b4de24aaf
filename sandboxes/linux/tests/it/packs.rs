//! Code packs, in sandboxes and on every version of Node and Python that is installed.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::versions::{nodes, pythons};
use crate::world::{Function, World};

/// A function that says where it failed, and imports relative to where it is.
const TEXT: &str = "
    const fs = require('fs');
    const failing = require('./failing');
    const read = (run) => { try { return run() } catch (e) { return e.code } };
    exports.handler = async () => {
        const where = read(() => failing()) ?? 'nowhere';
        const header = read(() => fs.readFileSync('/var/pack', 'latin1').slice(0, 12));
        const written = read(() => fs.writeFileSync('/var/pack', ''));
        const { default: imported } = await import('./module.mjs');
        return [where, imported, require('./data.json'), header, written];
    };";

/// Needs its pack, as it is never forked.
fn unfit(on: &crate::versions::Installed) -> Function {
    let function = on.js(&format!("setInterval(() => {{}}, 60000);{TEXT}"));
    fill(&function.spec.code);
    function
}

fn fill(code: &Path) {
    let pad = "x".repeat(40_000);
    let failing = format!("\n  module.exports = () => new Error().stack.split('\\n')[1]; // {pad}");
    std::fs::write(code.join("failing.js"), failing).unwrap();
    std::fs::write(code.join("module.mjs"), "export default 'imported';").unwrap();
    std::fs::write(code.join("data.json"), "[1]").unwrap();
}

fn expected(header: &str) -> Value {
    let line = "    at module.exports (/var/task/failing.js:2:26)";
    json!([line, "imported", [1], header, "EROFS"])
}

/// What the first line of the last environment's log says of its start.
fn last_start(world: &World) -> String {
    let texts = world.texts();
    let line = texts.iter().rev().find(|line| line.starts_with("INIT_START")).unwrap();
    let how = line.rsplit("Start: ").next().unwrap().split('\t').next();
    how.unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_that_are_not_forked_are_loaded_of_their_packs() {
    for on in nodes() {
        let packs = tempfile::tempdir().unwrap();
        let folder = packs.path().to_owned();
        let world = || World::on_with(&on.folder, |config| config.packs = Some(folder.clone()));
        let has_packs = on.version != "18";
        let (mut function, first) = (unfit(&on), world());
        assert!(first.template(&function).await.is_err());
        assert_eq!(first.host.pack(&function.spec).await, has_packs, "{}", on.version);
        let (header, pack) = if has_packs { ("cumulet pack", " with code pack") } else { ("", "") };
        for world in [first, world()] {
            world.host.warm(&function.spec).await.unwrap();
            let (answer, log) = world.invoke(&function).await;
            assert_eq!(answer, Ok(expected(header)), "{}: {log}", on.version);
            assert_eq!(last_start(&world), format!("booted worker{pack}"), "{}", on.version);
            world.host.drain().await;
        }
        let spec = Arc::make_mut(&mut function.spec);
        spec.env.insert("NODE_OPTIONS".into(), "--max-old-space-size=200".into());
        spec.revision.push('2');
        let world = world();
        // It sees nothing of the other revision's.
        assert_eq!(world.invoke(&function).await.0, Ok(expected("ENOENT")));
        assert_eq!(last_start(&world), "fresh process");
        world.host.drain().await;
    }
}

/// A template makes the pack on its way; and is made of it, where there is one.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_forked_has_a_pack_too() {
    let packs = tempfile::tempdir().unwrap();
    let folder = packs.path().to_owned();
    let world = |templates_max| {
        let folder = folder.clone();
        World::with(move |config| {
            config.packs = Some(folder);
            config.templates_max = templates_max;
        })
    };
    let function = Function::js(TEXT);
    fill(&function.spec.code);
    let first = world(4);
    first.template(&function).await.unwrap();
    assert!(first.host.pack(&function.spec).await);
    let (answer, log) = first.invoke(&function).await;
    assert!(log.contains("Restore Duration"), "{log}");
    assert_eq!(answer, Ok(expected("ENOENT")));
    first.host.drain().await;

    let again = world(4);
    again.template(&function).await.unwrap();
    let (answer, log) = again.invoke(&function).await;
    assert!(log.contains("Restore Duration"), "{log}");
    assert_eq!(answer, Ok(expected("cumulet pack")));
    again.host.drain().await;

    // Where there is no room for its template.
    let full = world(0);
    full.host.warm(&function.spec).await.unwrap();
    assert_eq!(full.invoke(&function).await.0, Ok(expected("cumulet pack")));
    assert_eq!(last_start(&full), "booted worker with code pack");
    full.host.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_of_python_are_loaded_of_their_packs() {
    let text = "
import uuid
from many import f7, fail
ID = uuid.uuid4()
def handler(event, context):
    with open('/var/pack', 'rb') as file:
        header = file.read(12).decode()
    try:
        fail()
    except ValueError as error:
        line = error.__traceback__.tb_next.tb_lineno
    return [f7(1), line, fail.__code__.co_filename, header]
";
    for on in pythons() {
        let packs = tempfile::tempdir().unwrap();
        let folder = packs.path().to_owned();
        let world = || World::on_with(&on.folder, |config| config.packs = Some(folder.clone()));
        let (function, first) = (on.py(text), world());
        let many = (0..1000).map(|n| format!("def f{n}(a, b=({n}, 'x')): return a\n"));
        let many = many.chain(["def fail(): raise ValueError()\n".to_owned()]);
        std::fs::write(function.spec.code.join("many.py"), many.collect::<String>()).unwrap();
        assert!(first.template(&function).await.is_err());
        assert!(first.host.pack(&function.spec).await, "{}", on.version);
        for world in [first, world()] {
            world.host.warm(&function.spec).await.unwrap();
            let (answer, log) = world.invoke(&function).await;
            let expected = json!([1, 1001, "/var/task/many.py", "cumulet pack"]);
            assert_eq!(answer, Ok(expected), "{}: {log}", on.version);
            assert_eq!(last_start(&world), "booted worker with code pack", "{}", on.version);
            world.host.drain().await;
        }
    }
}

/// Slots have the template's modules: making a pack on the way must take nothing from them.
#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_makes_a_pack_has_source_maps() {
    let packs = tempfile::tempdir().unwrap();
    let folder = packs.path().to_owned();
    let world = World::with(|config| config.packs = Some(folder));
    let mut function = Function::js("exports.handler = async () => require('./built')();");
    let spec = Arc::make_mut(&mut function.spec);
    spec.handler = "built.handler".into();
    spec.env.insert("NODE_OPTIONS".into(), "--enable-source-maps".into());
    // Its first line is line 7 of orders.ts.
    let map =
        "eyJ2ZXJzaW9uIjozLCJzb3VyY2VzIjpbIm9yZGVycy50cyJdLCJuYW1lcyI6W10sIm1hcHBpbmdzIjoiQUFNQSJ9";
    let built = format!(
        "exports.handler = async () => new Error('x').stack.split('\\n')[1]; // {}\n\
         //# sourceMappingURL=data:application/json;base64,{map}",
        "x".repeat(40_000)
    );
    std::fs::write(function.spec.code.join("built.js"), built).unwrap();
    world.template(&function).await.unwrap();
    assert!(world.host.pack(&function.spec).await);
    let (answer, log) = world.invoke(&function).await;
    assert!(log.contains("Restore Duration"), "{log}");
    assert!(answer.as_ref().unwrap().as_str().unwrap().contains("orders.ts:7"), "{answer:?}");
    world.host.drain().await;
}
