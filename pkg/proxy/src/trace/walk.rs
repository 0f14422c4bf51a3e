//! A packet on its way through the rules: `services` in prerouting or output, then postrouting.

use std::net::IpAddr;

use super::{Asked, Choice, Outcome, Packet, Trace, Tracer};
use crate::config::of_family;
use crate::family::{Endpoint, Family};
use crate::layout::{Class, Flags, Group, Key, Mark, ServiceKey, Value};

impl Tracer {
    /// What becomes of a packet.
    #[must_use]
    pub fn trace(&self, packet: &Packet) -> Trace {
        let key = ServiceKey {
            address: packet.destination,
            protocol: packet.protocol,
            port: packet.port,
        };
        let mut reasons = Vec::new();
        let (service, outcome) = match self.mark(&Key::Service(key)) {
            Some(mark) => {
                let service = self.asked(&key);
                if let Some(Asked { name, entry }) = &service {
                    reasons.push(format!("{entry} {key} is Service {name}'s"));
                }
                (service, self.dispatch(packet, mark, &mut reasons))
            }
            None => self.elsewhere(packet, &mut reasons),
        };
        Trace {
            service,
            outcome,
            reasons,
        }
    }

    fn mark(&self, key: &Key) -> Option<Mark> {
        match self.elements.get(key) {
            Some(Value::Mark(mark)) => Some(*mark),
            _ => None,
        }
    }

    /// What no Service is asked at.
    fn elsewhere(&self, packet: &Packet, reasons: &mut Vec<String>) -> (Option<Asked>, Outcome) {
        let address = packet.destination;
        if self.elements.contains_key(&Key::ClusterIp(address)) {
            let name = self.rules.state.owner_of(address).map(ToString::to_string);
            reasons.push(format!(
                "{address} is the cluster IP of Service {}, which has no such port",
                name.as_deref().unwrap_or("?")
            ));
            let service = name.map(|name| Asked {
                name,
                entry: "ClusterIP",
            });
            return (service, Outcome::Refused);
        }
        let family = Family::of(address);
        let range = of_family(&self.rules.sources.config.service_cidrs, family)
            .find(|net| net.contains(&address));
        match range {
            Some(range) if !self.local.contains(&address) => {
                reasons.push(format!(
                    "{address} is of the Service range {range}, and no Service has it"
                ));
                (None, Outcome::Dropped)
            }
            Some(range) => {
                reasons.push(format!(
                    "{address} is of the Service range {range}, and this machine's own"
                ));
                (None, Outcome::Untouched)
            }
            None => {
                reasons.push(format!(
                    "no Service is asked at {address}, port {}",
                    packet.port
                ));
                (None, Outcome::Untouched)
            }
        }
    }

    /// The chain of a mark's class.
    fn dispatch(&self, packet: &Packet, mark: Mark, reasons: &mut Vec<String>) -> Outcome {
        let group = Group {
            family: Family::of(packet.destination),
            id: mark.group_id(),
        };
        let next = match mark.class() {
            Class::REJECT => {
                reasons.push("it has no endpoint that is ready".into());
                return Outcome::Refused;
            }
            Class::DENY => {
                reasons.push("its traffic policy is Local, and no endpoint is on this node".into());
                return Outcome::Dropped;
            }
            Class::SOURCE_RANGES => {
                let ranges = self
                    .ranges
                    .get(&group)
                    .map(Vec::as_slice)
                    .unwrap_or_default();
                let Some(range) = ranges.iter().find(|range| range.contains(&packet.source)) else {
                    reasons.push(format!(
                        "{} is in none of its loadBalancerSourceRanges",
                        packet.source
                    ));
                    return Outcome::Dropped;
                };
                reasons.push(format!(
                    "{} is in its loadBalancerSourceRanges: {range}",
                    packet.source
                ));
                Key::AfterRanges(group)
            }
            Class::BY_SOURCE => {
                if self.is_inside(packet.source) {
                    reasons.push(format!(
                        "externalTrafficPolicy is Local, but {} is in the cluster or on this node: all endpoints count",
                        packet.source
                    ));
                    Key::FromInside(group)
                } else {
                    reasons.push(
                        "externalTrafficPolicy is Local: endpoints on this node count".into(),
                    );
                    Key::FromOutside(group)
                }
            }
            Class::STICKY => Key::Sticky(group.family, mark.0 & Mark::STICKY_MASK),
            _ => return self.choose(packet, mark, group, reasons),
        };
        match self.mark(&next) {
            Some(mark) => self.dispatch(packet, mark, reasons),
            // The rule ends where its lookup finds nothing, and so does the chain.
            None => Outcome::Untouched,
        }
    }

    /// In the cluster, or on this node.
    fn is_inside(&self, source: IpAddr) -> bool {
        self.local.contains(&source) || self.in_cluster(source)
    }

    fn in_cluster(&self, source: IpAddr) -> bool {
        of_family(&self.rules.sources.config.cluster_cidrs, Family::of(source))
            .any(|cidr| cidr.contains(&source))
    }

    fn choose(
        &self,
        packet: &Packet,
        mark: Mark,
        group: Group,
        reasons: &mut Vec<String>,
    ) -> Outcome {
        let affinity = match self.elements.get(&Key::Learn(group)) {
            Some(Value::Learn(seconds)) if mark.has(Flags::LEARN) => Some(*seconds),
            _ => None,
        };
        if let Some(seconds) = affinity {
            reasons.push(format!(
                "sessionAffinity: a client keeps its endpoint for {seconds} s"
            ));
        }
        let slots = self
            .slots
            .get(&group)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let mut endpoints: Vec<Choice> = slots
            .iter()
            .map(|endpoint| Choice {
                address: endpoint.address,
                port: endpoint.port,
                slots: 1,
                masqueraded: self.masqueraded(packet, mark, endpoint),
            })
            .collect();
        endpoints.sort_unstable();
        endpoints.dedup_by(|next, one| {
            let same = (next.address, next.port) == (one.address, one.port);
            one.slots += usize::from(same);
            same
        });
        if endpoints.iter().any(|choice| choice.masqueraded) {
            reasons.push(self.why_masqueraded(packet, mark));
        }
        Outcome::Forwarded {
            endpoints,
            affinity,
        }
    }

    /// Postrouting.
    fn masqueraded(&self, packet: &Packet, mark: Mark, endpoint: &Endpoint) -> bool {
        if self.local.contains(&endpoint.address) {
            // Delivered here, where nothing leaves.
            return false;
        }
        let hairpin = packet.source == endpoint.address
            && self.elements.contains_key(&Key::Hairpin(endpoint.address));
        hairpin || self.always(mark) || self.off_cluster(packet, mark)
    }

    fn always(&self, mark: Mark) -> bool {
        mark.has(Flags::MASQUERADE)
    }

    fn off_cluster(&self, packet: &Packet, mark: Mark) -> bool {
        mark.has(Flags::MASQUERADE_OFF_CLUSTER) && !self.in_cluster(packet.source)
    }

    fn why_masqueraded(&self, packet: &Packet, mark: Mark) -> String {
        if self.always(mark) {
            "masqueraded, so that answers come back through this node".into()
        } else if self.off_cluster(packet, mark) {
            format!(
                "masqueraded, as {} is not of the cluster's ranges",
                packet.source
            )
        } else {
            "masqueraded where it comes back to its own sender".into()
        }
    }
}
