//! Which call it was in which the driver ended the process, or that did not return.

use std::sync::atomic::Ordering;

use crate::judge::{Ending, Site};
use crate::session::chunks::{Chunks, Posted};
use crate::session::round_end::RoundEnd;
use crate::session::watch::state_of;
use crate::wire::board::Board;
use crate::wire::slot::state;

/// The call that ended the round, if one did; `next` is the call that was about to be posted.
pub fn culprit(
    end: &RoundEnd,
    board: &Board,
    chunks: &Chunks,
    next: Option<Site>,
) -> Option<(Site, Ending)> {
    let standing_in = board.control().standing_in_for.load(Ordering::Acquire);
    let place = match standing_in {
        0 => String::new(),
        // libcudart's call through an export table is not recorded; what stands in is what call #N does.
        seq => format!(
            ", in what stands in for a call through an export table and does what #{seq} does"
        ),
    };
    match end {
        RoundEnd::Complete | RoundEnd::Trouble(_) => None,
        RoundEnd::Hung { seq, detail } => {
            let mut open = chunks.open().map(|slot| slot.site);
            let site = open.find(|site| site.seq == *seq);
            Some((site?, Ending::Hung(format!("{detail}{place}"))))
        }
        RoundEnd::Died(how) => {
            let in_flight = |slot: &&Posted| state_of(board, slot) == state::STARTED;
            let mut started: Vec<Site> = chunks
                .open()
                .filter(in_flight)
                .map(|slot| slot.site)
                .collect();
            started.sort_by_key(|site| site.seq);
            let (site, detail) = match &started[..] {
                [] => {
                    let waiting = chunks.open().map(|slot| slot.site);
                    let first = waiting.min_by_key(|site| site.seq).or(next);
                    (first?, "before this call could begin".to_owned())
                }
                [only] => (*only, "in this call".to_owned()),
                [first, others @ ..] => {
                    let others: Vec<String> =
                        others.iter().map(|site| format!("#{}", site.seq)).collect();
                    (
                        *first,
                        format!(
                            "in this call or in {}, which went on at the same time",
                            others.join(", ")
                        ),
                    )
                }
            };
            let why = format!("the driver ended the process ({how}) {detail}{place}");
            Some((site, Ending::Crashed(why)))
        }
    }
}
