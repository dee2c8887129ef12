#!/usr/bin/python3
"""scripts/swap: what it refuses everywhere, and what it does where it may.

What needs root, a cgroup and a device is skipped with the script's own reason where that is not to
be had.
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SWAP = ROOT / "scripts/swap"

# Touches so many MiB of memory that does not compress to nothing, and again from the start.
TOUCH = """
import os, sys
size = int(sys.argv[1]) << 20
block = os.urandom(4096)
memory = bytearray(size)
for _ in range(2):
    for at in range(0, size, 4096):
        memory[at:at + 4096] = block
print("touched", os.environ["TANDEM_SWAP_DEVICE"], os.environ["TANDEM_SWAP_LIMIT"])
"""


def swap(*line, **more):
    return subprocess.run([str(SWAP), *map(str, line)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False, timeout=120, **more)


def in_use():
    """What runs of the script have set up and not taken down."""
    devices = pathlib.Path("/proc/swaps").read_text(encoding="ascii").count("\n")
    states = list(pathlib.Path("/run").glob("tandem-swap.*"))
    groups = [path for path, _, _ in os.walk("/sys/fs/cgroup")
              if pathlib.Path(path).name.startswith("tandem-swap.")]
    return devices, states, groups


class Refusals(unittest.TestCase):
    def test_what_makes_no_sense_is_one_line(self):
        for line, expected in ((("--limit", "64MiB"), "a command is missing"),
                               (("--", "true"), "--limit is missing"),
                               (("--limit", "much", "--", "true"), "not a size"),
                               (("--limit", "64MiB", "--device", "tape", "--", "true"),
                                "valid: zram loop"),
                               (("--limit",), "needs a value")):
            done = swap(*line)
            self.assertEqual(done.returncode, 2, line)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn(expected, done.stderr)

    def test_without_root_it_refuses_and_runs_nothing(self):
        who = {}
        if os.getuid() == 0:
            who = {"user": 65534, "group": 65534, "extra_groups": []}
        with tempfile.TemporaryDirectory() as folder:
            # A copy: the tree may be where nobody else can read.
            scripts = pathlib.Path(folder, "scripts")
            scripts.mkdir()
            for name in ("swap", "lib.sh"):
                (scripts / name).write_bytes((ROOT / "scripts" / name).read_bytes())
                (scripts / name).chmod(0o755)
            for path in (folder, scripts):
                os.chmod(path, 0o755)
            for line in (["--check"], ["--limit", "64MiB", "--", "echo", "run"]):
                done = subprocess.run([str(scripts / "swap"), *line], capture_output=True,
                                      text=True, check=False, timeout=60, cwd=folder, **who)
                self.assertEqual(done.returncode, 1)
                self.assertEqual(done.stderr, "swap: needs root: it sets up swap and a cgroup\n")
                self.assertEqual(done.stdout, "")


class Runs(unittest.TestCase):
    DEVICES = ("zram", "loop")

    def setUp(self):
        self.devices, reasons = [], []
        for device in self.DEVICES:
            check = swap("--check", "--device", device)
            if check.returncode == 0:
                self.devices.append(device)
            else:
                reasons.append(check.stderr.strip())
        if not self.devices:
            self.skipTest("; ".join(reasons))
        self.before = in_use()

    def tearDown(self):
        self.assertEqual(in_use(), self.before)

    def test_a_command_gets_the_limit_and_swap_and_leaves_nothing_behind(self):
        for device in self.devices:
            done = swap("--limit", "32MiB", "--size", "128M", "--device", device, "--",
                        sys.executable, "-c", TOUCH, 64)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stdout, f"touched {device} {32 << 20}\n")
            self.assertEqual(in_use(), self.before)

    def test_exit_codes_and_folders_are_the_commands(self):
        done = swap("--limit", "64MiB", "--size", "16M", "--device", self.devices[0], "--",
                    "sh", "-c", "pwd; exit 7", cwd="/usr")
        self.assertEqual((done.returncode, done.stdout), (7, "/usr\n"))

    def test_a_command_that_is_not_there_is_an_error(self):
        done = swap("--limit", "64MiB", "--size", "16M", "--device", self.devices[0], "--",
                    "/nowhere/nothing")
        self.assertEqual(done.returncode, 127)

    def test_who_needs_more_than_limit_and_swap_is_reported_as_killed(self):
        done = swap("--limit", "16MiB", "--size", "8M", "--device", self.devices[0], "--",
                    sys.executable, "-c", TOUCH, 200)
        self.assertEqual(done.returncode, 137, done.stderr)
        self.assertIn("killed by the kernel", done.stderr.splitlines()[-1])

    def test_patience_lets_it_live_until_swap_is_full(self):
        done = swap("--limit", "32MiB", "--size", "128M", "--patient", "--device",
                    self.devices[0], "--", sys.executable, "-c", TOUCH, 64)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")

    def start_sleeper(self):
        child = subprocess.Popen([str(SWAP), "--limit", "64MiB", "--size", "16M", "--device",
                                  self.devices[0], "--", "sh", "-c", "echo up; sleep 100"],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.addCleanup(child.stdout.close)
        self.assertEqual(child.stdout.readline(), "up\n")
        return child

    def test_a_signal_ends_the_command_and_takes_everything_down(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            child = self.start_sleeper()
            child.send_signal(number)
            self.assertEqual(child.wait(timeout=60), 128 + number)
            self.assertEqual(in_use(), self.before)

    def test_what_a_killed_run_left_is_taken_down_by_the_next(self):
        child = self.start_sleeper()
        child.kill()
        child.wait(timeout=60)
        self.assertNotEqual(in_use(), self.before)
        deadline = time.monotonic() + 60
        while in_use() != self.before and time.monotonic() < deadline:
            self.assertEqual(swap("--clean").returncode, 0)


if __name__ == "__main__":
    unittest.main()
