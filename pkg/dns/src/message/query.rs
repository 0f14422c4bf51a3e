//! A question, read from its bytes without a copy.

use domain::base::iana::{Class, Opcode, Rcode};
use domain::base::name::ParsedName;
use domain::base::{Message, MessageBuilder, Question, Rtype};

use super::answer::append_opt;
use super::{MAX_UDP, PLAIN_UDP};
use crate::name::WireName;
use crate::zone::Kind;

/// How a question came, which bounds the size of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
}

/// A question that can be answered.
#[derive(Debug, Clone)]
pub struct Query<'q> {
    pub(super) message: Message<&'q [u8]>,
    pub(super) question: Question<ParsedName<&'q [u8]>>,
    pub name: WireName,
    pub kind: Kind,
    /// Octets that the answer may have.
    pub(super) limit: usize,
    /// The client speaks EDNS; whether it wants signatures (DO, RFC 3225).
    pub edns: Option<bool>,
}

/// Bytes that hold no question to answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Unanswerable {
    /// No message, or an answer: silence.
    Drop,
    /// A message that gets this error at once.
    Reply(Vec<u8>),
}

impl<'q> Query<'q> {
    /// Reads a message.
    ///
    /// # Errors
    /// See [`Unanswerable`].
    pub fn parse(bytes: &'q [u8], transport: Transport) -> Result<Self, Unanswerable> {
        let message = Message::from_octets(bytes).map_err(|_| Unanswerable::Drop)?;
        let header = message.header();
        if header.qr() {
            return Err(Unanswerable::Drop);
        }
        let refuse = |rcode| Unanswerable::Reply(error(&message, rcode));
        if header.opcode() != Opcode::QUERY {
            return Err(refuse(Rcode::NOTIMP));
        }
        let question = message
            .sole_question()
            .map_err(|_| refuse(Rcode::FORMERR))?;
        // Transfers are refused to everybody: who may read the zone reads the API.
        let refused = [Rtype::AXFR, Rtype::IXFR, Rtype::MAILA, Rtype::MAILB];
        if question.qclass() != Class::IN || refused.contains(&question.qtype()) {
            return Err(refuse(Rcode::REFUSED));
        }
        // Most questions have nothing behind the question: no need to look.
        let has_more = message.header_counts().arcount() > 0;
        let opt = if has_more { message.opt() } else { None };
        if has_more && has_several_opts(&message) {
            return Err(refuse(Rcode::FORMERR));
        }
        if opt.as_ref().is_some_and(|opt| opt.version() != 0) {
            return Err(Unanswerable::Reply(bad_version(&message)));
        }
        let limit = match (transport, &opt) {
            (Transport::Tcp, _) => usize::from(u16::MAX),
            (Transport::Udp, Some(opt)) => {
                usize::from(opt.udp_payload_size()).clamp(PLAIN_UDP, MAX_UDP)
            }
            (Transport::Udp, None) => PLAIN_UDP,
        };
        Ok(Self {
            name: WireName::of(question.qname()),
            kind: kind(question.qtype()),
            edns: opt.map(|opt| opt.dnssec_ok()),
            message,
            question,
            limit,
        })
    }

    #[must_use]
    pub fn id(&self) -> u16 {
        self.message.header().id()
    }

    #[must_use]
    pub fn rtype(&self) -> Rtype {
        self.question.qtype()
    }

    /// The client checks signatures itself (CD, RFC 4035).
    #[must_use]
    pub fn checking_disabled(&self) -> bool {
        self.message.header().cd()
    }

    /// The client understands that data are said to be authentic (AD, RFC 6840, 5.7).
    #[must_use]
    pub fn wants_authentic(&self) -> bool {
        self.edns == Some(true) || self.message.header().ad()
    }

    /// The question as it came.
    #[must_use]
    pub fn as_bytes(&self) -> &'q [u8] {
        self.message.into_octets()
    }

    /// An error in answer to the question.
    #[must_use]
    pub fn error(&self, rcode: Rcode) -> Vec<u8> {
        error(&self.message, rcode)
    }

    /// An empty answer that has the client ask again over TCP.
    #[must_use]
    pub fn truncated(&self) -> Vec<u8> {
        let mut answer = error(&self.message, Rcode::NOERROR);
        if let Ok(mut message) = Message::from_octets(answer.as_mut_slice()) {
            message.header_mut().set_tc(true);
        }
        answer
    }
}

fn kind(rtype: Rtype) -> Kind {
    match rtype {
        Rtype::A => Kind::A,
        Rtype::AAAA => Kind::Aaaa,
        Rtype::CNAME => Kind::Cname,
        Rtype::SRV => Kind::Srv,
        Rtype::PTR => Kind::Ptr,
        Rtype::TXT => Kind::Txt,
        Rtype::SOA => Kind::Soa,
        Rtype::NS => Kind::Ns,
        Rtype::ANY => Kind::Any,
        _ => Kind::Other,
    }
}

/// One OPT record and no more may be in a question (RFC 6891, 6.1.1).
fn has_several_opts(message: &Message<&[u8]>) -> bool {
    let records = message.additional().into_iter().flatten().flatten();
    records
        .filter(|record| record.rtype() == Rtype::OPT)
        .count()
        > 1
}

fn error(message: &Message<&[u8]>, rcode: Rcode) -> Vec<u8> {
    let Ok(mut answer) = MessageBuilder::new_vec().start_answer(message, rcode) else {
        return Vec::new();
    };
    answer.header_mut().set_ra(true);
    let mut error = answer.finish();
    // Who speaks EDNS is answered in it, whatever the answer (RFC 6891, 6.1.1); not where the question could not be read.
    if rcode != Rcode::FORMERR
        && let Some(opt) = message.opt()
    {
        append_opt(&mut error, opt.dnssec_ok());
    }
    error
}

/// `BADVERS` (RFC 6891, 6.1.3): only an OPT record can say it.
fn bad_version(message: &Message<&[u8]>) -> Vec<u8> {
    let Ok(answer) = MessageBuilder::new_vec().start_answer(message, Rcode::NOERROR) else {
        return Vec::new();
    };
    let mut additional = answer.additional();
    let _ = additional.opt(|opt| {
        opt.set_rcode(domain::base::iana::OptRcode::BADVERS);
        opt.set_udp_payload_size(MAX_UDP as u16);
        Ok(())
    });
    additional.finish()
}
