//! Queues as event sources of functions.

use std::time::Duration;

use base::{Arn, BoxFuture};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kit::sources::{Received, Source, Terms};
use serde_json::{Map, Value as Json, json};
use store::Tx;

use crate::data::{Attribute, Content, Value};
use crate::error::{Error, Result};
use crate::messages::{self, Taken};
use crate::ops::receipt::delete_all;
use crate::ops::receive::{Ask, poll, system_attributes};
use crate::queues::Queues;
use crate::rules::digest;
use crate::rules::handle::Handle;
use crate::rules::name::QueueId;

/// Records taken at once, however many are asked for.
const RECORDS_MAX: usize = 100;

pub(crate) struct Outbox(pub(crate) Queues);

impl Outbox {
    fn id(&self, from: &Arn) -> Result<QueueId> {
        QueueId::from_arn(self.0.account(), from).ok_or(Error::QueueDoesNotExist)
    }
}

impl Source for Outbox {
    fn receive<'a>(
        &'a self,
        from: &'a Arn,
        max: usize,
        wait: Duration,
    ) -> BoxFuture<'a, std::result::Result<Vec<Received>, kit::Error>> {
        Box::pin(async move {
            let max = max.min(RECORDS_MAX);
            let ask = Ask { max, visibility_secs: None, wait, attempt: None };
            let received = poll(&self.0, &self.id(from)?, &ask).await?;
            Ok(received.into_iter().map(|(taken, content)| record(from, taken, content)).collect())
        })
    }

    fn acknowledge<'a>(
        &'a self,
        from: &'a Arn,
        handles: Vec<String>,
    ) -> BoxFuture<'a, std::result::Result<(), kit::Error>> {
        Box::pin(async move {
            // One whose lease has ended is another's by now.
            let _each_for_itself =
                delete_all(&self.0, &self.id(from)?, &read(from, &handles)?).await?;
            Ok(())
        })
    }

    fn release<'a>(
        &'a self,
        from: &'a Arn,
        handles: Vec<String>,
    ) -> BoxFuture<'a, std::result::Result<(), kit::Error>> {
        Box::pin(async move {
            let (queues, id, handles) = (&self.0, &self.id(from)?, &read(from, &handles)?);
            let work = |tx: Tx| async move {
                let (_queue, live) = queues.find(&tx, id).await?;
                for handle in handles {
                    messages::release(queues, &tx, &live, handle).await?;
                }
                Ok(())
            };
            Ok(queues.transact(work).await?)
        })
    }

    fn terms<'a>(&'a self, from: &'a Arn) -> BoxFuture<'a, std::result::Result<Terms, kit::Error>> {
        Box::pin(async move {
            let settings = &self.0.peek(&self.id(from)?).await?.settings;
            Ok(Terms {
                lease: Duration::from_secs(settings.visibility_secs.into()),
                receives_max: settings.redrive.as_ref().map(|redrive| redrive.receives_max),
            })
        })
    }
}

fn read(from: &Arn, handles: &[String]) -> Result<Vec<Handle>> {
    handles.iter().map(|handle| Handle::read(from, Some(handle))).collect()
}

/// A message as a function sees it.
fn record(from: &Arn, taken: Taken, content: Content) -> Received {
    let handle = taken.handle.write(from);
    let attributes: Map<String, Json> = content
        .attributes
        .iter()
        .map(|(name, attribute)| (name.clone(), attribute_json(attribute)))
        .collect();
    let mut record = json!({
        "messageId": taken.message.id,
        "receiptHandle": handle,
        "body": content.body,
        "attributes": system_attributes(&taken, &content),
        "messageAttributes": attributes,
        "md5OfBody": taken.message.md5_of_body,
        "eventSource": "aws:sqs",
        "eventSourceARN": from,
        "awsRegion": from.region,
    });
    if let Some(sum) = digest::of_attributes(&content.attributes) {
        record["md5OfMessageAttributes"] = sum.into();
    }
    Received { id: taken.message.id, handle, record }
}

fn attribute_json(attribute: &Attribute) -> Json {
    let data_type = &attribute.data_type;
    let lists = json!({"stringListValues": [], "binaryListValues": [], "dataType": data_type});
    let Json::Object(mut members) = lists else { return Json::Null };
    match &attribute.value {
        Value::Text(text) => members.insert("stringValue".into(), text.as_str().into()),
        Value::Binary(bytes) => {
            members.insert("binaryValue".into(), BASE64_STANDARD.encode(bytes).into())
        }
    };
    Json::Object(members)
}
