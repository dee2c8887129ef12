#!/usr/bin/env python3
"""Checks the text of every file of the tree.

No file names a place on one person's machine, and every note of work to be done says, in
parentheses and before a colon, why it is not done.
"""

import argparse
import pathlib
import re
import sys

import source_tree

# Spelled so that this file does not find itself.
MACHINE_PATH = re.compile(r"(?<![\w.$}~-])/(?:" + "|".join(["work", "root", "home", "Users"])
                          + r")/[\w.]")
NOTE = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
NOTE_WITH_REASON = re.compile(r"\bTO" + r"DO\([^()]*\w[^()]*\): \S")


def check_text(path, text):
    errors = []
    for number, line in enumerate(text.splitlines(), 1):
        found = MACHINE_PATH.search(line)
        if found:
            errors.append(f"{path}:{number}: names a place on one machine: "
                          f"{line[found.start():].split()[0]}")
        if len(NOTE.findall(line)) > len(NOTE_WITH_REASON.findall(line)):
            errors.append(f"{path}:{number}: a note of work to be done without its reason; write "
                          "TO" "DO(reason): what")
    return errors


def check_tree(root):
    errors = []
    for path in source_tree.files(root):
        content = (pathlib.Path(root) / path).read_bytes()
        if b"\0" not in content:  # else a picture
            errors += check_text(path, content.decode("utf-8", "replace"))
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
