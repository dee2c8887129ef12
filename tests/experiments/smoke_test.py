#!/usr/bin/python3
"""Runs experiments/smoke.toml, one round, with the real command.

Usage: smoke_test.py PATH_OF_TANDEM [unittest options]
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TANDEM = ""


class Smoke(unittest.TestCase):
    def test_runner_command_and_report_work_together(self):
        with tempfile.TemporaryDirectory(prefix="tandem-test-") as folder:
            done = subprocess.run(
                [str(ROOT / "experiments/run"), "smoke", "--rounds", "1", "--no-plots",
                 "--tandem", TANDEM, "--out", folder], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            summary = json.loads((pathlib.Path(folder) / "summary.json").read_text())
        self.assertEqual((summary["missing_runs"], summary["failed_runs"]), (0, 0))
        for cell in summary["cells"]:
            fetches = cell["metrics"]["mutator_fetches"]["median"]
            self.assertEqual(fetches > 0, cell["axes"]["local"] == "25%", cell)
            if cell["configuration"] == "no-gc":
                self.assertEqual(cell["metrics"]["cycles"]["max"], 0)


if __name__ == "__main__":
    TANDEM = sys.argv.pop(1)
    unittest.main()
