"""Calls functions of a driver library that found no GPU, with arguments that are NULL or stand for nothing, and prints the code of each.

Hazard: the order in which a driver looks at arguments, handles and whether it was initialised decides which code a program sees, and some calls
follow whatever they are given. So they are made in a child; when one ends it, the next child goes on behind that one.

Usage: error_order.py LIBRARY FUNCTIONS ["before"]

FUNCTIONS is a file with a line for each function: its name, then a letter for each parameter, `p` for a pointer, `h` for a handle, `n` for a
number. With "before", cuInit is not called. Prints the name, which arguments it got, and the code, or "died".
"""

import ctypes
import os
import sys

NOWHERE = 0x7770
ROOM = ctypes.create_string_buffer(1 << 14)

# What pointers and handles are.
ARGUMENTS = {
    "nothing": (0, 0),
    "handles from nowhere": (0, NOWHERE),
    "places": (ctypes.addressof(ROOM), 0),
    "places and handles from nowhere": (ctypes.addressof(ROOM), NOWHERE),
}


def calls(path, library):
    """What to call: the text to print, the function, its arguments."""
    for line in open(path):
        name, *letters = line.split()
        function = getattr(library, name, None)
        if function is None:
            continue
        for which, (pointer, handle) in ARGUMENTS.items():
            values = {"p": pointer, "h": handle, "n": 0}
            yield f"{name}, {which}", function, [ctypes.c_void_p(values[letter]) for letter in letters]


def codes(wanted):
    """Their codes, as far as one child comes."""
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        for _, function, words in wanted:
            ctypes.memset(ROOM, 0, len(ROOM))
            os.write(writer, f"{function(*words)}\n".encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answers:
        found = answers.read().split()
    os.waitpid(process, 0)
    return found


def main():
    library = ctypes.CDLL(sys.argv[1])
    if len(sys.argv) < 4:
        library.cuInit(0)
    wanted = list(calls(sys.argv[2], library))
    while wanted:
        found = codes(wanted)
        found += ["died"] if len(found) < len(wanted) else []
        for (text, _, _), code in zip(wanted, found):
            print(f"{text}: {code}")
        wanted = wanted[len(found) :]


main()
