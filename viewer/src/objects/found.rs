//! What workers find out about objects: all of them, the order to show them in, and memory over time.

use std::cmp::Reverse;
use std::sync::Arc;

use cutape_analysis::index::Index;
use cutape_analysis::objects::{Kind, Object, ObjectId, Objects};

use crate::msg::Msg;
use crate::workers::{Job, Slot, Worker};

use super::{Column, ObjectsMsg};

/// Parts of the time of a trace for which memory is known.
pub const MOMENTS: usize = 512;

/// Memory allocated over the time of a trace: for each of so many parts, the most at any moment of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Begin of the first part, CLOCK_MONOTONIC nanoseconds.
    pub from_ns: u64,
    /// End of the last part.
    pub until_ns: u64,
    /// Memory on devices: allocated, and physical memory that is mapped.
    pub device: Vec<u64>,
    /// Page-locked host memory.
    pub host: Vec<u64>,
}

/// What is found out about the objects of a trace.
#[derive(Debug)]
pub struct Found {
    /// The objects.
    pub objects: Arc<Objects>,
    /// Memory over time.
    pub memory: Memory,
    /// Kinds that there are objects of, each with their number.
    pub kinds: Vec<(Kind, u64)>,
    /// Objects that were left behind.
    pub left_behind: u64,
}

/// The job that looks at all objects.
pub fn survey_job(objects: Arc<Objects>) -> Job {
    Job::new(Slot::Objects, move |worker: &Worker<'_>| {
        let found = Found {
            memory: Memory::of(&objects, &worker.opened.index()),
            kinds: kinds(&objects),
            left_behind: objects.left_behind().count() as u64,
            objects,
        };
        worker.send(Msg::ObjectList(ObjectsMsg::Found(Arc::new(found))));
    })
}

fn kinds(objects: &Objects) -> Vec<(Kind, u64)> {
    let mut counts: std::collections::BTreeMap<Kind, u64> = std::collections::BTreeMap::new();
    for object in objects.all() {
        *counts.entry(object.kind()).or_default() += 1;
    }
    counts.into_iter().collect()
}

/// Which objects are shown, and in which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Only this kind.
    pub kind: Option<Kind>,
    /// By this column.
    pub sorted_by: Column,
}

/// The job that puts objects into order.
pub fn order_job(found: Arc<Found>, wish: Wish) -> Job {
    Job::new(Slot::ObjectOrder, move |worker: &Worker<'_>| {
        let order = order(&found.objects, wish);
        worker.send(Msg::ObjectList(ObjectsMsg::Ordered { order, wish }));
    })
}

fn order(objects: &Objects, wish: Wish) -> Vec<ObjectId> {
    let wanted = |object: &Object| wish.kind.is_none_or(|kind| object.kind() == kind);
    let mut order: Vec<ObjectId> = (0..)
        .map(ObjectId)
        .zip(objects.all())
        .filter(|(_, object)| wanted(object))
        .map(|(id, _)| id)
        .collect();
    let get = |id: &ObjectId| &objects.all()[id.0 as usize];
    match wish.sorted_by {
        Column::Created => order.sort_by_key(|id| get(id).first_call()),
        Column::Name | Column::Kind => order.sort_by_key(|id| {
            let object = get(id);
            (object.kind(), object.process(), object.ordinal())
        }),
        Column::Bytes => order.sort_by_key(|id| Reverse(get(id).bytes())),
        Column::LastUsed => order.sort_by_key(|id| Reverse(get(id).last_used())),
        // What was left behind, then what is alive, then what went last.
        Column::Ended | Column::Life => order.sort_by_key(|id| {
            let object = get(id);
            let ended = object.ended().map_or(u64::MAX, |(seq, _)| seq);
            (Reverse(object.is_left_behind()), Reverse(ended))
        }),
        Column::Uses => order.sort_by_key(|id| Reverse(get(id).uses())),
        Column::OwnName => order.sort_by(|left, right| {
            let name = |id: &ObjectId| (objects.name(*id).is_none(), objects.name(*id));
            name(left).cmp(&name(right))
        }),
    }
    order
}

/// Memory that counts as a device's, and as the host's.
fn is_device_memory(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::DeviceMemory | Kind::Allocation | Kind::Array | Kind::MipmappedArray
    )
}

impl Memory {
    fn of(objects: &Objects, index: &Index) -> Self {
        let time = |seq: u64| index.row(seq).map(|row| row.begin_ns);
        let first_ns = index.rows_from(1).next().map_or(0, |(_, row)| row.begin_ns);
        let last_ns = time(index.len()).unwrap_or(first_ns);
        let mut memory = Self {
            from_ns: first_ns,
            until_ns: last_ns.max(first_ns + 1),
            ..Self::default()
        };
        let mut device = Vec::new();
        let mut host = Vec::new();
        for object in objects.all() {
            let changes = match object.kind() {
                kind if is_device_memory(kind) => &mut device,
                Kind::HostMemory => &mut host,
                _ => continue,
            };
            let bytes = i128::from(object.bytes().unwrap_or(0));
            let begin_ns = time(object.first_call()).unwrap_or(first_ns);
            changes.push((begin_ns, bytes));
            if let Some((seq, _)) = object.ended() {
                changes.push((time(seq).unwrap_or(last_ns), -bytes));
            }
        }
        memory.device = memory.most(device);
        memory.host = memory.most(host);
        memory
    }

    /// The most that there was in each part of the time, from changes of the amount.
    fn most(&self, mut changes: Vec<(u64, i128)>) -> Vec<u64> {
        changes.sort_by_key(|&(at_ns, _)| at_ns);
        let mut most = vec![0u64; MOMENTS];
        let mut amount = 0i128;
        let mut changes = changes.into_iter().peekable();
        for (moment, most) in most.iter_mut().enumerate() {
            let mut highest = amount;
            while let Some((_, bytes)) = changes.next_if(|&(at_ns, _)| self.moment(at_ns) <= moment)
            {
                amount += bytes;
                highest = highest.max(amount);
            }
            *most = u64::try_from(highest).unwrap_or(0);
        }
        most
    }

    /// The part that a time lies in.
    pub fn moment(&self, at_ns: u64) -> usize {
        let all = u128::from(self.until_ns - self.from_ns).max(1);
        let place = u128::from(at_ns.saturating_sub(self.from_ns)) * MOMENTS as u128 / all;
        (place as usize).min(MOMENTS - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_the_most_at_any_moment_of_each_part() {
        let memory = Memory {
            from_ns: 1000,
            until_ns: 1000 + 512 * 10,
            ..Memory::default()
        };
        let changes = vec![(1000, 100), (1005, 50), (1008, -150), (1100, 7), (6119, -7)];
        let most = memory.most(changes);
        assert_eq!(most[0], 150, "a peak between two calls is not lost");
        assert_eq!(most[1..10], [0; 9]);
        assert!(most[10..].iter().all(|&bytes| bytes == 7));
        assert_eq!(memory.moment(0), 0);
        assert_eq!(memory.moment(u64::MAX), MOMENTS - 1);
    }
}
