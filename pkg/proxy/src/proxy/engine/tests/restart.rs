//! A new process over the rules that another one left.

use super::*;

#[test]
fn a_restart_writes_nothing() {
    let all = vec![
        service(
            "a",
            "10.43.0.1",
            json!({"externalTrafficPolicy": "Local", "externalIPs": ["198.51.100.1"]}),
        ),
        slice("a", &[1, 2, 3]),
        service("b", "10.43.0.2", json!({"internalTrafficPolicy": "Local"})),
        slice("b", &[1, 2]),
        service("c", "10.43.0.3", json!({"sessionAffinity": "ClientIP"})),
        slice("c", &[1]),
        service("d", "10.43.0.4", json!({})),
    ];
    let (kernel, mut first) = begun(all.clone());
    // Out of order, so that ids and slots could not be found again by counting.
    first
        .apply(vec![
            service("0", "10.43.0.9", json!({})),
            slice("0", &[4]),
            slice("a", &[4, 2, 3]),
        ])
        .unwrap();
    let commits = kernel.lock().commits.len();
    let mut second = engine(&kernel);
    let mut now = all;
    now.extend([
        service("0", "10.43.0.9", json!({})),
        slice("0", &[4]),
        slice("a", &[4, 2, 3]),
    ]);
    second.apply(now).unwrap();
    assert_eq!(kernel.lock().commits.len(), commits);
    assert_in_step(&second, &kernel);
    second
        .apply(vec![service("e", "10.43.0.5", json!({})), slice("e", &[1])])
        .unwrap();
    assert_in_step(&second, &kernel);
}

#[test]
fn what_changed_during_a_restart_is_forgotten() {
    let (kernel, _first) = begun(vec![
        service("a", "10.43.0.1", json!({})),
        slice("a", &[1, 2]),
        service("b", "10.43.0.2", json!({})),
        slice("b", &[3]),
    ]);
    let (a, b) = (
        mark(&kernel, "10.43.0.1", 53).unwrap(),
        mark(&kernel, "10.43.0.2", 53).unwrap(),
    );
    let stays = flow("10.43.0.1", 53, endpoint(1), group(a));
    kernel.lock().flows = vec![
        stays,
        flow("10.43.0.1", 53, endpoint(2), group(a)),
        flow("10.43.0.2", 53, endpoint(3), group(b)),
    ];
    let mut second = engine(&kernel);
    second
        .apply(vec![service("a", "10.43.0.1", json!({})), slice("a", &[1])])
        .unwrap();
    assert_eq!(kernel.lock().flows, [stays]);
    assert_in_step(&second, &kernel);
}
