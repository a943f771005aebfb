"""A real browser, headless, that opens one file and tells what it saw."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

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


class Elements(HTMLParser):
    """Elements by name, with their attributes, and the text in them all."""

    def __init__(self):
        super().__init__()
        self.found, self.text = {}, ""

    def handle_starttag(self, tag, attributes):
        self.found.setdefault(tag, []).append(dict(attributes))

    def handle_data(self, data):
        self.text += data


class Visit:
    """One page, opened: .console (messages), .requests (URLs), .elements, .text."""

    def __init__(self, page, directory):
        self.log = Path(directory) / "net-log.json"
        done = subprocess.run(
            [BINARY, *QUIET, f"--user-data-dir={directory}/profile", f"--log-net-log={self.log}",
             "--virtual-time-budget=2000", "--dump-dom", Path(page).resolve().as_uri()],
            capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
        assert done.returncode == 0, done.stderr
        self.console = CONSOLE.findall(done.stderr)
        parsed = Elements()
        parsed.feed(done.stdout)
        self.elements, self.text = parsed.found, parsed.text
        self.requests = self._requests()

    def _requests(self):
        log = json.loads(self.log.read_text())
        kind = log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
        urls = (event.get("params", {}).get("url") for event in log["events"] if event["type"] == kind)
        return sorted({url for url in urls
                       if url and not url.startswith(("chrome", "data:", "file:"))
                       and not ERRANDS.match(url)})
