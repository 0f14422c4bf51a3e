//! Objects into protobuf, from their JSON bytes in one pass: no tree is made of them.
//!
//! What JSON leaves out is left out here too: a reader takes it for the zero value that it stands for.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::plan::{Item, Plan};
use super::wire_out as wire;
use crate::table::Type;

/// Appends the fields of the object in `json`.
pub(super) fn message(plan: &Plan, json: &[u8], out: &mut Vec<u8>) -> serde_json::Result<()> {
    let mut source = serde_json::Deserializer::from_slice(json);
    Fields { plan, out }.deserialize(&mut source)?;
    source.end()
}

/// The fields of one message.
struct Fields<'a> {
    plan: &'a Plan,
    out: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let Self { plan, out } = self;
        // Fields of messages within, which JSON has among the others: each message is written once, at the end.
        let mut within: Vec<(u32, Vec<u8>)> = Vec::new();
        while let Some(name) = map.next_key::<Text<'_>>()? {
            let Some(slot) = plan.slot(&name.0) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let out = match slot.outer {
                0 => &mut *out,
                outer => {
                    if !within.iter().any(|(number, _)| *number == outer) {
                        within.push((outer, Vec::new()));
                    }
                    match within.iter_mut().find(|(number, _)| *number == outer) {
                        Some((_, fields)) => fields,
                        None => continue,
                    }
                }
            };
            let number = slot.number;
            map.next_value_seed(Value {
                item: &slot.item,
                number,
                out,
            })?;
        }
        for (number, fields) in within {
            wire::bytes(out, number, &fields);
        }
        Ok(())
    }
}

/// Text without a copy, where it has no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Borrow;
        impl<'de> Visitor<'de> for Borrow {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(text.into()))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(text.to_owned().into()))
            }
        }
        source.deserialize_str(Borrow)
    }
}

/// One value, behind its field's number.
struct Value<'a> {
    item: &'a Item,
    number: u32,
    out: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        if let Item::Scalar(Type::Any) = self.item {
            let raw: &RawValue = serde::Deserialize::deserialize(source)?;
            return one_text(self.out, self.number, raw.get().as_bytes());
        }
        source.deserialize_any(self)
    }
}

impl Value<'_> {
    fn integer<E: Error>(self, value: i64) -> Result<(), E> {
        let Self { item, number, out } = self;
        match item {
            Item::Scalar(Type::Int32 | Type::Int64) => wire::integer(out, number, value),
            Item::Scalar(Type::Double) => wire::double(out, number, value as f64),
            Item::Scalar(Type::Quantity) => {
                one_text(out, number, value.to_string().as_bytes())?;
            }
            Item::Scalar(Type::IntOrString) => int_or_string(out, number, value, None)?,
            _ => return Err(E::custom("a number where none belongs")),
        }
        Ok(())
    }

    fn time<E: Error>(self, text: &str) -> Result<(), E> {
        let time: Timestamp = text.parse().map_err(E::custom)?;
        let mut seconds = time.as_second();
        let mut nanoseconds = time.subsec_nanosecond();
        // The wire counts nanoseconds forward from the second before.
        if nanoseconds < 0 {
            seconds -= 1;
            nanoseconds += 1_000_000_000;
        }
        wire::message(self.out, self.number, |out| {
            wire::integer(out, 1, seconds);
            wire::integer(out, 2, nanoseconds.into());
            Ok(())
        })
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value of {:?}", self.item)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        match self.item {
            Item::Scalar(Type::String) => wire::bytes(self.out, self.number, text.as_bytes()),
            Item::Scalar(Type::Bytes) => {
                let decoded = STANDARD.decode(text).map_err(E::custom)?;
                wire::bytes(self.out, self.number, &decoded);
            }
            Item::Scalar(Type::Quantity) => {
                return one_text(self.out, self.number, text.as_bytes());
            }
            Item::Scalar(Type::IntOrString) => {
                return int_or_string(self.out, self.number, 0, Some(text));
            }
            Item::Scalar(Type::Time | Type::MicroTime) => return self.time(text),
            _ => return Err(E::custom("text where none belongs")),
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        match self.item {
            Item::Scalar(Type::Bool) => wire::integer(self.out, self.number, value.into()),
            _ => return Err(E::custom("a boolean where none belongs")),
        }
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.integer(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.integer(i64::try_from(value).map_err(E::custom)?)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        match self.item {
            Item::Scalar(Type::Double) => wire::double(self.out, self.number, value),
            Item::Scalar(Type::Quantity) => {
                return one_text(self.out, self.number, value.to_string().as_bytes());
            }
            _ => return Err(E::custom("a fraction where none belongs")),
        }
        Ok(())
    }

    /// The zero time is null in JSON and an empty message here; every other null is nothing.
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        if let Item::Scalar(Type::Time | Type::MicroTime) = self.item {
            wire::bytes(self.out, self.number, &[]);
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<(), S::Error> {
        let mut all = |item, number, out: &mut Vec<u8>| {
            while list
                .next_element_seed(Value {
                    item,
                    number,
                    out: &mut *out,
                })?
                .is_some()
            {}
            Ok(())
        };
        let Self { item, number, out } = self;
        match item {
            Item::List(item) => all(item, number, out),
            Item::Items(item) => wire::message(out, number, |out| all(item, 1, out)),
            _ => Err(S::Error::custom("a list where none belongs")),
        }
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let Self { item, number, out } = self;
        match item {
            Item::Map(item) => {
                while let Some(key) = map.next_key::<Text<'_>>()? {
                    wire::message(out, number, |out| {
                        wire::bytes(out, 1, key.0.as_bytes());
                        map.next_value_seed(Value {
                            item,
                            number: 2,
                            out,
                        })
                    })?;
                }
                Ok(())
            }
            item => {
                let plan = item
                    .plan()
                    .ok_or_else(|| M::Error::custom("an object where none belongs"))?;
                wire::message(out, number, |out| Fields { plan, out }.visit_map(map))
            }
        }
    }
}

/// `resource.Quantity` { string = 1 }, `meta.FieldsV1` and `runtime.RawExtension` { raw = 1 }.
fn one_text<E>(out: &mut Vec<u8>, number: u32, text: &[u8]) -> Result<(), E> {
    wire::message(out, number, |out| {
        wire::bytes(out, 1, text);
        Ok(())
    })
}

/// `intstr.IntOrString` { type = 1, intVal = 2, strVal = 3 }.
fn int_or_string<E>(
    out: &mut Vec<u8>,
    number: u32,
    value: i64,
    text: Option<&str>,
) -> Result<(), E> {
    wire::message(out, number, |out| {
        wire::integer(out, 1, text.is_some().into());
        wire::integer(out, 2, value);
        wire::bytes(out, 3, text.unwrap_or_default().as_bytes());
        Ok(())
    })
}
