#!/usr/bin/python3
"""Tests `tandem memserver` from outside, and `tandem run` over it.

Usage: memserver_test.py PATH_OF_TANDEM [unittest options]
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

TANDEM = ""
TEXT = "The cat saw the dog, and the dog saw the cat.\n"


class MemserverTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="tandem-test-")
        self.addCleanup(self.folder.cleanup)
        self.environment = dict(os.environ, XDG_CACHE_HOME=os.path.join(self.folder.name, "cache"))
        self.text = os.path.join(self.folder.name, "text")
        with open(self.text, "w", encoding="ascii") as file:
            file.write("".join(f"word{i} {TEXT}" for i in range(20000)))

    def start(self, *arguments, stderr=subprocess.DEVNULL):
        """A server, and the URL that it says."""
        server = subprocess.Popen(
            [TANDEM, "memserver", *arguments], stdout=subprocess.PIPE, stderr=stderr,
            stdin=subprocess.DEVNULL, text=True, env=self.environment)
        self.addCleanup(server.stdout.close)
        self.addCleanup(self.end, server)
        line = server.stdout.readline()
        self.assertRegex(line, r"^ready: \S+ lends .* \(epoch [0-9a-f]{16}\)$")
        return server, line.split()[1]

    def end(self, server):
        """It still serves, or has ended in peace: it has not crashed."""
        server.kill()
        self.assertIn(server.wait(), (0, -signal.SIGKILL))

    def await_line(self, path, pattern):
        """Until a file that another process writes has it."""
        deadline = time.monotonic() + 200
        while time.monotonic() < deadline:
            with open(path, encoding="ascii") as file:
                if re.search(pattern, file.read()):
                    return
            time.sleep(0.01)
        self.fail(f"nobody wrote '{pattern}'")

    def tandem(self, *arguments):
        return subprocess.run(
            [TANDEM, *arguments], env=self.environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL, timeout=300, check=False)

    def word_count(self, fabric, *options):
        return self.tandem("run", "wordcount", "--input", self.text, "--local", "25%", "--fabric",
                           fabric, *options)

    def test_word_count_has_the_same_answer_over_tcp_and_shm(self):
        for arguments in (["--listen", "127.0.0.1:0"],
                          ["--fabric", "shm", "--listen", f"command-{os.getpid()}"],
                          ["--fabric", "shm-ofi", "--listen", f"command-{os.getpid()}"]):
            server, url = self.start(*arguments)
            result = self.word_count(url)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn("as all local", result.stdout)
            self.assertIn(url, result.stdout)
            server.send_signal(signal.SIGTERM)
            self.assertEqual(server.wait(timeout=60), 0)

    def test_the_status_page_tells_what_is_lent_and_whether_heaps_may_come(self):
        server = subprocess.Popen(
            [TANDEM, "memserver", "--listen", "127.0.0.1:0", "--capacity", "128MiB", "--http", "0"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
            env=self.environment)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.stderr.close)
        self.addCleanup(self.end, server)
        page = "http://127.0.0.1:" + server.stderr.readline().split()[-1]
        url = server.stdout.readline().split()[1]

        def get(path):
            try:
                with urllib.request.urlopen(page + path, timeout=60) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()

        self.assertEqual(get("/healthz"), (200, "ok\n"))
        self.assertEqual(get("/")[0], 404)
        self.assertEqual(self.word_count(url).returncode, 0)
        text = get("/metrics")[1]
        metrics = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
        metrics = {name: float(value) for name, value in metrics.items()}
        self.assertEqual(metrics["tandem_memserver_capacity_bytes"], 128 << 20)
        self.assertEqual(metrics["tandem_memserver_lent_bytes"], 0)
        self.assertEqual(metrics["tandem_memserver_clients"], 0)
        self.assertGreaterEqual(metrics["tandem_memserver_joined_total"], 1)
        self.assertEqual(metrics["tandem_memserver_joined_total"],
                         metrics["tandem_memserver_left_total"])
        self.assertGreater(metrics["tandem_memserver_lent_bytes_total"], 0)
        self.assertEqual(metrics['tandem_memserver_refused_total{reason="secret"}'], 0)

    def test_a_heap_for_which_a_server_has_too_little_is_told_so(self):
        _, url = self.start("--listen", "127.0.0.1:0", "--capacity", "64MiB")
        result = self.tandem("run", "binary-trees", "--heap", "1GiB", "--fabric", url)
        self.assertEqual(result.returncode, 1)
        self.assertIn("the heap cannot grow: memory server " + url[6:], result.stderr)
        self.assertIn("64 of its 64 MiB are lent", result.stderr)
        self.assertNotIn("--heap", result.stderr)

    def test_a_heap_that_wants_more_than_one_may_have_is_refused_and_others_go_on(self):
        log = self.file("log")
        with open(log, "w", encoding="ascii") as stderr:
            # The lease does not end while the first heap is stopped.
            _, url = self.start("--listen", "127.0.0.1:0", "--capacity", "256MiB",
                                "--client-limit", "64MiB", "--lease", "3600", stderr=stderr)
        modest = subprocess.Popen(
            [TANDEM, "run", "wordcount", "--input", self.text, "--local", "25%", "--fabric", url],
            env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        self.addCleanup(modest.stdout.close)
        self.addCleanup(modest.wait)
        self.addCleanup(modest.kill)
        self.await_line(log, f"client [^ ]+:{modest.pid} has joined\n")
        modest.send_signal(signal.SIGSTOP)
        greedy = self.tandem("run", "binary-trees", "--heap", "1GiB", "--fabric", url)
        modest.send_signal(signal.SIGCONT)
        reason = "one client may borrow 64 MiB and has 64: 64 more is too much"
        self.assertEqual(greedy.returncode, 1)
        self.assertIn(f"the heap cannot grow: memory server {url[6:]}", greedy.stderr)
        self.assertIn(reason, greedy.stderr)
        self.assertNotIn("--heap", greedy.stderr)
        self.await_line(log, f"refused client [^ ]+:[0-9]+: {reason}\n")
        with open(log, encoding="ascii") as file:
            self.assertNotRegex(file.read(), f"refused client [^ ]+:{modest.pid}:")
        answer = modest.communicate(timeout=300)[0]
        self.assertEqual(modest.returncode, 0, answer)
        self.assertIn("as all local", answer)
        # There was memory for another heap all the time.
        self.assertEqual(self.word_count(url).returncode, 0)

    def test_encrypted_pages_give_the_same_answer(self):
        _, url = self.start("--listen", "127.0.0.1:0")
        result = self.word_count(url, "--encrypt")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("as all local", result.stdout)
        self.assertIn("sealed:" + url, result.stdout)

    def test_a_server_that_is_not_there_is_named(self):
        for url in ("tcp://127.0.0.1:1", "shm://nobody-is-there", "shm-ofi://nobody-is-there"):
            result = self.word_count(url)
            self.assertEqual(result.returncode, 1)
            self.assertIn("tandem memserver", result.stderr)
            self.assertEqual(result.stderr.count("\n"), 1)

    def test_fabrics_says_what_there_is_and_why_not(self):
        result = self.tandem("fabrics")
        self.assertEqual(result.returncode, 0, result.stderr)
        for line in (r"^yes  emulated:rdma40 ", r"^yes  tcp://HOST:PORT ",
                     r"^yes  tcp-rdm://HOST:PORT ", r"^yes  shm://NAME ",
                     r"^(yes|no )  efa://HOST:PORT ", r"^(yes|no )  shm-ofi://NAME ",
                     r"^(yes|no )  verbs://HOST:PORT +\S"):
            self.assertRegex(result.stdout, re.compile(line, re.MULTILINE))
        self.assertEqual(self.tandem("fabrics", "all").returncode, 2)

    def test_without_an_rdma_device_verbs_says_so_in_one_line(self):
        if "RDMA devices:" in self.tandem("fabrics").stdout:
            self.skipTest("there is a device")
        for result in (self.tandem("memserver", "--fabric", "verbs"),
                       self.word_count("verbs://127.0.0.1:1")):
            self.assertEqual(result.returncode, 1)
            self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
            self.assertRegex(result.stderr, "no RDMA device|cannot load lib")
            self.assertEqual(result.stdout, "")

    def test_nonsense_is_refused_in_one_line(self):
        for arguments in (["--fabric", "pigeon"], ["--listen", "nowhere"], ["--capacity", "much"],
                          ["--listen", "127.0.0.1:"], ["--listen", "127.0.0.1:abc"],
                          ["--listen", "127.0.0.1:70000"], ["--listen", ":9410"],
                          ["--listen", "::1:9410"], ["--http", "70000"],
                          ["--slab", "1"], ["--http", "x"], ["--http", ":"], ["--slab", "2GiB"], ["--lease", "0"], ["--frobnicate"],
                          ["--fabric", "shm", "--listen", "../x"],
                          ["--secret-file", "/nonexistent"]):
            result = self.tandem("memserver", *arguments)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
            self.assertEqual(result.stdout, "")
        for url in ("tcp://", "tcp://x", "tcp://x:", "tcp://x:70000", "tcp://:1", "shm://a/b", "verbs://x", "tcp://127.0.0.1:1,speed=9",
                    "tcp://127.0.0.1:1,depth=0"):
            result = self.word_count(url)
            self.assertEqual(result.returncode, 2, url)
            self.assertEqual(result.stderr.count("\n"), 1, result.stderr)

    def test_an_address_that_cannot_be_had_is_named_in_one_line(self):
        _, url = self.start("--listen", "127.0.0.1:0")
        for address in (url[6:], "192.0.2.1:9410", "nobody.invalid:9410"):
            result = self.tandem("memserver", "--listen", address, "--insecure")
            self.assertEqual(result.returncode, 1)
            self.assertIn("cannot listen on " + address, result.stderr)
            self.assertEqual(result.stderr.count("\n"), 1, result.stderr)

    def test_beyond_this_machine_it_wants_a_secret(self):
        result = self.tandem("memserver", "--listen", "0.0.0.0:0")
        self.assertEqual(result.returncode, 1)
        self.assertIn("--secret-file", result.stderr)

    def test_the_secret_is_wanted_of_heaps(self):
        secret = os.path.join(self.folder.name, "secret")
        with open(secret, "w", encoding="ascii") as file:
            file.write("open sesame\n")
        log = os.path.join(self.folder.name, "log")
        with open(log, "w", encoding="ascii") as stderr:
            _, url = self.start("--listen", "127.0.0.1:0", "--secret-file", secret, stderr=stderr)
        refused = self.word_count(url)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("secret", refused.stderr)
        with open(log, encoding="ascii") as file:
            self.assertRegex(file.read(), r"refused ipv4:127\.0\.0\.1:\d+: the shared secret is "
                                          "missing or wrong\n")
        self.environment["TANDEM_SECRET_FILE"] = secret
        result = self.word_count(url)
        self.assertEqual(result.returncode, 0, result.stderr)


    def certificate(self, name, signed_by=None):
        """Makes NAME.pem and NAME.key; one that nobody signs is an authority."""
        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], check=True, cwd=self.folder.name,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=60)
        new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-keyout", f"{name}.key", "-subj", f"/CN={name}"]
        if signed_by is None:
            openssl(*new, "-x509", "-days", "2", "-out", f"{name}.pem")
            return
        with open(os.path.join(self.folder.name, "names"), "w", encoding="ascii") as file:
            file.write("subjectAltName=IP:127.0.0.1\n")
        openssl(*new, "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{signed_by}.pem", "-CAkey",
                f"{signed_by}.key", "-CAcreateserial", "-days", "2", "-extfile", "names", "-out",
                f"{name}.pem")

    def file(self, name):
        return os.path.join(self.folder.name, name)

    def show(self, name, authority):
        self.environment.update(TANDEM_TLS_CERT=self.file(f"{name}.pem"),
                                TANDEM_TLS_KEY=self.file(f"{name}.key"),
                                TANDEM_TLS_CA=self.file(f"{authority}.pem"))

    @unittest.skipUnless(shutil.which("openssl"), "there is no openssl to make certificates with")
    def test_tls_is_wanted_of_both_sides(self):
        for name, signed_by in (("ours", None), ("server", "ours"), ("heap", "ours"),
                                ("theirs", None), ("stranger", "theirs")):
            self.certificate(name, signed_by)
        tls = ["--tls-cert", self.file("server.pem"), "--tls-key", self.file("server.key"),
               "--tls-ca", self.file("ours.pem")]
        _, url = self.start("--listen", "127.0.0.1:0", *tls)
        self.assertEqual(self.word_count(url).returncode, 1)  # no TLS
        self.show("stranger", "ours")
        self.assertEqual(self.word_count(url).returncode, 1)
        self.show("heap", "theirs")  # which has not signed the server's
        self.assertEqual(self.word_count(url).returncode, 1)
        self.show("heap", "ours")
        result = self.word_count(url)
        self.assertEqual(result.returncode, 0, result.stderr)
        for incomplete in (tls[:2], tls[2:], [*tls[:5], self.file("server.key.missing")]):
            result = self.tandem("memserver", "--listen", "127.0.0.1:0", *incomplete)
            self.assertEqual(result.returncode, 2)
            self.assertEqual(result.stderr.count("\n"), 1, result.stderr)


if __name__ == "__main__":
    TANDEM = sys.argv.pop(1)
    unittest.main()
