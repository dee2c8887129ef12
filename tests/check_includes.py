#!/usr/bin/env python3
"""Checks that no file includes from a floor above its own.

The floors, from the lowest. A file may include from its own floor and from those named after it.
What <angle brackets> name is held to the same rules if it is ours. bench/ and tests/ stand outside
the house and may include anything.
"""

import argparse
import pathlib
import re
import sys

import source_tree

# The lowest floor is two: what applications may see of it, and what only the house may.
WORDS = ["include/tandem/status.h", "include/tandem/visitor.h"]

# Floor: (what it consists of, floors below that it may include). A trailing / means everything
# in that directory; `*` the files of that directory, not those of its subdirectories.
FLOORS = {
    "internal": (["include/tandem/internal/"], ["words"]),
    "words": (WORDS, ["internal"]),
    "base": (["runtime/base/"], ["words", "internal"]),
    "record": (["runtime/record/"], ["base", "words", "internal"]),
    "rdma": (["rdma/"], ["base", "words", "internal"]),
    "remote": (["rdma/remote/"], ["rdma", "base", "words", "internal"]),
    "swap": (["runtime/swap/"], ["rdma", "base", "words", "internal"]),
    "prefetch": (["runtime/prefetch/"], ["swap", "rdma", "base", "words", "internal"]),
    "heap": (["runtime/heap/"], ["prefetch", "swap", "rdma", "base", "words", "internal"]),
    "tracer": (["runtime/tracer/"],
               ["heap", "prefetch", "swap", "rdma", "record", "base", "words", "internal"]),
    "api": (["include/tandem/"], ["words", "internal"]),
    "runtime": (["runtime/*"], ["tracer", "heap", "prefetch", "swap", "rdma", "record", "base",
                                "api", "words", "internal"]),
    "workloads": (["workloads/"], ["api", "words"]),
    "sim": (["sim/"], ["workloads", "tracer", "heap", "prefetch", "swap", "rdma", "record", "base",
                       "words", "internal"]),
    # The memory server, and what measures fabrics, are programs apart: they know of no heap.
    "tools": (["tools/"], ["sim", "workloads", "api", "remote", "rdma", "words"]),
    # Programs apart, with headers of their own in place of the API's.
    "peers": (["peers/"], ["tools", "workloads", "api", "words", "internal"]),
}
OUTSIDE = ("bench/", "tests/")

SOURCES = {".h", ".hpp", ".c", ".cc", ".inc"}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?P<open>["<])(?P<name>[^">]+)[">]')


def matches(pattern, path):
    if pattern.endswith("/"):
        return path.startswith(pattern)
    if pattern.endswith("/*"):
        return path.rpartition("/")[0] == pattern[:-2]
    return path == pattern


def floor_of(path):
    """The floor a path is on, or None. The longest pattern wins."""
    best = max(((len(pattern), name) for name, (patterns, _) in FLOORS.items()
                for pattern in patterns if matches(pattern, path)), default=None)
    return best and best[1]


def describe(floor):
    own = FLOORS[floor]
    return ", ".join(p for name in [floor, *own[1]] for p in FLOORS[name][0])


def resolve(name):
    """An include as it is written, to a path in the tree."""
    return "include/" + name if name.startswith("tandem/") else name


def sources_of(path):
    """What a header is, or is made from."""
    return [path, path + ".in", re.sub(r"(\.grpc)?\.pb\.h$", ".proto", path)]


def is_ours(path):
    return floor_of(path) is not None or path.startswith(OUTSIDE)


def check_file(path, text, exists):
    """The errors of one file; `exists` tells whether a path is in the tree."""
    floor = floor_of(path)
    if floor is None:
        return [f"{path}:1: is on no floor; add its directory to the table in "
                "tests/check_includes.py"]
    allowed = {floor, *FLOORS[floor][1]}
    errors = []
    for number, line in enumerate(text.splitlines(), 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        name, target = found["name"], resolve(found["name"])
        if not is_ours(target):
            if found["open"] == '"':
                errors.append(f'{path}:{number}: #include "{name}": write our files as seen from '
                              "the root (tandem/... for include/tandem/), others in <>")
        elif found["open"] == "<" and target.startswith(("rdma/fi_", "rdma/rdma_")):
            continue  # libfabric's, librdmacm's
        elif not any(exists(source) for source in sources_of(target)):
            errors.append(f'{path}:{number}: #include "{name}": there is no such file')
        elif floor_of(target) not in allowed:
            errors.append(f'{path}:{number}: includes "{name}"; {floor} may include only '
                          f"{describe(floor)}")
    return errors


def check_tree(root):
    paths = source_tree.files(root)
    known = set(paths)
    errors = []
    for path in paths:
        if pathlib.Path(path).suffix in SOURCES and not path.startswith(OUTSIDE):
            text = (pathlib.Path(root) / path).read_text(encoding="utf-8", errors="replace")
            errors += check_file(path, text, known.__contains__)
    return errors


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", default=source_tree.ROOT, help="of the tree to check")
    errors = check_tree(parser.parse_args().root)
    for error in errors:
        print(error, file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
