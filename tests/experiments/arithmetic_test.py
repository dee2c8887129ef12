#!/usr/bin/python3
"""Tests of what experiments/run computes: sizes, ratios, means, metrics, targets, estimates."""

import io
import unittest

import scratch  # finds the harness
from harness import metrics, plan, sizes, spec, stats, summary, targets
from harness.progress import Progress, duration
from harness.results import run_key

COMMIT = "0123456789ab"


class FakeResults:
    """Results of runs whose numbers `measure(workload, local, configuration, round)` gives."""

    def __init__(self, experiment, measure):
        self.lines = {}
        for run in plan.runs(experiment):
            found = measure(run.point.workload.name, run.point.axes["local"],
                            run.configuration.name, run.round)
            if found is None:
                continue
            time, counters = found
            self.lines[plan.canonical(run_key(run, COMMIT))] = {"status": "ok", "result": {
                "seconds": {"build": 0.0, "measured": time}, "counters": counters,
                "memory": {"footprint_bytes": 1 << 20}}}

    def find(self, key):
        return self.lines.get(plan.canonical(key))


def experiment_of(target=None, **more):
    return spec.parse({
        "orders": ["lifo", "fifo", "lineup"], "rounds": 3, "axes": {"local": [100, 25]},
        "workload": [{"name": "alpha"}, {"name": "beta"}],
        **({"target": [{"name": "t", "metric": "time", "of": "lineup", **target}]}
           if target else {}), **more}, "test")


def cells_of(experiment, measure):
    return summary.Cells(experiment, plan.runs(experiment), FakeResults(experiment, measure),
                         COMMIT)


def point_of(cells, workload, local):
    return next(p for p in plan.points(cells.experiment)
                if p.workload.name == workload and p.axes["local"] == local)


class Numbers(unittest.TestCase):
    def test_ratios_are_taken_pair_by_pair(self):
        # The machine was half as fast in round 2: the ratio does not know.
        self.assertEqual(stats.pair_ratios({1: 3.0, 2: 6.0, 3: 9.0}, {1: 1.5, 2: 3.0, 4: 1.0}),
                         {1: 2.0, 2: 2.0})
        self.assertEqual(stats.pair_ratios({1: 3.0}, {1: 0}), {})

    def test_geometric_means(self):
        self.assertAlmostEqual(stats.geometric_mean([2, 8]), 4)
        self.assertAlmostEqual(stats.geometric_mean([0.5, 2]), 1)
        self.assertEqual(stats.geometric_mean([0, 5]), 0)

    def test_a_spread_is_median_and_range(self):
        spread = stats.spread([3, 1, 10])
        self.assertEqual((spread["median"], spread["min"], spread["max"]), (3, 1, 10))

    def test_sizes(self):
        self.assertEqual(sizes.local_bytes("25%", 40961), 8192)  # whole pages
        self.assertIsNone(sizes.local_bytes("100%", 40960))
        self.assertEqual(sizes.local_bytes("1MiB", 40960), 1 << 20)
        self.assertEqual(sizes.heap_bytes("1.25x", 80 << 20, 0), 100 << 20)
        self.assertEqual(sizes.heap_bytes("2x", 1 << 20, 0), 8 << 20)  # the least there is
        self.assertEqual(sizes.heap_bytes("512M", 0, 0), 512 << 20)
        self.assertEqual(sizes.heap_bytes("no-gc", 0, 100 << 20), 264 << 20)
        for wrong in ("0%", "101%", "x", "25", "-5%"):
            self.assertIsNone(sizes.parse_percent(wrong))

    def test_durations(self):
        self.assertEqual([duration(s) for s in (7.4, 61, 3720)], ["7 s", "1 min 01 s",
                                                                  "1 h 02 min"])

    def test_what_is_left_is_estimated_from_runs_alike(self):
        said = io.StringIO()
        progress = Progress(3, {"slow": 100.0, "fast": 2.0}, said)
        progress.begin("a run", ["slow", "fast", "unknown"])  # the unknown one takes the mean
        self.assertIn("1 of 3: a run; about 2 min 33 s left", said.getvalue())


class Metrics(unittest.TestCase):
    def result(self, **counters):
        return {"seconds": {"build": 1.0, "measured": 3.0}, "counters": counters, "memory": {}}

    def test_coverage_and_accuracy(self):
        result = self.result(**{"fetch.prefetch": 200, "prefetch.hits": 150,
                                "fetch.demand.mutator": 40, "fetch.demand.collector": 10})
        self.assertEqual(metrics.measure("coverage", result), 0.75)
        self.assertEqual(metrics.measure("accuracy", result), 0.75)

    def test_the_share_of_marking_is_of_all_that_counters_cover(self):
        self.assertAlmostEqual(
            metrics.measure("marking_share", self.result(**{"gc.mark_ns": 10**9})), 0.25)

    def test_a_cycle_is_marking_and_sweeping(self):
        result = self.result(**{"gc.mark_ns": 8 * 10**9, "gc.sweep_ns": 10**9, "gc.cycles": 3})
        self.assertAlmostEqual(metrics.measure("cycle_time", result), 3.0)

    def test_the_time_of_a_thread_adds_up(self):
        counters = {"fetch.latency.sum_ns": 2 * 10**9, "fetch.collector_latency.sum_ns": 10**9,
                    "gc.stall.sum_ns": 2 * 10**9, "gc.pause.sum_ns": 10**9}
        # One thread would have waited for 2 s, more than what is left of four seconds: that counts.
        for threads, wait, application in ((1, 1.0, 0.0), (2, 1.0, 1.5)):
            result = {**self.result(**counters), "options": {"threads": threads}}
            self.assertAlmostEqual(metrics.measure("fetch_wait", result), wait)
            self.assertAlmostEqual(metrics.measure("application_time", result), application)
            self.assertAlmostEqual(sum(metrics.measure(name, result) for name in (
                "fetch_wait", "computing", "stall_time", "pause_time")), 4.0)

    def test_reading_early_is_by_anybody(self):
        result = self.result(**{"fetch.prefetch": 100, "prefetch.hits": 50, "fetch.hint": 60,
                                "hint.hits": 20, "fetch.lookahead": 40, "lookahead.hits": 30,
                                "fetch.demand.mutator": 80, "fetch.demand.collector": 20})
        self.assertEqual(metrics.measure("early_accuracy", result), 0.5)
        self.assertEqual(metrics.measure("early_coverage", result), 0.5)

    def test_what_nobody_counted_is_not_zero(self):
        for name in metrics.METRICS:
            if name not in ("time", "build_time", "counted_time"):
                self.assertIsNone(metrics.measure(name, self.result()), name)

    def test_any_counter_can_be_named(self):
        self.assertEqual(metrics.measure("counters.x.y", self.result(**{"x.y": 5})), 5)
        self.assertIsNone(metrics.measure("counters.x", self.result()))


class Summaries(unittest.TestCase):
    def test_slowdowns_are_against_the_all_local_run_of_the_round(self):
        cells = cells_of(experiment_of(), lambda workload, local, name, number:
                         (number * (1 if local == "100%" else 4), {}))
        spread = cells.slowdown(point_of(cells, "alpha", "25%"), "fifo")
        self.assertEqual((spread["min"], spread["max"]), (4, 4))

    def test_means_are_over_workloads_that_all_configurations_have(self):
        def measure(workload, local, name, _):
            if (workload, name) == ("beta", "lineup"):
                return None
            return (1 if local == "100%" else {"alpha": 2, "beta": 8}[workload], {})
        cells = cells_of(experiment_of(), measure)
        far = [row for row in summary.means(cells, 0) if row["axes"]["local"] == "25%"]
        self.assertEqual([row["workloads"] for row in far], [["alpha"]] * 3)
        both = cells_of(experiment_of(), lambda w, local, n, r:
                        (1 if local == "100%" else {"alpha": 2, "beta": 8}[w], {}))
        far = [row for row in summary.means(both, 0) if row["axes"]["local"] == "25%"]
        self.assertAlmostEqual(far[0]["slowdown"], 4)

    def test_means_can_leave_out_workloads_that_mark_little(self):
        def measure(workload, local, name, _):
            return (1.0, {"gc.mark_ns": int({"alpha": 0.3, "beta": 0.2}[workload] * 1e9)})
        rows = summary.means(cells_of(experiment_of(), measure), 0.25)
        self.assertEqual({tuple(row["workloads"]) for row in rows}, {("alpha",)})

    def test_runs_of_a_round_are_one_of_each(self):
        runs = plan.runs(experiment_of())
        self.assertEqual(len(runs), 3 * 2 * 2 * 3)
        titles = [run.title() for run in runs]
        self.assertEqual(titles[:12], titles[12:24])
        self.assertEqual(len(set(titles[:12])), 12)

    def test_orders_and_prefetchers_are_multiplied(self):
        names = [c.name for c in experiment_of(prefetchers=["none", "readahead"]).configurations]
        self.assertEqual(names[:3], ["lifo+none", "lifo+readahead", "fifo+none"])


class Targets(unittest.TestCase):
    TIMES = {"alpha": {"lifo": 4.0, "fifo": 8.0, "lineup": 2.0},
             "beta": {"lifo": 9.0, "fifo": 8.0, "lineup": 1.0}}

    def evaluate(self, target, measure=None):
        experiment = experiment_of({"where": {"local": [25]}, **target})
        cells = cells_of(experiment, measure or (
            lambda workload, local, name, _: (self.TIMES[workload][name], {})))
        return targets.evaluate(cells, experiment.targets[0])

    def test_a_speed_up_is_over_the_better_rival_at_each_point(self):
        row = self.evaluate({"kind": "speedup", "against": ["lifo", "fifo"], "at_least": 4})
        self.assertEqual([p["against"] for p in row["points"]], ["lifo", "fifo"])
        self.assertAlmostEqual(row["value"], 4)  # of 2 and 8
        self.assertEqual(row["verdict"], "PASS")

    def test_every_point_must_hold(self):
        row = self.evaluate({"kind": "speedup", "against": ["lifo", "fifo"], "at_least": 4,
                             "over": "every"})
        self.assertEqual((row["value"], row["verdict"]), (2, "MISSED"))
        self.assertIn("worst: alpha 25%", row["detail"])
        row = self.evaluate({"against": "lifo", "at_most": 0.4, "over": "every"})
        self.assertEqual((row["value"], row["verdict"]), (0.5, "MISSED"))

    def test_totals_of_counts(self):
        def measure(workload, local, name, _):
            counts = {"lifo": {"alpha": 1000, "beta": 0}, "lineup": {"alpha": 30, "beta": 10}}
            return (1.0, {"fetch.demand.collector": counts.get(name, counts["lifo"])[workload]})
        row = self.evaluate({"metric": "collector_fetches", "against": "lifo", "over": "total",
                             "at_most": 0.05}, measure)
        self.assertEqual((row["value"], row["verdict"]), (0.04, "PASS"))

    def test_a_value_of_its_own(self):
        row = self.evaluate({"kind": "value", "at_most": 1.5})
        self.assertAlmostEqual(row["value"], 2 ** 0.5)

    def test_workloads_that_mark_little_are_left_out_and_named(self):
        def measure(workload, local, name, _):
            time = self.TIMES[workload][name]
            return (time, {"gc.mark_ns": int(time * 1e9 * {"alpha": 0.5, "beta": 0.1}[workload])})
        row = self.evaluate({"kind": "speedup", "against": ["lifo", "fifo"], "at_least": 1.5,
                             "marking_share_at_least": 0.25}, measure)
        self.assertEqual((row["value"], row["verdict"]), (2, "PASS"))
        self.assertIn("beta 25%", row["detail"])

    def test_a_pass_over_a_part_is_none(self):
        def measure(workload, local, name, _):
            if (workload, name) == ("beta", "lineup"):
                return None
            return (self.TIMES[workload][name], {})
        row = self.evaluate({"kind": "speedup", "against": "lifo", "at_least": 2}, measure)
        self.assertEqual((row["value"], row["verdict"]), (2, "NOT MEASURED"))
        self.assertIn("not measured: beta 25%", row["detail"])

    def test_a_target_can_be_one_for_each_value_of_an_axis(self):
        experiment = experiment_of({"against": "lifo", "at_most": 1, "for_each": "local"})
        self.assertEqual([t.name for t in experiment.targets], ["t, local 100%", "t, local 25%"])
        self.assertEqual(experiment.targets[1].where, {"local": ["25%"]})


if __name__ == "__main__":
    unittest.main()
