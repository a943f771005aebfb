"""A real browser, headless, that opens one file and tells what it saw."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

# tools/install real brings it.
BINARY = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Its own errands are none of the page's.
QUIET = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps", "--disable-domain-reliability", "--disable-dev-shm-usage",
    "--no-default-browser-check", "--disable-features=OptimizationHints,MediaRouter,Translate",
    "--enable-logging=stderr", "--log-level=0",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",  # nothing leaves this machine
]
ERRANDS = re.compile(r"https?://(clients2\.google\.com/time|update\.googleapis\.com/service/update2"
                     r"|accounts\.google\.com/ListAccounts)")
SECONDS_MAX = 90
CONSOLE = re.compile(r':CONSOLE[:(\d)]*\] "(.*)", source:')


REFERRING = ("src", "srcset", "href", "xlink:href", "data", "poster", "action")
REFERRING_CSS = re.compile(r"""(?:url\(|@import)\s*["']?([^"')\s;]+)""")


class Elements(HTMLParser):
    """Elements by name, with their attributes, what these refer to beyond the page, and the text in all."""

    def __init__(self):
        super().__init__()
        self.found, self.text, self.references = {}, "", []

    def handle_starttag(self, tag, attributes):
        self.found.setdefault(tag, []).append(dict(attributes))
        for name, value in attributes:
            self._refer([value] if name in REFERRING else REFERRING_CSS.findall(value or ""))

    def handle_data(self, data):
        self.text += data
        if self.cdata_elem == "style":
            self._refer(REFERRING_CSS.findall(data))

    def _refer(self, targets):
        self.references += [t for t in targets if t and not t.startswith(("#", "data:", "mailto:"))]


class Visit:
    """One page, opened: .console (messages), .requests (URLs), .references (whatever it names beyond itself;
    the browser does not log requests for files), .elements, .text."""

    def __init__(self, page, directory):
        assert BINARY, "no chromium is installed; tools/install real does that"
        self.log = Path(directory) / "net-log.json"
        done = subprocess.run(
            [BINARY, *QUIET, f"--user-data-dir={directory}/profile", f"--log-net-log={self.log}",
             "--virtual-time-budget=2000", "--dump-dom", Path(page).resolve().as_uri()],
            capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
        assert done.returncode == 0, done.stderr
        self.console = CONSOLE.findall(done.stderr)
        parsed = Elements()
        parsed.feed(done.stdout)
        self.elements, self.text, self.references = parsed.found, parsed.text, parsed.references
        self.requests = self._requests()

    def _requests(self):
        log = json.loads(self.log.read_text())
        kind = log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
        urls = (event.get("params", {}).get("url") for event in log["events"] if event["type"] == kind)
        return sorted({url for url in urls
                       if url and not url.startswith(("chrome", "data:", "file:"))
                       and not ERRANDS.match(url)})
