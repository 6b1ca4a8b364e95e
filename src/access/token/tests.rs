//! Good and bad tokens of every kind, against one set of keys.
//!
//! Always true: what signs here is not what checks: RSA is OpenSSL's own signature, the others are made with ring's
//! private keys. Nothing here was ever used by anybody.
//!
//! Read first: `token/mod.rs`.

use data_encoding::BASE64URL_NOPAD;
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};

use super::*;
use crate::access::hash;

const NOW: u64 = 1_782_000_000_000;
const SECRET: &[u8] = b"a secret of thirty-two bytes, or";
const RSA_TOKEN: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InJzYS0xIn0.eyJpYXQiOjE3ODIwMDAwMDAsImV4cCI6MTc4MjAwMzYw\
    MCwibHV4Ijp7InJlYWQiOlsiZGFzaGJvYXJkLSoiXX19.ggXGj7DevC09SZXKqESfzBcvcITAS_3Jn-ztrSbkP2ILMp-TKm2bAKu\
    Ba4ttEtxziyuotODryJegIUInWXOwf7JmPwcnRftqDlWL0c0a6zopD1UHBsv_eQ-xxvoX4ETmLEbfUD2uAYR3ZKp6B3Uf51xr3mi\
    Jxo3O0EaxxmzaDyrMaoHqu9LugGivqAZhgagdl3ZdHc1S3Bb19zEk2G04weXvvmusSVtfCT5oNhY-iqSHJ_fXFzJDucPV3_miTTT\
    sKK46dpWdVAhpqiTHejxptWverSZmXr80xv98ZCYHxeRQM3DrRqYA-NoW8dIZ5b5AYB-9HmnQG-ZtXrX7e_5cEw";
const RSA_MODULUS: &str = "l-pExFlwK-JMBvr6lBnePDpOSg690f8Ii-8eWHrqTnPRbidPV8mSJgVj7KyKw_fgC-EAj1eveClkoW2tW_UW-uB1J2p9B2BHn99v\
    JxwwirKte5JrNPC1d02CmglRm_tkz91zm5bL5fKQu-IQKm5eD6TZDQaTBpN6SFSxNhGFiXvGvDsNh4oUB7N0W74dbjb8G45LZYx6\
    mRkbumW08h_q2yG__ok38NGUWJtTMsEx97m2Z3OMmtu5bpYtLQZcuk-xjoUW14VFKjXEIJg9YW2tVa8b4um6NeWzmWLOALRG-kor\
    Xv4dJQJNWR5Jejvp9TxNKJxdP3Bz9oVlW5JQmz2HXw";
const RSA_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAl+pExFlwK+JMBvr6lBne\n\
    PDpOSg690f8Ii+8eWHrqTnPRbidPV8mSJgVj7KyKw/fgC+EAj1eveClkoW2tW/UW\n\
    +uB1J2p9B2BHn99vJxwwirKte5JrNPC1d02CmglRm/tkz91zm5bL5fKQu+IQKm5e\n\
    D6TZDQaTBpN6SFSxNhGFiXvGvDsNh4oUB7N0W74dbjb8G45LZYx6mRkbumW08h/q\n\
    2yG//ok38NGUWJtTMsEx97m2Z3OMmtu5bpYtLQZcuk+xjoUW14VFKjXEIJg9YW2t\n\
    Va8b4um6NeWzmWLOALRG+korXv4dJQJNWR5Jejvp9TxNKJxdP3Bz9oVlW5JQmz2H\n\
    XwIDAQAB\n\
    -----END PUBLIC KEY-----\n";
const EC_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEXqYvCooA5Et+x0vVoAUewAjDquUX\n\
    UX2e++MoqxqlTFzB5qxU98ujHXDr9p44b8/+G9mINjVKn6ohwN3UeEsDiQ==\n\
    -----END PUBLIC KEY-----\n";
const ED_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEA+5cPENLQssK4Y3JkRLTspbFdXmwMR4Ngs5jDO43Y8TU=\n\
    -----END PUBLIC KEY-----\n";

/// One key of each kind, and what signs with it.
struct Ring {
    ed: Ed25519KeyPair,
    ec: EcdsaKeyPair,
    random: SystemRandom,
}

impl Ring {
    fn new() -> Ring {
        let random = SystemRandom::new();
        let ed = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let ec = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        Ring { ed, ec, random }
    }

    fn keys(&self) -> Vec<TokenKey> {
        let kid = |text: &str| Some(text.to_owned());
        vec![
            TokenKey::secret(kid("hs-1"), SECRET).unwrap(),
            TokenKey::rsa(kid("rsa-1"), &BASE64URL_NOPAD.decode(RSA_MODULUS.as_bytes()).unwrap(), &[1, 0, 1])
                .unwrap(),
            TokenKey::p256(kid("ec-1"), self.ec.public_key().as_ref()).unwrap(),
            TokenKey::ed25519(kid("ed-1"), self.ed.public_key().as_ref()).unwrap(),
        ]
    }

    fn tokens(&self) -> Tokens {
        Tokens::default().with_others(self.keys(), rule())
    }

    /// A token with this header and these claims, signed as `with` says.
    fn sign(&self, header: &str, claims: &str, with: &str) -> String {
        let part = |json: &str| BASE64URL_NOPAD.encode(json.as_bytes());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = match with {
            "HS256" => hmac(SECRET, &signed),
            "EdDSA" => self.ed.sign(signed.as_bytes()).as_ref().to_vec(),
            "ES256" => self.ec.sign(&self.random, signed.as_bytes()).unwrap().as_ref().to_vec(),
            _ => Vec::new(),
        };
        format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
    }

    fn hs256(&self, claims: &str) -> String {
        self.sign(r#"{"alg":"HS256","kid":"hs-1"}"#, claims, "HS256")
    }
}

fn hmac(secret: &[u8], signed: &str) -> Vec<u8> {
    TokenKey::secret(None, secret).unwrap().sign(signed.as_bytes()).unwrap().as_ref().to_vec()
}

fn rule() -> Rule {
    let grants = Grants::Claim("lux.read".to_owned());
    Rule { issuer: None, audience: None, grants, longest_life_ms: 86_400_000, leeway_ms: 5_000 }
}

const GOOD: &str = r#"{"iat":1782000000,"exp":1782003600,"lux":{"read":["dashboard-*"]}}"#;

fn reads(pass: &Pass) -> Vec<String> {
    pass.read.iter().map(Pattern::to_string).collect()
}

#[test]
fn a_token_of_each_algorithm_lets_its_bearer_in() {
    let ring = Ring::new();
    let tokens = ring.tokens();
    for (alg, kid) in [("HS256", "hs-1"), ("ES256", "ec-1"), ("EdDSA", "ed-1"), ("EdDSA", "")] {
        let header = match kid {
            "" => format!(r#"{{"alg":"{alg}"}}"#),
            _ => format!(r#"{{"alg":"{alg}","typ":"JWT","kid":"{kid}"}}"#),
        };
        let pass = tokens.verify(&ring.sign(&header, GOOD, alg), NOW).unwrap();
        assert_eq!((reads(&pass), pass.expires_at_ms), (vec!["dashboard-*".to_owned()], 1_782_003_600_000));
        assert!(tokens.knows(&pass.signer) && pass.maker.is_none());
    }
    let pass = tokens.verify(RSA_TOKEN, NOW).unwrap();
    assert_eq!(reads(&pass), ["dashboard-*"]);
}

#[test]
fn a_change_at_any_byte_is_noticed() {
    let ring = Ring::new();
    let tokens = ring.tokens();
    let mut all = vec![RSA_TOKEN.to_owned()];
    for (alg, kid) in [("HS256", "hs-1"), ("ES256", "ec-1"), ("EdDSA", "ed-1")] {
        all.push(ring.sign(&format!(r#"{{"alg":"{alg}","kid":"{kid}"}}"#), GOOD, alg));
    }
    for token in all {
        assert!(tokens.verify(&token, NOW).is_ok());
        for at in 0..token.len() {
            for other in ["A", "B", ".", "=", "*"].into_iter().filter(|other| *other != &token[at..=at]) {
                let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
                assert!(tokens.verify(&changed, NOW).is_err(), "byte {at} as {other}: {token}");
            }
            assert!(tokens.verify(&token[..at], NOW).is_err(), "cut at {at}");
        }
        assert!(
            tokens.verify(&format!("{token}A"), NOW).is_err()
                && tokens.verify(&format!("{token}="), NOW).is_err()
        );
    }
}

#[test]
fn no_key_checks_with_an_algorithm_of_another() {
    let ring = Ring::new();
    let tokens = ring.tokens();
    let body = |header: &str| ring.sign(header, GOOD, "none");
    // The public key as a shared secret: what everybody knows must not sign.
    for (public, kid) in [(RSA_PEM.as_bytes(), "rsa-1"), (ring.ed.public_key().as_ref(), "ed-1")] {
        let signed = body(&format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#));
        let signed = signed.trim_end_matches('.');
        let forged = format!("{signed}.{}", BASE64URL_NOPAD.encode(&hmac(public, signed)));
        assert_eq!(tokens.verify(&forged, NOW), Err(TokenFault::UnknownKey));
    }
    for (header, fault) in [
        (r#"{"alg":"none"}"#, TokenFault::Algorithm),
        (r#"{"alg":"None","kid":"hs-1"}"#, TokenFault::Algorithm),
        (r#"{"alg":"hs256","kid":"hs-1"}"#, TokenFault::Algorithm),
        (r#"{"alg":"HS384","kid":"hs-1"}"#, TokenFault::Algorithm),
        (r#"{"alg":"PS256","kid":"rsa-1"}"#, TokenFault::Algorithm),
        (r#"{"alg":null}"#, TokenFault::Algorithm),
        (r#"{"alg":["HS256"]}"#, TokenFault::Algorithm),
        (r#"{"kid":"hs-1"}"#, TokenFault::Algorithm),
        (r#"{"alg":"HS256","kid":"hs-2"}"#, TokenFault::UnknownKey),
        (r#"{"alg":"HS256","kid":"ed-1"}"#, TokenFault::UnknownKey),
        (r#"{"alg":"EdDSA","kid":"hs-1"}"#, TokenFault::UnknownKey),
        (r#"{"alg":"HS256","kid":"hs-1"}"#, TokenFault::Signature),
        (r#"{"alg":"HS256","kid":7}"#, TokenFault::Shape),
        (r#"{"alg":"HS256","alg":"none"}"#, TokenFault::Shape),
        (r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, TokenFault::Critical),
        (r#"{"alg":"HS256"}{}"#, TokenFault::Shape),
        ("", TokenFault::Shape),
    ] {
        assert_eq!(tokens.verify(&body(header), NOW), Err(fault), "{header}");
        // Nor is a good signature a way around it.
        if fault != TokenFault::Signature {
            assert_eq!(tokens.verify(&ring.sign(header, GOOD, "HS256"), NOW), Err(fault), "{header}");
        }
    }
}

#[test]
fn claims_are_believed_as_far_as_they_go() {
    let ring = Ring::new();
    let tokens = ring.tokens();
    let verify = |claims: &str| tokens.verify(&ring.hs256(claims), NOW);
    let grant = r#""lux":{"read":["a"]}"#;
    for good in [
        format!(r#"{{"exp":1782000001,{grant}}}"#),
        format!(r#"{{"exp":1782000000.5,{grant}}}"#),
        format!(r#"{{"exp":1782003600,"nbf":1782000005,"iat":1782000005,{grant}}}"#),
        format!(r#"{{"exp":1782086400,"iat":1782000000,{grant},"x":{{"a":[1,{{}}]}}}}"#),
        r#"{"exp":1782003600,"lux":{"read":"a b-* c"}}"#.to_owned(),
        r#"{"exp":1782003600,"lux.read":["a"]}"#.to_owned(),
    ] {
        assert!(verify(&good).is_ok(), "{good}: {:?}", verify(&good));
    }
    for (claims, fault) in [
        (format!("{{{grant}}}"), TokenFault::NoExpiry),
        (format!(r#"{{"exp":"1782003600",{grant}}}"#), TokenFault::Shape),
        (format!(r#"{{"exp":null,{grant}}}"#), TokenFault::Shape),
        (format!(r#"{{"exp":-1,{grant}}}"#), TokenFault::Shape),
        (format!(r#"{{"exp":1e300,{grant}}}"#), TokenFault::Shape),
        (format!(r#"{{"exp":1782000000,{grant}}}"#), TokenFault::Expired),
        (format!(r#"{{"exp":0,{grant}}}"#), TokenFault::Expired),
        (format!(r#"{{"exp":1782003600,"nbf":1782000006,{grant}}}"#), TokenFault::NotYet),
        (format!(r#"{{"exp":1782003600,"iat":1782000006,{grant}}}"#), TokenFault::NotYet),
        (format!(r#"{{"exp":1782003600,"nbf":"0",{grant}}}"#), TokenFault::Shape),
        (format!(r#"{{"exp":1782086401,"iat":1782000000,{grant}}}"#), TokenFault::TooLongLife),
        (format!(r#"{{"exp":1782086401,{grant}}}"#), TokenFault::TooLongLife),
        (format!(r#"{{"exp":1782003600,"aud":"other",{grant}}}"#), TokenFault::Audience),
        (format!(r#"{{"exp":1782003600,"exp":1782003601,{grant}}}"#), TokenFault::Shape),
        (r#"{"exp":1782003600,"lux":{"read":["a"],"read":["*"]}}"#.to_owned(), TokenFault::NoGrant),
        (r#"{"exp":1782003600}"#.to_owned(), TokenFault::NoGrant),
        (r#"{"exp":1782003600,"lux":{"read":[]}}"#.to_owned(), TokenFault::NoGrant),
        (r#"{"exp":1782003600,"lux":{"read":["a",7]}}"#.to_owned(), TokenFault::NoGrant),
        (r#"{"exp":1782003600,"lux":{"read":["a","b/c"]}}"#.to_owned(), TokenFault::NoGrant),
        (r#"{"exp":1782003600,"lux":{"read":{"0":"a"}}}"#.to_owned(), TokenFault::NoGrant),
        (format!(r#"[{{"exp":1782003600,{grant}}}]"#), TokenFault::Shape),
        (format!(r#"{{"exp":1782003600,"x":{}{grant}}}"#, "[".repeat(2_000)), TokenFault::Shape),
        ("\u{0}".to_owned(), TokenFault::Shape),
    ] {
        assert_eq!(verify(&claims), Err(fault), "{claims}");
    }
}

#[test]
fn who_issued_it_and_whom_it_is_for_count_where_they_are_set() {
    let ring = Ring::new();
    let (issuer, audience) = (Some("https://login.example".to_owned()), Some("lux".to_owned()));
    let tokens = Tokens::default().with_others(ring.keys(), Rule { issuer, audience, ..rule() });
    let verify = |names: &str| {
        let claims = format!(r#"{{"exp":1782003600,{names}"lux":{{"read":["a"]}}}}"#);
        tokens.verify(&ring.hs256(&claims), NOW).err()
    };
    let iss = r#""iss":"https://login.example","#;
    assert_eq!(verify(&format!(r#"{iss}"aud":"lux","#)), None);
    assert_eq!(verify(&format!(r#"{iss}"aud":["other","lux"],"#)), None);
    assert_eq!(verify(iss), Some(TokenFault::Audience));
    assert_eq!(verify(&format!(r#"{iss}"aud":"Lux","#)), Some(TokenFault::Audience));
    assert_eq!(verify(&format!(r#"{iss}"aud":[],"#)), Some(TokenFault::Audience));
    assert_eq!(verify(r#""aud":"lux","#), Some(TokenFault::Issuer));
    assert_eq!(verify(r#""iss":"https://login.example/","aud":"lux","#), Some(TokenFault::Issuer));
}

#[test]
fn a_token_may_be_so_long_and_no_longer() {
    let ring = Ring::new();
    let token = |pad: usize| {
        ring.hs256(&format!(r#"{{"exp":1782003600,"lux":{{"read":["a"]}},"x":"{}"}}"#, "x".repeat(pad)))
    };
    let pad = (2_800..3_072).rev().find(|pad| token(*pad).len() <= 4_096).unwrap();
    assert!(ring.tokens().verify(&token(pad), NOW).is_ok());
    assert_eq!(ring.tokens().verify(&token(pad + 2), NOW), Err(TokenFault::TooLong));
}

#[test]
fn what_is_minted_is_let_in_bound_to_its_maker_and_under_one_key() {
    let key = |secret: u8| TokenKey::secret(Some(format!("k{secret}")), &[secret; 32]).unwrap();
    let tokens = Tokens::default().with_own(vec![key(1), key(2)], 3_600_000);
    let read: Vec<Pattern> =
        ["a", "b-*"].iter().map(|text| Pattern::parse(text.as_bytes()).unwrap()).collect();
    let maker = hash("some API key");
    let minted = tokens.mint(&read, 60_999, NOW + 700, Some(&maker)).unwrap();
    assert_eq!(minted.expires_at_ms, NOW + 61_699);
    let pass = tokens.verify(&minted.token, NOW + 61_698).unwrap();
    assert_eq!(
        (reads(&pass), pass.expires_at_ms),
        (vec!["a".to_owned(), "b-*".to_owned()], minted.expires_at_ms)
    );
    assert!(tokens.maker_tags(&maker).contains(&pass.maker.unwrap()));
    assert!(!tokens.maker_tags(&hash("another")).contains(&pass.maker.unwrap()));
    assert_eq!(tokens.verify(&minted.token, NOW + 61_699), Err(TokenFault::Expired));
    assert!(Tokens::default().with_own(vec![key(1)], 3_600_000).knows(&pass.signer), "the first key signed");
    assert!(!Tokens::default().with_own(vec![key(2)], 3_600_000).knows(&pass.signer));
    let mint = |read: &[Pattern], life_ms| tokens.mint(read, life_ms, NOW, None).err();
    assert_eq!(mint(&[], 1_000), Some(MintFault::NoGrant));
    assert_eq!(mint(&read, 999), Some(MintFault::TooShortLife));
    assert_eq!(mint(&read, 3_600_001), Some(MintFault::TooLongLife(3_600_000)));
    assert_eq!(mint(&vec![Pattern::parse(&[b'k'; 128]).unwrap(); 40], 1_000), Some(MintFault::TooLong));
    assert_eq!(Tokens::default().mint(&read, 1_000, NOW, None).err(), Some(MintFault::NoKey));
}

#[test]
fn keys_come_out_of_both_kinds_of_file() {
    let jwks = format!(
        r#"{{"keys":[
        {{"kty":"RSA","kid":"rsa-1","use":"sig","alg":"RS256","n":"{RSA_MODULUS}","e":"AQAB"}},
        {{"kty":"RSA","kid":"enc","use":"enc","n":"{RSA_MODULUS}","e":"AQAB"}},
        {{"kty":"EC","kid":"big","crv":"P-384","x":"AA","y":"AA"}},
        {{"kty":"OKP","kid":"ed-1","crv":"Ed25519","x":"{}"}},
        {{"kty":"oct","kid":"hs-1","k":"{}"}}]}}"#,
        BASE64URL_NOPAD.encode(&[9; 32]),
        BASE64URL_NOPAD.encode(SECRET)
    );
    let set = parse_keys(&jwks).unwrap();
    let names: Vec<String> = set.keys.iter().map(TokenKey::to_string).collect();
    assert_eq!(names, ["RS256 `rsa-1`", "EdDSA `ed-1`", "HS256 `hs-1`"]);
    assert_eq!(set.left_out.len(), 2);
    assert!(set.left_out[1].contains("P-384"), "{:?}", set.left_out);
    assert!(Tokens::default().with_others(set.keys, rule()).verify(RSA_TOKEN, NOW).is_ok());
    let pem = parse_keys(&format!("# ours\n{RSA_PEM}\nthe others\n{EC_PEM}{ED_PEM}")).unwrap();
    let names: Vec<String> = pem.keys.iter().map(TokenKey::to_string).collect();
    assert_eq!(names, ["RS256 without a kid", "ES256 without a kid", "EdDSA without a kid"]);
    assert!(Tokens::default().with_others(pem.keys, rule()).verify(RSA_TOKEN, NOW).is_ok(), "under any kid");
}

#[test]
fn a_file_of_keys_that_is_wrong_names_its_line() {
    let key = |rest: &str| {
        format!("{{\"keys\":[\n{{\"kty\":\"RSA\",\"kid\":\"r\"}},\n{{{rest}}}]}}")
            .replace(r#"{"kty":"RSA","kid":"r"}"#, r#"{"kty":"EC","kid":"r","crv":"P-521"}"#)
    };
    for (text, line, hint) in [
        ("{\"keys\":[\n{]}".to_owned(), 2, "RFC 7517"),
        ("{\"kegs\":[]}".to_owned(), 1, "RFC 7517"),
        ("{\"keys\":[]}".to_owned(), 1, "HS256"),
        (key(r#""kid":"x""#), 3, "RFC 7517"),
        (key(r#""kty":"RSA","kid":"x""#), 3, "missing"),
        (key(r#""kty":"RSA","n":"AQAB","e":"AQAB""#), 3, "2048"),
        (key(r#""kty":"oct","k":"AQ==""#), 3, "base64url"),
        (key(r#""kty":"oct","k":"AQ""#), 3, "32 bytes"),
        (key(r#""kty":"EC","crv":"P-256","x":"AQ","y":"AQ""#), 3, "32 bytes"),
        (key(r#""kty":"OKP","crv":"Ed25519","x":"AQ""#), 3, "32 bytes"),
        ("\n-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n".to_owned(), 2, "-pubout"),
        ("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n".to_owned(), 1, "x509"),
        ("x\n-----BEGIN PUBLIC KEY-----\nAAAA\n".to_owned(), 2, "END".to_lowercase().leak()),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n".to_owned(), 1, "JWKS"),
        ("nothing".to_owned(), 1, "HS256"),
    ] {
        let fault = parse_keys(&text).err().unwrap();
        assert_eq!(fault.line, line, "{text}\n{fault}");
        assert!(fault.to_string().contains(hint), "{text}\n{fault}");
    }
    let twice = r#"{"kty":"oct","kid":"a","k":"YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcywgb3I"}"#;
    let fault = parse_keys(&format!("{{\"keys\":[{twice},\n{twice}]}}")).err().unwrap();
    assert!(fault.line == 2 && fault.message.contains("twice"), "{fault}");
}

#[test]
fn what_was_verified_is_known_until_it_ends_or_is_crowded_out() {
    let key = TokenKey::secret(Some("k".to_owned()), SECRET).unwrap();
    let tokens = Tokens::default().with_own(vec![key], 3_600_000);
    let mint = |at: usize| {
        let pattern = Pattern::parse(format!("key-{at}").as_bytes()).unwrap();
        tokens.mint(&[pattern], 60_000, NOW, None).unwrap().token
    };
    let (mut passes, nobody) = (Passes::default(), Tokens::default());
    let first = mint(0);
    assert_eq!(passes.find(&nobody, &first, NOW), Err(TokenFault::UnknownKey), "a refusal is not kept");
    assert!(passes.find(&tokens, &first, NOW).is_ok());
    assert!(passes.find(&nobody, &first, NOW).is_ok(), "no key is asked again");
    assert_eq!(passes.find(&nobody, &first, NOW + 60_000), Err(TokenFault::Expired));
    assert_eq!(passes.find(&nobody, &mint(1), NOW), Err(TokenFault::UnknownKey));
    for at in 1..=crate::limits::PASSES_MAX {
        passes.find(&tokens, &mint(at), NOW).unwrap();
    }
    assert_eq!(
        passes.find(&nobody, &first, NOW),
        Err(TokenFault::UnknownKey),
        "the oldest is forgotten first"
    );
    passes.clear();
    assert!(passes.find(&nobody, &mint(9), NOW).is_err());
}

#[test]
fn debug_shows_names_and_nothing_of_a_secret() {
    let tokens =
        Tokens::default().with_own(vec![TokenKey::secret(Some("k1".to_owned()), SECRET).unwrap()], 1);
    assert_eq!(format!("{tokens:?}"), "[HS256 `k1`]");
}

proptest! {
    #[test]
    fn any_text_is_answered(text in "[A-Za-z0-9._=-]{0,200}", parts in prop::collection::vec("\\PC{0,40}", 3)) {
        let tokens = Tokens::default().with_own(vec![TokenKey::secret(None, SECRET).unwrap()], 1);
        prop_assert!(tokens.verify(&text, NOW).is_err());
        let encoded: Vec<String> = parts.iter().map(|part| BASE64URL_NOPAD.encode(part.as_bytes())).collect();
        prop_assert!(tokens.verify(&encoded.join("."), NOW).is_err());
        let _ = parse_keys(&parts.concat());
        let _ = Template::parse(&parts[0]);
    }
}
