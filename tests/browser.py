"""A headless Chromium for tests, driven over the WebDriver protocol with the standard library alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from command_line import PATIENCE

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
MISSING = "" if CHROMIUM and DRIVER else "needs Chromium and its driver: apt-get install chromium chromium-driver"
_FLAGS = (
    "--headless",
    "--no-sandbox",  # root cannot use it, and the pages are our own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--window-size=1200,900",
)


class Browser:
    """One window."""

    def __init__(self, folder: Path) -> None:
        assert CHROMIUM is not None, MISSING
        assert DRIVER is not None, MISSING
        self._log = (folder / "chromedriver.log").open("w+")
        self._driver = subprocess.Popen([DRIVER, "--port=0"], stdout=self._log, stderr=subprocess.STDOUT)
        self._address = f"http://127.0.0.1:{self._port()}"
        flags = [*_FLAGS, f"--user-data-dir={folder / 'profile'}"]
        options = {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": CHROMIUM, "args": flags},
            "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"},
        }
        session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": options}})
        self._address += "/session/" + session["sessionId"]

    def close(self) -> None:
        try:
            self._call("DELETE", "")
        finally:
            self._driver.terminate()
            self._driver.wait(20)
            self._log.close()

    def open(self, path: Path) -> None:
        """Load a file's page and wait until its script says that it is ready."""
        self._call("POST", "/url", {"url": "about:blank"})
        for kind in ("performance", "browser"):
            self.log(kind)  # what earlier pages, and the browser's own first one, left
        self._call("POST", "/url", {"url": path.as_uri()})
        for _ in range(2400):
            if self.run("return 'ready' in document.body.dataset"):
                return
            time.sleep(0.05)
        raise AssertionError(f"{path} never became ready: {self.log('browser')}")

    def visit(self, address: str) -> None:
        """Load a page of a server."""
        self._call("POST", "/url", {"url": address})

    def run(self, script: str, *arguments: Any) -> Any:
        """What a function body returns."""
        return self._call("POST", "/execute/sync", {"script": script, "args": arguments})

    def until(self, script: str, seconds: float = PATIENCE) -> Any:
        """What a function body returns once that is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := self.run(script):
                return found
            time.sleep(0.05)
        raise AssertionError(f"never: {script}; {self.run('return document.body.innerText')}")

    def answer(self, call: str, seconds: float = PATIENCE) -> Any:
        """What a promise of the page's gives; the text of the error where it breaks."""
        keep = "(a) => { window.answer = [a]; }, (e) => { window.answer = [`${e}`]; }"
        self.run(f"window.answer = null; ({call}).then({keep});")
        return self.until("return window.answer", seconds)[0]

    def point(self, x: float, y: float) -> None:
        """Move the mouse there."""
        move = {"type": "pointerMove", "duration": 0, "x": round(x), "y": round(y)}
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": [move]}
        self._call("POST", "/actions", {"actions": [mouse]})

    def press(self, key: str) -> None:
        actions = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self._call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def log(self, kind: str) -> list[dict[str, Any]]:
        """What was logged since the last look: "browser", its console; "performance", DevTools' events."""
        return self._call("POST", "/se/log", {"type": kind})

    def requests(self) -> list[str]:
        """The addresses that DevTools saw asked for since the page was opened, its own among them."""
        events = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]

    def _port(self) -> int:
        for _ in range(200):
            self._log.seek(0)
            for line in self._log:
                if "started successfully on port" in line:
                    return int(line.rstrip(".\n").rsplit(" ", 1)[1])
            if self._driver.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"chromedriver did not start: {Path(self._log.name).read_text()}")

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self._address + path,
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode()[:2000]}") from None
