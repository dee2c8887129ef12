"""Tests of scripts/demo, scripts/perf and bench/run against programs that only pretend."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent

FAKE_TANDEM = """#!{python}
import json, os, sys, time
share = int(sys.argv[sys.argv.index("--local") + 1].rstrip("%"))
assert sys.argv[1:3] == ["run", "wordcount"] and "--json" in sys.argv
far = 100 - share
result = {{"workload": "wordcount", "checksum": "00c0ffee",
          "seconds": {{"load": 1.0, "measured": 2.0 + far / 20}},
          "counters": {{"fetch.demand.mutator": far * 1000, "fetch.demand.collector": far * 400,
                       "evict.writeback": far * 700, "gc.cycles": 7, "gc.pause_max_ns": 1234567}},
          "memory": {{"footprint_bytes": 400 << 20, "local_limit_bytes": (400 << 20) * share // 100,
                     "local_peak_bytes": 0}},
          "options": {{"fabric": "emulated:rdma40", "order": "lifo"}},
          "provenance": {{"commit": "0123456789abcdef", "cpu": "A CPU", "cores": 2}}}}
{twist}
print(json.dumps(result))
"""

FAKE_BENCH = """#!{python}
import json, os, sys
names = ["Walk/64", "Walk/64/threads:2", "Slow"]
if "--benchmark_list_tests=true" in sys.argv:
    print("\\n".join(names))
else:
    wanted = [a.partition("=")[2] for a in sys.argv if a.startswith("--benchmark_filter=")][0]
    name = wanted[1:-1]
    with open(os.environ["FAKE_LOG"], "a") as log:
        log.write(sys.argv[0].rpartition("/")[2] + "/" + name + "\\n")
    rounds = open(os.environ["FAKE_LOG"]).read().count(name + "\\n")
    result = {{"name": name, "run_name": name, "run_type": "iteration", "iterations": 10,
              "real_time": 10.0 * rounds, "cpu_time": 9.0, "time_unit": "us", "hits": 2e6}}
    if name == os.environ.get("FAKE_BROKEN"):
        result.update(error_occurred=True, error_message="no memory")
    print(json.dumps({{"context": {{}}, "benchmarks": [result]}}))
"""

FAKE_PERF = r"""#!/bin/sh
case $1 in
  stat)
    if [ -n "$FAKE_FORBIDDEN" ]; then echo "No permission" >&2; exit 255; fi
    case "$*" in
      *-o*) printf '# started\n\n  12 page-faults\n' >"$3" ;;
      *cycles*) if [ -z "$FAKE_HARDWARE" ]; then echo '<not supported>,,cycles' >&2; fi ;;
    esac ;;
  script)
    if [ -n "$FAKE_EMPTY" ]; then exit 0; fi
    printf 'tandem  7 \n\t  10 f<int>(a&&)\n\t  11 main\n\n'
    printf 'tandem  7 \n\tffffffff81000000 ioctl\n'
    printf '\t  12 tandem::swap::Pager::FetchPage\n\t  11 main\n\n'
    printf 'mutator  8 \n\t  13 tandem::rdma::EmulatedChannel::Post\n'
    printf '\t  14 tandem::swap::Evictor::EvictBatch\n'
    printf '\t  12 tandem::swap::Pager::FetchPage\n\n'
    printf 'tandem-evict  9 \n\t  14 tandem::swap::Evictor::EvictBatch\n\n'
    printf 'tandem-collect  10 \n\t  15 tandem::tracer::Tracer::Drain\n\t  0 [unknown]\n\n' ;;
esac
"""


def run(command, **environment):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          check=False, env={**os.environ, **environment})


class Scratch(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def program(self, name, text, **values):
        path = self.folder / name
        path.write_text(text.format(python=sys.executable, **values), encoding="utf-8")
        path.chmod(0o755)
        return path


class Demo(Scratch):
    def demo(self, twist="", *options):
        tandem = self.program("tandem", FAKE_TANDEM, twist=twist)
        return run([ROOT / "scripts/demo", "--count-only", "--tandem", tandem, "--out",
                    self.folder / "out", *options])

    def test_it_shows_a_table_and_draws_a_picture(self):
        done = self.demo()
        self.assertEqual(done.returncode, 0, done.stderr)
        for text in ("2.00 s", "1.00x", "3.17x", "87,000", "34,800", "60,900", "1.23 ms",
                     "equal", "emulated fabric, preset rdma40", "footprint 400 MiB",
                     "commit 0123456789a; A CPU, 2 cores"):
            self.assertIn(text, done.stdout)
        picture = (self.folder / "out/demo.png").read_bytes()
        self.assertTrue(picture.startswith(b"\x89PNG"))
        self.assertEqual(len((self.folder / "out/runs.jsonl").read_text().splitlines()), 4)
        self.assertIn("3.17x", (self.folder / "out/demo.txt").read_text())

    def test_repeats_are_run_in_turn(self):
        done = self.demo("", "--repeats", "2")
        self.assertEqual(done.returncode, 0, done.stderr)
        limits = [json.loads(line)["memory"]["local_limit_bytes"] * 100 // (400 << 20)
                  for line in (self.folder / "out/runs.jsonl").read_text().splitlines()]
        self.assertEqual(limits, [100, 50, 25, 13] * 2)
        self.assertIn("medians of 2", done.stdout)

    def test_a_different_answer_is_an_error(self):
        done = self.demo('result["checksum"] = "bad" if share == 25 else result["checksum"]')
        self.assertEqual(done.returncode, 1)
        self.assertIn("DIFFERS", done.stdout)
        self.assertIn("the answers differ", done.stderr)

    def test_a_run_that_fails_is_named(self):
        done = self.demo("if share == 50: sys.exit('tandem: no userfaultfd')")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no userfaultfd", done.stderr)
        self.assertIn("--local 50% --json` ended with exit code 1", done.stderr)

    def test_a_missing_key_is_named(self):
        done = self.demo('del result["counters"]["evict.writeback"]')
        self.assertEqual(done.returncode, 1)
        self.assertIn("without the key counters -> evict.writeback", done.stderr)

    def test_wrong_options_are_refused(self):
        for options in (["--nope"], ["--repeats", "0"], ["--repeats", "x"], ["--repeats"],
                        ["--tandem", "gone"]):
            done = run([ROOT / "scripts/demo", *options])
            self.assertEqual(done.returncode, 2, options)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_an_interrupt_ends_it_and_the_run(self):
        mark = self.folder / "pid"
        tandem = self.program(
            "tandem", FAKE_TANDEM,
            twist=f"open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(100)")
        with subprocess.Popen([str(ROOT / "scripts/demo"), "--tandem", str(tandem), "--out",
                               str(self.folder / "out")], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) as demo:
            for _ in range(500):
                if mark.exists() and mark.read_text():
                    break
                time.sleep(0.02)
            demo.send_signal(signal.SIGINT)
            _, said = demo.communicate(timeout=20)
        self.assertEqual(demo.returncode, 130)
        self.assertIn("interrupted", said)
        self.assertNotIn("Traceback", said)
        with self.assertRaises(ProcessLookupError):
            os.kill(int(mark.read_text()), 0)


class Bench(Scratch):
    def bench(self, *options, **environment):
        self.program("a_bench", FAKE_BENCH)
        self.program("b_bench", FAKE_BENCH)
        self.log = self.folder / "log"
        self.json = self.folder / "result.json"
        return run([ROOT / "bench/run", "--programs", self.folder, "--out", self.json, *options],
                   FAKE_LOG=str(self.log), **environment)

    def test_benchmarks_are_run_in_turn_and_summarised(self):
        done = self.bench("--rounds", "3", "--filter", "a_bench/Walk")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.log.read_text().split(),
                         ["a_bench/Walk/64", "a_bench/Walk/64/threads:2"] * 3)
        entry = json.loads(self.json.read_text())["benchmarks"]["a_bench/Walk/64"]
        self.assertEqual(entry["real_ns"]["rounds"], [10e3, 20e3, 30e3])
        self.assertEqual(entry["real_ns"]["median"], 20e3)
        self.assertEqual(entry["counters"]["hits"]["median"], 2e6)
        self.assertIn("20 us", done.stdout)
        self.assertIn("hits=2M", done.stdout)

    def test_every_program_is_found(self):
        done = self.bench("--rounds", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(self.log.read_text().split()), 6)

    def test_a_benchmark_that_fails_is_named_and_the_rest_is_kept(self):
        done = self.bench("--rounds", "1", "--filter", "a_bench", FAKE_BROKEN="Slow")
        self.assertEqual(done.returncode, 1)
        self.assertIn("a_bench/Slow: no memory", done.stderr)
        self.assertIn("a_bench/Walk/64", json.loads(self.json.read_text())["benchmarks"])

    def test_nothing_to_run_is_an_error(self):
        self.assertIn("no benchmark matches", self.bench("--filter", "nothing").stderr)
        empty = run([ROOT / "bench/run", "--programs", self.folder / "empty"])
        self.assertEqual(empty.returncode, 1)
        self.assertIn("build first", empty.stderr)


class Perf(Scratch):
    def perf(self, *options, name="perf", **environment):
        tandem = self.program("tandem", "#!/bin/sh\necho a summary\nexit ${{FAKE_FAILS:-0}}\n")
        self.program("perf", FAKE_PERF)
        return run([ROOT / "scripts/perf", "--tandem", tandem, "--perf", self.folder / name,
                    "--out", self.folder / "out", *options], **environment)

    def test_it_shows_shares_and_draws_a_flame_graph(self):
        done = self.perf("wordcount", "--local", "13%")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("a summary", done.stdout)
        self.assertIn("12 page-faults", done.stdout)
        self.assertIn("no hardware counters", done.stderr)
        rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()
                if line.startswith(("mutator", "evictor", "collector"))}
        # other, fetch, evict, mark, all
        self.assertEqual(rows["mutator"], ["20.0", "20.0", "20.0", "-", "60.0"])
        self.assertEqual(rows["evictor"], ["-", "-", "20.0", "-", "20.0"])
        self.assertEqual(rows["collector"], ["-", "-", "-", "20.0", "20.0"])
        picture = xml.etree.ElementTree.parse(self.folder / "out/flame.svg")
        titles = [e.text for e in picture.iter("{http://www.w3.org/2000/svg}title")]
        self.assertIn("mutator: 3 samples, 60.00 %", titles)
        self.assertIn("f<int>(a&&): 1 samples, 20.00 %", titles)
        stacks = (self.folder / "out/stacks.folded").read_text()
        self.assertIn("mutator;main;tandem::swap::Pager::FetchPage;ioctl_[k] 1\n", stacks)
        self.assertIn("collector;tandem::tracer::Tracer::Drain 1\n", stacks)

    def test_hardware_counters_are_used_where_there_are_any(self):
        done = self.perf("wordcount", FAKE_HARDWARE="yes")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("perf record -e cycles", done.stderr)

    def test_what_is_missing_or_forbidden_is_one_line(self):
        for expected, code, done in (
                ("linux-perf", 1, self.perf("wordcount", name="nope")),
                ("perf_event_paranoid", 1, self.perf("wordcount", FAKE_FORBIDDEN="yes")),
                ("no samples", 1, self.perf("wordcount", FAKE_EMPTY="yes")),
                ("a workload is missing", 2, self.perf())):
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(expected, done.stderr.splitlines()[-1])

    def test_the_exit_code_of_a_run_that_fails_is_kept(self):
        self.assertEqual(self.perf("wordcount", FAKE_FAILS="2").returncode, 2)


class Options(unittest.TestCase):
    SCRIPTS = ["scripts/setup", "scripts/test", "scripts/demo", "scripts/format", "scripts/tidy",
               "scripts/perf", "scripts/swap", "scripts/softroce"]

    def test_every_script_explains_itself(self):
        for script in [*self.SCRIPTS, "bench/run", "experiments/run"]:
            done = run([ROOT / script, "--help"])
            self.assertEqual(done.returncode, 0, script)
            self.assertGreater(len(done.stdout.splitlines()), 5, script)

    def test_every_script_refuses_what_it_does_not_know(self):
        for script in self.SCRIPTS:
            done = run([ROOT / script, "--nope"])
            self.assertEqual(done.returncode, 2, script)
            self.assertIn("unknown option '--nope'", done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, script)
        self.assertIn("valid: release debug", run([ROOT / "scripts/test", "--preset", "x"]).stderr)
        self.assertIn("valid: build demo", run([ROOT / "scripts/setup", "--for", "x"]).stderr)


if __name__ == "__main__":
    unittest.main()
