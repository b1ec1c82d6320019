//! Which finding is the cause, and which follow from it.

use super::finding::Finding;

/// Puts findings in the order of likely causes and folds each consequence under its cause.
///
/// A finding follows from another if its rule says so and both are of one process. Consequences of consequences lie under the root: a
/// reader wants one thing to repair, and then the list of what goes away with it.
pub fn fold(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(|finding| {
        let rule = finding.rule;
        (rule.severity, rule.stage, finding.first_call(), rule.id)
    });
    let causes: Vec<Option<usize>> = (0..findings.len())
        .map(|place| cause_of(&findings, place))
        .collect();
    let root_of = |place: usize| {
        // The number of steps is bounded, in case rules explain each other.
        (0..findings.len()).fold(place, |place, _| causes[place].unwrap_or(place))
    };
    let roots: Vec<usize> = (0..findings.len()).map(root_of).collect();
    let mut folded: Vec<Option<Finding>> = findings.into_iter().map(Some).collect();
    for place in 0..folded.len() {
        let root = roots[place];
        if root == place {
            continue;
        }
        if let Some(consequence) = folded[place].take() {
            match &mut folded[root] {
                Some(cause) => cause.consequences.push(consequence),
                // The root was itself folded: two rules that explain each other.
                None => folded[place] = Some(consequence),
            }
        }
    }
    folded.into_iter().flatten().collect()
}

/// The finding from which another follows: of those that explain it the one in the earliest stage.
fn cause_of(findings: &[Finding], place: usize) -> Option<usize> {
    let finding = &findings[place];
    let explains = |&other: &usize| {
        other != place
            && finding.rule.is_explained_by(findings[other].rule.id)
            && finding.shares_process(&findings[other])
    };
    (0..findings.len())
        .filter(explains)
        .min_by_key(|&other| (findings[other].rule.stage, other))
}
