"""Browser: a headless Chromium that a test asks questions, over a pipe, without a network port."""

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


class Unavailable(Exception):
    """Why there is no browser: one line."""


class Browser:
    """One page. `complaints`: errors and warnings of its console, of loading and of its policy."""

    def __init__(self, limit_s=60):
        self._limit_s = limit_s
        self.complaints = []
        self._number, self._session, self._left, self._events = 0, None, b"", []
        program = next(filter(None, map(shutil.which, PROGRAMS)), None)
        if program is None:
            raise Unavailable("chromium is not installed (scripts/setup --for test)")
        self._profile = tempfile.TemporaryDirectory(prefix="tandem-browser-",
                                                    ignore_cleanup_errors=True)
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        # The browser reads commands from file 3 and writes answers to file 4.
        self._child = subprocess.Popen(
            ["/bin/sh", "-c", f'exec 8<&{to_read} 9>&{to_write} 3<&8 4>&9; exec "$@"', "sh",
             program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--hide-scrollbars", "--no-first-run", "--remote-debugging-pipe",
             f"--user-data-dir={self._profile.name}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            pass_fds=(to_read, to_write), start_new_session=True,
            env={**os.environ, "HOME": self._profile.name})
        os.close(to_read)
        os.close(to_write)
        try:
            target = self._ask("Target.createTarget", url="about:blank")["targetId"]
            self._session = self._ask("Target.attachToTarget", targetId=target,
                                      flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log"):
                self._ask(f"{domain}.enable")
        except (OSError, RuntimeError) as error:
            self.close()
            raise Unavailable(f"{program} does not start here: {error}") from None

    def close(self):
        """Ends it and what it started."""
        try:
            os.killpg(self._child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._child.wait()
        os.close(self._to)
        os.close(self._from)
        self._profile.cleanup()

    def open(self, address, width, height):
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)
        self._events = []
        self._ask("Page.navigate", url=address)
        self._await("Page.loadEventFired")

    def ask(self, expression):
        answer = self._ask("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def screenshot(self, path):
        """Of all of the page, up to what a picture may be high."""
        height = min(self.ask("document.documentElement.scrollHeight"), 16000)
        width = self.ask("window.innerWidth")
        answer = self._ask("Page.captureScreenshot", captureBeyondViewport=True, clip={
            "x": 0, "y": 0, "width": width, "height": height, "scale": 1})
        path.write_bytes(base64.b64decode(answer["data"]))

    def print(self, path):
        """As PDF."""
        path.write_bytes(base64.b64decode(self._ask("Page.printToPDF",
                                                    preferCSSPageSize=True)["data"]))

    def _ask(self, method, **parameters):
        self._number += 1
        number, message = self._number, {"id": self._number, "method": method,
                                         "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(method)
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error'].get('message')}")
                return answer["result"]
            self._notice(answer)

    def _await(self, event):
        while event not in self._events:
            self._notice(self._next(event))

    def _notice(self, message):
        method, parameters = message.get("method", ""), message.get("params", {})
        self._events.append(method)
        if method == "Runtime.exceptionThrown":
            self.complaints.append(parameters["exceptionDetails"].get("text", "exception"))
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(f"{parameters['type']}: {parameters['args']}")
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.complaints.append(parameters["entry"]["text"])

    def _next(self, waiting_for):
        end = time.monotonic() + self._limit_s
        while b"\0" not in self._left:
            ready, _, _ = select.select([self._from], [], [], max(end - time.monotonic(), 0))
            if not ready:
                raise RuntimeError(f"no answer to {waiting_for} in {self._limit_s} s")
            part = os.read(self._from, 1 << 20)
            if not part:
                raise RuntimeError(f"it ended during {waiting_for}")
            self._left += part
        message, _, self._left = self._left.partition(b"\0")
        return json.loads(message)
