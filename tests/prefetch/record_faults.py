#!/usr/bin/env python3
"""Records the sequences of faults that recorded_faults_test.cc plays to the prefetchers.

    tests/prefetch/record_faults.py [TANDEM]

Runs each workload below at a quarter local without prefetching, and writes the pages that its
busiest thread had to wait for in the middle of the run into tests/prefetch/faults/. Which pages
those are differs a little from run to run, so the counts in the test have to be renewed after it.
"""
import collections
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
FAULTS = 600
PER_LINE = 15
WORKLOADS = {
    "dataframe": ["dataframe"],
    "graph": ["graph"],
    "kv": ["kv"],
    "linear-regression": ["linear-regression"],
    "linked-lists": ["linked-lists"],
    "sort": ["sort"],
}
OPTIONS = "--scale small --local 25% --prefetcher none --threads 1".split()


def faults(tandem, workload):
    with tempfile.NamedTemporaryFile(suffix=".json") as timeline:
        subprocess.run([tandem, "run", *workload, *OPTIONS, "--trace", timeline.name],
                       check=True, stdout=subprocess.DEVNULL)
        events = json.load(timeline)["traceEvents"]
    by_thread = collections.defaultdict(list)
    for event in events:
        if event.get("cat") == "fetch" and event["name"] == "fetch":
            by_thread[event["tid"]].append(event["args"]["page"])
    pages = max(by_thread.values(), key=len, default=[])
    first = max(len(pages) - FAULTS, 0) // 2
    return pages[first:first + FAULTS]


def main():
    tandem = sys.argv[1] if len(sys.argv) > 1 else str(HERE.parents[1] / "build/release/tools/tandem")
    for name, workload in WORKLOADS.items():
        pages = faults(tandem, workload)
        lines = [f"# tandem run {' '.join([*workload, *OPTIONS])}"]
        for i in range(0, len(pages), PER_LINE):
            lines.append(" ".join(map(str, pages[i:i + PER_LINE])))
        (HERE / "faults" / f"{name}.txt").write_text("\n".join(lines) + "\n")
        print(f"{name}: {len(pages)} faults")


if __name__ == "__main__":
    main()
