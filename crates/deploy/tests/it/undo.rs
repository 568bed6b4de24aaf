//! What a failed deploy leaves of the functions it had updated.

use crate::machine::Fake;

fn functions(version: u8) -> String {
    let function = |name: &str, more: &str| {
        format!(
            "  {name}:\n    Type: AWS::Lambda::Function\n    {more}\n    Properties:\n\
             \x20     Code: {{ Asset: {name} }}\n      FunctionName: {name}\n\
             \x20     Handler: x.handler\n\
             \x20     Runtime: nodejs20.x\n      Role: arn:aws:iam::000000000000:role/r\n      \
             Environment: {{ Variables: {{ VERSION: {name}-v{version} }} }}\n"
        )
    };
    format!("Resources:\n{}{}", function("a", ""), function("b", "DependsOn: a"))
}

async fn at_version_one() -> Fake {
    let mut fake = Fake::new().await;
    fake.asset("a", "a1");
    fake.asset("b", "b1");
    fake.apply(&functions(1)).await.unwrap();
    fake.asset("a", "a2");
    fake.asset("b", "b2");
    fake.fail("VERSION: b-v2", "InvalidParameterValueException");
    fake
}

#[tokio::test]
async fn a_failed_update_puts_back_code_and_configuration() {
    let fake = at_version_one().await;
    for _ in 0..2 {
        fake.calls();
        let error = fake.apply(&functions(2)).await.unwrap_err().to_string();
        assert!(error.ends_with("\nhelp: the deploy was undone: a"), "{error}");
        assert_eq!((fake.code("a"), fake.code("b")), ("a1".to_owned(), "b1".to_owned()));
        let calls = fake.calls();
        let (_, of_a) = calls.split_once("VERSION: b-v2").unwrap();
        assert!(of_a.contains("VERSION: a-v1\n"), "{calls}");
    }
    fake.mend();
    fake.apply(&functions(2)).await.unwrap();
    assert_eq!((fake.code("a"), fake.code("b")), ("a2".to_owned(), "b2".to_owned()));
}

#[tokio::test]
async fn code_that_cannot_be_put_back_is_named() {
    let fake = at_version_one().await;
    fake.lose_packages();
    let error = fake.apply(&functions(2)).await.unwrap_err().to_string();
    let stays = "help: a could not be undone: ResourceNotFoundException: its old code was not to \
                 be had, so the new code stays";
    assert!(error.contains(stays), "{error}");
    assert!(!error.contains("as it was"), "{error}");
}
