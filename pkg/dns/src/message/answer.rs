//! Answers, written into memory that is used again: none is asked for on the way of a question that the zone answers.

use std::net::IpAddr;

use domain::base::iana::Rcode;
use domain::base::message_builder::{AdditionalBuilder, AnswerBuilder, PushError};
use domain::base::name::ParsedName;
use domain::base::{
    CharStr, Header, Message, MessageBuilder, Name, Serial, StaticCompressor, ToName, Ttl,
};
use domain::rdata::{A, Aaaa, AllRecordData, Cname, Hinfo, Ns, Ptr, Soa, Srv, Txt};

use super::{MAX_UDP, Query};
use crate::name::WireName;
use crate::zone::{Data, Kind, Lookup, Zone};

/// Seconds that an answer may be kept: short, since Services change and are asked on the spot.
const TTL: Ttl = Ttl::from_secs(5);
/// Longest chain of aliases followed inside the zone.
const MAX_ALIASES: usize = 8;

/// What is written into, kept from question to question.
#[derive(Debug, Default)]
pub struct Scratch {
    found: Vec<Data>,
    out: Vec<u8>,
}

impl Scratch {
    /// The answer, once [`Reply::Written`] says that there is one.
    #[must_use]
    pub fn answer(&self) -> &[u8] {
        &self.out
    }
}

/// What a question gets.
#[derive(Debug)]
pub enum Reply {
    /// The answer is in the scratch.
    Written(Rcode),
    /// Another resolver must be asked, for the last name of the chain.
    Elsewhere(Chain),
}

/// The name of the question, then what it is an alias of, one after the other. Empty: no alias.
#[derive(Debug, Default, Clone)]
pub struct Chain(Vec<WireName>);

impl Chain {
    /// The name that another resolver must be asked for, when it is not the question's.
    #[must_use]
    pub fn target(&self) -> Option<&WireName> {
        self.0.last()
    }

    fn contains(&self, name: &WireName) -> bool {
        self.0.contains(name)
    }
}

/// Answers from the zone, or says that another must be asked.
pub fn respond(query: &Query<'_>, zone: &Zone, scratch: &mut Scratch) -> Reply {
    let Scratch { found, out } = scratch;
    let mut chain = Chain::default();
    let mut lookup = zone.lookup(&query.name, query.kind, found);
    while let Lookup::Alias(target) = lookup {
        let Some(target) = WireName::parse(target) else {
            lookup = Lookup::NoData;
            break;
        };
        if chain.contains(&target) || target == query.name || chain.0.len() == MAX_ALIASES {
            // Aliases that lead back to themselves have no end that could be told.
            lookup = Lookup::NoData;
            break;
        }
        chain.0.push(target);
        if matches!(query.kind, Kind::Cname | Kind::Any) {
            found.clear();
            lookup = Lookup::Found;
            break;
        }
        lookup = zone.lookup(&target, query.kind, found);
    }
    let rcode = match lookup {
        Lookup::Elsewhere => return Reply::Elsewhere(chain),
        Lookup::NxDomain => Rcode::NXDOMAIN,
        _ => Rcode::NOERROR,
    };
    if found.len() > 1 {
        // Clients tend to take the first: each gets another first one, and a question's id is as good as chance.
        let turn = usize::from(query.id()) % found.len();
        found.rotate_left(turn);
    }
    let mut writer = Writer::begin(query, rcode, true, out);
    writer.aliases(query, &chain);
    let whole = match chain.target() {
        None => writer.records(query.question.qname(), found, zone),
        Some(name) => writer.records(name.as_name(), found, zone),
    };
    let last = chain.target().unwrap_or(&query.name);
    let denied = match lookup {
        Lookup::Found => None,
        _ => zone.apex(last),
    };
    writer.finish(query, zone, denied.as_ref(), whole, found);
    Reply::Written(rcode)
}

/// An alias of the cluster, followed by what a resolver said of its target, if it said anything.
#[must_use]
pub fn answer_alias(query: &Query<'_>, chain: &Chain, resolved: Option<&[u8]>) -> Vec<u8> {
    let resolved = resolved.and_then(|bytes| Message::from_octets(bytes).ok());
    let rcode = resolved.map_or(Rcode::NOERROR, |message| message.header().rcode());
    let mut out = Vec::with_capacity(super::PLAIN_UDP);
    let mut writer = Writer::begin(query, rcode, false, &mut out);
    writer.aliases(query, chain);
    let whole = resolved.is_none_or(|resolved| {
        copy_answers(&resolved, &mut writer.section) && !resolved.header().tc()
    });
    writer.close(query, resolved.as_ref(), whole);
    out
}

/// An answer of another resolver, made this question's: its id, its spelling of the name, no larger than the client
/// takes. `answer` has no OPT record, and the question that this one asks. One that is cut is of no use over TCP: that is how the
/// whole is asked for.
#[must_use]
pub fn relay(query: &Query<'_>, mut answer: Vec<u8>) -> Vec<u8> {
    let is_cut = |bytes: &[u8]| Message::from_octets(bytes).is_ok_and(|m| m.header().tc());
    if query.limit > MAX_UDP && is_cut(&answer) {
        return query.error(Rcode::SERVFAIL);
    }
    let asked = query.as_bytes();
    let name = 12..12 + query.name.as_bytes().len();
    if let (Some(place), Some(spelled)) = (answer.get_mut(name.clone()), asked.get(name)) {
        place.copy_from_slice(spelled);
    }
    if let Ok(mut message) = Message::from_octets(answer.as_mut_slice()) {
        let header = message.header_mut();
        header.set_id(query.id());
        header.set_rd(query.message.header().rd());
        header.set_cd(query.message.header().cd());
        header.set_ra(true);
        header.set_aa(false);
        if !query.wants_authentic() {
            header.set_ad(false);
        }
    }
    if let Some(dnssec_ok) = query.edns {
        append_opt(&mut answer, dnssec_ok);
    }
    if answer.len() <= query.limit {
        return answer;
    }
    query.truncated()
}

/// An OPT record of 11 octets at the end: root, type 41, size, extended code and version 0, flags, no options.
pub(super) fn append_opt(message: &mut Vec<u8>, dnssec_ok: bool) {
    let [high, low] = (MAX_UDP as u16).to_be_bytes();
    let flags = if dnssec_ok { 0x80 } else { 0 };
    message.extend([0, 0, 41, high, low, 0, 0, flags, 0, 0, 0]);
    // The count of additional records: the last two octets of the header.
    if let Some([high, low]) = message.get_mut(10..12) {
        [*high, *low] = (u16::from_be_bytes([*high, *low]) + 1).to_be_bytes();
    }
}

type Section = AnswerBuilder<StaticCompressor<Vec<u8>>>;
type Additional = AdditionalBuilder<StaticCompressor<Vec<u8>>>;

/// One answer on its way. What is written into is given back at the end.
struct Writer<'o> {
    section: Section,
    out: &'o mut Vec<u8>,
}

impl<'o> Writer<'o> {
    fn begin(query: &Query<'_>, rcode: Rcode, authoritative: bool, out: &'o mut Vec<u8>) -> Self {
        let target = StaticCompressor::new(std::mem::take(out));
        // A vector takes whatever is written: only the limit can make a push fail.
        let Ok(mut builder) = MessageBuilder::from_target(target);
        let opt_size = if query.edns.is_some() { 11 } else { 0 };
        builder.set_push_limit(query.limit - opt_size);
        let asked = query.message.header();
        let mut header = Header::new();
        header.set_id(asked.id());
        header.set_qr(true);
        header.set_rd(asked.rd());
        header.set_cd(asked.cd());
        header.set_ra(true);
        header.set_aa(authoritative);
        header.set_rcode(rcode);
        *builder.header_mut() = header;
        let mut question = builder.question();
        let _ = question.push(query.question);
        Self {
            section: question.answer(),
            out,
        }
    }

    fn aliases(&mut self, query: &Query<'_>, chain: &Chain) {
        let mut owner = None::<&WireName>;
        for target in &chain.0 {
            let data = Cname::new(target.as_name());
            let _ = match owner {
                None => self.section.push((query.question.qname(), TTL, data)),
                Some(owner) => self.section.push((owner.as_name(), TTL, data)),
            };
            owner = Some(target);
        }
    }

    /// False when not all of them fit.
    fn records(&mut self, owner: impl ToName + Copy, found: &[Data], zone: &Zone) -> bool {
        found
            .iter()
            .all(|data| push(&mut self.section, owner, data, zone).is_ok())
    }

    /// The sections behind the answer: the SOA of a negative one, by the zone it speaks for, addresses of targets, OPT. An
    /// answer that does not fit is marked so (TC), for the client to ask again over TCP.
    fn finish(
        self,
        query: &Query<'_>,
        zone: &Zone,
        denied: Option<&WireName>,
        whole: bool,
        found: &[Data],
    ) {
        let mut authority = self.section.authority();
        let mut whole = whole;
        if let Some(apex) = denied {
            let (server, hostmaster) = soa_names(zone);
            let soa = soa(zone, server.as_name(), hostmaster.as_name());
            whole &= authority.push((apex.as_name(), TTL, soa)).is_ok();
        }
        if !whole {
            authority.header_mut().set_tc(true);
        }
        let mut extra = authority.additional();
        // What does not fit here may be left out: the client can ask for it.
        let _ = targets(&mut extra, zone, found);
        end(extra, query, self.out);
    }

    /// Ends what another resolver said of an alias's target; how long a denial of its may be kept says its SOA.
    fn close(self, query: &Query<'_>, resolved: Option<&Message<&[u8]>>, whole: bool) {
        let mut authority = self.section.authority();
        let mut whole = whole;
        let records = resolved.and_then(|message| message.authority().ok());
        for record in records.into_iter().flatten().flatten() {
            if let Ok(Some(soa)) = record.into_record::<Soa<_>>() {
                whole &= authority.push(soa).is_ok();
            }
        }
        if !whole {
            authority.header_mut().set_tc(true);
        }
        end(authority.additional(), query, self.out);
    }
}

/// Adds OPT where the client has one, and hands the memory back.
fn end(mut extra: Additional, query: &Query<'_>, out: &mut Vec<u8>) {
    extra.clear_push_limit();
    *out = extra.finish().into_target();
    if let Some(dnssec_ok) = query.edns {
        append_opt(out, dnssec_ok);
    }
}

/// The addresses of what the records lead to, each target's once.
fn targets(extra: &mut Additional, zone: &Zone, found: &[Data]) -> Result<(), PushError> {
    for (at, data) in found.iter().enumerate() {
        match data {
            Data::Srv { target, .. } => {
                let same = |data: &Data| matches!(data, Data::Srv { target: other, .. } if other == target);
                if found[..at].iter().any(same) {
                    continue;
                }
                let name = zone.name_of(*target);
                let mut fits = Ok(());
                zone.addresses_of(*target, |address| {
                    fits = fits.and_then(|()| push_address(extra, name.as_name(), address));
                });
                fits?;
            }
            Data::Ns => {
                let (server, _) = soa_names(zone);
                push_address(extra, server.as_name(), zone.server())?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn push_address(
    extra: &mut Additional,
    owner: &Name<[u8]>,
    address: IpAddr,
) -> Result<(), PushError> {
    match address {
        IpAddr::V4(v4) => extra.push((owner, TTL, A::new(v4))),
        IpAddr::V6(v6) => extra.push((owner, TTL, Aaaa::new(v6))),
    }
}

fn push(
    section: &mut Section,
    owner: impl ToName,
    data: &Data,
    zone: &Zone,
) -> Result<(), PushError> {
    match data {
        Data::Address(IpAddr::V4(v4)) => section.push((owner, TTL, A::new(*v4))),
        Data::Address(IpAddr::V6(v6)) => section.push((owner, TTL, Aaaa::new(*v6))),
        Data::Srv {
            port,
            weight,
            target,
        } => {
            let target = zone.name_of(*target);
            section.push((owner, TTL, Srv::new(0, *weight, *port, target.as_name())))
        }
        Data::Ptr(target) => {
            let target = zone.name_of(*target);
            section.push((owner, TTL, Ptr::new(target.as_name())))
        }
        Data::Ns => {
            let (server, _) = soa_names(zone);
            section.push((owner, TTL, Ns::new(server.as_name())))
        }
        Data::Soa => {
            let (server, hostmaster) = soa_names(zone);
            let soa = soa(zone, server.as_name(), hostmaster.as_name());
            section.push((owner, TTL, soa))
        }
        Data::Txt(text) => match Txt::<Vec<u8>>::build_from_slice(text.as_bytes()) {
            Ok(text) => section.push((owner, TTL, text)),
            Err(_) => Ok(()),
        },
        Data::Hinfo => match CharStr::from_octets(&b"RFC8482"[..]) {
            Ok(cpu) => section.push((owner, TTL, Hinfo::new(cpu, CharStr::empty()))),
            Err(_) => Ok(()),
        },
    }
}

/// The name server's own name, and the mailbox of who answers for it.
fn soa_names(zone: &Zone) -> (WireName, WireName) {
    let (mut server, mut hostmaster) = (WireName::root(), WireName::root());
    server.push(b"ns");
    server.push(b"dns");
    server.append(zone.origin());
    hostmaster.push(b"hostmaster");
    hostmaster.append(zone.origin());
    (server, hostmaster)
}

/// The times are CoreDNS's; the last is how long a negative answer may be kept (RFC 2308, 4).
fn soa<'n>(zone: &Zone, server: &'n Name<[u8]>, hostmaster: &'n Name<[u8]>) -> Soa<&'n Name<[u8]>> {
    Soa::new(
        server,
        hostmaster,
        Serial(zone.serial()),
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
