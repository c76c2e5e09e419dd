"""Chromium, driven over its DevTools protocol: what a page looks like, says, asks for and does on keys."""

from __future__ import annotations

import base64
import importlib.util
import itertools
import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.support.exporter import wait_until

DEADLINE_SECONDS = 60.0

FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-proxy-server"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    *("--remote-debugging-port=0", "--remote-allow-origins=*", "--hide-scrollbars", "--force-color-profile=srgb"),
)


class Refused(Exception):
    """The browser has answered a call with an error."""


@dataclass
class Tab:
    """
    One tab.

    Attributes:
        console: What the page and the browser have written to the console.
        requests: Every URL that was asked for.
    """

    connection: ClientConnection
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def call(self, method: str, **parameters: object) -> Mapping[str, Any]:
        """Call a method of the protocol; events that come before its answer are noted."""
        number = next(self._numbers)
        self.connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = self._next()
            if message.get("id") == number:
                if "error" in message:
                    raise Refused(message["error"])
                result: Mapping[str, Any] = message["result"]
                return result

    def open(self, url: str, *, width: int = 1280, dark: bool = False, height: int = 900) -> None:
        """Load a page in a window of that width, and wait until it is there."""
        self.call("Page.enable")
        self.call("Runtime.enable")
        self.call("Log.enable")
        self.call("Network.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        scheme = "dark" if dark else "light"
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url=url)
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page; a promise is awaited."""
        done = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Wait until an expression is true, also over the load of another page."""

        def holds() -> bool:
            try:
                return bool(self.evaluate(condition))
            except Refused:
                # The page that was asked has just been replaced.
                return False

        wait_until(holds, what=condition)

    def press(self, key: str, *, code: int) -> None:
        """Press and release a key."""
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            down = text if kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **down)

    def screenshot(self, path: Path, *, most: int = 6000) -> None:
        """Write a picture of the page as PNG, at most the upper *most* pixels of it."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], most), "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def violations(self) -> list[str]:
        """Return what axe-core finds wrong with the page, each with its element."""
        self.evaluate(axe_core())
        found = self.evaluate(
            "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map("
            "v => v.id + ': ' + v.help + ' ' + v.nodes.slice(0, 3).map(n => n.html).join(' | ')))"
        )
        return list(found)

    def _next(self) -> Mapping[str, Any]:
        message: Mapping[str, Any] = json.loads(self.connection.recv(DEADLINE_SECONDS))
        parameters = message.get("params", {})
        match message.get("method"):
            case "Runtime.consoleAPICalled":
                self.console.append(str(parameters["args"]))
            case "Runtime.exceptionThrown":
                self.console.append(str(parameters["exceptionDetails"]))
            case "Log.entryAdded":
                self.console.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])
        return message


@dataclass
class Browser:
    """A running Chromium; its tabs share nothing."""

    connection: ClientConnection
    address: str

    @contextmanager
    def tab(self) -> Iterator[Tab]:
        """Open a tab in a profile of its own, and close both."""
        own = Tab(self.connection)
        context = own.call("Target.createBrowserContext")["browserContextId"]
        target = own.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        try:
            with connect(f"{self.address}/devtools/page/{target}", max_size=None, proxy=None) as connection:
                yield Tab(connection)
        finally:
            own.call("Target.disposeBrowserContext", browserContextId=context)


@contextmanager
def browsing(directory: Path) -> Iterator[Browser]:
    """Run Chromium with a new profile in *directory*."""
    process = subprocess.Popen(
        ["/usr/bin/chromium", *FLAGS, f"--user-data-dir={directory}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    try:
        assert process.stderr is not None
        url = next(line.split()[-1] for line in process.stderr if line.startswith("DevTools listening on "))
        # Its pipe must not fill up.
        drain = threading.Thread(target=process.stderr.read, daemon=True)
        drain.start()
        with connect(url, max_size=None, proxy=None) as connection:
            yield Browser(connection, url.partition("/devtools/")[0])
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)
        drain.join(DEADLINE_SECONDS)
        process.stderr.close()


def axe_core() -> str:
    """Return the script of axe-core, from the package that brings it along."""
    package = importlib.util.find_spec("axe_playwright_python")
    assert package is not None
    assert package.origin is not None
    return (Path(package.origin).parent / "axe.min.js").read_text("utf-8")
