//! Which slot of a group an endpoint has.

/// Slots for the endpoints `want`, given the slots `old`: dense, and each endpoint that stays keeps
/// its slot unless the group shrinks below it, when it moves into a hole. `want` must be sorted and
/// without duplicates.
pub fn place<E: Ord + Copy>(old: &[E], want: &[E]) -> Vec<E> {
    // What is where it may stay; the first copy of an endpoint counts.
    let mut slots: Vec<Option<E>> = vec![None; want.len()];
    let mut placed = vec![false; want.len()];
    for (slot, endpoint) in slots.iter_mut().zip(old) {
        if let Ok(index) = want.binary_search(endpoint)
            && !std::mem::replace(&mut placed[index], true)
        {
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

    proptest! {
        #[test]
        fn slots_are_dense_and_moves_are_few(
            old in proptest::collection::vec(0u8..40, 0..40),
            want in proptest::collection::btree_set(0u8..40, 0..40),
        ) {
            let list: Vec<u8> = want.iter().copied().collect();
            let slots = place(&old, &list);
            prop_assert_eq!(slots.len(), want.len());
            prop_assert_eq!(&slots.iter().copied().collect::<BTreeSet<u8>>(), &want);
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
