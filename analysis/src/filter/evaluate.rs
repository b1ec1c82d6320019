//! The tree's answer from those of its tests, as far as they are known.

use super::syntax::Node;

/// Answers of tests, by place; `None` where one is not known yet.
pub(crate) type Known = Vec<Option<bool>>;

/// The answer of a tree; `None` if it depends on a test whose answer is not known.
pub(crate) fn evaluate(node: &Node, known: &[Option<bool>]) -> Option<bool> {
    match node {
        Node::All(nodes) => several(nodes, known, false),
        Node::Any(nodes) => several(nodes, known, true),
        Node::Not(node) => evaluate(node, known).map(|answer| !answer),
        Node::Test(test) => known.get(*test).copied().flatten(),
    }
}

/// One node with the answer `decisive` decides; the opposite needs all of them.
fn several(nodes: &[Node], known: &[Option<bool>], decisive: bool) -> Option<bool> {
    let mut all_known = true;
    for node in nodes {
        match evaluate(node, known) {
            Some(answer) if answer == decisive => return Some(decisive),
            Some(_) => {}
            None => all_known = false,
        }
    }
    all_known.then_some(!decisive)
}
