//! A small cluster, and questions to it.
#![allow(dead_code, reason = "each program of tests takes what it needs")]

use domain::base::iana::Rcode;
use domain::base::{Message, MessageBuilder, Name, Rtype};
use domain::rdata::AllRecordData;
use kedge_client::{Change, ObjectKey, Resource};
use kedge_dns::message::{Query, Reply, Scratch, Transport, respond};
use kedge_dns::name::WireName;
use kedge_dns::zone::{Update, Zone};
use serde_json::{Value, json};

pub fn change(resource: Resource, namespace: &str, name: &str, object: Option<Value>) -> Change {
    Change {
        key: ObjectKey {
            resource,
            namespace: namespace.into(),
            name: name.into(),
        },
        object: object.map(|o| o.to_string().into()),
    }
}

pub fn service(namespace: &str, name: &str, spec: Value) -> Change {
    let object = json!({ "spec": spec });
    change(Resource::SERVICES, namespace, name, Some(object))
}

pub fn slice(
    namespace: &str,
    name: &str,
    service: &str,
    family: &str,
    endpoints: Value,
    ports: Value,
) -> Change {
    let object = json!({
        "metadata": {"labels": {"kubernetes.io/service-name": service}},
        "addressType": family, "endpoints": endpoints, "ports": ports,
    });
    change(Resource::ENDPOINTSLICES, namespace, name, Some(object))
}

pub fn empty() -> Zone {
    let ranges = ["10.43.0.0/16", "10.42.0.0/16", "fd00:42::/32"];
    Zone::new(
        &WireName::parse("cluster.local").unwrap(),
        "10.43.0.10".parse().unwrap(),
        ranges.map(|range| range.parse().unwrap()).to_vec(),
        1,
    )
}

pub fn take(zone: &mut Zone, change: Change) {
    if let Some(update) = Update::read(change) {
        zone.take(update);
    }
}

pub fn question(name: &str, rtype: Rtype, edns: Option<u16>) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(4711);
    builder.header_mut().set_rd(true);
    let mut question = builder.question();
    question
        .push((name.parse::<Name<Vec<u8>>>().unwrap(), rtype))
        .unwrap();
    let mut additional = question.additional();
    if let Some(size) = edns {
        additional
            .opt(|opt| {
                opt.set_udp_payload_size(size);
                Ok(())
            })
            .unwrap();
    }
    additional.finish()
}

/// The answer, or, for `Err`, the name that another resolver must be asked for.
pub fn answer(
    zone: &Zone,
    question: &[u8],
    transport: Transport,
) -> Result<Message<Vec<u8>>, String> {
    let query = Query::parse(question, transport).unwrap();
    let mut scratch = Scratch::default();
    match respond(&query, zone, &mut scratch) {
        Reply::Written(_) => Ok(Message::from_octets(scratch.answer().to_vec()).unwrap()),
        Reply::Elsewhere(chain) => Err(chain.target().unwrap_or(&query.name).to_string()),
    }
}

/// The records of a section's iterator, in order of their text, the cluster's domain left out.
pub fn shown(message: &Message<Vec<u8>>, additional: bool) -> Vec<String> {
    let section = if additional {
        message.additional().unwrap()
    } else {
        message.answer().unwrap()
    };
    let mut all: Vec<String> = section
        .limit_to::<AllRecordData<_, _>>()
        .map(|record| {
            let record = record.unwrap();
            let text = match record.data() {
                AllRecordData::Hinfo(hinfo) => format!("HINFO {}", hinfo.cpu()),
                AllRecordData::Txt(txt) => {
                    format!("TXT {}", String::from_utf8(txt.text()).unwrap())
                }
                data => format!("{} {data}", record.rtype()),
            };
            let words = text.split(' ').map(|word| word.trim_end_matches('.'));
            let text = words.collect::<Vec<_>>().join(" ");
            let text = text
                .replace(".svc.cluster.local", "")
                .replace(".cluster.local", "");
            if additional {
                let owner = record.owner().to_string();
                format!("{} {text}", owner.replace(".svc.cluster.local", ""))
            } else {
                text
            }
        })
        .collect();
    all.sort();
    all
}

/// An answer in one line.
pub fn ask(zone: &Zone, name: &str, rtype: Rtype) -> String {
    let message = match answer(zone, &question(name, rtype, None), Transport::Tcp) {
        Ok(message) => message,
        Err(name) => return format!("elsewhere {name}"),
    };
    let records = shown(&message, false);
    let denied = message.header_counts().nscount() == 1;
    match (message.header().rcode(), records.is_empty()) {
        (Rcode::NXDOMAIN, true) if denied => "nxdomain".into(),
        (Rcode::NOERROR, true) if denied => "nodata".into(),
        (Rcode::NOERROR, false) if !denied => records.join(", "),
        (Rcode::NOERROR, false) => format!("{} (nodata)", records.join(", ")),
        (Rcode::NXDOMAIN, false) if denied => format!("{} (nxdomain)", records.join(", ")),
        (rcode, _) => format!("{rcode} with {records:?}, {denied}"),
    }
}
