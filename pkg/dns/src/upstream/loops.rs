//! Whether a resolver leads back here: then every question would go round until it times out.
//!
//! With the first question a resolver is also asked for a name that nobody has, made by chance. Should that come in here,
//! the resolver asked us, and is asked no more until the list of resolvers changes.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use domain::base::Rtype;

use super::exchange::random;
use super::server::Server;
use crate::message::Asked;
use crate::name::WireName;

/// The names that are being asked for, and whom.
#[derive(Debug, Default)]
pub struct Probes(Mutex<Vec<(WireName, Weak<Server>)>>);

impl Probes {
    /// Sends the probe, once.
    pub fn send(self: &Arc<Self>, server: &Arc<Server>) {
        let Some(name) = server.begin_probe().then(name).flatten() else {
            return;
        };
        let asked = Asked {
            name,
            rtype: Rtype::HINFO,
            dnssec_ok: false,
            checking_disabled: false,
        };
        self.lock().push((name, Arc::downgrade(server)));
        let (probes, server) = (self.clone(), server.clone());
        tokio::spawn(async move {
            let answered = server.ask(&asked).await.is_some();
            probes.lock().retain(|(known, _)| *known != name);
            if !answered && server.is_usable() {
                // Nothing was found out.
                server.probe_again();
            }
        });
    }

    /// True for a question that is our own, come back; who sent it here is asked no more.
    pub fn is_own(&self, name: &WireName) -> bool {
        let probes = self.lock();
        let Some((_, server)) = probes.iter().find(|(known, _)| known == name) else {
            return false;
        };
        if let Some(server) = server.upgrade()
            && server.set_looped()
        {
            tracing::warn!(
                "the resolver {} asks this server what it is asked, so it is left out; name others with --dns-upstream",
                server.address()
            );
        }
        true
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(WireName, Weak<Server>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Two labels, as short names may be kept from leaving.
fn name() -> Option<WireName> {
    let mut chance = [0u8; 16];
    random(&mut chance).ok()?;
    let hex: String = chance.iter().map(|octet| format!("{octet:02x}")).collect();
    WireName::parse(&format!("{}.{}", &hex[..16], &hex[16..]))
}
