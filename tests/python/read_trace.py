#!/usr/bin/env python3
"""Reads a sealed cutape trace without any of cutape's code, and prints what `cutape print --format jsonl` prints.

Needs msgpack and zstandard from PyPI. Follows docs/format.md; where the two differ, one of them is wrong.

Usage: read_trace.py TRACE
"""

import json
import struct
import sys
import zlib

import msgpack
import zstandard

MASK = (1 << 64) - 1
EXACT = 1 << 53
MAX_DEPTH = 24
KINDS = {
    1: "recording", 2: "schema", 3: "process", 4: "libraries", 5: "threads", 7: "calls", 9: "note", 10: "exit", 11: "index",
    12: "payload", 13: "code",
}
# Added to the number of a parameter that a capture belongs to.
KERNEL_ARGUMENTS, REGION, PAYLOAD, ARRIVED = 64, 128, 192, 255
# The number of what rules of the recording did to a call.
INJECTION = 63
STACK = 61
PAYLOAD_KINDS = {0: "image", 1: "fatbin", 2: "cubin", 3: "ptx", 4: "data"}
PAYLOAD_STATES = {
    0: "stored", 1: "too large", 2: "could not be read", 3: "length unknown", 4: "no room", 5: "copied later",
    6: "perhaps overwritten",
}


class FormatError(Exception):
    """The file is not what docs/format.md says."""


def blocks(path):
    """Yields (kind, unpacked msgpack) of every block of a file."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:8] != b"cutTRACE" or struct.unpack_from("<I", data, 8)[0] != 1:
        raise FormatError("not a trace of format version 1")
    at = 16
    while data[at:at + 8] == b"\xc7cutBLK\n":
        kind = data[at + 8]
        frame_bytes, raw_bytes, crc = struct.unpack_from("<III", data, at + 24)
        frame = data[at + 36:at + 36 + frame_bytes]
        if zlib.crc32(data[at:at + 32] + frame) != crc:
            raise FormatError(f"wrong checksum at offset {at}")
        raw = zstandard.ZstdDecompressor().decompress(frame, max_output_size=raw_bytes)
        yield KINDS.get(kind), msgpack.unpackb(raw, strict_map_key=False)
        at += 36 + frame_bytes
    if data[at:at + 8] != b"cutINDEX" or len(data) != at + 24:
        raise FormatError(f"neither a block nor the footer at offset {at}")


def planes(base, mask, data, rows):
    """The numbers of a column whose varying bytes lie in planes."""
    shifts = [8 * byte for byte in range(8) if mask >> byte & 1]
    if len(data) != len(shifts) * rows:
        raise FormatError("planes of another length")
    numbers = []
    for row in range(rows):
        number = base
        for place, shift in enumerate(shifts):
            number |= data[place * rows + row] << shift
        numbers.append(number)
    return numbers


def column(stored, rows):
    """The words of a column."""
    if isinstance(stored, int):
        return [stored] * rows
    tag = stored[0]
    if tag == 1:
        return planes(stored[1], stored[2], stored[3], rows)
    if tag == 2:
        words = [stored[1]]
        for zigzag in planes(stored[2], stored[3], stored[4], rows - 1):
            words.append(words[-1] + (zigzag >> 1 ^ -(zigzag & 1)) & MASK)
        return words
    if tag == 3:
        return [stored[1][index] for index in stored[2]]
    raise FormatError(f"column encoding {tag}")


def group_rows(group, blobs):
    """The calls of a group: dictionaries without begin and thread."""
    rows = group["n"]
    caller, duration, returned = (column(group[key], rows) for key in ("caller", "dur", "ret"))
    args = [column(stored, rows) for stored in group["args"]]
    calls = [
        {"f": group["f"], "caller": caller[row], "dur": duration[row], "ret": returned[row],
         "args": [words[row] for words in args], "captures": {}}
        for row in range(rows)
    ]
    for capture in group["caps"]:
        have = [row for row, word in enumerate(column(capture.get("have", 1), rows)) if word]
        data = column(capture["data"], len(have))
        cut = dict(capture.get("cut", []))
        for row, word in zip(have, data):
            content = word.to_bytes(8, "little")[:capture["bytes"]] if "bytes" in capture else blobs[word]
            calls[row]["captures"].setdefault((capture["param"], capture["out"]), []).append((content, cut.get(row)))
    return calls


def calls_of(block):
    """The calls of a Calls block, in order."""
    rows = block["n"]
    begin, thread, group = (column(block[key], rows) for key in ("begin", "thread", "group"))
    groups = [iter(group_rows(stored, block["blobs"])) for stored in block["groups"]]
    still_open = {row for row, _ in block["open"]}
    for row in range(rows):
        call = next(groups[group[row]])
        call["seq"] = block["seq"] + row
        call["begin_ns"] = begin[row] * block["unit"]
        call["thread"] = thread[row]
        call["open"] = row in still_open
        call["dur_ns"] = None if call["open"] else call["dur"] * block["unit"]
        yield call


def number(value):
    """Integers that a double does not hold are strings."""
    return value if abs(value) <= EXACT else str(value)


def hexadecimal(value):
    return f"{value:#x}"


def signed(data):
    return int.from_bytes(data, "little", signed=True)


def unsigned(data):
    return int.from_bytes(data, "little")


def variant(value):
    """Name and content of a Rust enumeration's value: a string, or a map with one key."""
    return (value, None) if isinstance(value, str) else next(iter(value.items()))


class Schema:
    """Functions by number, types by name; turns words and bytes into values."""

    def __init__(self, stored):
        self.functions = dict((number, function) for number, function in stored["functions"])
        self.types = {definition["name"]: definition for definition in stored["types"]}
        self.regions = {}

    def size(self, ty, depth=0):
        kind, content = variant(ty)
        if kind == "Void" or depth >= MAX_DEPTH:
            return 0
        if kind == "Char":
            return 1
        if kind in ("Int", "Float"):
            return content["bytes"]
        if kind == "Pointer":
            return 8
        if kind == "Array":
            return self.size(content["of"], depth + 1) * content["len"]
        return self.types.get(content, {"size": 0})["size"]

    def text(self, data, full):
        end = data.find(b"\0")
        text = data[:end if end >= 0 else None].decode("utf-8", "replace")
        return {"text": text, "full_bytes": number(full)} if full is not None and end < 0 else text

    def raw(self, data, full=None):
        value = {"bytes": data.hex()}
        if full is not None:
            value["full_bytes"] = number(full)
        return value

    def value(self, ty, data, depth=0):
        kind, content = variant(ty)
        size = self.size(ty, depth)
        if size > len(data) or depth >= MAX_DEPTH or kind == "Void":
            return self.raw(data)
        own = data[:size]
        if kind == "Char" or kind == "Int" and content["signed"]:
            return number(signed(own))
        if kind == "Int":
            return number(unsigned(own))
        if kind == "Float":
            value = struct.unpack("<f" if size == 4 else "<d", own)[0]
            return value if abs(value) < float("inf") else {"inf": "inf", "-inf": "-inf"}.get(repr(value), "NaN")
        if kind == "Pointer":
            return hexadecimal(unsigned(own)) if unsigned(own) else None
        if kind == "Array":
            return self.array(content["of"], own, depth)
        if content not in self.types:
            return self.raw(data)
        return self.named(self.types[content]["kind"], own, depth)

    def array(self, of, data, depth):
        kind, content = variant(of)
        size = self.size(of, depth + 1)
        if kind == "Char":
            return self.text(data, None)
        if kind == "Void" or kind == "Int" and content["bytes"] == 1 or size == 0:
            return self.raw(data)
        return [self.value(of, data[at:at + size], depth + 1) for at in range(0, len(data) - size + 1, size)]

    def named(self, kind, own, depth):
        kind, content = variant(kind)
        if kind in ("Handle", "DevicePointer"):
            return hexadecimal(unsigned(own))
        if kind == "Callback":
            return hexadecimal(unsigned(own)) if unsigned(own) else None
        if kind == "Alias":
            return self.value(content, own, depth + 1)
        if kind == "Enum":
            names = content["values"]
            return self.flags(names, unsigned(own)) if content["flags"] else self.enumeration(names, signed(own))
        if kind in ("Struct", "Union"):
            return {field["name"] or f"_{place}": self.field(content, field, own, depth)
                    for place, field in enumerate(content)}
        return self.raw(own)

    def field(self, fields, field, own, depth):
        data = own[field["offset"]:]
        if field.get("bits"):
            first, count = field["bits"]
            return number(unsigned(data[:8]) >> first & (1 << count) - 1)
        kind, content = variant(field["type"])
        if field.get("count") is not None and kind == "Pointer" and unsigned(data[:8]) in self.regions:
            region, full = self.regions[unsigned(data[:8])]
            size = self.size(content["to"], depth)
            if size > 0:
                items = [self.value(content["to"], region[at:at + size], depth + 1)
                         for at in range(0, len(region) - size + 1, size)]
                return items if full is None else {"items": items, "full_items": number(full // size)}
        if field.get("selector") is not None:
            selector = fields[field["selector"]]
            value = signed(own[selector["offset"]:selector["offset"] + self.size(selector["type"])])
            members = variant(self.types[content]["kind"])[1]
            chosen = [member for member in members if member.get("selected_by") == value]
            if chosen:
                data = data[:self.size(field["type"], depth)]
                return {chosen[0]["name"] or "_0": self.field(chosen[:1], chosen[0], data, depth + 1)}
        return self.value(field["type"], data, depth + 1)

    @staticmethod
    def enumeration(names, value):
        return next((name for name, known in names if known == value), number(value))

    @staticmethod
    def flags(names, value):
        for name, bits in names:
            if bits & MASK == value:
                return name
        rest, found = value, []
        for name, bits in names:
            bits &= MASK
            if bits and rest & bits == bits:
                found.append(name)
                rest &= ~bits
        if not found:
            return number(value)
        return "|".join(found + ([hexadecimal(rest)] if rest else []))

    def behind(self, param, capture):
        data, full = capture
        kind, content = variant(param["type"])
        target = content["to"] if kind == "Pointer" else param["type"]
        target_kind, target_content = variant(target)
        extent, _ = variant(param["extent"])
        size = self.size(target)
        if extent in ("Text", "PointedText"):
            return self.text(data, full)
        if extent == "One" and full is None and 0 < size <= len(data):
            return self.value(target, data)
        if extent == "Count" and size > 0:
            if target_kind == "Char" or target_kind == "Int" and target_content["bytes"] == 1:
                return self.raw(data, full)
            items = [self.value(target, data[at:at + size], 1) for at in range(0, len(data) - size + 1, size)]
            return items if full is None else {"items": items, "full_items": number(full // size)}
        if extent == "Bytes" and size == len(data) > 0 and target_kind == "Named":
            if variant(self.types.get(target_content, {"kind": "Opaque"})["kind"])[0] in ("Struct", "Union"):
                return self.value(target, data)
        return self.raw(data, full)

    def argument(self, signature, place, words, call):
        param = signature["params"][place]
        direction, address = param["direction"], words[0]
        if direction == "Value":
            return self.value(param["type"], b"".join(word.to_bytes(8, "little") for word in words))
        if address == 0:
            return None
        if direction == "Opaque":
            return hexadecimal(address)
        missing = {"not_captured": hexadecimal(address)}
        succeeded = not call["open"] and (call["ret"] == 0 or variant(signature["returns"])[0] != "Named")
        before, after = missing, missing
        if (place, False) in call["captures"]:
            self.regions = regions_of(call, place, False)
            before = self.behind(param, call["captures"][place, False][0])
        if (place, True) in call["captures"] and (param["valid"] == "Always" or succeeded):
            self.regions = regions_of(call, place, True)
            after = self.behind(param, call["captures"][place, True][0])
        self.regions = {}
        return {"In": before, "Out": after, "InOut": {"before": before, "after": after}}[direction]

    def arguments(self, call):
        signature = self.functions.get(call["f"], {}).get("signature")
        words, values, at = call["args"], {}, 0
        for place, param in enumerate(signature["params"] if signature else []):
            size = max(1, self.size(param["type"])) if param["direction"] == "Value" else 8
            own = words[at:at + (size + 7) // 8]
            complete = len(own) == (size + 7) // 8
            value = self.argument(signature, place, own, call) if complete else {"not_recorded": True}
            values[param["name"] or f"arg{place}"] = value
            at += (size + 7) // 8
        for word in words[at:]:
            values[f"arg{len(values)}"] = number(word)
        return values

    def returned(self, call):
        """Number and name."""
        if call["open"]:
            return None, None
        signature = self.functions.get(call["f"], {}).get("signature")
        if not signature:
            return number(call["ret"]), None
        if signature["returns"] == "Void":
            return None, None
        data = call["ret"].to_bytes(8, "little")
        value = self.value(signature["returns"], data)
        kind, content = variant(signature["returns"])
        definition = variant(self.types.get(content, {"kind": "Opaque"})["kind"]) if kind == "Named" else (None, None)
        if definition[0] == "Enum" and not definition[1]["flags"]:
            code = signed(data[:self.size(signature["returns"])])
            return number(code), value if isinstance(value, str) and value != str(code) else None
        return value, None


def regions_of(call, place, out):
    """What pointers inside a parameter's structures lead to: content and full length by address."""
    captures = call["captures"].get((REGION + place, out), [])
    return {unsigned(data[:8]): (data[8:], full and full - 8) for data, full in reversed(captures)}


def payloads_of(call, names):
    """Module images and copied data that the call refers to, by parameter."""
    found = {}
    for place, name in enumerate(names):
        for out in (False, True):
            for data, _ in call["captures"].get((PAYLOAD + place, out), [])[:1]:
                found.setdefault(name, payload(data))
    return found


def arrivals_of(call):
    """What asynchronous copies have brought that are over when the call returns."""
    return [payload(data) for data, _ in call["captures"].get((ARRIVED, True), [])]


def payload(data):
    copy = int.from_bytes(data[42:48], "little")
    return {
        "kind": PAYLOAD_KINDS.get(data[40], "image"), "bytes": number(int.from_bytes(data[32:40], "little")),
        "blake3": data[:32].hex() if any(data[:32]) else None, "state": PAYLOAD_STATES.get(data[41], "unknown reason"),
    } | ({"copy": number(copy)} if copy else {})


def kernels_of(call, names):
    """Arguments of the kernels that the call launches, by parameter. Captures come in pairs: layout and buffer."""
    found = {}
    for place, name in enumerate(names):
        captures = call["captures"].get((KERNEL_ARGUMENTS + place, False), [])
        kernels = [kernel(layout, buffer) for (layout, _), (buffer, _) in zip(captures[::2], captures[1::2])]
        if kernels:
            found[name] = kernels
    return found


def kernel(layout, buffer):
    params = []
    for at in range(4, 4 + 4 * int.from_bytes(layout[2:4], "little"), 4):
        offset, size = struct.unpack("<HH", layout[at:at + 4])
        whole = offset + size <= len(buffer)
        params.append({"offset": offset, "size": size, "bytes": buffer[offset:offset + size].hex() if whole else None})
    found = {"layout": {1: "driver", 2: "image"}.get(layout[0], "unknown"), "params": params}
    if not params and buffer:
        found["buffer"] = buffer.hex()
    return found


def injection_of(call, schema, rules):
    """What rules of the recording did to the call, and what the driver itself answered; nothing for most calls."""
    captures = call["captures"]
    mark = captures.get((INJECTION, True)) or captures.get((INJECTION, False))
    if not mark:
        return {}
    data = mark[0][0]
    flags = data[8] if len(data) > 8 else 0
    own, replaced = None, []
    if flags & 1:
        own = dict(call, ret=int.from_bytes(data[16:24], "little"), captures=dict(captures))
        at = 24
        while at < len(data):
            place, length = data[at], int.from_bytes(data[at + 4:at + 8], "little")
            replaced.append(place)
            at += 8
            if length == 0xffffffff:
                own["captures"].pop((place, True), None)
            else:
                own["captures"][place, True] = [(data[at:at + length], None)]
                at += length
    returned = len(data) > 8
    bits = int.from_bytes(data[:8], "little")
    answer = None
    if own:
        code, name = schema.returned(own)
        answer = {"args": schema.arguments(own), "ret": code, "ret_name": name}
    return {"injected": {
        "rules": [rules.get(bit + 1, f"rule {bit + 1}") for bit in range(64) if bits >> bit & 1],
        "made_up": returned and (not own or own["ret"] != call["ret"] or bool(replaced)),
        "delayed": flags & 2 != 0,
        "signalled": flags & 4 != 0,
        "driver": answer,
    }}


class Code:
    """Names of code addresses, and call stacks."""

    def __init__(self, block):
        self.block = block
        self.numbers = {}
        for number_, (file, offset, name, _) in enumerate(block["places"]):
            if file is not None and name is not None:
                source = block["files"][file]
                self.numbers[source["path"], source["build_id"], offset] = number_

    def symbol(self, number_):
        """Of a place by number; nothing where its function is not known."""
        _, _, name, distance = self.block["places"][number_] if number_ is not None else (None, 0, None, 0)
        return {} if name is None else {"symbol": self.block["names"][name], "symbol_offset": hexadecimal(distance)}

    def caller(self, library, offset):
        return self.symbol(self.numbers.get((library["path"], library["build_id"], offset)))

    def stack(self, call):
        """The call's stack, if it has one."""
        reference = call["captures"].get((STACK, True))
        number_ = unsigned(reference[0][0]) if reference else None
        if number_ is None or number_ >= len(self.block["stacks"]):
            return {}
        places = []
        for place in self.block["stacks"][number_]:
            file, offset, _, _ = self.block["places"][place]
            path = None if file is None else self.block["files"][file]["path"]
            places.append({"module": path, "offset": hexadecimal(offset), **self.symbol(place)})
        return {"stack": places}


def module_at(maps, address, at_ns):
    """Mapped file and file offset of an address: in the newest map before the call, else in the oldest after it."""
    before = [m for m in reversed(maps) if m["since_ns"] <= at_ns]
    after = [m for m in maps if m["since_ns"] > at_ns]
    for libraries in before + after:
        for library in reversed(libraries["libraries"]):
            if library["start"] <= address < library["end"]:
                return library, address - library["start"] + library["file_offset"]
    return None, None


def main(path):
    recording, processes, threads, libraries, call_blocks, schema = None, {}, {}, {}, [], None
    rules, code = {}, Code({"places": [], "stacks": [], "files": []})
    for kind, block in blocks(path):
        if kind == "recording":
            recording = block
        elif kind == "schema":
            schema = Schema(block)
        elif kind == "process":
            processes[block["number"]] = block
        elif kind == "libraries":
            libraries.setdefault(block["process"], []).append(block)
        elif kind == "threads":
            threads.update((thread["ordinal"], thread) for thread in block["threads"])
        elif kind == "calls":
            call_blocks.append(block)
        elif kind == "code":
            code = Code(block)
        elif kind == "note" and block["kind"] == "injection":
            rules.setdefault(block["process"], {})[block["count"]] = block["text"]
    anchors = [process["anchor"] for _, process in sorted(processes.items())]
    start_ns, start_realtime_ns = start(recording, anchors, call_blocks)
    emit({
        "schema": "cutape.print", "version": 1,
        "cutape": recording and recording["cutape_version"],
        "command": recording["command"] if recording else [],
        "host": recording and recording["host"],
        "start_realtime_ns": start_realtime_ns and number(start_realtime_ns),
        "start_monotonic_ns": number(start_ns),
    })
    for block in call_blocks:
        for call in calls_of(block):
            thread = threads.get(call["thread"])
            process = thread and processes.get(thread["process"])
            library, offset = module_at(libraries.get(thread and thread["process"], []), call["caller"], call["begin_ns"])
            ret, name = schema.returned(call)
            function = schema.functions.get(call["f"])
            arguments = schema.arguments(call)
            names = list(arguments)
            more = {"payloads": payloads_of(call, names), "kernel_args": kernels_of(call, names), "arrived": arrivals_of(call)}
            emit({
                "seq": number(call["seq"]),
                "pid": process and process["pid"],
                "tid": thread and thread["tid"],
                "thread": thread and thread["name"],
                "t_ns": number(call["begin_ns"] - start_ns),
                "dur_ns": call["dur_ns"] if call["dur_ns"] is None else number(call["dur_ns"]),
                "api": function["name"] if function else f"function#{call['f']}",
                "args": arguments,
                **{key: found for key, found in more.items() if found},
                "ret": ret,
                "ret_name": name,
                "caller": {
                    "address": hexadecimal(call["caller"]),
                    "module": library and library["path"],
                    "offset": library and hexadecimal(offset),
                    **(code.caller(library, offset) if library else {}),
                },
                "in_flight": call["open"],
                **injection_of(call, schema, rules.get(thread and thread["process"], {})),
                **code.stack(call),
            })


def start(recording, anchors, call_blocks):
    """Monotonic and real time from which times count."""
    if recording and recording["start_monotonic_ns"]:
        start_ns = recording["start_monotonic_ns"]
    else:
        begins = [anchor["monotonic_ns"] for anchor in anchors if anchor["monotonic_ns"]]
        begins += [next(calls_of(block))["begin_ns"] for block in call_blocks[:1]]
        start_ns = min(begins, default=0)
    if recording and recording["start_realtime_ns"]:
        return start_ns, recording["start_realtime_ns"]
    anchor = next((anchor for anchor in anchors if anchor["realtime_ns"]), None)
    if anchor is None or anchor["monotonic_ns"] < start_ns:
        return start_ns, None
    return start_ns, anchor["realtime_ns"] - (anchor["monotonic_ns"] - start_ns)


def emit(line):
    sys.stdout.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
