#!/usr/bin/python3
"""Tests of experiments/run with peers: other programs, under a wrapper that limits their memory."""

import json
import sys
import unittest

from scratch import SMALL, Scratch

FOOTPRINT = 50 << 20
OUTSIDE = 3 << 20

# Logs its arguments; FAKE_PEER says what else it does when it is limited.
PEER = """#!{python} -IS
import json, os, sys, time
limited = "FAKE_LIMIT" in os.environ
twist = os.environ.get("FAKE_PEER") if limited else None
with open(os.environ["FAKE_LOG"] + ".peer", "a") as log:
    log.write(json.dumps([os.environ.get("FAKE_LIMIT"), *sys.argv[1:]]) + "\\n")
if os.environ.get("FAKE_PEER") == "broken":
    sys.exit("peer: it cannot be run at all")
if twist == "killed":
    print("swap: killed by the kernel", file=sys.stderr)
    sys.exit(137)
if twist == "slow":
    time.sleep(100)
print(json.dumps({{"workload": sys.argv[2], "checksum": "bad" if twist == "wrong" else "c0ffee",
                  "seconds": {{"build": 0.0, "measured": 4.0 if limited else 2.0}},
                  "counters": {{"os.major_faults": 17}},
                  "memory": {{"footprint_bytes": 1, "outside_bytes": {outside}}},
                  "provenance": {{"cpu": "A CPU", "cores": 2, "kernel": "A kernel"}}}}))
"""

WRAPPER = """#!/bin/sh
[ "$1 $2 $3" = "--device zram --limit" ] && [ "$5" = -- ] || exit 2
export FAKE_LIMIT="$4"
shift 5
exec "$@"
"""


class Peers(Scratch):
    def setUp(self):
        super().setUp()
        for name, text in (("peer", PEER.format(python=sys.executable, outside=OUTSIDE)),
                           ("wrapper", WRAPPER)):
            (self.folder / name).write_text(text, encoding="utf-8")
            (self.folder / name).chmod(0o755)

    def text(self, more="", head=""):
        return f"""{head}{SMALL}
[[configuration]]
name = "other"
program = "{self.folder / 'peer'}"
wrapper = "{self.folder / 'wrapper'} --device zram"
options = {{ incremental = true }}
{more}"""

    def peer_runs(self):
        path = self.folder / "log.peer"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def failures(self):
        return [line["message"] for line in self.lines()
                if line["key"]["line"] == "run" and line["status"] != "ok"]

    def test_a_peer_gets_the_same_bytes_and_what_it_has_outside_its_heap(self):
        done = self.run_it(self.text(), "--rounds", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        limits = [run[0] for run in self.peer_runs()]
        # All local; once more for what it has outside and how long it takes; the quarter.
        self.assertEqual(limits, [None, None, str(FOOTPRINT // 4 + OUTSIDE)])

    def test_a_peer_is_asked_for_nothing_that_only_tandem_has(self):
        self.run_it(self.text(), "--rounds", "1")
        for _, *arguments in self.peer_runs():
            self.assertEqual(arguments[:2], ["run", "alpha"])
            self.assertIn("--incremental", arguments)
            self.assertIn("--heap", arguments)
            self.assertFalse({"--local", "--fabric", "--order"} & set(arguments), arguments)

    def test_the_report_has_the_peer_and_says_what_its_swap_is(self):
        done = self.run_it(self.text(), "--rounds", "1")
        self.assertIn("no network latency", done.stdout)
        self.assertIn("wrapper --device zram", done.stdout)
        self.assertIn("No peer took less time", done.stdout)
        self.assertIn("major faults", done.stdout)
        cell = [c for c in self.summary()["cells"]
                if c["configuration"] == "other" and c["axes"]["local"] == "25%"][0]
        self.assertEqual(cell["metrics"]["time"]["median"], 4)

    def test_a_peer_that_is_killed_is_reported_as_that(self):
        done = self.run_it(self.text(), "--rounds", "1", FAKE_PEER="killed")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.failures(), ["exit code 137: killed by the kernel"])
        self.assertIn("killed by the kernel", done.stdout)

    def test_a_peer_that_takes_many_times_as_long_is_given_up(self):
        self.run_it(self.text(head="give_up = 2\n"), "--rounds", "1", FAKE_PEER="slow")
        self.assertEqual(len(self.failures()), 1)
        self.assertIn("given up: more than 2 times", self.failures()[0])

    def test_a_wrong_checksum_of_a_peer_is_an_error(self):
        done = self.run_it(self.text(), "--rounds", "1", FAKE_PEER="wrong")
        self.assertEqual(done.returncode, 1)
        self.assertIn("WRONG CHECKSUM", done.stderr)

    def test_a_peer_that_cannot_be_run_is_tried_once_for_all_limits(self):
        self.run_it(self.text(), FAKE_PEER="broken")
        self.assertEqual(len(self.failures()), 4)
        self.assertEqual(len(self.peer_runs()), 3)  # all local twice, and to measure it

    def test_a_peer_may_have_only_some_of_the_workloads(self):
        text = self.text('workloads = ["beta"]\n[[workload]]\nname = "beta"\n')
        done = self.run_it(text, "--rounds", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual({run[2] for run in self.peer_runs()}, {"beta"})

    def test_mistakes_are_found_before_anything_is_run(self):
        for text, expected in (
                (self.text().replace("wrapper =", "# wrapper ="), "need each other"),
                (self.text('workloads = ["gamma"]\n'), "no workload is called 'gamma'"),
                (self.text('workloads = []\n'), "needs a list"),
                (self.text(head='reference = "other"\n'), "is another program"),
                (self.text(head="give_up = 0\n"), "give_up")):
            done = self.run_it(text)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(expected, done.stderr)
        self.assertFalse(self.log.exists())


if __name__ == "__main__":
    unittest.main()
