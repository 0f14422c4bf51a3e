//! Which slot of a group an endpoint has.

/// Slots for the endpoints `want`, given the slots `old`: dense, and each endpoint that stays keeps
/// its slots unless the group shrinks below them, when they move into holes. `want` must be sorted; it has an endpoint as often as
/// that is to have slots.
pub fn place<E: Ord + Copy>(old: &[E], want: &[E]) -> Vec<E> {
    // What is where it may stay; the first copies of an endpoint count.
    let mut slots: Vec<Option<E>> = vec![None; want.len()];
    let mut placed = vec![false; want.len()];
    for (slot, endpoint) in slots.iter_mut().zip(old) {
        let first = want.partition_point(|wanted| wanted < endpoint);
        let copies = want[first..]
            .iter()
            .take_while(|wanted| *wanted == endpoint);
        if let Some(copy) = copies
            .zip(&mut placed[first..])
            .find_map(|(_, placed)| (!*placed).then_some(placed))
        {
            *copy = true;
            *slot = Some(*endpoint);
        }
    }
    // Everything else, those that had a slot beyond the end among it, goes into what is free.
    let mut rest = want
        .iter()
        .zip(&placed)
        .filter(|(_, placed)| !**placed)
        .map(|(endpoint, _)| *endpoint);
    slots
        .into_iter()
        .filter_map(|slot| slot.or_else(|| rest.next()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_moves_into_the_hole() {
        assert_eq!(place(&[10, 20, 30], &[10, 30]), [10, 30]);
        assert_eq!(place(&[30, 20, 10], &[10, 20]), [10, 20]);
        assert_eq!(place(&[20, 10], &[5, 10, 20]), [20, 10, 5]);
        assert_eq!(place(&[20, 10], &[5, 10]), [5, 10]);
    }

    #[test]
    fn more_slots_of_one_endpoint_move_no_other() {
        assert_eq!(place(&[20, 10], &[10, 20, 20]), [20, 10, 20]);
        assert_eq!(place(&[20, 10, 20], &[10, 20]), [20, 10]);
        assert_eq!(place(&[20, 20, 10], &[10, 20]), [20, 10]);
    }

    proptest! {
        #[test]
        fn slots_are_dense_and_moves_are_few(
            old in proptest::collection::vec(0u8..40, 0..40),
            mut want in proptest::collection::vec(0u8..40, 0..40),
        ) {
            want.sort_unstable();
            let slots = place(&old, &want);
            let mut sorted = slots.clone();
            sorted.sort_unstable();
            prop_assert_eq!(&sorted, &want);
            let distinct: BTreeSet<u8> = old.iter().copied().collect();
            if distinct.len() == old.len() {
                for (slot, endpoint) in old.iter().enumerate().take(want.len()) {
                    if want.contains(endpoint) {
                        prop_assert_eq!(slots[slot], *endpoint);
                    }
                }
            }
        }
    }
}
