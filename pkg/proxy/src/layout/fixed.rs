//! Elements that every ruleset has, whatever the Services.

use super::class::Class;
use super::element::{Dispatch, Element, Key, Value};
use crate::family::Family;

impl Dispatch {
    pub const ALL: [Self; 4] = [
        Self::Services,
        Self::SourceRanges,
        Self::BySource,
        Self::Sticky,
    ];

    /// The classes besides counts that may come at this place. Each place allows only later ones
    /// than itself.
    fn special(self) -> &'static [Class] {
        const ORDER: [Class; 5] = [
            Class::SOURCE_RANGES,
            Class::BY_SOURCE,
            Class::STICKY,
            Class::REJECT,
            Class::DENY,
        ];
        match self {
            Self::Services => &ORDER,
            Self::SourceRanges => &ORDER[1..],
            Self::BySource => &ORDER[2..],
            Self::Sticky => &[],
        }
    }

    /// All classes that may come at this place.
    pub fn classes(self) -> impl Iterator<Item = Class> {
        Class::counts().chain(self.special().iter().copied())
    }
}

/// The elements of the maps from classes to chains.
pub fn fixed_elements(family: Family) -> impl Iterator<Item = Element> {
    Dispatch::ALL.into_iter().flat_map(move |dispatch| {
        dispatch
            .classes()
            .map(move |class| (Key::Dispatch(family, dispatch, class), Value::Chain))
    })
}
