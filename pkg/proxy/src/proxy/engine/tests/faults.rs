//! Refusals, ends between two steps, and damage that others do.

use rstest::rstest;

use super::*;

#[rstest]
#[case(Fault::Refuse(libc::EBUSY))]
#[case(Fault::Refuse(libc::EEXIST))]
#[case(Fault::Refuse(libc::ENOENT))]
#[case(Fault::Refuse(libc::EINTR))]
#[case(Fault::Refuse(libc::ENOBUFS))]
#[case(Fault::LoseAnswer)]
fn a_fault_is_got_over(#[case] fault: Fault, #[values(1, 2, 3)] times: usize) {
    let (kernel, mut engine) = begun(vec![
        service("a", "10.43.0.1", json!({})),
        slice("a", &[1, 2]),
    ]);
    let a = group_at(&kernel, "10.43.0.1");
    kernel.lock().flows = vec![flow("10.43.0.1", 53, endpoint(2), a)];
    kernel.lock().faults = vec![fault; times].into();
    engine
        .apply(vec![
            slice("a", &[1, 3]),
            service("b", "10.43.0.2", json!({})),
        ])
        .unwrap();
    assert_in_step(&engine, &kernel);
    assert!(
        kernel.lock().flows.is_empty(),
        "what is stale is forgotten after all"
    );
}

/// Killed before the transaction, between it and its answer, or before flows are deleted: the next one does what is left.
#[rstest]
#[case::before_the_transaction(&[Fault::Refuse(libc::EPERM); 10], false)]
#[case::before_its_answer(&[Fault::LoseAnswer; 10], false)]
#[case::before_flows_are_deleted(&[], true)]
fn an_end_between_any_two_steps_is_taken_up(#[case] faults: &[Fault], #[case] slow: bool) {
    let sticky = || service("a", "10.43.0.1", json!({"sessionAffinity": "ClientIP"}));
    let (kernel, mut first) = begun(vec![
        sticky(),
        slice("a", &[1, 2]),
        service("b", "10.43.0.2", json!({})),
        slice("b", &[2]),
    ]);
    let groups = ["10.43.0.1", "10.43.0.2"].map(|ip| group_at(&kernel, ip));
    let stays = flow("10.43.0.1", 53, endpoint(1), groups[0]);
    {
        let mut inside = kernel.lock();
        inside.flows = vec![
            stays,
            flow("10.43.0.1", 53, endpoint(2), groups[0]),
            flow("10.43.0.2", 53, endpoint(2), groups[1]),
        ];
        inside.clients = vec![(groups[0], endpoint(1)), (groups[0], endpoint(2))];
        inside.faults = faults.to_vec().into();
        inside.slow = slow;
    }
    let changes = || vec![slice("a", &[1, 3]), slice("b", &[3])];
    let _ = first.apply(changes());
    drop(first);
    kernel.lock().killed();

    let mut all = vec![sticky(), service("b", "10.43.0.2", json!({}))];
    all.extend(changes());
    let mut second = engine(&kernel);
    second.apply(all).unwrap();
    assert_in_step(&second, &kernel);
    assert_eq!(kernel.lock().flows, [stays]);
    assert_eq!(kernel.lock().clients, [(groups[0], endpoint(1))]);
}

#[test]
fn changes_that_could_not_be_written_are_not_lost() {
    let (kernel, mut engine) = begun(vec![]);
    kernel.lock().faults = vec![Fault::Refuse(libc::EPERM); 100].into();
    assert!(
        engine
            .apply(vec![service("a", "10.43.0.1", json!({})), slice("a", &[1])])
            .is_err()
    );
    assert!(
        engine
            .apply(vec![service("b", "10.43.0.2", json!({}))])
            .is_err()
    );
    kernel.lock().faults.clear();
    engine.heal().unwrap();
    assert!(mark(&kernel, "10.43.0.2", 53).is_some());
    assert_in_step(&engine, &kernel);
}

#[test]
fn damage_is_put_right() {
    let (kernel, mut engine) = begun(vec![
        service("a", "10.43.0.1", json!({})),
        slice("a", &[1, 2]),
    ]);
    let before = kernel.elements();
    let damages: [fn(&mut Option<crate::kernel::fake::Table>); 4] = [
        |table| *table = None,
        |table| table.as_mut().unwrap().elements.clear(),
        |table| table.as_mut().unwrap().broken_rules = true,
        |table| {
            let elements = &mut table.as_mut().unwrap().elements;
            elements
                .values_mut()
                .for_each(|value| *value = Value::Foreign);
        },
    ];
    for damage in damages {
        {
            let mut inside = kernel.lock();
            damage(&mut inside.tables[0]);
            inside.generation += 1;
        }
        engine.heal().unwrap();
        assert_eq!(kernel.elements(), before, "the same ids and slots");
        assert!(!kernel.lock().tables[0].as_ref().unwrap().broken_rules);
    }
    let commits = kernel.lock().commits.len();
    engine.heal().unwrap();
    assert_eq!(
        kernel.lock().commits.len(),
        commits,
        "nothing to heal, nothing written"
    );
}

#[test]
fn only_what_others_did_is_looked_into() {
    let (kernel, mut engine) = begun(vec![service("a", "10.43.0.1", json!({}))]);
    let reads = kernel.lock().reads;
    engine.verify().unwrap();
    assert_eq!(kernel.lock().reads, reads);
    {
        let mut inside = kernel.lock();
        inside.tables[0] = None;
        inside.generation += 1;
    }
    engine.verify().unwrap();
    assert_in_step(&engine, &kernel);
}
