//! Tokens: one spelling each, and no bit of them may change.
//!
//! The data is what stands before a token's MAC, or the whole of a text. The MAC is made here too, from the design and
//! not with the crate, so that what lies behind its check is reached.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use vigo_core::Pin;
use vigo_enroll::token::{Token, TokenKey};

use crate::Seed;
use crate::input::{Input, flip_a_bit};

const FLEET_KEY: [u8; 32] = [1; 32];

/// The target.
pub fn check(data: &[u8]) {
    let key = TokenKey::derive(&FLEET_KEY);
    if let Ok(text) = std::str::from_utf8(&data[..data.len().min(400)]) {
        one_spelling(text, &key);
        one_spelling(&with_mac(text), &key);
    }
    let mut input = Input::new(data);
    let (text, _) = Token::mint(&key, input.array(), &input.array(), &Pin::from(input.array()));
    one_spelling(text.reveal(), &key);
    refuses_a_flipped_bit(text.reveal(), &key, data);
}

/// What is read is what would be minted: no two texts are the same token.
fn one_spelling(text: &str, key: &TokenKey) {
    let Ok(token) = Token::parse(text, key) else { return };
    let secret = text.split('.').nth(2).expect("a token has five parts");
    let secret: [u8; 32] = URL_SAFE_NO_PAD.decode(secret).expect("base64").try_into().expect("32 bytes");
    let (minted, _) = Token::mint(key, *token.id().as_bytes(), &secret, &token.ca_pin());
    assert_eq!(minted.reveal(), text, "two spellings of one token");
    assert_eq!(minted.ca_pin(), Some(token.ca_pin()), "the agent reads another pin than the server");
}

fn refuses_a_flipped_bit(text: &str, key: &TokenKey, data: &[u8]) {
    if let Ok(flipped) = String::from_utf8(flip_a_bit(text.as_bytes(), data)) {
        assert!(Token::parse(&flipped, key).is_err(), "accepted for {text}: {flipped}");
    }
}

fn with_mac(body: &str) -> String {
    let fleet = hmac(&FLEET_KEY, &[b"vigo/token-key/v1\0"]);
    format!("{body}.{}", URL_SAFE_NO_PAD.encode(hmac(&fleet, &[b"vigo/token/v1\0", body.as_bytes()])))
}

fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// Tokens, and bodies that are almost those of tokens.
#[must_use]
pub fn seeds() -> Vec<Seed> {
    let key = TokenKey::derive(&FLEET_KEY);
    let minted = |byte: u8| Token::mint(&key, [byte; 16], &[byte; 32], &Pin::from([byte; 32])).0.reveal().to_owned();
    let text = minted(0xfb);
    let body = text.rsplit_once('.').expect("a token has dots").0.to_owned();
    let with_id = |id: &str| body.replacen(&"fb".repeat(16), id, 1);
    let elsewhere = Token::mint(&TokenKey::derive(&[2; 32]), [1; 16], &[2; 32], &Pin::from([3; 32])).0;
    [
        ("minted", text.clone()),
        ("minted-zeroes", minted(0)),
        ("body", body.clone()),
        ("body-upper-case-id", with_id(&"FB".repeat(16))),
        ("body-short-id", with_id(&"fb".repeat(15))),
        ("body-uuid", with_id("fbfbfbfb-fbfb-fbfb-fbfb-fbfbfbfbfbfb")),
        ("body-padded", format!("{body}=")),
        ("body-more", format!("{body}.more")),
        ("body-version", body.replacen("vgt1", "vgt2", 1)),
        ("other-fleet", elsewhere.reveal().to_owned()),
        ("space", format!("{text} ")),
        ("empty-parts", "vgt1....".to_owned()),
    ]
    .into_iter()
    .map(|(name, text)| Seed::new(name, text))
    .collect()
}
