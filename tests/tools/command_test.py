#!/usr/bin/python3
"""Tests the command `tandem` from outside: what it prints, and what it exits with.

Usage: command_test.py PATH_OF_TANDEM [unittest options]
"""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import unittest

TANDEM = ""
TEXT = "The cat saw the dog, and the dog saw the cat.\n"
WORKLOADS = ["wordcount", "binary-trees", "pointer-chase", "linked-lists", "kv", "graph",
             "gcbench", "splay", "cache", "dataframe",
             "wordcount-combined", "inverted-index", "grep", "sort", "kmeans", "linear-regression",
             "param-server", "tree-search", "pipeline"]
TINY = {
    "binary-trees": ["--depth", "14"],
    "pointer-chase": ["--working-set", "4M"],
    "linked-lists": ["--length", "4096"],
    "kv": ["--records", "8192"],
    "cache": ["--entries", "4096"],
    "dataframe": ["--rows", "5000"],
    "gcbench": ["--depth", "10"],
    "splay": ["--nodes", "400"],
    "graph": ["--vertices", "1024"],
    "kmeans": ["--samples", "4000"],
    "linear-regression": ["--samples", "4000"],
    "param-server": ["--samples", "16000"],
    "tree-search": ["--queens", "11"],
    "pipeline": ["--blocks", "100"],
}


class CommandTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="tandem-test-")
        self.addCleanup(self.folder.cleanup)
        self.environment = dict(os.environ, XDG_CACHE_HOME=self.path("cache"))
        self.write("text", TEXT * 5000)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def tandem(self, *arguments, **options):
        options.setdefault("stdout", subprocess.PIPE)
        return subprocess.run(
            [TANDEM, *arguments], env=self.environment, stderr=subprocess.PIPE, text=True,
            stdin=subprocess.DEVNULL, timeout=300, check=False, **options)

    def run_json(self, *arguments):
        result = self.tandem("run", *arguments, "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr, "")
        return json.loads(result.stdout)

    def word_count(self, *arguments):
        return self.run_json("wordcount", "--input", self.path("text"), *arguments)

    def assert_fails(self, code, expected, *arguments):
        """One line that says what is wrong, nothing on standard output, the exit code."""
        result = self.tandem(*arguments)
        self.assertEqual((result.returncode, result.stdout), (code, ""), result.stderr)
        self.assertRegex(result.stderr, r"\Atandem: [^\n]+\n\Z")
        self.assertIn(expected, result.stderr)

    # Help, version, list.

    def test_help_at_every_level_has_an_example(self):
        for level in ([], ["run"], ["simulate"], ["list"], *(["run", name] for name in WORKLOADS)):
            result = self.tandem(*level, "--help")
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertIn("Example: tandem ", result.stdout)

    def test_version_names_the_commit(self):
        self.assertRegex(self.tandem("--version").stdout,
                         r"\Atandem \d+\.\d+\.\d+ \(commit [^)]+\)\n\Z")

    def test_list_has_a_line_for_each_choice(self):
        lines = self.tandem("list").stdout.splitlines()
        titles = [line for line in lines if not line.startswith("  ")]
        self.assertEqual(titles, ["workloads:", "orders:", "prefetchers:", "replacements:",
                                  "fabrics:"])
        names = [line.split()[0] for line in lines if line.startswith("  ")]
        for name in WORKLOADS + ["lifo", "fifo", "none"]:
            self.assertIn(name, names)
        self.assertTrue(any(name.startswith("emulated:") for name in names))
        for line in lines:
            self.assertTrue(line.endswith(":") or len(line.split()) > 1, line)

    # What makes no sense: exit code 2, and what is valid.

    def test_unknown_names_are_answered_with_the_valid_ones(self):
        for expected, arguments in (
                ("valid are run, simulate, list", []),
                ("valid are run, simulate, list", ["fly"]),
                ("linked-lists", ["run"]),
                ("linked-lists", ["run", "fly"]),
                ("linked-lists", ["run", "--local", "25%", "wordcount"]),
                ("takes nothing", ["list", "all"]),
                ("--local", ["run", "wordcount", "--far"]),
                ("--local", ["run", "wordcount", "more"]),
                ("lifo, fifo", ["run", "wordcount", "--order", "random"]),
                ("none", ["run", "wordcount", "--prefetcher", "psychic"]),
                ("emulated", ["run", "wordcount", "--fabric", "pigeon"]),
                ("rdma40", ["run", "wordcount", "--fabric", "emulated:pigeon"]),
                ("tiny, small, default", ["run", "wordcount", "--scale", "huge"]),
                ("random, sequential", ["run", "pointer-chase", "--pattern", "zigzag"]),
                ("a, b, c, d, e, f, update-insert", ["run", "kv", "--mix", "g"]),
                ("valid are 1 to 64", ["run", "kv", "--threads", "65"]),
                ("linux-doc, bible", ["run", "wordcount", "--corpus", "koran"])):
            with self.subTest(arguments):
                self.assert_fails(2, expected, *arguments)

    def test_local_sizes_that_make_no_sense(self):
        for size in ("0", "-1", "0%", "-5%", "150%", "nan%", "%", "4096", "lots", "12MB", ""):
            with self.subTest(size):
                self.assert_fails(2, "25%", "run", "wordcount", "--local", size)

    def test_a_share_too_small_to_work_with(self):
        self.assert_fails(2, "256 KiB", "run", "wordcount", "--input", self.path("text"),
                          "--local", "0.001%")

    def test_numbers_that_make_no_sense(self):
        for option in ("--threads", "--tracers", "--seed", "--heap", "--size", "--partitions"):
            for value in ("-1", "x", "", "1.5", "99999999999999999999999"):
                with self.subTest(option=option, value=value):
                    self.assert_fails(2, "valid", "run", "wordcount", option, value)
        self.assert_fails(2, "1 to 256", "run", "wordcount", "--threads", "0")
        self.assert_fails(2, "1.00 MiB", "run", "wordcount", "--heap", "0")

    def test_options_without_their_value(self):
        for option in ("--local", "--input", "--order"):
            self.assert_fails(2, option, "run", "wordcount", option)

    # What cannot be done: exit code 1.

    def test_unreadable_input(self):
        self.assert_fails(1, "/nonexistent: No such file", "run", "wordcount", "--input",
                          "/nonexistent")
        self.assert_fails(1, "Is a directory", "run", "wordcount", "--input", self.folder.name)

    def test_unwritable_output(self):
        self.assert_fails(1, "/nonexistent/a: No such file", "run", "wordcount", "--input",
                          self.path("text"), "--output", "/nonexistent/a")

    def test_a_heap_smaller_than_the_live_data(self):
        self.assert_fails(1, "--heap", "run", "pointer-chase", "--working-set", "64M", "--heap",
                          "4M")

    def test_a_page_that_is_lost(self):
        for fault, reason in (("die_after=100", "memory server"), ("damage=1", "damaged")):
            self.assert_fails(1, reason, "run", "linked-lists", "--scale", "tiny", "--fabric",
                              f"emulated:none,{fault}")

    def test_a_standard_output_that_cannot_be_written(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            result = self.tandem("list", stdout=full)
        self.assertEqual(result.returncode, 1)
        self.assertIn("No space left", result.stderr)
        result = subprocess.run(f"'{TANDEM}' list >&-", shell=True, stderr=subprocess.PIPE,
                                text=True, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("cannot write", result.stderr)

    def test_a_reader_that_went_away_gets_no_message(self):
        reader, writer = os.pipe()
        os.close(reader)
        result = self.tandem("list", stdout=writer)
        os.close(writer)
        self.assertEqual((result.returncode, result.stderr), (1, ""))

    # Runs.

    def test_every_workload_runs_with_a_quarter_of_its_footprint(self):
        for workload in WORKLOADS:
            with self.subTest(workload):
                options = TINY.get(workload, ["--input", self.path("text")])
                result = self.run_json(workload, "--scale", "tiny", *options)
                memory = result["memory"]
                self.assertEqual(result["checksum"], result["baseline"]["checksum"])
                self.assertLessEqual(memory["local_peak_bytes"], memory["local_limit_bytes"])
                self.assertAlmostEqual(memory["local_limit_bytes"],
                                       result["baseline"]["footprint_bytes"] / 4, delta=4096)

    def test_json_has_the_documented_keys(self):
        result = self.word_count("--order", "fifo")
        self.assertEqual(set(result), {"workload", "checksum", "seconds", "counters", "memory",
                                       "options", "provenance", "baseline", "series"})
        samples = result["series"]
        self.assertEqual(set(samples), {"seconds", "heap_used_bytes", "local_bytes"})
        self.assertEqual(len({len(values) for values in samples.values()}), 1)
        self.assertGreaterEqual(len(samples["seconds"]), 2)
        self.assertEqual(samples["seconds"], sorted(samples["seconds"]))
        self.assertGreater(max(samples["heap_used_bytes"]), 0)
        self.assertEqual(result["workload"], "wordcount")
        self.assertIsInstance(result["checksum"], str)
        self.assertLessEqual({"prepare", "build", "measured", "map", "reduce", "result"},
                             set(result["seconds"]))
        self.assertLessEqual({"fetch.demand.mutator", "fetch.demand.collector", "fetch.prefetch",
                              "evict.writeback", "gc.cycles", "gc.pause_max_ns"},
                             set(result["counters"]))
        self.assertLessEqual({"footprint_bytes", "local_limit_bytes", "local_peak_bytes"},
                             set(result["memory"]))
        self.assertLessEqual({"local", "heap", "order", "tracers", "prefetcher", "fabric", "scale",
                              "move", "only_when_full", "threads", "seed", "input", "size"},
                             set(result["options"]))
        self.assertEqual(result["options"]["order"], "fifo")
        self.assertEqual(result["options"]["size"], len(TEXT) * 5000)
        self.assertLessEqual({"version", "commit", "kernel", "cpu", "cores", "fabric", "date"},
                             set(result["provenance"]))

    def test_all_options_of_the_collector_and_the_pager_are_taken(self):
        plain = self.word_count()
        other = self.word_count("--local", "512K", "--heap", "24M", "--order", "fifo", "--tracers",
                                "2", "--fabric", "emulated:none", "--threads", "3", "--no-move")
        self.assertEqual(plain["checksum"], other["checksum"])
        self.assertEqual(other["memory"]["local_limit_bytes"], 512 << 10)
        self.assertEqual(other["memory"]["heap_limit_bytes"], 24 << 20)
        self.assertFalse(other["options"]["move"])

    def test_a_heap_that_collects_only_when_full_and_never_is_does_not_collect(self):
        # Allocates its heap several times over, so that cycles must end before the run does.
        options = ["binary-trees", "--scale", "small", "--local", "100%"]
        usual = self.run_json(*options, "--heap", "64M")
        never = self.run_json(*options, "--heap", "4G", "--only-when-full")
        self.assertGreater(usual["counters"]["gc.cycles"], 0)
        self.assertEqual(never["counters"]["gc.cycles"], 0)
        self.assertTrue(never["options"]["only_when_full"])
        self.assertEqual(usual["checksum"], never["checksum"])

    def test_the_answer_is_the_same_with_each_prefetcher(self):
        listed = self.tandem("list").stdout
        section = listed[listed.index("prefetchers:\n"):listed.index("replacements:\n")]
        names = [line.split()[0] for line in section.splitlines()[1:]]
        self.assertIn("leap", names)
        checksums = set()
        for name in names:
            result = self.word_count("--local", "512K", "--prefetcher", name)
            checksums.add(result["checksum"])
            counters = result["counters"]
            self.assertEqual(result["options"]["prefetcher"], name)
            self.assertGreaterEqual(counters["fetch.prefetch"], counters["prefetch.hits"] +
                                    counters["prefetch.unused"] + counters["prefetch.dropped"])
            if name == "none":
                self.assertEqual(counters["fetch.prefetch"], 0)
        self.assertEqual(len(checksums), 1)

    def test_word_count_writes_its_counts(self):
        self.word_count("--output", self.path("counts"))
        self.assertEqual(self.read("counts"),
                         "   5000 and\n  10000 cat\n  10000 dog\n  10000 saw\n  20000 the\n")

    def test_the_summary_compares_with_the_all_local_run(self):
        result = self.tandem("run", "wordcount", "--input", self.path("text"))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn(", as all local\n", result.stdout)
        self.assertIn("times the all-local run's", result.stdout)

    # Recordings and the simulator.

    def record(self):
        return self.run_json("pointer-chase", "--scale", "tiny", "--local", "25%",
                             "--only-when-full", "--heap", "64M", "--record",
                             self.path("recording"))

    def simulate_json(self, *arguments):
        result = self.tandem("simulate", *arguments, "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr, "")
        return json.loads(result.stdout)

    def test_a_recording_changes_no_answer_and_is_replayed_to_the_same_fetches(self):
        plain = self.run_json("pointer-chase", "--scale", "tiny", "--local", "25%",
                              "--only-when-full", "--heap", "64M")
        recorded = self.record()
        self.assertEqual(recorded["checksum"], plain["checksum"])
        self.assertEqual(recorded["options"]["record"], self.path("recording"))
        local = str(plain["memory"]["local_limit_bytes"])
        simulated = self.simulate_json(self.path("recording"), "--local", local)
        for run in (plain, recorded):
            real = run["counters"]["fetch.demand.mutator"]
            self.assertAlmostEqual(simulated["counters"]["fetch.demand.mutator"], real,
                                   delta=real / 10)
        again = self.simulate_json(self.path("recording"), "--local", local)
        again["provenance"]["date"] = simulated["provenance"]["date"]
        self.assertEqual(again, simulated)

    def test_a_recording_is_replayed_against_any_policies(self):
        self.record()
        for order in ("fifo", "memliner", "lineup,window=16"):
            result = self.simulate_json(self.path("recording"), "--order", order, "--prefetcher",
                                        "leap", "--local", "13%", "--fabric", "emulated:tcp")
            self.assertEqual(result["options"]["order"], order)
            self.assertEqual(result["options"]["fabric"], "emulated:tcp")
            self.assertGreater(result["virtual_ns"], 0)
        result = self.tandem("simulate", self.path("recording"), "--local", "100%")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("0 by the application, 0 by the collector", result.stdout)

    def test_a_heap_of_a_tebibyte_is_simulated(self):
        result = self.simulate_json(
            "synthetic:graph,objects=20000,accesses=0,wait=1,heap_gib=1024", "--local", "512K",
            "--order", "lineup")
        self.assertEqual(result["counters"]["gc.objects_marked"], 20000)

    def test_what_cannot_be_simulated_is_refused(self):
        self.write("foreign", "{}")
        self.assert_fails(2, "a source is missing", "simulate")
        self.assert_fails(1, "No such file", "simulate", self.path("nosuch"))
        self.assert_fails(1, "is no recording", "simulate", self.path("foreign"))
        self.assert_fails(2, "valid are graph, list, zipf", "simulate", "synthetic:tree")
        self.assert_fails(2, "valid options are", "simulate", "synthetic:list", "--nosuch")
        self.assert_fails(2, "unknown 'x'", "simulate", "synthetic:list", "x")
        self.assert_fails(2, "valid are lifo", "simulate", "synthetic:list", "--order", "x")
        self.assert_fails(2, "order option", "simulate", "synthetic:list", "--order", "fifo,a=1")
        self.assert_fails(2, "no faults", "simulate", "synthetic:list", "--fabric",
                          "emulated:tcp,loss=0.5")
        self.assert_fails(2, "--mark-ns", "simulate", "synthetic:list", "--mark-ns", "0")
        self.record()
        with open(self.path("recording"), "r+b") as file:
            file.truncate(os.path.getsize(self.path("recording")) - 1)
        self.assert_fails(1, "is truncated", "simulate", self.path("recording"))

    def test_a_recording_that_cannot_be_written_is_told(self):
        self.assert_fails(2, "No such file", "run", "linked-lists", "--scale", "tiny", "--record",
                          "/nonexistent/recording")
        self.assert_fails(1, "No space left", "run", "linked-lists", "--scale", "tiny", "--record",
                          "/dev/full")

    # The trace.

    def test_a_trace_has_phases_fetches_evictions_and_cycles(self):
        result = self.run_json("binary-trees", "--scale", "tiny", "--local", "25%", "--trace",
                               self.path("trace"))
        trace = json.loads(self.read("trace"))
        self.assertEqual(trace["otherData"]["dropped_events"], 0)
        events = [event for event in trace["traceEvents"] if event["ph"] != "M"]
        names = [event["name"] for event in events]
        for name in ("build", "measured", "fetch", "evict", "local pages", "cycle", "mark",
                     "sweep", "handshake"):
            self.assertIn(name, names)
        # What was counted was recorded, and nothing of the all-local run. The collector and the
        # evictor may go on for a moment after the counters were read.
        counters = result["counters"]
        self.assertEqual(names.count("measured"), 1)
        for name, counted in (("fetch", "fetch.demand.mutator"),
                              ("fetch (collector)", "fetch.demand.collector"),
                              ("cycle", "gc.cycles")):
            self.assertGreaterEqual(names.count(name), counters[counted])
        self.assertGreaterEqual(sum(event["args"]["pages"] for event in events
                                    if event["name"] == "evict"), counters["evict.pages"])
        threads = {event["tid"]: event["args"]["name"] for event in trace["traceEvents"]
                   if event["name"] == "thread_name"}
        self.assertLessEqual({"tandem", "tandem-collect"}, set(threads.values()))
        self.assertLessEqual({event["tid"] for event in events}, set(threads))

    def test_slices_of_a_trace_nest(self):
        self.run_json("binary-trees", "--scale", "tiny", "--local", "25%", "--trace",
                      self.path("trace"))
        slices = [event for event in json.loads(self.read("trace"))["traceEvents"]
                  if event["ph"] == "X"]
        for thread in {event["tid"] for event in slices}:
            open_until = []
            for event in (e for e in slices if e["tid"] == thread):
                begin, end = event["ts"], event["ts"] + event["dur"]
                while open_until and open_until[-1] <= begin + 0.0005:
                    open_until.pop()
                if open_until:
                    self.assertLessEqual(end, open_until[-1] + 0.0015, event)
                open_until.append(end)

    def test_a_trace_replaces_what_was_in_its_file(self):
        self.write("trace", "x" * (1 << 20))
        self.run_json("linked-lists", "--scale", "tiny", "--trace", self.path("trace"))
        json.loads(self.read("trace"))

    def test_a_trace_that_cannot_be_written_is_found_out_before_the_run(self):
        for path, reason in (("/nonexistent/trace", "No such file"),
                             (self.folder.name, "Is a directory"), ("", "valid")):
            self.assert_fails(2, reason, "run", "pointer-chase", "--steps", "1000000000000",
                              "--trace", path)
        self.assert_fails(1, "No space left", "run", "linked-lists", "--scale", "tiny", "--trace",
                          "/dev/full")

    # The footprint that is remembered.

    def cache(self):
        return json.loads(self.read("cache/tandem/footprints.json"))

    def test_the_footprint_is_measured_once(self):
        first = self.word_count()["baseline"]
        self.assertEqual(self.word_count("--order", "fifo")["baseline"], first)
        self.assertEqual(len(self.cache()), 1)
        self.word_count("--threads", "1")
        self.assertEqual(len(self.cache()), 2)
        self.write("text", TEXT * 6000)
        self.word_count()
        self.assertEqual(len(self.cache()), 3)

    def test_a_size_in_bytes_needs_no_footprint(self):
        self.assertIsNone(self.word_count("--local", "1M")["baseline"])

    def test_a_wrong_answer_is_an_error(self):
        self.word_count()
        entries = self.cache()
        for entry in entries.values():
            entry["checksum"] = "something else"
        self.write("cache/tandem/footprints.json", json.dumps(entries))
        result = self.tandem("run", "wordcount", "--input", self.path("text"), "--json")
        self.assertEqual(result.returncode, 1)
        self.assertIn("is wrong", result.stderr)
        self.assertEqual(json.loads(result.stdout)["baseline"]["checksum"], "something else")

    def test_a_damaged_cache_is_an_empty_one(self):
        baseline = self.word_count()["baseline"]
        entries = self.cache()
        for damage in ("", "{", "[]", "null", '{"a": 1}',
                       json.dumps({key: {} for key in entries})):
            self.write("cache/tandem/footprints.json", damage)
            again = self.word_count()["baseline"]
            self.assertEqual(again["checksum"], baseline["checksum"])
            self.assertEqual(len(self.cache()), 1)

    def test_a_cache_that_cannot_be_written_is_a_warning(self):
        self.environment["XDG_CACHE_HOME"] = "/proc/nonexistent"
        result = self.tandem("run", "wordcount", "--input", self.path("text"))
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stderr, r"\Atandem: warning: [^\n]+\n\Z")

    def test_runs_at_once_leave_a_whole_cache(self):
        runs = [subprocess.Popen(
            [TANDEM, "run", "wordcount", "--input", self.path("text"), "--seed", str(seed)],
            env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            for seed in range(4)]
        for run in runs:
            self.assertEqual(run.communicate(timeout=300)[1], b"")
            self.assertEqual(run.returncode, 0)
        self.assertGreaterEqual(len(self.cache()), 1)
        self.assertEqual(os.listdir(self.path("cache/tandem")), ["footprints.json"])

    # The terminal.

    def start_on_terminal(self):
        """A run that takes long, with a terminal as standard error."""
        controller, terminal = pty.openpty()
        run = subprocess.Popen(
            [TANDEM, "run", "pointer-chase", "--scale", "tiny", "--steps", "1000000000000"],
            env=dict(self.environment, TERM="xterm"), stdout=subprocess.DEVNULL, stderr=terminal)
        os.close(terminal)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)
        return run, controller

    def test_interrupts_leave_a_clean_terminal(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            run, controller = self.start_on_terminal()
            drawn = b""
            while b"%" not in drawn:
                self.assertTrue(select.select([controller], [], [], 60)[0], drawn)
                drawn += os.read(controller, 4096)
            run.send_signal(number)
            self.assertEqual(run.wait(timeout=10), 128 + number)
            try:
                while more := os.read(controller, 4096):
                    drawn += more
            except OSError:
                pass  # the other side is closed
            os.close(controller)
            self.assertTrue(drawn.endswith(b"\r\x1b[K"), drawn[-80:])


if __name__ == "__main__":
    TANDEM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
