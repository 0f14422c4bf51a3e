//! What another resolver is asked.

use std::hash::{Hash, Hasher};

use domain::base::iana::Class;
use domain::base::{Message, MessageBuilder, Rtype};

use super::{Chain, MAX_UDP, Query};
use crate::name::WireName;

/// A question without its asker: what two clients have in common who get the same answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub name: WireName,
    pub rtype: Rtype,
    /// Signatures are wanted (DO).
    pub dnssec_ok: bool,
    /// And checked by the client (CD).
    pub checking_disabled: bool,
}

impl Hash for Asked {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.as_bytes().hash(state);
        self.rtype.to_int().hash(state);
        (self.dnssec_ok, self.checking_disabled).hash(state);
    }
}

impl Asked {
    /// What must be found out for a query: its own name, or the last one of the aliases.
    #[must_use]
    pub fn by(query: &Query<'_>, chain: &Chain) -> Self {
        Self {
            name: *chain.target().unwrap_or(&query.name),
            rtype: query.rtype(),
            dnssec_ok: query.edns.unwrap_or(false),
            checking_disabled: query.checking_disabled(),
        }
    }

    /// The message, with an id; without EDNS for a server that does not know it.
    #[must_use]
    pub fn message(&self, id: u16, edns: bool) -> Vec<u8> {
        let mut builder = MessageBuilder::new_vec();
        let header = builder.header_mut();
        header.set_id(id);
        header.set_rd(true);
        header.set_cd(self.checking_disabled);
        // Whether data were found authentic is told to who says that it understands it (RFC 6840, 5.7).
        header.set_ad(true);
        let mut question = builder.question();
        let _ = question.push((self.name.as_name(), self.rtype));
        let mut additional = question.additional();
        if edns {
            let _ = additional.opt(|opt| {
                opt.set_udp_payload_size(MAX_UDP as u16);
                opt.set_dnssec_ok(self.dnssec_ok);
                Ok(())
            });
        }
        additional.finish()
    }

    /// True for an answer to this question under this id: nobody else's is believed (RFC 5452).
    #[must_use]
    pub fn is_answered_by(&self, id: u16, bytes: &[u8]) -> bool {
        let Ok(message) = Message::from_octets(bytes) else {
            return false;
        };
        let header = message.header();
        let Ok(question) = message.sole_question() else {
            return false;
        };
        header.qr()
            && header.id() == id
            && question.qtype() == self.rtype
            && question.qclass() == Class::IN
            && WireName::of(question.qname()) == self.name
    }
}
