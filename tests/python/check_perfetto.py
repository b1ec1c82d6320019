#!/usr/bin/env python3
"""Reads a Perfetto trace by Perfetto's own schema, checks what a user interface relies on, and prints what is in it as JSON.

Needs perfetto and protobuf from PyPI.

Usage: check_perfetto.py TRACE
"""

import json
import math
import sys

from google.protobuf.unknown_fields import UnknownFieldSet
from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as schema

BEGIN, END, INSTANT, COUNTER = 1, 2, 3, 4


def annotation(entry, names):
    """Name and value of an argument."""
    if entry.dict_entries:
        value = dict(annotation(inner, names) for inner in entry.dict_entries)
    elif entry.array_values:
        value = [annotation(inner, names)[1] for inner in entry.array_values]
    else:
        which = entry.WhichOneof("value")
        value = getattr(entry, which) if which else None
        if isinstance(value, float) and not math.isfinite(value):
            value = str(value)  # JSON has no such numbers
    return names.get(entry.name_iid), value


def no_unknown_fields(message, where):
    """The schema knows every field that was written."""
    assert len(UnknownFieldSet(message)) == 0, where
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for inner in value if hasattr(value, "__len__") else [value]:
            no_unknown_fields(inner, f"{where}.{field.name}")


def main(path):
    trace = schema.Trace()
    with open(path, "rb") as file:
        trace.ParseFromString(file.read())
    no_unknown_fields(trace, "Trace")
    tracks, events, categories, annotations = {}, {}, {}, {}
    slices, marks, counters, open_slices = [], [], {}, {}
    started, marked, ended = set(), set(), set()
    for place, packet in enumerate(trace.packet):
        assert packet.trusted_packet_sequence_id == 1
        assert packet.sequence_flags == (1 if place == 0 else 2)
        data = packet.interned_data
        for known, new in ((events, data.event_names), (categories, data.event_categories), (annotations, data.debug_annotation_names)):
            for entry in new:
                assert entry.iid and entry.iid not in known
                known[entry.iid] = entry.name
        if packet.HasField("track_descriptor"):
            track = packet.track_descriptor
            assert track.uuid not in tracks and (not track.parent_uuid or track.parent_uuid in tracks)
            tracks[track.uuid] = track
        if not packet.HasField("track_event"):
            continue
        event = packet.track_event
        assert event.track_uuid in tracks, "a track is described before its first event"
        if event.type == BEGIN:
            slices.append({
                "name": events[event.name_iid], "begin": packet.timestamp, "end": None,
                "categories": [categories[iid] for iid in event.category_iids],
                "args": dict(annotation(entry, annotations) for entry in event.debug_annotations),
            })
            open_slices.setdefault(event.track_uuid, []).append(slices[-1])
            started.update(event.flow_ids)
            ended.update(event.terminating_flow_ids)
        elif event.type == END:
            ending = open_slices[event.track_uuid].pop()
            ending["end"] = packet.timestamp
            assert ending["end"] >= ending["begin"]
        elif event.type == INSTANT:
            marks.append({"name": events[event.name_iid], "track": tracks[event.track_uuid].name})
            marked.update(event.flow_ids)
        elif event.type == COUNTER:
            counters.setdefault(tracks[event.track_uuid].name, []).append(event.counter_value)
    assert started == marked, "each arrow goes by the stream"
    assert ended <= started, "no arrow comes from nowhere"
    print(json.dumps({
        "clock": trace.packet[1].clock_snapshot.primary_trace_clock,
        "processes": [track.process.process_name for track in tracks.values() if track.HasField("process")],
        "threads": [track.thread.tid for track in tracks.values() if track.HasField("thread")],
        "slices": slices, "marks": marks, "counters": counters, "arrows": len(ended),
    }))


main(*sys.argv[1:])
