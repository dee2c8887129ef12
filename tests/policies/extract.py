#!/usr/bin/python3
"""Takes the named code blocks out of a page: extract.py PAGE DIRECTORY

A block that begins with ```cpp NAME becomes DIRECTORY/NAME. Files that would stay the same are not
written again.
"""
import pathlib
import re
import sys

BLOCK = re.compile(r"^```cpp (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    directory = pathlib.Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    for name, code in BLOCK.findall(pathlib.Path(sys.argv[1]).read_text()):
        file = directory / name
        text = "#pragma once\n" + code if name.endswith(".h") else code
        if not file.exists() or file.read_text() != text:
            file.write_text(text)


main()
