#!/usr/bin/python3
"""Tests of scripts/report, on runs that were recorded (recorded.jsonl, in which only the `series`
are made up) and on nonsense."""

import csv
import dataclasses
import html.parser
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest
import urllib.parse
import xml.etree.ElementTree

from scratch import ROOT  # also finds `harness`

from harness import charts, figures, headline, marks, page, paper, plan, recorded, stats, svg

RECORDED = pathlib.Path(__file__).resolve().parent / "recorded.jsonl"
REPORT = ROOT / "scripts/report"
# Swap device and wrapper.
PEERS = {"libgc": ("loop", "scripts/swap --device loop"),
         "jdk-g1": ("zram", "scripts/swap --patient")}


def as_peers(line):
    """A recorded line as if it were of an experiment with peers."""
    if line["key"]["line"] != "run":
        return None
    name = {"lifo": "tandem-none", "memliner": "tandem-rdma40", "lineup": "libgc",
            "no-gc": "jdk-g1"}[line["configuration"]]
    line["result"]["counters"] = {}
    del line["result"]["memory"]
    if name in PEERS:
        device, wrapper = PEERS[name]
        run = {"program": f"peers/{name}", "wrapper": wrapper.split()}
        line["key"]["run"] = json.dumps({**json.loads(line["key"]["run"]), **run})
        line["result"]["provenance"]["swap"] = ("none" if line["axes"]["local"] == "100%"
                                                else device)
    return {**line, "experiment": "peers", "configuration": name}


class Links(html.parser.HTMLParser):
    """Addresses of a page, and what its elements are."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.elements, self.identities = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        for name, value in attrs:
            if name in ("href", "src"):
                self.addresses.append(value)
            if name == "id":
                self.identities.append(value)


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tandem-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.out = self.folder / "report"

    def report(self, *arguments, png=False, **environment):
        if not png:  # takes longer than all the rest
            arguments = (*arguments, "--no-png")
        return subprocess.run([str(REPORT), *map(str, arguments), "--out", str(self.out)],
                              capture_output=True, text=True, check=False, timeout=120,
                              env={**os.environ, **environment})

    def page(self):
        return (self.out / "report.html").read_text(encoding="utf-8")

    def data(self, name):
        text = (self.out / f"figures/{name}.csv").read_text(encoding="utf-8")
        return list(csv.DictReader(text.splitlines()))

    def results(self, change=lambda line: line, tail=""):
        """A copy of the recorded runs, each line changed; None leaves one out."""
        path = self.folder / "results.jsonl"
        lines = map(change, map(json.loads, RECORDED.read_text().splitlines()))
        path.write_text("".join(json.dumps(line) + "\n" for line in lines if line) + tail,
                        encoding="utf-8")
        return path


class Report(Folder):
    def test_a_page_has_every_figure_with_its_data_and_needs_nothing_else(self):
        done = self.report(RECORDED)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = Links(self.page())
        for name in ("speedup", "means", "programs", "slowdown", "time", "where-time-went",
                     "fetches", "waits", "heap", "over-time", "demand"):
            self.assertIn(f"headline-{name}", found.identities)
            drawing = self.out / "figures" / f"headline-{name}.svg"
            marks_of = [e for e in xml.etree.ElementTree.parse(drawing).iter()
                        if "mark" in e.get("class", "").split()]
            self.assertGreater(len(marks_of), 3, name)
            rows = self.data(f"headline-{name}")
            self.assertGreater(len(rows), 1, name)
        self.assertNotIn("script", found.elements)
        for address in found.addresses:
            self.assertEqual(urllib.parse.urlparse(address).scheme in ("", "data"), True, address)
            if not address.startswith(("data:", "#")):
                self.assertTrue((self.out / address).is_file(), address)
        self.assertEqual(len(found.identities), len(set(found.identities)))
        for address in found.addresses:
            if address.startswith("#"):
                self.assertIn(address[1:], found.identities)

    def test_numbers_are_those_of_the_runs(self):
        self.assertEqual(self.report(RECORDED).returncode, 0)
        rows = {(r["workload"], r["local"], r["configuration"]): r
                for r in self.data("headline-slowdown")}
        times = {}
        for line in map(json.loads, RECORDED.read_text().splitlines()):
            if line["key"]["line"] == "run":
                place = line["workload"], line["axes"]["local"], line["configuration"]
                times.setdefault(place, {})[line["key"]["round"]] = \
                    line["result"]["seconds"]["measured"]
        for place, row in rows.items():
            expected = stats.spread(stats.pair_ratios(
                times[place], times[place[0], "100%", "lifo"]).values())
            self.assertAlmostEqual(float(row["value"]), expected["median"], msg=place)
        self.assertEqual(len(rows), len(times))

    def test_the_papers_figures_stand_beside_ours(self):
        self.assertEqual(self.report(RECORDED).returncode, 0)
        text = self.page()
        for words in ("paper, G1", "paper, Shenandoah", "15.33x", "DayTrader", "OSDI 2022"):
            self.assertIn(words, text)

    def test_other_experiments_have_no_figures_of_the_paper(self):
        done = self.report(self.results(as_peers))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("jdk-g1", self.page())
        self.assertNotIn("paper, G1", self.page())
        self.assertNotIn("Pages read, by cause", self.page())

    def test_a_chapter_on_peers_names_the_swap_device_and_set_up_of_each(self):
        self.assertEqual(self.report(self.results(as_peers)).returncode, 0)
        self.assertIn("favours the peers", self.page())
        for name, (device, wrapper) in PEERS.items():
            self.assertIn(f'<td class="name">{name}</td><td class="name">peers/{name}</td>'
                          f'<td class="name">{device}</td>'
                          f'<td class="name long">{wrapper}</td>', self.page())

    def test_where_a_peer_wins_the_report_says_so(self):
        done = self.report(self.results(as_peers), "--markdown", self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        one, = recorded.read(self.folder)
        place = [point for point in plan.points(one.experiment)
                 if (point.workload.label, point.axes["local"]) == ("kv", "25%")][0]
        words = [", ".join(f"{name} {figures.times(ratio)}" for ratio, name in sorted(
            (one.cells.ratio("time", (place, name), (place, own))["median"], name)
            for name in PEERS) if ratio < 1) or "-" for own in ("tandem-none", "tandem-rdma40")]
        self.assertEqual(words[0].split()[::2], ["jdk-g1", "libgc"])
        self.assertIn("".join(f"<td{c}>{cell}</td>" for c, cell in zip(
            (' class="name"', ' class="name"', ' class="long"', ' class="long"'),
            ["kv", "25%", *words])), self.page())
        self.assertIn(f"| {words[0]}", (self.folder / "peers.md").read_text())
        self.assertNotIn("No peer took less time", self.page())

    def test_where_no_peer_wins_the_report_says_that(self):
        def slow(line):
            line = as_peers(line)
            if line and line["configuration"] in PEERS:
                line["result"]["seconds"]["measured"] *= 100
            return line
        self.assertEqual(self.report(self.results(slow)).returncode, 0)
        self.assertIn("No peer took less time than Tandem anywhere. There are 24 comparisons",
                      self.page())

    def test_several_experiments_are_chapters_even_under_one_name(self):
        self.assertEqual(self.report(RECORDED, RECORDED).returncode, 0)
        found = Links(self.page()).identities
        self.assertIn("headline-slowdown", found)
        self.assertIn("headline-2-slowdown", found)
        self.assertEqual(len(found), len(set(found)))

    def test_what_is_in_results_is_escaped(self):
        bad = '<img src=x onerror="alert(1)">&amp;'

        def twist(line):
            if line.get("workload") == "kv":
                line["workload"] = bad
                line["result"]["provenance"]["cpu"] = bad
            return {**line, "experiment": "../" + bad} if "experiment" in line else line
        done = self.report(self.results(twist))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("<img", self.page())
        self.assertIn("&lt;img src=x", self.page())
        for path in self.out.rglob("*.svg"):
            xml.etree.ElementTree.parse(path)
        self.assertFalse(list(self.folder.glob("*.svg")))

    def test_markdown_has_a_table_and_two_figures(self):
        done = self.report(RECORDED, "--markdown", self.folder / "docs", png=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        text = (self.folder / "docs/headline.md").read_text()
        self.assertIn("| paper, G1", text)
        ending = "png" if shutil.which("rsvg-convert") else "svg"
        for name in ("means", "speedup"):
            self.assertIn(f"(headline-{name}.{ending})", text)
            self.assertTrue((self.folder / f"docs/headline-{name}.{ending}").is_file())

    def test_without_a_converter_there_are_no_pngs_and_it_says_so(self):
        done = self.report(RECORDED, png=True, PATH="/nowhere")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("no PNGs", done.stderr)
        self.assertNotIn(".png", self.page())


    def test_memory_over_time_is_that_of_runs_that_were_sampled(self):
        self.assertEqual(self.report(RECORDED).returncode, 0)
        rows = [r for r in self.data("headline-over-time")
                if (r["workload"], r["configuration"]) == ("kv", "lineup")]
        series, = [line["result"]["series"]
                   for line in map(json.loads, RECORDED.read_text().splitlines())
                   if (line.get("workload"), line.get("configuration")) == ("kv", "lineup")
                   and "series" in line["result"]]
        self.assertEqual([(float(r["time (s)"]), int(r["heap used (bytes)"]),
                           int(r["local (bytes)"])) for r in rows],
                         list(zip(series["seconds"], series["heap_used_bytes"],
                                  series["local_bytes"])))

    def test_runs_that_were_not_sampled_have_no_memory_over_time(self):
        def forget(line):
            line.get("result", {}).pop("series", None)
            return line
        self.assertEqual(self.report(self.results(forget)).returncode, 0)
        self.assertNotIn("memory over time", self.page())

    def test_latencies_have_all_quantiles_that_were_counted(self):
        self.assertEqual(self.report(RECORDED).returncode, 0)
        rows = {(r["workload"], r["what"], r["configuration"]): r
                for r in self.data("headline-waits")}
        read = rows["kv", "kv.read", "lineup"]
        values = [float(read[f"{q} (ns)"]) for q in ("p50", "p99", "p999", "p9999", "max")]
        self.assertEqual(values, sorted(values))
        self.assertEqual(rows["kv", "fetch.latency", "lineup"]["p9999 (ns)"], "")


class Nonsense(Folder):
    def refused(self, *arguments):
        done = self.report(*arguments)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertFalse((self.out / "report.html").exists())
        return done.stderr

    def test_files_that_are_no_results_are_refused_in_one_line(self):
        self.assertIn("there are no results yet", self.refused(self.folder / "missing"))
        self.assertIn("there are no results yet", self.refused(self.folder))
        path = self.folder / "results.jsonl"
        for text, words in (("", "no runs"), ("{}\n", "not a line of results"),
                            ("nonsense\n", "not a line of results"), ("[1, 2]\n", "not a line"),
                            ('{"key": {"line": "run"}}\n', "not results of experiments/run"),
                            ('{"key": 5}\n', "not a line of results"),
                            ('{"seconds": {"measured": 1}}\n', "not a line of results")):
            path.write_text(text, encoding="utf-8")
            self.assertIn(words, self.refused(self.folder), text)
        path.write_bytes(b"\xff\xfe\x00\n")
        self.assertIn("not a line of results", self.refused(path))

    def test_half_a_line_at_the_end_is_left_out_and_named(self):
        done = self.report(self.results(tail='{"key": {"line": "ru'))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("half written", done.stderr)
        self.assertIn("half written", self.page())

    def test_runs_that_failed_are_shown_as_failed(self):
        def fail(line):
            if line.get("configuration") == "memliner" and line["axes"]["local"] == "13%":
                line.update(status="failed", message="killed <by> the kernel", result=None)
            return line
        done = self.report(self.results(fail))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("runs failed", done.stderr)
        self.assertIn("killed &lt;by&gt; the kernel", self.page())
        self.assertIn('class="mark failed"', self.page())

    def test_a_file_of_failures_alone_is_a_page_without_figures(self):
        def fail(line):
            if line["key"]["line"] == "run":
                line.update(status="failed", message="no memory", result=None)
            return line
        done = self.report(self.results(fail))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("No run ended well", self.page())

    def test_runs_of_an_older_commit_are_left_out_and_counted(self):
        def age(line):
            if line["key"]["line"] == "run" and line["axes"]["local"] == "100%":
                line["key"]["commit"] = "000000000000"
            return line
        done = self.report(self.results(age))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("runs of other commits are left out", self.page())

    def test_an_experiment_that_is_not_in_the_tree_has_no_targets(self):
        self.results(lambda line: {**line, "experiment": "unheard-of"}
                     if "experiment" in line else line)
        done = self.report(self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("experiments/unheard-of.toml is not there", self.page())
        self.assertNotIn("What this project set out to reach", self.page())


class Drawing(unittest.TestCase):
    def test_scales_have_few_round_ticks_and_contain_what_they_show(self):
        for high in (0.03, 0.7, 1, 1.01, 3.9, 12, 49, 512, 1e6):
            scale = svg.Scale(0, high, 10, 110)
            self.assertLessEqual(scale.at(high), 110)
            self.assertIn(len(scale.ticks()), range(2, 8), high)
            self.assertEqual(scale.at(0), 10)
        scale = svg.Scale(100, 1e10, 0, 80, log=True)
        self.assertEqual((scale.at(100), round(scale.at(1e6)), scale.at(1e10)), (0, 40, 80))
        self.assertLessEqual(len(scale.ticks()), 7)

    def test_all_that_is_drawn_is_escaped(self):
        self.assertEqual(svg.text("a<b", 1, 2).count("<"), 2)
        self.assertIn("&quot;", svg.tag("g", aria_label='"'))
        self.assertNotIn("<b>", page.table(["<b>"], [["<b>"]]))

    def test_labels_keep_apart_and_inside(self):
        series = [charts.Series(name, style, {"100%": stats.spread([1]), "25%": stats.spread([2])})
                  for name, style in marks.styles(list("abcdefgh")).items()]
        panel = charts.lines("t", ["100%", "25%"], series, figures.times, "x", "y")
        places = sorted(float(e.get("y")) for e in
                        xml.etree.ElementTree.fromstring(panel.drawing("p")).iter()
                        if e.tag.endswith("}text") and e.text in tuple("abcdefgh"))
        self.assertEqual(len(places), 8)
        self.assertGreaterEqual(min(b - a for a, b in zip(places, places[1:])), 12.9)
        self.assertLess(places[-1], panel.height)

    def test_looks_differ_by_more_than_colour(self):
        known, others = ["lifo", "fifo", "memliner", "lineup", "no-gc"], list("abcdefghijklmnop")
        for names in (others, [*known, *others[:11]]):
            self.assertEqual(len(names), 16)
            drawn = {marks.point(dataclasses.replace(style, colour="#000000"), 0, 0, "")
                     for style in marks.styles(names).values()}
            self.assertEqual(len(drawn), 16)
        for fills in (marks.CAUSES, marks.PARTS):
            self.assertEqual(len({fill.hatch for fill in fills.values()}), len(fills))

    def test_the_papers_means_and_bars_agree(self):
        for collector, low, high in (("G1", 1.3, 1.7),):
            for share in paper.SHARES:
                ratios = [by_share[share][0] / by_share[share][1]
                          for _, by_share in paper.SECONDS.values()]
                mean = stats.geometric_mean(ratios)
                self.assertTrue(low < mean < high)
                self.assertAlmostEqual(mean, paper.SPEEDUP["all"][collector][share], delta=0.1)


class Headline(unittest.TestCase):
    def test_its_numbers_are_totals_and_means_over_programs(self):
        one, = recorded.read(RECORDED)
        header, rows = headline.table(one.cells)
        found = {(row[0], row[1]): dict(zip(header, row)) for row in rows}
        medians = {}
        for line in map(json.loads, RECORDED.read_text().splitlines()):
            if line["key"]["line"] == "run" and line["axes"]["local"] == "13%":
                counters = line["result"]["counters"]
                medians.setdefault((line["configuration"], line["workload"]), []).append(
                    counters["fetch.demand.mutator"] + counters["fetch.demand.collector"])
        totals = {}
        for (name, _), values in medians.items():
            totals[name] = totals.get(name, 0) + stats.spread(values)["median"]
        row = found["13%", "change in pages read on demand"]
        self.assertEqual(row["lineup"], f"{100 * (totals['lineup'] / totals['lifo'] - 1):+.0f} %")
        self.assertEqual(row["paper, G1"], "-81 %")
        self.assertEqual(found["25%", "collection, speed-up"]["paper, Shenandoah"], "15.33x")
        self.assertEqual(found["25%", "collection, speed-up"]["no-gc"], "-")


class Recorded(Folder):
    def test_it_is_what_the_lines_say(self):
        one, = recorded.read(RECORDED)
        self.assertEqual(one.experiment.reference, "lifo")
        self.assertEqual(one.experiment.axes["local"], ["100%", "25%", "13%"])
        self.assertTrue(one.experiment.targets)
        self.assertEqual(one.cells.failed, [])


if __name__ == "__main__":
    unittest.main()
