//! What functions find in their file system.

use serde_json::json;

use crate::world::{Function, World};

/// In a booted worker and in a fork: both layers, the later one over the earlier one.
#[tokio::test(flavor = "multi_thread")]
async fn layers_lie_over_each_other() {
    let text = "
        const fs = require('fs');
        exports.handler = async () => [
            fs.readFileSync('/opt/both', 'utf8'), fs.readdirSync('/opt').sort(), require('lib'),
        ];";
    let lower = [("both", "lower"), ("nodejs/node_modules/lib/index.js", "module.exports = 'lib'")];
    let upper = [("both", "upper"), ("more", "")];
    let function = Function::js(text).layer(&lower).layer(&upper);
    let expected = Ok(json!(["upper", ["both", "more", "nodejs"], "lib"]));

    let world = World::new();
    let (answer, log) = world.invoke(&function).await;
    assert_eq!(answer, expected);
    assert!(log.contains("Init Duration"), "{log}");
    world.template(&function).await.unwrap();
    world.host.end_idle();
    let (answer, log) = world.invoke(&function).await;
    assert_eq!(answer, expected);
    assert!(log.contains("Restore Duration"), "{log}");
    world.host.drain().await;
}
