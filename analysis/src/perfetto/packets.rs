//! Packets: the pieces that a Perfetto trace is a list of.

use super::fields::{clock_snapshot, defaults, event, packet, trace, track};
use super::names::Names;
use super::protobuf::Message;
use super::tracks::TrackId;

/// All packets are of one writer, whose names they share.
const SEQUENCE: u64 = 1;

/// Appends packets.
pub(super) struct Packets<'a> {
    pub out: &'a mut Vec<u8>,
}

/// What all events have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    /// When, CLOCK_MONOTONIC nanoseconds.
    pub at_ns: u64,
    /// One of the types of [`event`].
    pub kind: u64,
    /// Where.
    pub track: TrackId,
}

impl Packets<'_> {
    fn packet(&mut self, flags: u64, write: impl FnOnce(&mut Message<'_>)) {
        Message::new(self.out).message(trace::PACKET, |packet| {
            packet.uint(packet::SEQUENCE_ID, SEQUENCE);
            packet.uint(packet::SEQUENCE_FLAGS, flags);
            write(packet);
        });
    }

    /// The first packet: times are of CLOCK_MONOTONIC, and which time of day that was at `start_ns`.
    pub fn clocks(&mut self, start_ns: u64, realtime_ns: Option<u64>) {
        self.packet(packet::STATE_CLEARED, |packet| {
            packet.message(packet::DEFAULTS, |values| {
                values.uint(defaults::TIMESTAMP_CLOCK_ID, clock_snapshot::MONOTONIC);
            });
        });
        let clocks = [
            (clock_snapshot::MONOTONIC, Some(start_ns)),
            (clock_snapshot::REALTIME, realtime_ns),
        ];
        self.packet(packet::NEEDS_STATE, |packet| {
            packet.uint(packet::TIMESTAMP, start_ns);
            packet.message(packet::CLOCK_SNAPSHOT, |snapshot| {
                for (id, at_ns) in clocks {
                    let Some(at_ns) = at_ns else { continue };
                    snapshot.message(clock_snapshot::CLOCKS, |clock| {
                        clock.uint(clock_snapshot::CLOCK_ID, id);
                        clock.uint(clock_snapshot::CLOCK_TIMESTAMP, at_ns);
                    });
                }
                snapshot.uint(
                    clock_snapshot::PRIMARY_TRACE_CLOCK,
                    clock_snapshot::MONOTONIC,
                );
            });
        });
    }

    /// Describes a track.
    pub fn track(
        &mut self,
        id: TrackId,
        parent: Option<TrackId>,
        write: impl FnOnce(&mut Message<'_>),
    ) {
        self.packet(packet::NEEDS_STATE, |packet| {
            packet.message(packet::TRACK_DESCRIPTOR, |descriptor| {
                descriptor.uint(track::UUID, id.0);
                if let Some(parent) = parent {
                    descriptor.uint(track::PARENT_UUID, parent.0);
                }
                write(descriptor);
            });
        });
    }

    /// An event. Names that it is the first to use come with it.
    pub fn event(
        &mut self,
        event: Event,
        names: &mut Names,
        write: impl FnOnce(&mut Message<'_>, &mut Names),
    ) {
        self.packet(packet::NEEDS_STATE, |packet| {
            packet.uint(packet::TIMESTAMP, event.at_ns);
            packet.message(packet::TRACK_EVENT, |message| {
                message.uint(event::TYPE, event.kind);
                message.uint(event::TRACK_UUID, event.track.0);
                write(message, names);
            });
            if names.has_new() {
                packet.message(packet::INTERNED_DATA, |data| names.write(data));
            }
        });
    }
}
