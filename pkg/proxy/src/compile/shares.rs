//! Weights as numbers of slots, so that the kernel draws as ever.

use crate::layout::Class;
use crate::model::Weight;

/// Slots that an endpoint may get.
const MOST: u32 = 20;

/// How many slots each endpoint of a group gets: one where all have the same weight, 0 being as good as any other then. Else as
/// few as come closest to the shares, with one at least for who is to get anything, and none for who is not.
pub fn slots(weights: &[Weight]) -> Vec<usize> {
    let greatest = weights.iter().map(|weight| weight.percent()).max();
    let greatest = greatest.unwrap_or_default();
    if weights.iter().all(|weight| weight.percent() == greatest) {
        return vec![1; weights.len()];
    }
    let room = Class::MAX_ENDPOINTS / weights.len();
    let most = u32::try_from(room).unwrap_or(MOST).clamp(1, MOST);
    let mut best = (1, error(weights, greatest, 1));
    for usual in 2..=most {
        let error = error(weights, greatest, usual);
        // Of fractions, the first by `usual`.
        if error * best.0 < best.1 * usual {
            best = (usual, error);
        }
    }
    let counts = weights
        .iter()
        .map(|w| rounded(w.percent(), greatest, best.0));
    counts.map(|count| count as usize).collect()
}

/// The slots of a weight, where the greatest one has `usual`.
fn rounded(weight: u32, greatest: u32, usual: u32) -> u32 {
    ((2 * weight * usual + greatest) / (2 * greatest)).max(weight.min(1))
}

/// The greatest difference from what is asked for, in units of `1 / (usual * greatest)`.
fn error(weights: &[Weight], greatest: u32, usual: u32) -> u32 {
    let errors = weights.iter().map(|weight| {
        let percent = weight.percent();
        (rounded(percent, greatest, usual) * greatest).abs_diff(percent * usual)
    });
    errors.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn of(percents: &[u32]) -> Vec<usize> {
        let weights = percents.iter().map(|p| Weight::parse(&p.to_string()));
        slots(&weights.map(Option::unwrap).collect::<Vec<_>>())
    }

    #[rstest]
    #[case::nobody(&[], &[])]
    #[case::alone(&[7], &[1])]
    #[case::equals(&[30, 30, 30], &[1, 1, 1])]
    #[case::all_at_nothing(&[0, 0], &[1, 1])]
    #[case::half(&[100, 50], &[2, 1])]
    #[case::a_quarter_of_two(&[100, 25, 100], &[4, 1, 4])]
    #[case::a_third(&[100, 33], &[3, 1])]
    #[case::nearly_all(&[100, 95], &[20, 19])]
    #[case::draining(&[100, 0, 50], &[2, 0, 1])]
    #[case::only_one_left(&[0, 40], &[0, 1])]
    #[case::hardly_any(&[100, 1], &[20, 1])]
    fn as_few_slots_as_come_closest(#[case] percents: &[u32], #[case] counts: &[usize]) {
        assert_eq!(of(percents), counts);
    }

    proptest! {
        #[test]
        fn shares_are_what_is_asked_for(percents in proptest::collection::vec(0u32..=100, 1..50)) {
            let counts = of(&percents);
            let greatest = *percents.iter().max().unwrap();
            if percents.iter().all(|percent| *percent == greatest) {
                prop_assert!(counts.iter().all(|count| *count == 1));
                return Ok(());
            }
            let usual = *counts.iter().max().unwrap() as f64;
            for (percent, count) in percents.iter().zip(&counts) {
                prop_assert_eq!(*percent == 0, *count == 0, "{:?}", &counts);
                let asked = f64::from(*percent) / f64::from(greatest);
                let given = *count as f64 / usual;
                // Half a slot of 20, and one whole one for who would get less.
                let off = if asked < 0.025 { 0.05 } else { 0.025 };
                prop_assert!((given - asked).abs() <= off + 1e-9, "{} is {}", asked, given);
            }
        }

        #[test]
        fn there_are_never_more_than_fit(count in 1usize..70_000, low in 0u32..=100) {
            let mut weights = vec![Weight::FULL; count.min(Class::MAX_ENDPOINTS)];
            weights[0] = Weight::parse(&low.to_string()).unwrap();
            let counts = slots(&weights);
            prop_assert!(counts.iter().sum::<usize>() <= Class::MAX_ENDPOINTS);
            prop_assert!(counts[1..].iter().all(|count| *count > 0));
        }
    }
}
