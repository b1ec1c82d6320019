//! A rule's whole story, without a trace.

use super::page::{Page, Role};
use super::rule::Rule;
use super::rules::RULES;
use crate::benign::BENIGN_PROBES;

/// The id under which all failures that mean nothing are explained.
pub const BENIGN: &str = "benign-probe";

/// All ids that can be explained.
pub fn ids() -> impl Iterator<Item = &'static str> {
    RULES
        .iter()
        .map(|rule| rule.id)
        .chain([BENIGN])
        .chain(BENIGN_PROBES.iter().map(|probe| probe.id))
}

/// The story of a rule, or of failures that mean nothing. `None` if there is none of that id.
pub fn explain(id: &str) -> Option<Page> {
    if let Some(rule) = super::rules::rule(id) {
        return Some(explain_rule(rule));
    }
    let probes = BENIGN_PROBES
        .iter()
        .filter(|probe| id == BENIGN || probe.id == id);
    let mut page = Page::default();
    for probe in probes {
        page.push(Role::Heading, probe.id);
        let code = probe
            .code
            .map_or_else(|| "any code".to_owned(), |code| code.to_string());
        page.line(format!(" (benign): {} = {code}", probe.base));
        page.paragraph("  ", probe.why);
    }
    (!page.0.is_empty()).then_some(page)
}

fn explain_rule(rule: &Rule) -> Page {
    let mut page = Page::default();
    page.push(Role::Heading, rule.id).line(format!(
        " ({}, {})",
        rule.severity.word(),
        rule.stage.word()
    ));
    page.paragraph("  ", rule.title);
    page.line("\nwhen").paragraph("  ", rule.when);
    page.line("\nwhat clients do");
    for reaction in rule.reactions {
        let silent = if reaction.silent { " [silent]" } else { "" };
        let does = format!("{}{silent}", reaction.does);
        page.paragraph(&format!("  - {}: ", reaction.client.name()), &does);
    }
    page.line("\nwhat to try");
    for advice in rule.advice {
        page.paragraph("  - ", advice);
    }
    page.line("\nknown from");
    for source in rule.sources {
        page.paragraph("  - ", source);
    }
    let causes: Vec<&str> = RULES
        .iter()
        .map(|other| other.id)
        .filter(|id| rule.is_explained_by(id))
        .collect();
    if !causes.is_empty() {
        page.line("\nfollows from")
            .paragraph("  ", &causes.join(", "));
    }
    page
}
