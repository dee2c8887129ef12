"""Sizes of local memory and of the heap, as experiments write them.

Local memory is a share of the footprint (`25%`) or bytes (`64MiB`), the heap's limit a multiple of
what lives (`1.5x`), bytes, or `no-gc`: too large to be ever full.
"""

import re

from harness.errors import UsageError

ALL = "100%"
NO_GC = "no-gc"
PAGE_BYTES = 4096
MIB = 1 << 20
_SUFFIXES = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


def parse_bytes(text):
    """Bytes as `tandem` takes them: 4096, 512K, 64MiB, 4G. None if it is not one."""
    found = re.fullmatch(r"(\d+)([KMGT]?)(?:iB)?", str(text))
    return int(found[1]) << _SUFFIXES[found[2]] if found else None


def parse_percent(text):
    """12.5 for `12.5%`; None if it is not a share."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)%", str(text))
    return float(found[1]) if found and 0 < float(found[1]) <= 100 else None


def parse_multiple(text):
    """1.5 for `1.5x`; None if it is not a multiple of 1 and more."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)x", str(text))
    return float(found[1]) if found and float(found[1]) >= 1 else None


def check_local(text):
    if parse_percent(text) is None and parse_bytes(text) is None:
        raise UsageError(f"local: '{text}' is not valid; valid are 25% of the footprint, 64MiB "
                         "and the like")


def check_heap(text):
    if text != NO_GC and parse_multiple(text) is None and parse_bytes(text) is None:
        raise UsageError(f"heap: '{text}' is not valid; valid are 1.5x of what lives, 64MiB "
                         f"and the like, {NO_GC}")


def local_bytes(text, footprint_bytes):
    """None: all of it."""
    percent = parse_percent(text)
    if percent is None:
        return parse_bytes(text)
    if percent == 100:
        return None
    return int(footprint_bytes * percent / 100) // PAGE_BYTES * PAGE_BYTES


def heap_bytes(text, live_bytes, allocated_bytes):
    """The heap's limit. Without collection twice what was allocated in all, measured with
    collection: blocks are then filled less well, and nothing may come near the limit."""
    if text == NO_GC:
        return round_up(2 * allocated_bytes + 64 * MIB)
    multiple = parse_multiple(text)
    return parse_bytes(text) if multiple is None else round_up(int(multiple * live_bytes))


def round_up(size):
    """To whole MiB, and to the least that `tandem run` takes by itself."""
    return max((size + MIB - 1) // MIB * MIB, 8 * MIB)


def show(size):
    for unit, factor in (("GiB", 1 << 30), ("MiB", MIB), ("KiB", 1 << 10)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size:.0f} B"
