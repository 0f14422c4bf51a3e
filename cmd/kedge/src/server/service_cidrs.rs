//! Ranges of Service addresses that people add while the server runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::IpNet;
use kedge_client::{Change, Client, Feed, Resource, SharedClient};
use kedge_machinery::service_cidr::{ranges, ranges_of};
use kedge_machinery::{Clash, Status};
use tokio::sync::watch;

/// The ranges of ServiceCIDRs, as they come and go; those of the configuration are not among them.
pub fn follow(client: &SharedClient, own: &[IpNet]) -> watch::Receiver<Arc<[IpNet]>> {
    let (sender, receiver) = watch::channel(Arc::from([]));
    let mut feed = client.feed(&[Resource::SERVICECIDRS]);
    let own = own.to_vec();
    tokio::spawn(async move {
        if let Err(error) = tell(&mut *feed, &own, &sender).await {
            tracing::warn!(
                "ServiceCIDRs are not followed any more: {error}; restart kedge to have routes and rules for those added since"
            );
        }
    });
    receiver
}

/// Those that no address of the machine itself is in: the others would cut it off from its neighbours, so nothing is done for them
/// (which their condition `Ready` says). `networks` are those of [`Clash::of`].
pub fn beside(
    mut added: watch::Receiver<Arc<[IpNet]>>,
    mut networks: watch::Receiver<Arc<[IpNet]>>,
) -> watch::Receiver<Arc<[IpNet]>> {
    let first = usable(&added.borrow_and_update(), &networks.borrow_and_update());
    let (sender, receiver) = watch::channel(first);
    tokio::spawn(async move {
        loop {
            let changed = tokio::select! {
                changed = added.changed() => changed,
                changed = networks.changed() => changed,
                () = sender.closed() => return,
            };
            if changed.is_err() {
                return;
            }
            let now = usable(&added.borrow_and_update(), &networks.borrow_and_update());
            sender.send_if_modified(|ranges| {
                let changed = *ranges != now;
                *ranges = now;
                changed
            });
        }
    });
    receiver
}

/// One moment of [`beside`].
pub fn usable(added: &[IpNet], networks: &[IpNet]) -> Arc<[IpNet]> {
    let fatal = |range: &&IpNet| Clash::of(range, networks).is_some_and(|clash| clash.is_fatal());
    added
        .iter()
        .filter(|range| !fatal(range))
        .copied()
        .collect()
}

/// Those that are there now; none where the API does not say.
pub async fn list(client: &impl Client, own: &[IpNet]) -> Vec<IpNet> {
    let objects = client.list(Resource::SERVICECIDRS, "").await;
    let all = objects.into_iter().flatten().enumerate();
    let all = all.map(|(at, object)| (at.to_string(), ranges_of(&object)));
    added(&all.collect(), own).to_vec()
}

/// Until nobody listens any more.
async fn tell(
    feed: &mut dyn Feed,
    own: &[IpNet],
    sender: &watch::Sender<Arc<[IpNet]>>,
) -> Result<(), Status> {
    let mut all = BTreeMap::new();
    loop {
        let batch = tokio::select! {
            batch = feed.next_batch() => batch?,
            () = sender.closed() => return Ok(()),
        };
        take(&mut all, batch);
        let added = added(&all, own);
        sender.send_if_modified(|ranges| {
            let changed = **ranges != *added;
            *ranges = added;
            changed
        });
    }
}

fn take(all: &mut BTreeMap<String, Vec<IpNet>>, batch: Vec<Change>) {
    for Change { key, object } in batch {
        let ranges = object.map(|json| ranges(&json.text()));
        all.insert(key.name, ranges.unwrap_or_default());
    }
    all.retain(|_, ranges| !ranges.is_empty());
}

/// Each once, in an order that does not depend on when they came.
fn added(all: &BTreeMap<String, Vec<IpNet>>, own: &[IpNet]) -> Arc<[IpNet]> {
    let mut added: Vec<IpNet> = all
        .values()
        .flatten()
        .filter(|range| !own.contains(range))
        .copied()
        .collect();
    added.sort_unstable();
    added.dedup();
    added.into()
}

#[cfg(test)]
mod tests {
    use kedge_client::ObjectKey;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_added_is_what_is_there_beside_the_configuration() {
        let own: Vec<IpNet> = vec!["10.43.0.0/16".parse().unwrap()];
        let change = |name: &str, cidrs: Option<&[&str]>| Change {
            key: ObjectKey {
                resource: Resource::SERVICECIDRS,
                namespace: String::new(),
                name: name.into(),
            },
            object: cidrs.map(|cidrs| json!({"spec": {"cidrs": cidrs}}).to_string().into()),
        };
        let mut all = BTreeMap::new();
        for (step, expected) in [
            (change("kubernetes", Some(&["10.43.0.0/16"])), &[][..]),
            (
                change("more", Some(&["fd44::/112", "10.44.0.0/24"])),
                &["10.44.0.0/24", "fd44::/112"],
            ),
            (
                change("again", Some(&["10.44.0.0/24"])),
                &["10.44.0.0/24", "fd44::/112"],
            ),
            (change("more", None), &["10.44.0.0/24"]),
            (change("again", None), &[]),
        ] {
            take(&mut all, vec![step]);
            let shown: Vec<String> = added(&all, &own).iter().map(ToString::to_string).collect();
            assert_eq!(shown, expected);
        }
    }

    #[tokio::test]
    async fn a_range_that_an_address_of_the_machine_is_in_is_left_out_while_it_is() {
        let nets = |texts: &[&str]| -> Arc<[IpNet]> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let (ranges, added) = watch::channel(nets(&["10.44.0.0/24"]));
        let (addresses, networks) = watch::channel(nets(&["192.168.1.50/24"]));
        let mut usable = beside(added, networks);
        assert_eq!(*usable.borrow_and_update(), nets(&["10.44.0.0/24"]));
        addresses.send_replace(nets(&["192.168.1.50/24", "10.44.0.7/24"]));
        usable.changed().await.unwrap();
        assert_eq!(*usable.borrow_and_update(), nets(&[]));
        ranges.send_replace(nets(&["10.44.0.0/24", "10.45.0.0/24"]));
        usable.changed().await.unwrap();
        assert_eq!(*usable.borrow_and_update(), nets(&["10.45.0.0/24"]));
        // Beside the machine's own address are others' in its network: that is for people to know.
        addresses.send_replace(nets(&["10.0.0.7/8"]));
        usable.changed().await.unwrap();
        let both = nets(&["10.44.0.0/24", "10.45.0.0/24"]);
        assert_eq!(*usable.borrow_and_update(), both);
    }
}
