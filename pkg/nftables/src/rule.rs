//! Rules.

use crate::error::Error;
use crate::expr::{Counter, Expr};
use crate::uapi::nf_tables as nft;
use crate::userdata as ud;
use crate::wire::{Attributes, Writer};

/// A rule of one chain: expressions that are evaluated one after the other, until one ends the rule
/// or is a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Rule {
    /// The expressions.
    pub expressions: Vec<Expr>,
    /// A comment, as `nft` shows it.
    pub comment: Option<String>,
}

/// A rule as it stands in the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ListedRule {
    /// Name of its chain.
    pub chain: String,
    /// What it is deleted and replaced by.
    pub handle: u64,
    /// The rule.
    pub rule: Rule,
}

impl Rule {
    /// A rule of these expressions.
    pub fn new(expressions: impl IntoIterator<Item = Expr>) -> Self {
        Self {
            expressions: expressions.into_iter().collect(),
            comment: None,
        }
    }

    /// The same with one more expression.
    #[must_use]
    pub fn with(mut self, expression: impl Into<Expr>) -> Self {
        self.expressions.push(expression.into());
        self
    }

    /// The same with a comment.
    #[must_use]
    pub fn with_comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = Some(comment.into());
        self
    }

    /// The same with counters at zero, to compare a rule with what was sent.
    #[must_use]
    pub fn without_state(mut self) -> Self {
        for expression in &mut self.expressions {
            if let Expr::Counter(counter) = expression {
                *counter = Counter::default();
            }
        }
        self
    }

    pub(crate) fn encode(&self, w: &mut Writer) {
        w.nested(nft::NFTA_RULE_EXPRESSIONS, |w| {
            for expression in &self.expressions {
                expression.encode(w);
            }
        });
        if let Some(comment) = &self.comment {
            w.bytes(
                nft::NFTA_RULE_USERDATA,
                &ud::comment(ud::RULE_COMMENT, comment),
            );
        }
    }
}

impl ListedRule {
    pub(crate) fn decode(attributes: Attributes<'_>) -> Result<Self, Error> {
        let mut listed = Self {
            chain: String::new(),
            handle: 0,
            rule: Rule::default(),
        };
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                nft::NFTA_RULE_CHAIN => listed.chain = attribute.text(),
                nft::NFTA_RULE_HANDLE => listed.handle = attribute.be64()?,
                nft::NFTA_RULE_EXPRESSIONS => {
                    for expression in attribute.nested() {
                        listed.rule.expressions.push(Expr::decode(expression?)?);
                    }
                }
                nft::NFTA_RULE_USERDATA => {
                    listed.rule.comment = ud::find_comment(ud::RULE_COMMENT, attribute.value);
                }
                _ => {}
            }
        }
        Ok(listed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::{Meta, MetaKey};
    use crate::register::Reg;
    use crate::verdict::Verdict;

    #[test]
    fn a_rule_comes_back_with_its_comment() {
        let rule = Rule::default()
            .with(Meta::load(MetaKey::L4proto, Reg::R0))
            .with(Counter {
                packets: 3,
                bytes: 180,
            })
            .with(Verdict::Drop)
            .with_comment("why");
        let mut w = Writer::default();
        rule.encode(&mut w);
        let back = ListedRule::decode(Attributes::new(w.as_bytes())).unwrap();
        assert_eq!(back.rule, rule);
        let fresh = Counter::default().into();
        assert_eq!(back.rule.without_state().expressions[1], fresh);
    }
}
