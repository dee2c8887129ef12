"""Stands in for the command `tandem`: prints JSON that can be foreseen, measures nothing.

What differs from run to run comes from the file named by FAKE_RULES: {order: {key: value}} or
{"WORKLOAD/order": ...}. Every run is logged to FAKE_LOG, one JSON list of arguments a line; a
memory server leaves its process' number there, and lives until it is ended.
"""

import json
import os
import signal
import sys
import time

LIVE = 40 << 20
FOOTPRINT = 50 << 20


def option(name, otherwise=None):
    line = sys.argv
    return line[line.index(f"--{name}") + 1] if f"--{name}" in line else otherwise


def rules(workload, order):
    with open(os.environ["FAKE_RULES"], encoding="utf-8") as file:
        table = json.load(file)
    return {**table.get(order, {}), **table.get(f"{workload}/{order}", {})}


def serve():
    with open(os.environ["FAKE_LOG"], "a", encoding="utf-8") as log:
        log.write(json.dumps(["memserver", os.getpid()]) + "\n")
    print("ready: tcp://127.0.0.1:4711 lends much", flush=True)
    signal.pause()


def main():
    if sys.argv[1] == "--version":
        print(f"tandem 0.1.0 (commit {os.environ.get('FAKE_COMMIT', '0123456789ab')})")
        return
    if sys.argv[1] == "list":
        print("workloads:\n  alpha  one\n  beta   two\norders:\n  lifo   a stack\n"
              "  fifo   a queue\nprefetchers:\n  none   none\nfabrics:\n  emulated:none  no")
        return
    if sys.argv[1] == "fabrics":
        print("yes  tcp://HOST:PORT    memory servers over TCP\n"
              "no   verbs://HOST:PORT  no RDMA device is here")
        return
    if sys.argv[1] == "memserver":
        serve()
    with open(os.environ["FAKE_LOG"], "a", encoding="utf-8") as log:
        log.write(json.dumps(sys.argv[1:]) + "\n")
    if sys.argv[1] == "fit-fabric":
        print(json.dumps({"preset": "emulated:none,read_latency_ns=7", "parameters": {}}))
        return
    workload, order, local = sys.argv[2], option("order", "all local"), option("local")
    rule = rules(workload, order)
    if "refuse" in rule:
        print(f"tandem: {rule['refuse']}", file=sys.stderr)
        sys.exit(2)
    if "fail" in rule:
        print(f"tandem: {rule['fail']}", file=sys.stderr)
        sys.exit(1)
    time.sleep(rule.get("sleep", 0))
    never = "--only-when-full" in sys.argv
    slower = 1 if local == "100%" else rule.get("slower", 2)
    counters = {"gc.cycles": rule.get("cycles", 0 if never else 5), "gc.live_peak_bytes": LIVE,
                "gc.freed_bytes": 1 << 20, "gc.mark_ns": int(rule.get("mark_s", 0.5) * 1e9),
                "gc.sweep_ns": 0, "fetch.demand.mutator": 600,
                "fetch.demand.collector": rule.get("fetches", 400)}
    counters.update(rule.get("counters", {}))
    print(json.dumps({
        "workload": workload, "checksum": rule.get("checksum", "c0ffee"),
        "seconds": {"build": 0.0, "measured": rule.get("seconds", 1.0) * slower},
        "counters": counters,
        "memory": {"footprint_bytes": FOOTPRINT, "heap_used_bytes": LIVE},
        "provenance": {"cpu": "A CPU", "cores": 2, "kernel": "A kernel"}}))


if __name__ == "__main__":
    main()
