#!/usr/bin/python3
"""The stress test over a memory server that is stopped, killed and started again.

Usage: server_test.py STRESS_TEST TANDEM [--fabric tcp|tcp-rdm|shm|shm-ofi] [--rounds N] [--seed N]

In each round a heap runs on the server, which is

    paused   stopped and continued several times: nothing is lost, and the heap ends in peace
    killed   killed: the heap ends with a lost page, and with nothing else
    empty    killed, and started again with empty memory: the same, and the next heap can use it
    left     in peace, but heaps are killed: the next one can use it

No round hangs, and no heap ever reads anything but what it has written. When the server is stopped
and killed is drawn from the seed, which is printed.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time

EXIT_LOST = 3
ENDS_WITHIN_S = 120  # sanitizers and busy machines included
ROUNDS = ("paused", "killed", "empty", "left")


class Server:
    """`tandem memserver`, always at the same address."""

    def __init__(self, tandem, fabric):
        self.command = [tandem, "memserver", "--fabric", fabric, "--capacity", "256MiB",
                        "--listen"]
        self.address = "127.0.0.1:0" if fabric.startswith("tcp") else f"stress-{os.getpid()}"
        self.process = None
        self.url = None

    def start(self):
        self.process = subprocess.Popen(
            [*self.command, self.address], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready: "):
            raise AssertionError("the memory server did not start")
        self.url = line.split()[1]
        self.address = self.url.partition("://")[2]

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process is None:
            return
        if self.process.poll() is not None:
            raise AssertionError(f"the memory server ended: {self.process.returncode}")
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process = None


def pause(server, lot):
    for _ in range(lot.randint(1, 5)):
        time.sleep(lot.uniform(0.05, 0.3))
        server.signal(signal.SIGSTOP)
        time.sleep(lot.choice((0.001, 0.02, 0.2)))
        server.signal(signal.SIGCONT)


def start_heap(stress_test, server, lot, seed, seconds, timeout_ms):
    """A heap of a few times its local memory, so that much of it is far at any time."""
    heap = subprocess.Popen(
        [stress_test, "--seconds", str(seconds), "--seed", str(seed), "--heap", "24M", "--local",
         "1M", "--mutators", "3", "--survive-loss", "yes", "--road", lot.choice(("move", "copy")),
         "--order", lot.choice(("lifo", "memliner", "lineup")), "--prefetcher",
         lot.choice(("none", "readahead", "leap")), "--fabric",
         f"{server.url},timeout_ms={timeout_ms}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    heap.stdout.readline()  # its seed: it begins now
    return heap


def kill_heaps(stress_test, server, lot, seed):
    for _ in range(3):
        heap = start_heap(stress_test, server, lot, seed, ENDS_WITHIN_S, 500)
        time.sleep(lot.uniform(0.1, 0.6))
        heap.kill()
        heap.communicate()


def run_round(kind, stress_test, server, seed):
    """What went wrong; None if nothing did."""
    lot = random.Random(seed)
    # Paused, the server never is silent for twenty time-outs; killed, nobody waits for long.
    lives = kind in ("paused", "left")
    seconds, timeout_ms = (3, 500) if lives else (ENDS_WITHIN_S, 20)
    if server.process is None:
        server.start()
    if kind == "left":
        kill_heaps(stress_test, server, lot, seed)
    stress = start_heap(stress_test, server, lot, seed, seconds, timeout_ms)
    try:
        time.sleep(lot.uniform(0.0, 1.0))
        if kind != "left":
            pause(server, lot)
        if not lives:
            server.kill()
        if kind == "empty":
            time.sleep(lot.choice((0, 0.2, 0.6)))
            server.start()
        said, _ = stress.communicate(timeout=ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        return "the heap hangs"
    finally:
        if stress.poll() is None:
            stress.kill()
            said, _ = stress.communicate()
            print(said, end="")
    wanted = (0, "stress: ok") if lives else (EXIT_LOST, "stress: lost: ")
    # Killed while the heap was being made, the server is missed there.
    unmade = not lives and stress.returncode == 2 and "memory server" in said
    if unmade or (stress.returncode == wanted[0] and wanted[1] in said and
                  (lives or server.address in said)):
        return None
    return f"the heap ended with {stress.returncode} and said:\n{said}"


def main():
    parser = argparse.ArgumentParser(usage=__doc__.splitlines()[2][7:])
    parser.add_argument("stress_test")
    parser.add_argument("tandem")
    parser.add_argument("--fabric", choices=("tcp", "tcp-rdm", "shm", "shm-ofi"), default="tcp")
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = options.seed
    if seed is None:
        seed = int(os.environ.get("TANDEM_TEST_SEED", random.randrange(1 << 32)))
    print(f"seed: --seed {seed} (or TANDEM_TEST_SEED in the environment)")
    server = Server(options.tandem, options.fabric)
    try:
        for number in range(len(ROUNDS) if options.rounds is None else options.rounds):
            kind = ROUNDS[number % len(ROUNDS)]
            print(f"round {number}: {kind}", flush=True)
            problem = run_round(kind, options.stress_test, server, seed + number)
            if problem is not None:
                sys.exit(f"server_test.py: {options.fabric}, {kind}: {problem}")
    finally:
        server.kill()


if __name__ == "__main__":
    main()
