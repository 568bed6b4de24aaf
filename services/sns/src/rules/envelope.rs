//! What subscribers get: the envelopes around a message.

use base::{Arn, Time};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value as Json, json};

use crate::data::{Attribute, Notification, Protocol, Value};

/// We sign nothing: only AWS has the keys that those who verify trust. The members stand there
/// empty, because typed clients demand them.
const SIGNATURE: &str = "";

impl Notification {
    /// The text for a protocol.
    pub(crate) fn text_for(&self, protocol: Protocol) -> &str {
        self.texts.get(protocol.name()).unwrap_or(&self.text)
    }

    /// The body of a message on a queue.
    pub(crate) fn envelope(&self, protocol: Protocol, subscription: &Arn) -> String {
        let mut envelope = json!({
            "Type": "Notification",
            "MessageId": self.id,
            "TopicArn": self.topic,
        });
        if let Some(subject) = &self.subject {
            envelope["Subject"] = subject.as_str().into();
        }
        envelope["Message"] = self.text_for(protocol).into();
        envelope["Timestamp"] = timestamp(self.published).into();
        envelope["SignatureVersion"] = "1".into();
        envelope["Signature"] = SIGNATURE.into();
        envelope["SigningCertURL"] = SIGNATURE.into();
        envelope["UnsubscribeURL"] = self.unsubscribe_url(subscription).into();
        if !self.attributes.is_empty() {
            envelope["MessageAttributes"] = self.attributes_json();
        }
        envelope.to_string()
    }

    /// The event of a function.
    pub(crate) fn event(&self, subscription: &Arn) -> String {
        json!({
            "Records": [{
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": subscription,
                "Sns": {
                    "Type": "Notification",
                    "MessageId": self.id,
                    "TopicArn": self.topic,
                    "Subject": self.subject,
                    "Message": self.text_for(Protocol::Lambda),
                    "Timestamp": timestamp(self.published),
                    "SignatureVersion": "1",
                    "Signature": SIGNATURE,
                    "SigningCertUrl": SIGNATURE,
                    "UnsubscribeUrl": self.unsubscribe_url(subscription),
                    "MessageAttributes": self.attributes_json(),
                },
            }],
        })
        .to_string()
    }

    fn attributes_json(&self) -> Json {
        let member = |(name, Attribute { data_type, value }): (&String, &Attribute)| {
            let value = match value {
                Value::Text(text) => text.clone(),
                Value::Binary(bytes) => BASE64_STANDARD.encode(bytes),
            };
            (name.clone(), json!({"Type": data_type, "Value": value}))
        };
        Json::Object(self.attributes.iter().map(member).collect::<Map<_, _>>())
    }

    fn unsubscribe_url(&self, subscription: &Arn) -> String {
        let arn = subscription.to_string();
        let arn = utf8_percent_encode(&arn, NON_ALPHANUMERIC);
        format!("{}/?Action=Unsubscribe&Version=2010-03-31&SubscriptionArn={arn}", self.base_url)
    }
}

/// `2024-01-31T12:00:00.123Z`
fn timestamp(time: Time) -> String {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let time = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX);
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification() -> Notification {
        let attribute = |data_type: &str, value| Attribute { data_type: data_type.into(), value };
        Notification {
            id: "b7d1".into(),
            topic: "arn:aws:sns:us-east-1:000000000000:orders".parse().unwrap(),
            published: Time::from_millis(1_700_000_000_123),
            subject: Some("hi".into()),
            texts: [("lambda".to_owned(), "for functions".to_owned())].into(),
            text: "grüße\n".into(),
            attributes: [
                ("a".to_owned(), attribute("String", Value::Text("1".into()))),
                ("b".to_owned(), attribute("Binary", Value::Binary(vec![0, 255].into()))),
            ]
            .into(),
            base_url: "http://localhost:4566".into(),
            trace: None,
        }
    }

    #[test]
    fn a_queue_gets_the_envelope() {
        let subscription = "arn:aws:sns:us-east-1:000000000000:orders:1234".parse().unwrap();
        let expected = "{\"Type\":\"Notification\",\"MessageId\":\"b7d1\",\"TopicArn\":\
            \"arn:aws:sns:us-east-1:000000000000:orders\",\"Subject\":\"hi\",\"Message\":\
            \"grüße\\n\",\"Timestamp\":\"2023-11-14T22:13:20.123Z\",\"SignatureVersion\":\"1\",\
            \"Signature\":\"\",\"SigningCertURL\":\"\",\"UnsubscribeURL\":\
            \"http://localhost:4566/?Action=Unsubscribe&Version=2010-03-31&SubscriptionArn=\
            arn%3Aaws%3Asns%3Aus%2Deast%2D1%3A000000000000%3Aorders%3A1234\",\
            \"MessageAttributes\":{\"a\":{\"Type\":\"String\",\"Value\":\"1\"},\
            \"b\":{\"Type\":\"Binary\",\"Value\":\"AP8=\"}}}";
        assert_eq!(notification().envelope(Protocol::Sqs, &subscription), expected);
        let plain = Notification { subject: None, attributes: [].into(), ..notification() };
        let envelope = plain.envelope(Protocol::Sqs, &subscription);
        assert!(!envelope.contains("Subject") && !envelope.contains("MessageAttributes"));
    }

    #[test]
    fn a_function_gets_a_record() {
        let subscription: Arn = "arn:aws:sns:us-east-1:000000000000:orders:1234".parse().unwrap();
        let event: Json = serde_json::from_str(&notification().event(&subscription)).unwrap();
        let record = &event["Records"][0];
        assert_eq!(record["EventSource"], "aws:sns");
        assert_eq!(record["EventSubscriptionArn"], subscription.to_string());
        assert_eq!(record["Sns"]["Message"], "for functions");
        assert_eq!(record["Sns"]["Subject"], "hi");
        assert_eq!(record["Sns"]["MessageAttributes"]["b"]["Value"], "AP8=");
        let plain = Notification { subject: None, attributes: [].into(), ..notification() };
        let event: Json = serde_json::from_str(&plain.event(&subscription)).unwrap();
        assert_eq!(event["Records"][0]["Sns"]["Subject"], Json::Null);
        assert_eq!(event["Records"][0]["Sns"]["MessageAttributes"], json!({}));
    }
}
