//! A definition made ready for writing: its fields by name, found once however many objects are written.

use std::sync::OnceLock;

use crate::table::{self, Definition, Field, Type};

/// The fields of one message, in the order of their JSON names.
#[derive(Debug)]
pub(super) struct Plan {
    fields: Box<[Slot]>,
}

/// One field: where it stands on the wire, and what it is.
#[derive(Debug)]
pub(super) struct Slot {
    name: &'static str,
    /// The field of the parent that this one is within, where JSON has it in the parent; 0 for none.
    pub outer: u32,
    pub number: u32,
    pub item: Item,
}

/// What a field, an item of a list or a value of a map is.
#[derive(Debug)]
pub(super) enum Item {
    List(Box<Item>),
    /// A list that is the value of a map: a message { items = 1 } on the wire (`authorization/v1.ExtraValue`).
    Items(Box<Item>),
    Map(Box<Item>),
    Scalar(Type),
    Message(&'static str, OnceLock<Option<&'static Plan>>),
}

impl Plan {
    fn new(fields: impl Iterator<Item = Field>) -> Self {
        let mut fields: Vec<Slot> = fields.filter(|f| f.number.0 != 0).map(Slot::new).collect();
        fields.sort_unstable_by_key(|slot| slot.name);
        Self {
            fields: fields.into(),
        }
    }

    pub(super) fn slot(&self, name: &str) -> Option<&Slot> {
        let at = self.fields.binary_search_by(|slot| slot.name.cmp(name));
        at.ok().and_then(|at| self.fields.get(at))
    }

    /// Of a definition by its short name, `core/Service`; none of what has no protobuf form.
    pub(super) fn of(name: &str) -> Option<&'static Self> {
        static PLANS: OnceLock<Vec<OnceLock<Plan>>> = OnceLock::new();
        let all = table::definitions();
        let at = all.binary_search_by(|d| d.name.cmp(name)).ok()?;
        let plans = PLANS.get_or_init(|| all.iter().map(|_| OnceLock::new()).collect());
        let plan = plans.get(at)?.get_or_init(|| Self::new(all[at].fields()));
        let numbered = !plan.fields.is_empty() || all[at].fields().next().is_none();
        numbered.then_some(plan)
    }

    /// `PartialObjectMetadata` of `meta.k8s.io/v1`, which no document describes: an object with metadata alone.
    pub(super) fn partial() -> Option<&'static Self> {
        static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
        let plan = || {
            let metadata = table::definition("meta/Status").map(Definition::fields)?;
            let field = metadata
                .into_iter()
                .find(|field| field.name == "metadata")?;
            let field = Field {
                kind: Type::Definition("meta/ObjectMeta"),
                ..field
            };
            Some(Self::new(std::iter::once(field)))
        };
        PLAN.get_or_init(plan).as_ref()
    }
}

impl Slot {
    fn new(field: Field) -> Self {
        let (outer, number) = match field.number {
            (number, 0) => (0, number),
            within => within,
        };
        Self {
            name: field.name,
            outer,
            number,
            item: Item::new(field.kind),
        }
    }
}

impl Item {
    fn new(kind: Type) -> Self {
        match kind {
            Type::List(item) => Self::List(Box::new(Self::new(Type::parse(item)))),
            Type::Map(value) => Self::Map(Box::new(match Self::new(Type::parse(value)) {
                Self::List(item) => Self::Items(item),
                value => value,
            })),
            Type::Definition(name) => Self::Message(name, OnceLock::new()),
            scalar => Self::Scalar(scalar),
        }
    }

    /// The plan of a message.
    pub(super) fn plan(&self) -> Option<&'static Plan> {
        match self {
            Self::Message(name, plan) => *plan.get_or_init(|| Plan::of(name)),
            _ => None,
        }
    }
}
