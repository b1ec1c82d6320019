//! Which parts of an index have calls in a stretch of time, also calls that began long before.

use cutape_analysis::index::{Index, Row};

use super::span::Span;

/// Calls of a stretch.
const CALLS: u64 = 4096;

/// Some thousand calls that follow each other.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    first_seq: u64,
    last_seq: u64,
    begin_ns: u64,
    /// When the last of them that returned did so.
    end_ns: u64,
}

/// The calls of an index in stretches: 32 bytes for some thousand calls.
#[derive(Clone, Debug, Default)]
pub struct Stretches {
    list: Vec<Stretch>,
    /// Number of calls of the index.
    pub calls: u64,
}

/// When a call ended; one that never returned goes on.
pub fn end_ns(row: &Row) -> u64 {
    row.duration_ns
        .map_or(u64::MAX, |ns| row.begin_ns.saturating_add(ns))
}

impl Stretches {
    /// Of all calls of an index; `None` when `stop` says so.
    pub fn of(index: &Index, stop: &dyn Fn() -> bool) -> Option<Self> {
        let mut list: Vec<Stretch> = Vec::new();
        for (seq, row) in index.rows_from(1) {
            match list.last_mut() {
                Some(last) if seq - last.first_seq < CALLS => {
                    last.last_seq = seq;
                    last.end_ns = last.end_ns.max(end_ns(&row));
                }
                _ => {
                    if stop() {
                        return None;
                    }
                    list.push(Stretch {
                        first_seq: seq,
                        last_seq: seq,
                        begin_ns: row.begin_ns,
                        end_ns: end_ns(&row),
                    });
                }
            }
        }
        Some(Self {
            list,
            calls: index.len(),
        })
    }

    /// From the first begin to the last begin or end.
    pub fn whole(&self, index: &Index) -> Option<Span> {
        let first = self.list.first()?;
        let last_begin = index.row(self.list.last()?.last_seq)?.begin_ns;
        let ends = self.list.iter().map(|stretch| stretch.end_ns);
        let last_end = ends.filter(|&ns| ns != u64::MAX).max().unwrap_or(0);
        Some(Span::new(
            first.begin_ns,
            last_begin.max(last_end).saturating_add(1),
        ))
    }

    /// Shows each call that goes on at some moment of a span to `visit`, in order; false when `visit` ended it.
    pub fn visit(
        &self,
        index: &Index,
        span: &Span,
        visit: &mut dyn FnMut(u64, &Row) -> bool,
    ) -> bool {
        let behind = self
            .list
            .partition_point(|stretch| stretch.begin_ns < span.until_ns);
        for stretch in self.list[..behind]
            .iter()
            .filter(|stretch| stretch.end_ns >= span.from_ns)
        {
            for (seq, row) in index.rows_from(stretch.first_seq) {
                if seq > stretch.last_seq || row.begin_ns >= span.until_ns {
                    break;
                }
                if end_ns(&row) >= span.from_ns && !visit(seq, &row) {
                    return false;
                }
            }
        }
        true
    }
}
