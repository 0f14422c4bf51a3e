//! What `scripts/quickstart` runs: the lab, the server, the examples, and each Service type asked from each side.
#![forbid(unsafe_code)]

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use kedge_tests::ask::{self, Answer};
use kedge_tests::lab::{Lab, NODE, address};
use kedge_tests::netns::Netns;
use kedge_tests::site::Site;
use kedge_tests::tool::{ToolError, built};

/// Names and files of a site that is kept.
const PREFIX: &str = "kedge-quickstart";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (examples, keep) = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [examples] => (PathBuf::from(examples), false),
        [examples, "--keep"] => (PathBuf::from(examples), true),
        _ => {
            eprintln!("usage: kedge-quickstart EXAMPLES-FOLDER [--keep]");
            return ExitCode::FAILURE;
        }
    };
    match quickstart(&examples, keep) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("\nquickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints what is being done, then how long it took.
fn step<T>(what: &str, work: impl FnOnce() -> Result<T, ToolError>) -> Result<T, ToolError> {
    print!("  {what:<62}");
    let _ = std::io::stdout().flush();
    let start = Instant::now();
    let result = work();
    match &result {
        Ok(_) => println!("{:>7.2} s", start.elapsed().as_secs_f64()),
        Err(_) => println!("   failed"),
    }
    result
}

fn quickstart(examples: &Path, keep: bool) -> Result<bool, ToolError> {
    println!(
        "\nkedge: Kubernetes Services on one machine, shown in network namespaces of its own\n"
    );
    let lab = step(
        "a LAN with a client, a node, three backends behind the node",
        || {
            if keep {
                Lab::named(PREFIX, &kept_folder()?)
            } else {
                Lab::new()
            }
        },
    )?;
    let mut site = step("kedge server on the node", || Site::on(lab))?;
    let applied = step("kedge apply --with-status -f api/examples/", || {
        site.kedge(&["apply", "--with-status", "-f", &examples.to_string_lossy()])
    })?;
    let addresses = step("endpoints and addresses", || addresses(&site))?;
    println!("\n{}", indent(&applied));
    println!("{}", indent(&site.kedge(&["get", "services"])?));
    let right = show(&site, &addresses);
    if keep {
        site.keep();
        print_kept(&site)?;
        return Ok(right);
    }
    site.stop()?;
    println!("\nTry next:");
    println!("  scripts/quickstart --keep        the same, left running, to point kubectl at");
    println!("  scripts/test                     every test");
    println!("  scripts/install                  kedge as a systemd unit on this machine");
    Ok(right)
}

fn kept_folder() -> Result<PathBuf, ToolError> {
    let folder = std::env::temp_dir().join(PREFIX);
    std::fs::create_dir_all(&folder).map_err(|source| ToolError::Start {
        program: folder.display().to_string(),
        source,
    })?;
    Ok(folder)
}

fn print_kept(site: &Site) -> Result<(), ToolError> {
    let kubeconfig = site.server().kubeconfig();
    println!(
        "\nLeft running. Its kubeconfig: {}\n\nTry next:",
        kubeconfig.display()
    );
    let node = format!("ip netns exec {PREFIX}-node");
    println!(
        "  {node} kubectl --kubeconfig {} get services",
        kubeconfig.display()
    );
    println!(
        "  {node} {} get endpointslices --kubeconfig {}",
        built("kedge", "KEDGE")?.display(),
        kubeconfig.display()
    );
    println!("  scripts/quickstart --remove      to take it all down");
    Ok(())
}

/// What the API gave the Services of the examples.
struct Addresses {
    cluster: SocketAddr,
    balancer: SocketAddr,
    node_port: SocketAddr,
}

/// Waits for endpoints and addresses, and reads them.
fn addresses(site: &Site) -> Result<Addresses, ToolError> {
    for service in ["web", "web-nodeport", "web-lb"] {
        site.until_endpoints(service, "IPv4", 3)?;
    }
    let node_port = site.service("web-nodeport")?["spec"]["ports"][0]["nodePort"]
        .as_u64()
        .and_then(|port| port.try_into().ok())
        .ok_or_else(|| ToolError::Other("web-nodeport has no node port".into()))?;
    Ok(Addresses {
        cluster: site.cluster_ip("web", true, 80)?,
        balancer: site.balancer("web-lb", true, 80)?,
        node_port: (address(NODE[0]), node_port).into(),
    })
}

/// Asks every Service type from every side that it is for; true when all were answered right.
fn show(site: &Site, addresses: &Addresses) -> bool {
    let client = ("LAN client", &site.lab.client);
    let pod = ("pod web-1", &site.lab.pods[0]);
    let node = ("the node", &site.lab.node);
    println!("  {:<13} {:<11} {:<40} ANSWERED", "TYPE", "FROM", "ASKED");
    let mut right = 0;
    let mut asked = 0;
    for (kind, to, sides) in [
        ("ClusterIP", addresses.cluster, vec![pod, node]),
        ("NodePort", addresses.node_port, vec![client, pod, node]),
        ("LoadBalancer", addresses.balancer, vec![client, pod, node]),
    ] {
        for (from, netns) in sides {
            asked += 1;
            right += usize::from(report(
                kind,
                from,
                &format!("http://{to}/"),
                ask::http(netns, to),
            ));
        }
    }
    for (from, netns) in [pod, node] {
        asked += 1;
        right += usize::from(show_external_name(from, netns, addresses.cluster));
    }
    println!("\n  {right} of {asked} requests were answered right");
    right == asked
}

fn report(kind: &str, from: &str, asked: &str, answer: Result<Answer, ask::NoAnswer>) -> bool {
    match answer {
        Ok(answer) if answer.name.starts_with("web-") => {
            println!(
                "  {kind:<13} {from:<11} {asked:<40} {} (it saw {})",
                answer.name, answer.saw
            );
            true
        }
        Ok(answer) => {
            println!("  {kind:<13} {from:<11} {asked:<40} WRONG: {answer:?}");
            false
        }
        Err(error) => {
            println!("  {kind:<13} {from:<11} {asked:<40} NO ANSWER: {error}");
            false
        }
    }
}

/// The alias must resolve to the ClusterIP Service's name and address, and that address must answer.
fn show_external_name(from: &str, netns: &Netns, cluster: SocketAddr) -> bool {
    let name = "web-alias.default.svc.cluster.local";
    match ask::dns(netns, address("10.43.0.10"), name, "A") {
        Ok(resolved) if resolved.records.contains(&format!("A {}", cluster.ip())) => {
            println!(
                "  {:<13} {from:<11} {name:<40} {}",
                "ExternalName",
                resolved.records.join(", ")
            );
            report(
                "",
                "",
                &format!("http://{name}/"),
                ask::http(netns, cluster),
            )
        }
        other => {
            println!(
                "  {:<13} {from:<11} {name:<40} WRONG: {other:?}",
                "ExternalName"
            );
            false
        }
    }
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}
