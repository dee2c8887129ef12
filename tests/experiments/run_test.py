#!/usr/bin/python3
"""Tests of experiments/run from outside: which runs are made, kept, refused and reported."""

import json
import os
import pathlib
import signal
import subprocess
import time
import unittest

from scratch import ROOT, SMALL, Scratch

QUARTER = str((50 << 20) // 4)
SERVED = '''
[[configuration]]
name = "served"
server = "tcp"
options = { order = "lifo" }
[[configuration]]
name = "like"
fitted_to = "tcp"
options = { order = "lifo" }
'''
NO_GC = '\n[[configuration]]\nname = "no-gc"\noptions = { order = "lifo", heap = "no-gc" }\n'


class Runs(Scratch):
    def test_configurations_are_run_in_turn(self):
        done = self.run_it(SMALL)
        self.assertEqual(done.returncode, 0, done.stderr)
        one_round = [("lifo", "100%"), ("fifo", "100%"), ("lifo", QUARTER), ("fifo", QUARTER)]
        self.assertEqual(self.runs_made(), one_round * 2)

    def test_the_reference_is_run_all_local_though_no_axis_has_it(self):
        done = self.run_it(SMALL.replace("[100, 25]", "[25]"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.runs_made(),
                         [("lifo", "100%"), ("lifo", QUARTER), ("fifo", QUARTER)] * 2)
        self.assertEqual(self.summary()["cells"][0]["slowdown"]["median"], 2)

    def test_the_heap_is_a_multiple_of_what_lives(self):
        self.run_it(SMALL.replace("[axes]", '[axes]\nheap = ["1.5x"]'))
        made = [line["arguments"] for line in self.lines() if "arguments" in line]
        self.assertEqual({line[line.index("--heap") + 1] for line in made}, {str(60 << 20)})

    def test_without_collection_the_share_is_of_the_same_footprint(self):
        text = SMALL.replace('orders = ["lifo", "fifo"]', 'orders = ["lifo"]') + NO_GC
        done = self.run_it(text)
        self.assertEqual(done.returncode, 0, done.stderr)
        made = [line["arguments"] for line in self.lines()
                if line.get("configuration") == "no-gc" and line["axes"]["local"] == "25%"]
        self.assertIn("--only-when-full", made[0])
        self.assertEqual(made[0][made[0].index("--local") + 1], QUARTER)
        self.assertGreater(int(made[0][made[0].index("--heap") + 1]), 82 << 20)

    def test_a_collection_where_none_was_to_be_is_a_failure(self):
        self.set_rules({"lifo": {"cycles": 1}})
        done = self.run_it(SMALL + NO_GC)
        self.assertEqual(done.returncode, 1)
        self.assertIn("it collected, although", done.stdout)

    def test_a_second_start_makes_only_what_is_left(self):
        self.run_it(SMALL, "--rounds", "1")
        self.runs_made()
        done = self.run_it(SMALL)
        self.assertEqual(len(self.runs_made()), 4)
        self.assertIn("4 of 8 runs are there already", done.stderr)
        self.run_it(SMALL)
        self.assertEqual(self.runs_made(), [])
        self.assertFalse(self.log.exists())  # nor a calibration

    def test_another_commit_is_measured_anew(self):
        self.run_it(SMALL)
        self.runs_made()
        self.run_it(SMALL, FAKE_COMMIT="ba9876543210")
        self.assertEqual(len(self.runs_made()), 8)
        self.assertEqual(self.summary()["provenance"]["commit"], "ba9876543210")

    def test_a_half_written_last_line_is_dropped_and_run_again(self):
        self.run_it(SMALL)
        self.runs_made()
        path = self.out / "results.jsonl"
        whole = path.read_bytes()
        path.write_bytes(whole[:-20])
        done = self.run_it(SMALL)
        self.assertIn("half written", done.stderr)
        self.assertEqual(self.runs_made(), [("fifo", QUARTER)])
        self.assertEqual(len(self.lines()), len(whole.splitlines()))

    def test_an_interrupt_leaves_a_good_file(self):
        self.set_rules({"fifo": {"sleep": 100}})
        with subprocess.Popen(self.command(SMALL), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, env=self.environment(), start_new_session=True) as child:
            for _ in range(1000):
                if self.log.exists() and "fifo" in self.log.read_text():
                    break
                time.sleep(0.02)
            os.killpg(child.pid, signal.SIGINT)  # as a terminal does
            _, said = child.communicate(timeout=20)
        self.assertEqual(child.returncode, 130)
        self.assertNotIn("Traceback", said)
        self.assertIn("interrupted with 7 runs left", said)
        self.assertEqual([line["status"] for line in self.lines()], ["ok"] * 3)

    def servers(self):
        """The processes of the memory servers that were started."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line[1] for line in lines if line[0] == "memserver"]

    def assert_ended(self, processes):
        for process in processes:
            for _ in range(500):
                if not pathlib.Path(f"/proc/{process}/cmdline").exists():
                    break
                if not pathlib.Path(f"/proc/{process}/cmdline").read_bytes():
                    break  # nobody has asked yet how it ended
                time.sleep(0.02)
            else:
                self.fail(f"the memory server {process} lives on")

    def test_each_run_over_a_server_has_one_of_its_own(self):
        done = self.run_it(SMALL + SERVED)
        self.assertEqual(done.returncode, 0, done.stderr)
        servers = self.servers()
        self.assertEqual(len(servers), 1 + 4)  # of the fit, and of the runs
        self.assert_ended(servers)
        made = [line["arguments"] for line in self.lines() if line.get("configuration") == "served"]
        self.assertEqual({line[line.index("--fabric") + 1] for line in made},
                         {"tcp://127.0.0.1:4711"})

    def test_the_emulator_is_fitted_once(self):
        self.run_it(SMALL + SERVED)
        made = [line["arguments"] for line in self.lines() if line.get("configuration") == "like"]
        self.assertEqual({line[line.index("--fabric") + 1] for line in made},
                         {"emulated:none,read_latency_ns=7"})
        self.assertEqual(self.log.read_text().count('"fit-fabric"'), 1)

    def test_a_fabric_that_is_not_here_is_skipped_and_named(self):
        done = self.run_it(SMALL + SERVED.replace('"tcp"', '"verbs"'))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("no RDMA device is here", done.stderr)
        self.assertIn("no RDMA device is here", (self.out / "report.md").read_text())
        self.assertEqual(len(self.runs_made()), 8)

    def test_nothing_outlives_the_runner(self):
        for how in (signal.SIGINT, signal.SIGKILL):
            with self.subTest(how.name):
                self.log.unlink(missing_ok=True)
                self.set_rules({"lifo": {"sleep": 100}})
                text = SMALL.replace('orders = ["lifo", "fifo"]', 'orders = ["fifo"]') + SERVED
                with subprocess.Popen(self.command(text, "--no-plots"), stderr=subprocess.PIPE,
                                      stdout=subprocess.PIPE, env=self.environment()) as child:
                    for _ in range(1000):
                        if self.log.exists() and "tcp://" in self.log.read_text():
                            break
                        time.sleep(0.02)
                    child.send_signal(how)
                    child.communicate(timeout=20)
                self.assert_ended(self.servers())

    def test_a_wrong_checksum_is_named_and_no_data_point(self):
        self.set_rules({"fifo": {"checksum": "bad"}})
        done = self.run_it(SMALL)
        self.assertEqual(done.returncode, 1)
        self.assertIn("WRONG CHECKSUM", done.stderr)
        self.assertIn("wrong checksum: bad, the all-local run had c0ffee", done.stdout)
        self.assertEqual({cell["configuration"] for cell in self.summary()["cells"]}, {"lifo"})

    def test_a_run_that_fails_does_not_stop_the_rest(self):
        self.set_rules({"fifo": {"fail": "a page is lost"}})
        done = self.run_it(SMALL)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(self.runs_made()), 8)
        self.assertIn("exit code 1: a page is lost", done.stdout)
        self.run_it(SMALL)
        self.assertEqual(self.runs_made(), [])
        self.set_rules({})
        self.assertEqual(self.run_it(SMALL, "--retry").returncode, 0)
        self.assertEqual(self.runs_made(), [("fifo", "100%"), ("fifo", QUARTER)] * 2)

    def test_a_run_that_takes_too_long_is_stopped(self):
        self.set_rules({"fifo": {"sleep": 60}})
        done = self.run_it(SMALL.replace("= 20", "= 4").replace("[100, 25]", "[25]"),
                           "--rounds", "1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("stopped after 4 s", done.stdout)
        self.assertEqual(self.summary()["failed_runs"], 1)

    def test_what_the_command_refuses_is_asked_once(self):
        self.set_rules({"fifo": {"refuse": "unknown '--new'"}})
        done = self.run_it(SMALL)
        self.assertEqual(done.returncode, 1)
        self.assertIn("refused by the command: exit code 2: unknown '--new'", done.stdout)
        self.assertEqual(sum(order == "fifo" for order, _ in self.runs_made()), 2)

    def test_a_calibration_that_fails_says_so_at_every_run(self):
        self.set_rules({"all local": {"fail": "the heap is full"}})
        done = self.run_it(SMALL)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no all-local run: exit code 1: the heap is full", done.stdout)
        self.assertEqual(self.runs_made(), [])

    def test_two_at_once_do_not_write_one_file(self):
        self.set_rules({"fifo": {"sleep": 100}})
        with subprocess.Popen(self.command(SMALL), stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, env=self.environment()) as first:
            for _ in range(1000):
                if self.log.exists() and "fifo" in self.log.read_text():
                    break
                time.sleep(0.02)
            second = self.run_it(SMALL)
            first.terminate()
            first.wait(timeout=20)
        self.assertEqual(second.returncode, 1)
        self.assertIn("another run of experiments", second.stderr)


class Choices(Scratch):
    NEWER = SMALL.replace('"fifo"]', '"fifo", "lineup"]')

    def test_an_order_that_the_command_does_not_know_is_told_before_any_run(self):
        done = self.run_it(self.NEWER)
        self.assertEqual(done.returncode, 2)
        self.assertIn("configuration 'lineup': the command has no order 'lineup' "
                      "(it has fifo, lifo)", done.stderr)
        self.assertFalse(self.log.exists())

    def test_an_order_may_have_options_behind_its_name(self):
        done = self.run_it(SMALL.replace('"fifo"]', '"fifo,depth=2"]'))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("fifo,depth=2", self.log.read_text())

    def test_it_can_be_left_out(self):
        self.assertEqual(self.run_it(self.NEWER, "--skip-unknown").returncode, 0)
        self.assertEqual(len(self.runs_made()), 8)

    def test_configurations_and_workloads_can_be_chosen(self):
        text = self.NEWER + '[[workload]]\nname = "beta"\n'
        done = self.run_it(text, "--only-configs", "fifo", "--only", "beta")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual({cell["workload"] for cell in self.summary()["cells"]}, {"beta"})
        self.assertEqual({order for order, _ in self.runs_made()}, {"fifo"})
        self.assertIn("no workload 'gamma' (it has alpha, beta)",
                      self.run_it(text, "--only", "gamma").stderr)

    def test_an_axis_can_be_given_other_values(self):
        self.assertEqual(self.run_it(SMALL, "--axis", "seed=2,3", "--axis", "local=50").returncode, 0)
        axes = [cell["axes"] for cell in self.summary()["cells"]]
        self.assertEqual({(one["seed"], one["local"]) for one in axes},
                         {(2, "50%"), (2, "100%"), (3, "50%"), (3, "100%")})
        self.assertIn("no axis 'loca' (it has ", self.run_it(SMALL, "--axis", "loca=50").stderr)
        self.assertIn("needs a list of values", self.run_it(SMALL, "--axis", "seed=").stderr)

    def test_options_are_handed_on_as_they_are(self):
        text = SMALL + ('options = { size = "4M" }\n[[configuration]]\nname = "two"\n'
                        'options = { tracers = 2, no-move = true, new-one = false }\n')
        self.run_it(text)
        made = next(line for line in self.lines() if line.get("configuration") == "two")
        shown = " ".join(made["arguments"])
        for wanted in ("--size 4M", "--tracers 2", "--no-move", "--seed 1"):
            self.assertIn(wanted, shown)
        self.assertNotIn("--new-one", shown)

    def test_a_dry_run_makes_none(self):
        done = self.run_it(SMALL, "--dry-run")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("8 runs", done.stdout)
        self.assertFalse(self.out.exists())

    def test_a_report_needs_no_command(self):
        self.run_it(SMALL)
        first = (self.out / "report.md").read_text()
        self.tandem.unlink()
        done = self.run_it(SMALL, "--report-only")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((self.out / "report.md").read_text(), first)

    def test_mistakes_are_told_on_one_line(self):
        for text, wanted in (
                (SMALL.replace("rounds", "round"), "unknown key 'round'"),
                (SMALL.replace("[100, 25]", "[0]"), "local: '0%' is not valid"),
                (SMALL.replace("[axes]", '[axes]\nheap = ["0.5x"]'), "heap: '0.5x' is not valid"),
                (SMALL.replace('orders = ["lifo", "fifo"]', ""), "no configuration"),
                (SMALL + 'options = { seed = 3 }', "make it an axis"),
                (SMALL + '[[target]]\nname = "t"\nof = "x"\nmetric = "time"\nat_most = 1',
                 "no configuration is called 'x'"),
                (SMALL + '[[target]]\nname = "t"\nof = "lifo"\nmetric = "tim"\nkind = "value"\n'
                         'at_most = 1', "no metric is called 'tim'"),
                ("rounds = ", "test.toml")):
            with self.subTest(wanted):
                done = self.run_it(text)
                self.assertEqual(done.returncode, 2)
                self.assertIn(wanted, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_the_experiments_of_the_tree_can_be_read(self):
        for path in sorted((ROOT / "experiments").glob("*.toml")):
            done = subprocess.run([str(ROOT / "experiments/run"), path.stem, "--dry-run"],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)


class Reports(Scratch):
    def test_a_report_has_its_tables_plots_and_summary(self):
        self.set_rules({"fifo": {"slower": 3, "fetches": 100}})
        done = self.run_it(SMALL + '[[target]]\nname = "fewer fetches"\n'
                           'metric = "collector_fetches"\nof = "fifo"\nagainst = "lifo"\n'
                           'where = { local = [25] }\nat_most = 0.25\n', plots=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        for wanted in ("3.00x", "1.50x", "PASS", "fewer fetches", "(emulated)", "50.0 MiB"):
            self.assertIn(wanted, done.stdout)
        for name in ("time.png", "fetches.png"):
            self.assertTrue((self.out / name).read_bytes().startswith(b"\x89PNG"))
        for name in ("speedup", "programs"):
            self.assertTrue((self.out / f"{name}.svg").read_text().startswith("<svg"))
        summary = self.summary()
        self.assertEqual(summary["targets"][0]["verdict"], "PASS")
        self.assertTrue(summary["provenance"]["emulated"])
        self.assertEqual(json.loads(json.dumps(summary)), summary)


if __name__ == "__main__":
    unittest.main()
