#!/usr/bin/env python3
"""Checks that no two files define a type of the same name in the same namespace.

C++ allows it only if both are word for word the same, and no compiler says anything: the linker keeps
one of the two, and objects of the other are then traced, copied and destroyed as what they are not.
Types in a nameless namespace may be called as they like.
"""

import argparse
import pathlib
import re
import sys

import source_tree

# What is linked into one program. tests/ and bench/ have a program each, and peers/ other headers
# for the same names.
FLOORS = ("include/", "runtime/", "rdma/", "workloads/", "sim/", "tools/")

_NAMESPACE = re.compile(r"^namespace(?: (?P<name>[\w:]+))? \{")
_END = re.compile(r"^\}  // namespace\b")
_TYPE = re.compile(r"^(?:struct|class|union|enum(?: class)?) (?:alignas\([^)]*\) )?(?P<name>\w+(?:::\w+)*)"
                   r"(?P<rest>(?![\w<:]).*)$", re.MULTILINE)


def definitions(text):
    """(line, qualified name) of the types that a formatted file defines outside of functions."""
    found, scopes, opened_at, lines = [], [], 0, text.splitlines()
    for number, line in enumerate(lines, 1):
        if opened := _NAMESPACE.match(line):
            scopes.append(opened["name"])
            opened_at = number
        elif scopes and (_END.match(line) or (line == "}" and number == opened_at + 2)):
            scopes.pop()  # that of a single line ends without a comment
        elif (named := _TYPE.match(line)) and None not in scopes:
            rest = named["rest"] + "".join(lines[number:number + 8])
            if "{" in rest.split(";", 1)[0]:  # else it is only declared
                found.append((number, "::".join([*scopes, named["name"]])))
    return found


def check_files(texts):
    """`texts`: {path: text}."""
    errors, first = [], {}
    for path, text in sorted(texts.items()):
        for number, name in definitions(text):
            if name in first:
                errors.append(f"{path}:{number}: defines {name}, as {first[name]} does; give one "
                              "another name or a namespace of its own")
            else:
                first[name] = path
    return errors


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", default=source_tree.ROOT, help="of the tree to check")
    root = pathlib.Path(parser.parse_args().root)
    errors = check_files({path: (root / path).read_text(encoding="utf-8")
                          for path in source_tree.files(root)
                          if path.startswith(FLOORS) and path.endswith((".h", ".cc"))})
    for error in errors:
        print(error, file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
