#!/usr/bin/python3
"""Every workload that a peer has comes, at scale tiny, to what it comes to on Tandem's heap.

    checksums_test.py TANDEM FOLDER_OF_PEERS
"""

import functools
import json
import pathlib
import subprocess
import sys
import unittest

PEERS = {"peer-malloc": [], "peer-jemalloc": [], "peer-boehm": []}
# Boehm counts memory that it cannot use, and so may need more than twice what lives.
ROOMY = ["--heap", "256MiB"]
NO_DATA = "is not installed"  # workloads that read a text say so


def run(*line):
    return subprocess.run([str(part) for part in line], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False, timeout=120)


def names(program):
    listed, found = run(program, "list").stdout.splitlines(), []
    for line in listed[listed.index("workloads:") + 1:]:
        if not line.startswith(" "):
            break
        found.append(line.split()[0])
    return found


@functools.cache
def tandem_checksum(workload, *options):
    """None: it lacks its input here."""
    done = run(TANDEM, "run", workload, "--scale", "tiny", "--local", "100%", "--json", *options)
    if NO_DATA in done.stderr:
        return None
    return json.loads(done.stdout)["checksum"]


class Checksums(unittest.TestCase):
    def compare(self, program, workload, *options, own=()):
        expected = tandem_checksum(workload, *options)
        if expected is None:
            return
        done = run(program, "run", workload, "--scale", "tiny", "--json", *options, *own)
        self.assertEqual(done.returncode, 0, f"{workload} {own}: {done.stderr}")
        result = json.loads(done.stdout)
        self.assertEqual(result["checksum"], expected, f"{program.name} {workload} {own}")
        self.assertEqual(result["workload"], workload)
        self.assertGreater(result["memory"]["footprint_bytes"], 0)
        self.assertGreater(result["memory"]["outside_bytes"], 0)
        self.assertIn("measured", result["seconds"])
        self.assertEqual(result["provenance"]["swap"], "none")

    def test_native_peers_have_every_workload_and_agree_with_tandem(self):
        for name, options in PEERS.items():
            program = PEER_FOLDER / name
            if not program.exists():
                print(f"{name} is not built: libgc-dev is missing")
                continue
            self.assertEqual(names(program), names(TANDEM), name)
            for workload in names(program):
                self.compare(program, workload, own=[*options, *ROOMY])

    def test_boehm_agrees_when_it_collects_incrementally(self):
        program = PEER_FOLDER / "peer-boehm"
        if not program.exists():
            self.skipTest("libgc-dev is missing")
        for workload in ("binary-trees", "gcbench", "kv", "splay"):
            self.compare(program, workload, own=["--incremental", *ROOMY])

    def test_boehm_collects(self):
        program = PEER_FOLDER / "peer-boehm"
        if not program.exists():
            self.skipTest("libgc-dev is missing")
        result = json.loads(run(program, "run", "gcbench", "--scale", "tiny", "--json").stdout)
        self.assertGreater(result["counters"]["gc.cycles"], 0)

    def test_java_agrees_whatever_collects(self):
        program = PEER_FOLDER / "peer-java"
        if not program.exists():
            self.skipTest("no Java: scripts/setup --for peers")
        for workload in names(program):
            self.compare(program, workload, own=["--gc", "g1", "--heap", "64MiB"])
        for collector in ("shenandoah", "z"):
            self.compare(program, "gcbench", own=["--gc", collector, "--heap", "64MiB"])
        for mix in ("d", "update-insert", "f"):
            self.compare(program, "kv", "--mix", mix, "--seed", "7", own=["--heap", "64MiB"])

    def test_java_refuses_nonsense_in_one_line(self):
        program = PEER_FOLDER / "peer-java"
        if not program.exists():
            self.skipTest("no Java: scripts/setup --for peers")
        for line, expected in (((), "valid are"), (("run", "nope"), "nope"),
                               (("run", "kv", "--gc", "nope"), "g1, shenandoah, z"),
                               (("run", "kv", "--mix", "e"), "not in the Java version"),
                               (("run", "kv", "--records", "-1"), "valid are 1 to"),
                               (("run", "kv", "--heap"), "needs a value")):
            done = run(program, *line)
            self.assertEqual(done.returncode, 2, line)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn(expected, done.stderr)
        done = run(program, "run", "binary-trees", "--scale", "small", "--heap", "8MiB")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("the heap is full", done.stderr)

    def test_nonsense_is_refused_in_one_line(self):
        program = PEER_FOLDER / "peer-malloc"
        for line, expected in (((), "required"), (("run",), "a workload is missing"),
                               (("run", "nope"), "nope"),
                               (("run", "kv", "--mix", "nope"), "nope"),
                               (("run", "kv", "--incremental"), "--incremental"),
                               (("run", "kv", "--scale", "huge"), "huge")):
            done = run(program, *line)
            self.assertEqual(done.returncode, 2, line)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn(expected, done.stderr)

    def test_a_full_heap_is_one_line(self):
        program = PEER_FOLDER / "peer-boehm"
        if not program.exists():
            self.skipTest("libgc-dev is missing")
        done = run(program, "run", "binary-trees", "--scale", "small", "--heap", "1MiB")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("the heap is full", done.stderr.splitlines()[-1])


if __name__ == "__main__":
    TANDEM, PEER_FOLDER = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    unittest.main(argv=sys.argv[:1])
