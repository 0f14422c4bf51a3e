//! DNS messages (RFC 1035, EDNS RFC 6891): a question read, an answer written.

use domain::base::iana::{Class, Opcode, Rcode};
use domain::base::message_builder::{AnswerBuilder, PushError};
use domain::base::{Message, MessageBuilder, Name, Rtype, Serial, Ttl};
use domain::base::{StaticCompressor, name::ParsedName};
use domain::rdata::{A, Aaaa, AllRecordData, Cname, Ns, Ptr, Soa, Srv, Txt};

use crate::zone::{Data, Kind, Lookup, Record, Zone};

/// Seconds that an answer may be kept: short, since Services change and are asked on the spot.
const TTL: Ttl = Ttl::from_secs(5);
/// Largest UDP answer: what passes unfragmented everywhere (DNS flag day 2020).
const MAX_UDP: usize = 1232;
/// Largest UDP answer to one who says nothing of sizes (RFC 1035, 4.2.1).
const PLAIN_UDP: usize = 512;

/// How a question came, which bounds the size of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
}

/// A question that can be answered.
#[derive(Debug)]
pub struct Query {
    message: Message<Vec<u8>>,
    /// Lower case, without the trailing dot.
    pub name: String,
    pub kind: Kind,
    limit: usize,
    edns: bool,
}

/// Bytes that hold no question to answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Unanswerable {
    /// No message, or an answer: silence.
    Drop,
    /// A message that gets this error at once.
    Reply(Vec<u8>),
}

/// What a question gets.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    Message(Vec<u8>),
    /// Another resolver must be asked: for the question itself, or, after an alias, for `target`.
    Elsewhere {
        alias: Option<(Vec<Record>, String)>,
    },
}

impl Query {
    /// Reads a message.
    ///
    /// # Errors
    /// See [`Unanswerable`].
    pub fn parse(bytes: &[u8], transport: Transport) -> Result<Self, Unanswerable> {
        let message = Message::from_octets(bytes.to_vec()).map_err(|_| Unanswerable::Drop)?;
        if message.header().qr() {
            return Err(Unanswerable::Drop);
        }
        let refuse = |rcode| Unanswerable::Reply(error(&message, rcode));
        if message.header().opcode() != Opcode::QUERY {
            return Err(refuse(Rcode::NOTIMP));
        }
        let question = message
            .sole_question()
            .map_err(|_| refuse(Rcode::FORMERR))?;
        if question.qclass() != Class::IN || matches!(question.qtype(), Rtype::AXFR | Rtype::IXFR) {
            return Err(refuse(Rcode::REFUSED));
        }
        let opt = message.opt();
        let edns = opt.is_some();
        let limit = match (transport, &opt) {
            (Transport::Tcp, _) => usize::from(u16::MAX),
            (Transport::Udp, Some(opt)) => {
                usize::from(opt.udp_payload_size()).clamp(PLAIN_UDP, MAX_UDP)
            }
            (Transport::Udp, None) => PLAIN_UDP,
        };
        let name = question
            .qname()
            .to_string()
            .trim_end_matches('.')
            .to_ascii_lowercase();
        let kind = kind(question.qtype());
        Ok(Self {
            name,
            kind,
            limit,
            edns,
            message,
        })
    }

    /// The question as it came.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.message.as_slice()
    }

    /// Answers from the zone, or says that another must be asked.
    #[must_use]
    pub fn answer(&self, zone: &Zone) -> Reply {
        let origin = zone.origin();
        Reply::Message(match zone.lookup(&self.name, self.kind) {
            Lookup::Elsewhere => return Reply::Elsewhere { alias: None },
            Lookup::Found {
                answer,
                elsewhere: Some(target),
                ..
            } => {
                return Reply::Elsewhere {
                    alias: Some((answer, target)),
                };
            }
            Lookup::Found {
                answer,
                additional,
                elsewhere: None,
            } => self.write(Rcode::NOERROR, origin, &answer, false, &additional, None),
            Lookup::NoData => self.write(Rcode::NOERROR, origin, &[], true, &[], None),
            Lookup::NxDomain => self.write(Rcode::NXDOMAIN, origin, &[], true, &[], None),
        })
    }

    /// The alias of an ExternalName Service, followed by what the resolver said of its target, if it said anything.
    #[must_use]
    pub fn answer_alias(&self, origin: &str, alias: &[Record], resolved: Option<&[u8]>) -> Vec<u8> {
        let resolved = resolved.and_then(|bytes| Message::from_octets(bytes).ok());
        self.write(Rcode::NOERROR, origin, alias, false, &[], resolved)
    }

    /// The question that finds out what `target` is, in this question's type.
    #[must_use]
    pub fn for_target(&self, target: &str) -> Option<Vec<u8>> {
        let name: Name<Vec<u8>> = target.parse().ok()?;
        let qtype = self.message.sole_question().ok()?.qtype();
        let mut builder = MessageBuilder::new_vec();
        builder.header_mut().set_rd(true);
        let mut question = builder.question();
        question.push((&name, qtype)).ok()?;
        Some(question.finish())
    }

    /// `SERVFAIL`: nobody could be asked.
    #[must_use]
    pub fn failure(&self) -> Vec<u8> {
        error(&self.message, Rcode::SERVFAIL)
    }

    /// An answer of another resolver under this question's id, cut to the size that the client takes.
    #[must_use]
    pub fn relay(&self, mut answer: Vec<u8>) -> Vec<u8> {
        if let Ok(message) = Message::from_octets(answer.as_mut_slice()) {
            let mut message = message;
            message.header_mut().set_id(self.message.header().id());
        }
        if answer.len() <= self.limit {
            return answer;
        }
        let mut builder = MessageBuilder::new_vec();
        *builder.header_mut() = self.header(Rcode::NOERROR, false);
        builder.header_mut().set_tc(true);
        let mut question = builder.question();
        if let Ok(asked) = self.message.sole_question() {
            let _ = question.push(asked);
        }
        question.finish()
    }

    fn header(&self, rcode: Rcode, authoritative: bool) -> domain::base::Header {
        let mut header = domain::base::Header::new();
        let asked = self.message.header();
        header.set_id(asked.id());
        header.set_qr(true);
        header.set_rd(asked.rd());
        header.set_ra(true);
        header.set_aa(authoritative);
        header.set_rcode(rcode);
        header
    }

    /// Writes an answer; one that does not fit is cut and marked so (TC), for the client to ask again over TCP.
    fn write(
        &self,
        rcode: Rcode,
        origin: &str,
        answer: &[Record],
        negative: bool,
        additional: &[Record],
        resolved: Option<Message<&[u8]>>,
    ) -> Vec<u8> {
        // A vector grows as needed: only the limit can make a push fail.
        let mut builder =
            match MessageBuilder::from_target(StaticCompressor::new(Vec::with_capacity(PLAIN_UDP)))
            {
                Ok(builder) => builder,
                Err(_) => return self.failure(),
            };
        let opt_size = if self.edns { 11 } else { 0 };
        builder.set_push_limit(self.limit - opt_size);
        *builder.header_mut() = self.header(rcode, true);
        let mut question = builder.question();
        if let Ok(asked) = self.message.sole_question() {
            let _ = question.push(asked);
        }
        let mut section = question.answer();
        let mut whole = answer
            .iter()
            .all(|record| push(&mut section, record, origin).is_ok());
        if let Some(resolved) = resolved {
            section.header_mut().set_rcode(resolved.header().rcode());
            section.header_mut().set_aa(false);
            whole &= copy_answers(&resolved, &mut section);
        }
        let mut authority = section.authority();
        if negative && let Ok(owner) = origin.parse::<Name<Vec<u8>>>() {
            whole &= authority.push((owner, TTL, soa(origin))).is_ok();
        }
        if !whole {
            authority.header_mut().set_tc(true);
        }
        let mut extra = authority.additional();
        for record in additional {
            // What does not fit here may be left out: the client can ask for it.
            if let (Ok(owner), Data::Address(address)) =
                (record.name.parse::<Name<Vec<u8>>>(), &record.data)
            {
                let _ = match address {
                    std::net::IpAddr::V4(v4) => extra.push((owner, TTL, A::new(*v4))),
                    std::net::IpAddr::V6(v6) => extra.push((owner, TTL, Aaaa::new(*v6))),
                };
            }
        }
        extra.clear_push_limit();
        if self.edns {
            let _ = extra.opt(|opt| {
                opt.set_udp_payload_size(MAX_UDP as u16);
                Ok(())
            });
        }
        extra.finish().into_target()
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
        _ => Kind::Other,
    }
}

fn error(message: &Message<Vec<u8>>, rcode: Rcode) -> Vec<u8> {
    match MessageBuilder::new_vec().start_answer(message, rcode) {
        Ok(answer) => answer.finish(),
        Err(_) => Vec::new(),
    }
}

type Section = AnswerBuilder<StaticCompressor<Vec<u8>>>;

/// Writes one record; a name that cannot be written (a label over 63 octets) is left out.
fn push(section: &mut Section, record: &Record, origin: &str) -> Result<(), PushError> {
    let Ok(owner) = record.name.parse::<Name<Vec<u8>>>() else {
        return Ok(());
    };
    let name = |text: &str| text.parse::<Name<Vec<u8>>>();
    match &record.data {
        Data::Address(std::net::IpAddr::V4(v4)) => section.push((owner, TTL, A::new(*v4))),
        Data::Address(std::net::IpAddr::V6(v6)) => section.push((owner, TTL, Aaaa::new(*v6))),
        Data::Cname(target) => {
            name(target).map_or(Ok(()), |t| section.push((owner, TTL, Cname::new(t))))
        }
        Data::Srv {
            port,
            weight,
            target,
        } => name(target).map_or(Ok(()), |t| {
            section.push((owner, TTL, Srv::new(0, *weight, *port, t)))
        }),
        Data::Ptr(target) => {
            name(target).map_or(Ok(()), |t| section.push((owner, TTL, Ptr::new(t))))
        }
        Data::Ns(target) => name(target).map_or(Ok(()), |t| section.push((owner, TTL, Ns::new(t)))),
        Data::Txt(text) => match Txt::<Vec<u8>>::build_from_slice(text.as_bytes()) {
            Ok(text) => section.push((owner, TTL, text)),
            Err(_) => Ok(()),
        },
        Data::Soa => section.push((owner, TTL, soa(origin))),
    }
}

fn soa(origin: &str) -> Soa<Name<Vec<u8>>> {
    let name = |text: String| text.parse().unwrap_or_else(|_| Name::root_vec());
    Soa::new(
        name(format!("ns.dns.{origin}")),
        name(format!("hostmaster.{origin}")),
        Serial(1),
        Ttl::from_secs(7200),
        Ttl::from_secs(1800),
        Ttl::from_secs(86400),
        TTL,
    )
}

/// Copies the answer section of another message; false when not all of it fits.
fn copy_answers(from: &Message<&[u8]>, to: &mut Section) -> bool {
    let Ok(answers) = from.answer() else {
        return true;
    };
    answers.flatten().all(|record| {
        match record.into_any_record::<AllRecordData<_, ParsedName<_>>>() {
            Ok(record) => to.push(record).is_ok(),
            Err(_) => true,
        }
    })
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
