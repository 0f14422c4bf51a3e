//! One message into a JSON object, field by field as the table says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Number, Value, json};

use super::ProtobufError;
use super::wire::{Reader, Wire};
use crate::table::{self, Definition, Field, Presence, Type};

/// Puts the fields of a message into `out`. Fields that the table does not know are passed over, as upstream does.
pub(super) fn read(
    definition: &Definition,
    message: &[u8],
    out: &mut Map<String, Value>,
) -> Result<(), ProtobufError> {
    let fields: Vec<Field> = definition.fields().filter(|f| f.number.0 != 0).collect();
    read_fields(definition.name, &fields, message, out)
}

fn read_fields(
    name: &'static str,
    fields: &[Field],
    message: &[u8],
    out: &mut Map<String, Value>,
) -> Result<(), ProtobufError> {
    let mut reader = Reader::new(message);
    while let Some((number, value)) = reader.next().ok_or_else(|| malformed(name))? {
        let Some(field) = fields.iter().find(|f| f.number.0 == number) else {
            continue;
        };
        match (field.number.1, value) {
            (0, value) => put(name, field, value, out)?,
            // A message that is part of its parent in JSON: its fields are listed with the parent's.
            (_, Wire::Bytes(inner)) => {
                let inside = fields.iter().filter(|f| f.number.0 == number);
                let inside: Vec<Field> = inside
                    .map(|f| Field {
                        number: (f.number.1, 0),
                        ..*f
                    })
                    .collect();
                read_fields(name, &inside, inner, out)?;
            }
            _ => return Err(malformed(name)),
        }
    }
    Ok(())
}

/// Puts one value where its field is.
fn put(
    name: &'static str,
    field: &Field,
    wire: Wire<'_>,
    out: &mut Map<String, Value>,
) -> Result<(), ProtobufError> {
    let at = At {
        name,
        field: field.name,
    };
    match (field.kind, wire) {
        (Type::List(item), wire) => {
            let list = out
                .entry(field.name)
                .or_insert_with(|| Value::Array(Vec::new()));
            let Value::Array(list) = list else {
                return Err(at.malformed());
            };
            match (Type::parse(item), wire) {
                (kind @ (Type::Int32 | Type::Int64 | Type::Bool), Wire::Bytes(packed)) => {
                    let mut packed = Reader::new(packed);
                    while !packed.is_empty() {
                        let number = packed.varint().ok_or_else(|| at.malformed())?;
                        list.push(at.value(kind, Wire::Varint(number))?);
                    }
                }
                (kind, wire) => list.push(at.value(kind, wire)?),
            }
        }
        (Type::Map(item), Wire::Bytes(entry)) => {
            let (key, value) = at.entry(Type::parse(item), entry)?;
            let map = out
                .entry(field.name)
                .or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(map) = map else {
                return Err(at.malformed());
            };
            map.insert(key, value);
        }
        (kind, wire) => {
            let value = at.value(kind, wire)?;
            if is_said(field.presence, &value) {
                out.insert(field.name.into(), value);
            }
        }
    }
    Ok(())
}

/// Whether JSON shows the value: zero is left out where Go says `omitempty` of a field that is no pointer. A message that was
/// sent is there even when nothing is in it.
fn is_said(presence: Presence, value: &Value) -> bool {
    match value {
        Value::Null => presence == Presence::Required,
        Value::String(text) => presence != Presence::Optional || !text.is_empty(),
        Value::Bool(value) => presence != Presence::Optional || *value,
        Value::Number(number) => presence != Presence::Optional || number.as_f64() != Some(0.0),
        Value::Array(_) | Value::Object(_) => true,
    }
}

fn malformed(name: &str) -> ProtobufError {
    ProtobufError::Malformed(name.into())
}

/// The field being read, for errors.
#[derive(Clone, Copy)]
struct At {
    name: &'static str,
    field: &'static str,
}

impl At {
    fn malformed(self) -> ProtobufError {
        ProtobufError::Malformed(format!("{}.{}", self.name, self.field))
    }

    fn not(self, expected: &'static str) -> ProtobufError {
        ProtobufError::Value {
            field: format!("{}.{}", self.name, self.field),
            expected,
        }
    }

    fn value(self, kind: Type, wire: Wire<'_>) -> Result<Value, ProtobufError> {
        Ok(match (kind, wire) {
            (Type::String, Wire::Bytes(text)) => self.text(text)?.into(),
            (Type::Bytes, Wire::Bytes(bytes)) => STANDARD.encode(bytes).into(),
            (Type::Bool, Wire::Varint(number)) => (number != 0).into(),
            (Type::Int32, Wire::Varint(number)) => int32(number).into(),
            (Type::Int64, Wire::Varint(number)) => number.cast_signed().into(),
            (Type::Double, Wire::Fixed64(bits)) => {
                let number = Number::from_f64(f64::from_bits(bits));
                number.ok_or_else(|| self.not("a finite number"))?.into()
            }
            (Type::Quantity, Wire::Bytes(message)) => self.quantity(message)?,
            (Type::IntOrString, Wire::Bytes(message)) => self.int_or_string(message)?,
            (Type::Time, Wire::Bytes(message)) => self.time(message, false)?,
            (Type::MicroTime, Wire::Bytes(message)) => self.time(message, true)?,
            (Type::Any, Wire::Bytes(message)) => self.json(message)?,
            (Type::List(item), Wire::Bytes(message)) => self.list(Type::parse(item), message)?,
            (Type::Definition(name), Wire::Bytes(message)) => {
                let definition = table::definition(name).ok_or_else(|| self.malformed())?;
                let mut object = Map::new();
                read(definition, message, &mut object)?;
                Value::Object(object)
            }
            _ => return Err(self.malformed()),
        })
    }

    /// A list that is the value of a map is a message of its own (`ExtraValue`): its items are field 1.
    fn list(self, item: Type, message: &[u8]) -> Result<Value, ProtobufError> {
        let items = self.fields(message).filter_map(|field| match field {
            Ok((1, wire)) => Some(self.value(item, wire)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        });
        items.collect::<Result<Vec<_>, _>>().map(Value::Array)
    }

    fn text(self, bytes: &[u8]) -> Result<&str, ProtobufError> {
        str::from_utf8(bytes).map_err(|_| self.not("UTF-8 text"))
    }

    fn fields<'a>(
        self,
        message: &'a [u8],
    ) -> impl Iterator<Item = Result<(u32, Wire<'a>), ProtobufError>> {
        let mut reader = Reader::new(message);
        std::iter::from_fn(move || reader.next().ok_or_else(|| self.malformed()).transpose())
    }

    /// Field 1 is the key and 2 the value; either is left out when it is zero.
    fn entry(self, kind: Type, message: &[u8]) -> Result<(String, Value), ProtobufError> {
        let (mut key, mut value) = (String::new(), None);
        for field in self.fields(message) {
            match field? {
                (1, Wire::Bytes(text)) => key = self.text(text)?.into(),
                (2, wire) => value = Some(self.value(kind, wire)?),
                _ => {}
            }
        }
        let value = match (value, kind) {
            (Some(value), _) => value,
            (None, Type::Quantity) => "0".into(),
            (None, Type::Definition(_)) => json!({}),
            (None, Type::List(_)) => json!([]),
            (None, _) => "".into(),
        };
        Ok((key, value))
    }

    /// `resource.Quantity` { string = 1 }.
    fn quantity(self, message: &[u8]) -> Result<Value, ProtobufError> {
        let mut text = "0";
        for field in self.fields(message) {
            if let (1, Wire::Bytes(bytes)) = field? {
                text = self.text(bytes)?;
            }
        }
        Ok(text.into())
    }

    /// `intstr.IntOrString` { type = 1, intVal = 2, strVal = 3 }.
    fn int_or_string(self, message: &[u8]) -> Result<Value, ProtobufError> {
        let (mut is_text, mut number, mut text) = (false, 0, "");
        for field in self.fields(message) {
            match field? {
                (1, Wire::Varint(kind)) => is_text = kind == 1,
                (2, Wire::Varint(value)) => number = int32(value),
                (3, Wire::Bytes(bytes)) => text = self.text(bytes)?,
                _ => {}
            }
        }
        Ok(if is_text { text.into() } else { number.into() })
    }

    /// `meta.Time` and `meta.MicroTime` { seconds = 1, nanos = 2 }; the zero time is sent as an empty message and is null
    /// in JSON.
    fn time(self, message: &[u8], micro: bool) -> Result<Value, ProtobufError> {
        let (mut seconds, mut nanoseconds) = (0_i64, 0_i32);
        for field in self.fields(message) {
            match field? {
                (1, Wire::Varint(value)) => seconds = value.cast_signed(),
                (2, Wire::Varint(value)) => nanoseconds = int32(value),
                _ => {}
            }
        }
        if message.is_empty() {
            return Ok(Value::Null);
        }
        let out_of_range = |_| self.not("an instant between the years 0 and 9999");
        Ok(if micro {
            let time = Timestamp::new(seconds, nanoseconds).map_err(out_of_range)?;
            format!("{time:.6}").into()
        } else {
            Timestamp::from_second(seconds)
                .map_err(out_of_range)?
                .to_string()
                .into()
        })
    }

    /// `meta.FieldsV1` and `runtime.RawExtension` { raw = 1 }, whose bytes are JSON.
    fn json(self, message: &[u8]) -> Result<Value, ProtobufError> {
        let mut value = Value::Null;
        for field in self.fields(message) {
            if let (1, Wire::Bytes(raw)) = field? {
                value = serde_json::from_slice(raw).map_err(|_| self.not("JSON"))?;
            }
        }
        Ok(value)
    }
}

/// Negative 32-bit numbers are sent with their sign extended to 64 bits.
fn int32(number: u64) -> i32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}
