//! A certificate for somebody's request (RFC 5280, 4.1), written out: its subject may have many organizations, which the
//! builder of this program's own certificates cannot hold.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, SigningKey};
use rustls_pki_types::CertificateDer;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer, X509Certificate};
use yasna::models::ObjectIdentifier;
use yasna::{DERWriter, DERWriterSeq, Tag, construct_der};

use crate::{CertificateRequest, PkiError, Usage};

const ECDSA_WITH_SHA256: &[u64] = &[1, 2, 840, 10_045, 4, 3, 2];
const KEY_USAGE: &[u64] = &[2, 5, 29, 15];
const ALTERNATIVE_NAME: &[u64] = &[2, 5, 29, 17];
const BASIC_CONSTRAINTS: &[u64] = &[2, 5, 29, 19];
const AUTHORITY_KEY: &[u64] = &[2, 5, 29, 35];
const EXTENDED_KEY_USAGE: &[u64] = &[2, 5, 29, 37];

/// Signs; the answer is PEM.
pub(crate) fn issue(
    authority: &CertificateDer<'_>,
    key: &KeyPair,
    request: &CertificateRequest,
    usages: &[Usage],
    (begin, end): (Timestamp, Timestamp),
) -> Result<String, PkiError> {
    let failed = |detail: String| PkiError::Crypto {
        what: "a certificate",
        detail,
    };
    if key.algorithm() != &PKCS_ECDSA_P256_SHA256 {
        return Err(failed("the authority's key is not on P-256".into()));
    }
    let (_, authority) =
        X509Certificate::from_der(authority).map_err(|error| failed(error.to_string()))?;
    let serial = uuid::Uuid::new_v4();
    let body = construct_der(|writer| {
        writer.write_sequence(|fields| {
            // Version 3.
            fields
                .next()
                .write_tagged(Tag::context(0), |writer| writer.write_u8(2));
            fields.next().write_bigint_bytes(serial.as_bytes(), true);
            algorithm(fields.next());
            fields.next().write_der(authority.subject().as_raw());
            fields.next().write_sequence(|times| {
                times.next().write_der(&time(begin));
                times.next().write_der(&time(end));
            });
            fields.next().write_der(&request.subject);
            fields.next().write_der(&request.key);
            fields.next().write_tagged(Tag::context(3), |writer| {
                writer.write_sequence(|list| extensions(list, &authority, request, usages));
            });
        });
    });
    let signature = key.sign(&body).map_err(|error| failed(error.to_string()))?;
    let whole = construct_der(|writer| {
        writer.write_sequence(|parts| {
            parts.next().write_der(&body);
            algorithm(parts.next());
            parts
                .next()
                .write_bitvec_bytes(&signature, signature.len() * 8);
        });
    });
    Ok(pem(&whole))
}

fn algorithm(writer: DERWriter<'_>) {
    writer.write_sequence(|parts| write_oid(parts, ECDSA_WITH_SHA256));
}

fn write_oid(parts: &mut DERWriterSeq<'_>, oid: &[u64]) {
    parts.next().write_oid(&ObjectIdentifier::from_slice(oid));
}

fn extension(list: &mut DERWriterSeq<'_>, oid: &[u64], critical: bool, value: &[u8]) {
    list.next().write_sequence(|parts| {
        write_oid(parts, oid);
        if critical {
            parts.next().write_bool(true);
        }
        parts.next().write_bytes(value);
    });
}

fn extensions(
    list: &mut DERWriterSeq<'_>,
    authority: &X509Certificate<'_>,
    request: &CertificateRequest,
    usages: &[Usage],
) {
    let bits = usages.iter().filter_map(|usage| match usage {
        Usage::Key(bit) => Some(*bit),
        Usage::Extended(_) => None,
    });
    if let Some(value) = key_usage(bits) {
        extension(list, KEY_USAGE, true, &value);
    }
    let mut purposes: Vec<&[u64]> = Vec::new();
    for usage in usages {
        match usage {
            Usage::Extended(oid) if !purposes.contains(oid) => purposes.push(oid),
            _ => {}
        }
    }
    if !purposes.is_empty() {
        let value = construct_der(|writer| {
            writer.write_sequence(|parts| purposes.iter().for_each(|oid| write_oid(parts, oid)));
        });
        extension(list, EXTENDED_KEY_USAGE, false, &value);
    }
    // An empty one: no authority.
    let value = construct_der(|writer| writer.write_sequence(|_| {}));
    extension(list, BASIC_CONSTRAINTS, true, &value);
    let known = authority
        .iter_extensions()
        .find_map(|found| match found.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0),
            _ => None,
        });
    if let Some(id) = known {
        let value = construct_der(|writer| {
            writer.write_sequence(|parts| {
                parts
                    .next()
                    .write_tagged_implicit(Tag::context(0), |writer| writer.write_bytes(id));
            });
        });
        extension(list, AUTHORITY_KEY, false, &value);
    }
    if !request.alternative.is_empty() {
        extension(list, ALTERNATIVE_NAME, false, &request.alternative);
    }
}

/// A bit string of named bits, without zeroes at its end; `None` when no bit is set.
fn key_usage(bits: impl Iterator<Item = u8>) -> Option<Vec<u8>> {
    let mut octets = [0u8; 2];
    let mut length = 0;
    for bit in bits {
        let place = usize::from(bit);
        octets[place / 8] |= 0x80 >> (place % 8);
        length = length.max(place + 1);
    }
    let octets = &octets[..length.div_ceil(8)];
    (length > 0).then(|| construct_der(|writer| writer.write_bitvec_bytes(octets, length)))
}

/// `UTCTime` up to 2049, `GeneralizedTime` from then on (RFC 5280, 4.1.2.5).
fn time(at: Timestamp) -> Vec<u8> {
    let year = at.to_zoned(TimeZone::UTC).year();
    let (tag, text) = if (1950..2050).contains(&year) {
        (0x17, at.strftime("%y%m%d%H%M%SZ").to_string())
    } else {
        (0x18, at.strftime("%Y%m%d%H%M%SZ").to_string())
    };
    // The length is below 128: one octet.
    let mut der = vec![tag, text.len() as u8];
    der.extend_from_slice(text.as_bytes());
    der
}

fn pem(der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = more;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}
