"""A folder for a test, with a fake `tandem`, rules for it, and a way to run experiments/run."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RUNNER = ROOT / "experiments/run"

sys.path.insert(0, str(ROOT / "experiments"))

SMALL = """
rounds = 2
time_limit_s = 20
orders = ["lifo", "fifo"]
[axes]
local = [100, 25]
fabric = ["emulated:none"]
[[workload]]
name = "alpha"
"""


class Scratch(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tandem-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.out = self.folder / "out"
        self.log = self.folder / "log"
        self.tandem = self.folder / "tandem"
        self.tandem.write_text(f"#!/bin/sh\nexec {sys.executable} -IS {HERE / 'fake_tandem.py'} "
                               '"$@"\n', encoding="utf-8")
        self.tandem.chmod(0o755)
        self.set_rules({})

    def set_rules(self, rules):
        (self.folder / "rules").write_text(json.dumps(rules), encoding="utf-8")

    def environment(self, **more):
        return {**os.environ, "FAKE_RULES": str(self.folder / "rules"),
                "FAKE_LOG": str(self.log), **more}

    def command(self, text, *options):
        (self.folder / "test.toml").write_text(text, encoding="utf-8")
        return [str(RUNNER), str(self.folder / "test.toml"), "--tandem", str(self.tandem),
                "--out", str(self.out), *options]

    def run_it(self, text, *options, plots=False, **environment):
        if not plots:  # they take longer than all the rest
            options = (*options, "--no-plots")
        return subprocess.run(self.command(text, *options), capture_output=True, text=True,
                              check=False, timeout=120, env=self.environment(**environment))

    def runs_made(self):
        """(order, local) of each run, without calibrations; the log is emptied."""
        if not self.log.exists():
            return []
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        self.log.unlink()
        return [(line[line.index("--order") + 1], line[line.index("--local") + 1])
                for line in lines if "--order" in line]

    def summary(self):
        return json.loads((self.out / "summary.json").read_text())

    def lines(self):
        return [json.loads(line) for line in (self.out / "results.jsonl").read_text().splitlines()]
