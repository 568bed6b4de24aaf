//! The one operation, as clients call it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use base::{SeededRandom, Time, VirtualClock};
use engine_memory::Memory;
use kit::{Caller, Ctx, Kit, Parts};
use store::{Blobs, Store};
use wire::{Input, Protocol};

async fn check(caller: Caller) {
    let Caller { arn, user_id, .. } = caller.clone();
    let kit = Kit::new(Parts {
        store: Store::open(Arc::new(Memory::new()), Blobs::memory(), "test").await.unwrap(),
        clock: Arc::new(VirtualClock::new(Time::default())),
        random: Arc::new(SeededRandom::new(1)),
        account: "000000000000".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
        cache: std::env::temp_dir(),
    });
    let service = service_sts::service(&kit);
    let ctx = Ctx::for_request(&kit, "request-1", caller, Protocol::Json10);
    let input = Input::json10("{}".into());
    let call = service.prepare(ctx, "GetCallerIdentity", input).unwrap();
    assert_eq!((&*call.action, call.resources.len()), ("sts:GetCallerIdentity", 0));
    let expected = format!(r#"{{"UserId":"{user_id}","Account":"000000000000","Arn":"{arn}"}}"#);
    assert_eq!(call.run.await.unwrap().body, expected);
}

#[tokio::test]
async fn the_root_of_an_account_is_told_so() {
    check(Caller::root(&"000000000000".parse().unwrap())).await;
}

#[tokio::test]
async fn a_function_is_a_session_of_its_role() {
    let caller = Caller {
        arn: "arn:aws:sts::000000000000:assumed-role/orders/pay".parse().unwrap(),
        user_id: "AROAX:pay".into(),
        access_key: "ASIAX".into(),
    };
    check(caller).await;
}
