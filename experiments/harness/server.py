"""Server: a memory server of this machine, for the time of one run.

Each run has one of its own, started before and ended after it, whatever becomes of the run or of
us: no run finds what another left behind, and none disturbs another. Its port is one that is free,
and a secret keeps strangers away.
"""

import os
import pathlib
import re
import secrets
import select
import signal
import subprocess
import tempfile
import time

from harness import child
from harness.errors import RunError

PROVIDERS = ("tcp", "tcp-rdm", "shm", "shm-ofi", "verbs", "verbs-ofi", "efa")
_CAPACITY = "64GiB"  # memory is taken when pages come, not before
_START_S = 30
_END_S = 10


def label(provider):
    """What a report calls the fabric: ports differ from run to run."""
    return f"{provider} on this machine"


def fitted_label(provider):
    return f"emulated:fitted-to-{provider}"


def offers(text):
    """{provider: None, or why this machine lacks it}, of what `tandem fabrics` prints."""
    found = {}
    for line in text.splitlines():
        match = re.fullmatch(r"(yes|no) +([a-z-]+)://\S* +(.*)", line)
        if match:
            found[match[2]] = None if match[1] == "yes" else match[3]
    return found


def _device_address(text):
    """An IPv4 address of an active RDMA device."""
    for line in text.partition("RDMA devices:")[2].splitlines():
        match = re.search(r": active, .*?\b(\d+\.\d+\.\d+\.\d+)\b", line)
        if match:
            return match[1]
    raise RunError("no RDMA device has an active port with an IPv4 address")


class Server:
    def __init__(self, tandem, provider):
        self._tandem = tandem
        self._provider = provider
        self._folder = None
        self._child = None
        self.url = None
        self.environment = None  # of those who use it

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_):
        self._end()

    def complaint(self):
        """Why it is no more; empty while it serves."""
        if self._child.poll() is None:
            return ""
        lines = self._said().splitlines() or ["nothing was said"]
        return f"the memory server ended with {self._child.returncode}: {lines[-1]}"

    def _start(self):
        self._folder = tempfile.TemporaryDirectory(prefix="tandem-experiment-")
        secret = pathlib.Path(self._folder.name) / "secret"
        secret.write_text(secrets.token_hex(16) + "\n", encoding="ascii")
        secret.chmod(0o600)
        self.environment = {**os.environ, "TANDEM_SECRET_FILE": str(secret)}
        line = [self._tandem.program, "memserver", "--fabric", self._provider, "--listen",
                self._address(), "--capacity", _CAPACITY, "--drain", "0", "--secret-file",
                str(secret)]
        with open(self._log(), "wb") as log:
            try:
                # In a session of its own: Ctrl-C is for us, and we end it after the run.
                self._child = subprocess.Popen(line, stdin=subprocess.DEVNULL, stderr=log,
                                               stdout=subprocess.PIPE, start_new_session=True,
                                               preexec_fn=child.tied(signal.SIGKILL))
            except OSError as error:
                raise RunError(f"cannot run {line[0]}: {error.strerror}") from None
        match = re.match(r"ready: (\S+) ", self._first_line())
        if not match:
            raise RunError(f"no memory server: {(self._said() or 'it says nothing').strip()}")
        self.url = match[1]

    def _address(self):
        if self._provider.startswith("shm"):
            return pathlib.Path(self._folder.name).name
        if self._provider.startswith("tcp"):
            return "127.0.0.1:0"
        return _device_address(self._tandem.fabrics()) + ":0"

    def _first_line(self):
        line, deadline = b"", time.monotonic() + _START_S
        descriptor = self._child.stdout.fileno()
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                break
            read = os.read(descriptor, 4096)
            if not read:
                break
            line += read
        return line.decode("utf-8", "replace")

    def _end(self):
        if self._child is not None:
            self._child.terminate()
            try:
                self._child.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
            self._child.stdout.close()
        if self._folder is not None:
            self._folder.cleanup()

    def _log(self):
        return pathlib.Path(self._folder.name) / "log"

    def _said(self):
        return self._log().read_text(encoding="utf-8", errors="replace")
