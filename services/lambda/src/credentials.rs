//! What functions sign their requests with. The access key carries the account, as keys of AWS
//! do, so that whoever verifies a signature knows which shard to ask.

use base::{AccountId, Arn, Random};
use kit::{Caller, Kit};
use sha2::{Digest as _, Sha256};

use crate::data::{self, Credential, Credentials, Function, Qualifier, Target, Version};

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const PREFIX: &str = "ASIA";
const ACCOUNT_BYTES: usize = 5;
const KEY_BYTES: usize = 10;

/// A function's credentials and who they stand for.
#[derive(Debug, Clone)]
pub struct Signer {
    pub secret_key: String,
    /// A request is theirs only if it carries this token, too.
    pub session_token: String,
    /// The role session: `arn:aws:sts::…:assumed-role/ROLE/FUNCTION`.
    pub caller: Caller,
}

/// Whose an access key is; `None` for keys that no function has.
pub async fn lookup(kit: &Kit, access_key: &str) -> Result<Option<Signer>, kit::Error> {
    let Some(account) = account_of(access_key) else { return Ok(None) };
    let key = data::credential_key(&account, access_key);
    let Some(found) = kit.store.get_record::<Credential>(&key).await? else { return Ok(None) };
    let Ok(target) = Target::of(&found.function) else { return Ok(None) };
    let version = match target.qualifier {
        Some(Qualifier::Version(version)) => version,
        _ => Version::Latest,
    };
    let key = target.place.version_key(version);
    let Some(function) = kit.store.get_record::<Function>(&key).await? else { return Ok(None) };
    let Credentials { access_key: own, secret_key, session_token } = function.credentials;
    let signer = Signer {
        secret_key,
        session_token,
        caller: session(&function.config.role, &function.name, access_key),
    };
    Ok((own == access_key).then_some(signer))
}

/// Fresh credentials for a function.
pub(crate) fn new(random: &dyn Random, account: &AccountId) -> Credentials {
    let mut bytes = [0; KEY_BYTES];
    random.fill(&mut bytes);
    let number: u64 = account.as_str().parse().unwrap_or_default();
    bytes[..ACCOUNT_BYTES].copy_from_slice(&number.to_be_bytes()[8 - ACCOUNT_BYTES..]);
    Credentials {
        access_key: format!("{PREFIX}{}", base32(&bytes)),
        secret_key: base::hex(random, 20),
        session_token: base::hex(random, 32),
    }
}

fn account_of(access_key: &str) -> Option<AccountId> {
    let text = access_key.strip_prefix(PREFIX).filter(|text| text.len() == KEY_BYTES * 8 / 5)?;
    let mut number: u128 = 0;
    for letter in text.bytes() {
        let value = ALPHABET.iter().position(|known| *known == letter)?;
        number = number << 5 | value as u128;
    }
    format!("{:012}", number >> ((KEY_BYTES - ACCOUNT_BYTES) * 8)).parse().ok()
}

/// The role session a function runs as.
fn session(role: &Arn, function: &str, access_key: &str) -> Caller {
    let name = role.resource.rsplit('/').next().unwrap_or_default();
    let digest = Sha256::digest(role.to_string());
    let role_id = format!("AROA{}", base32(&digest[..KEY_BYTES]));
    let arn = Arn {
        partition: role.partition.clone(),
        service: "sts".into(),
        region: String::new(),
        account: role.account.clone(),
        resource: format!("assumed-role/{name}/{function}"),
    };
    Caller { arn, user_id: format!("{role_id}:{function}"), access_key: access_key.to_owned() }
}

/// Five bits a letter; the length is a multiple of five bytes.
fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5);
    for group in bytes.chunks(5) {
        let number = group.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        for shift in (0..8).rev() {
            let index = usize::try_from(number >> (shift * 5) & 31).unwrap_or_default();
            text.push(char::from(ALPHABET[index]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use base::SystemRandom;

    use super::*;

    #[test]
    fn an_access_key_tells_its_account() {
        for text in ["000000000000", "123456789012", "999999999999"] {
            let account: AccountId = text.parse().unwrap();
            let made = new(&SystemRandom, &account);
            assert_eq!(made.access_key.len(), 20);
            assert_eq!(account_of(&made.access_key), Some(account));
            assert!(!format!("{made:?}").contains(&made.secret_key));
        }
        for text in ["", "ASIA", "test", "ASIA0000000000000000", "AKIAAAAAAAAAAAAAAAAA"] {
            assert_eq!(account_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_function_acts_as_a_session_of_its_role() {
        let role: Arn = "arn:aws:iam::000000000000:role/service-role/orders".parse().unwrap();
        let caller = session(&role, "pay", "ASIAX");
        assert_eq!(caller.arn.to_string(), "arn:aws:sts::000000000000:assumed-role/orders/pay");
        assert!(caller.user_id.starts_with("AROA") && caller.user_id.ends_with(":pay"));
    }
}
