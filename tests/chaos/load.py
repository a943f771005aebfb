"""Events without an end: one `sesame generate` after the other, each with a seed of its own over the
same users."""

import re
import subprocess
import threading

from engine import BINARY

SENT = re.compile(r"^sent (\d+) events .* of them (\d+) duplicates, (\d+) bad$", re.MULTILINE)
DELIVERED = re.compile(r"^delivered (\d+), failed (\d+)$", re.MULTILINE)
CHUNK_SECONDS = 20
EVENTS_PER_USER = 15


class Load:
    def __init__(self, config_file, seed, rate):
        self.config_file, self.seed, self.rate = config_file, seed, rate
        self.sent = self.delivered = self.failed = self.duplicates = self.bad = self.chunks = 0
        self.troubles = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._process = None

    def start(self):
        self._thread.start()

    def finish(self):
        """Ends the chunk in hand early and waits for its deliveries."""
        self._stop.set()
        process = self._process
        if process and process.poll() is None:
            process.terminate()
        self._thread.join()

    def _run(self):
        while not self._stop.is_set():
            self._chunk()

    def _chunk(self):
        events = self.rate * CHUNK_SECONDS
        command = [
            str(BINARY), "generate", "-F", str(self.config_file), "--rate", str(self.rate),
            "--events", str(events), "--users", str(max(events // EVENTS_PER_USER, 1)),
            "--seed", str(self.seed * 100000 + self.chunks), "--duplicates", "5", "--bad", "3",
        ]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )
        out, err = self._process.communicate()
        self.chunks += 1
        sent, delivered = SENT.search(out), DELIVERED.search(out)
        if sent:
            self.sent += int(sent[1])
            self.duplicates += int(sent[2])
            self.bad += int(sent[3])
        if delivered:
            self.delivered += int(delivered[1])
            self.failed += int(delivered[2])
        if self._process.returncode != 0:
            self.troubles.append(f"generate ended with {self._process.returncode}: {err[-500:]}")
            self._stop.wait(1)
