#!/usr/bin/python3
"""Tests `tandem fit-fabric` from outside: what it prints, keeps and refuses, never how long it took.

Usage: fit_fabric_test.py PATH_OF_TANDEM [unittest options]
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest

TANDEM = ""
PRESET = (r"emulated:none,read_latency_ns=\d+,write_latency_ns=\d+,operation_ns=\d+,"
          r"bandwidth_mb_s=[0-9.e+]+")


class FitFabricTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tandem-test-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.environment = dict(os.environ, XDG_CONFIG_HOME=self.folder)

    def tandem(self, *arguments):
        return subprocess.run(
            [TANDEM, *arguments], env=self.environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL, timeout=300, check=False)

    def fit(self, *arguments):
        result = self.tandem("fit-fabric", "--time", "1", *arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout

    def server(self, *arguments):
        """The URL of a memory server that lives as long as the test."""
        server = subprocess.Popen([TANDEM, "memserver", *arguments], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True)

        def end():
            server.kill()
            self.assertEqual(server.wait(), -signal.SIGKILL)
            server.stdout.close()
        self.addCleanup(end)
        return server.stdout.readline().split()[1]

    def assert_fails(self, code, expected, *arguments):
        result = self.tandem("fit-fabric", *arguments)
        self.assertEqual((result.returncode, result.stdout), (code, ""), result.stderr)
        self.assertRegex(result.stderr, r"\Atandem: [^\n]+\n\Z")
        self.assertIn(expected, result.stderr)

    def test_it_prints_a_table_and_a_preset_that_can_be_used(self):
        text = self.fit("emulated:rdma40")
        self.assertRegex(text, r"(?m)^read +4096 +1 ( +\d+\.\d){6}$")
        self.assertRegex(text, r"(?m)^write +65536 +32 ( +\d+\.\d){6}$")
        preset = re.search(rf"(?m)^preset: --fabric ({PRESET})$", text)[1]
        self.assertIn(preset.split(",", 1)[1], self.fit(preset).splitlines()[0])

    def test_json_has_the_documented_keys(self):
        found = json.loads(self.fit("emulated:none,depth=3,pins=1", "--json"))
        self.assertEqual(set(found), {"fabric", "preset", "saved", "parameters", "cells",
                                      "provenance"})
        self.assertEqual(found["fabric"], "emulated:none,depth=3,pins=1")
        self.assertRegex(found["preset"], rf"\A{PRESET},pins=1\Z")
        self.assertEqual(set(found["parameters"]), {"read_latency_ns", "write_latency_ns",
                                                    "operation_ns", "bandwidth_mb_s"})
        cells = {(cell["direction"], cell["bytes"], cell["depth"]) for cell in found["cells"]}
        self.assertEqual(cells, {(direction, size, depth) for direction in ("read", "write")
                                 for size in (64, 4096, 16384, 65536) for depth in (1, 2, 3)})
        for cell in found["cells"]:
            for side in ("measured", "emulated"):
                self.assertEqual(set(cell[side]), {"p50_ns", "p99_ns", "ns_per_transfer",
                                                   "transfers"})
                self.assertGreater(cell[side]["transfers"], 0)

    def test_what_is_saved_is_a_fabric_by_name(self):
        text = self.fit("emulated:tcp", "--save", "lab")
        self.assertRegex(text, r"(?m)^saved:  --fabric emulated:lab  \(.*/presets/lab\)$")
        self.assertRegex(self.tandem("list").stdout,
                         r"(?m)^  emulated:lab +fitted to emulated:tcp on \d{4}-\d\d-\d\d$")
        self.assertIn("emulated:lab", self.tandem("fabrics").stdout)
        ran = self.tandem("run", "linked-lists", "--scale", "tiny", "--local", "8MiB", "--fabric",
                          "emulated:lab", "--json")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertRegex(json.loads(ran.stdout)["provenance"]["fabric"],
                         r"\Aemulated:none,read_latency_ns=\d+")

    def test_encrypted_fabrics_are_measured_by_pages(self):
        found = json.loads(self.fit("sealed:emulated:none", "--json"))
        self.assertEqual({cell["bytes"] for cell in found["cells"]}, {4096})

    def test_memory_servers_are_measured(self):
        for arguments in (["--listen", "127.0.0.1:0"],
                          ["--fabric", "shm", "--listen", f"fit-{os.getpid()}"],
                          ["--fabric", "shm-ofi", "--listen", f"fit-ofi-{os.getpid()}"]):
            url = self.server(*arguments)
            self.assertRegex(self.fit(url), rf"(?m)\A{re.escape(url)}$[^$]*^preset: --fabric {PRESET}$")

    def test_nonsense_is_refused_in_one_line(self):
        self.assert_fails(2, "a fabric is missing")
        self.assert_fails(2, "one fabric", "emulated", "emulated")
        self.assert_fails(2, "one fabric", "--frobnicate")
        self.assert_fails(2, "emulated[:PRESET", "pigeon")
        self.assert_fails(2, "rdma40", "emulated:pigeon")
        self.assert_fails(2, "time", "emulated", "--time", "0")
        self.assert_fails(2, "of its own", "emulated", "--save", "rdma40")
        for name in ("", "../lab", "a/b", "a,b"):
            self.assert_fails(2, "is no name", "emulated", "--save", name)
        self.assert_fails(1, "tandem memserver", "tcp://127.0.0.1:1")
        self.assert_fails(1, "gets through", "emulated:none,loss=1,timeout_ms=1")
        self.assert_fails(1, "is gone", "emulated:none,die_after=3000", "--time", "50")

    def test_a_preset_that_cannot_be_written_is_an_error(self):
        with open(os.path.join(self.folder, "tandem"), "w", encoding="ascii") as file:
            file.write("a file where the folder would be\n")
        self.assert_fails(1, "presets/lab", "emulated:none", "--time", "1", "--save", "lab")

    def test_help_has_an_example(self):
        self.assertIn("Example: tandem fit-fabric ", self.tandem("fit-fabric", "--help").stdout)


if __name__ == "__main__":
    TANDEM = sys.argv.pop(1)
    unittest.main()
