"""The live model, changed back and forth by `sesame rescore` while events flow and everything else fails."""

import re
import subprocess
import threading

from invariants import Rules
from recount import write_model

CHANGE_SECONDS, FOLLOW_SECONDS = 20, 40  # for one attempt, with a broker that comes and goes
WITHOUT_FRIENDS = {"friends_max: 500": "friends_max: 0"}
CHALLENGER = {  # another table of points, and other weights: nearly every score changes
    "name: default": "name: challenger",
    "curve: [[0, 10000], [250, 8800], [500, 7800], [1000, 6200], ":
        "curve: [[0, 9400], [250, 7300], [500, 6600], [1000, 5900], ",
    "  history:\n    weight: 35": "  history:\n    weight: 28",
}
LIVE = re.compile(r"^model (\S+) is live (from now on|already) \(epoch (\d+)\)", re.MULTILINE)


class Models:
    """The default model, live from the start, and with `challenged` another one that takes turns with it.
    Without `friends` neither keeps any: then scores can be recounted."""

    def __init__(self, directory, friends, challenged):
        changes = {} if friends else WITHOUT_FRIENDS
        self.files = [write_model(directory / "model.yaml", **changes)]
        if challenged:
            self.files.append(write_model(directory / "challenger.yaml", **changes, **CHALLENGER))
        self.friends = friends
        self.tool = None  # an Engine that reads past the proxies; before the first change
        self.live = self.changes = 0

    def change(self, stop=threading.Event()):
        """Puts the other one in charge, and does not wait for what comes of it. Tried again while the
        broker does not answer; whether it is done before `stop` is set."""
        other = 1 - self.live
        while not stop.is_set():
            found = LIVE.search(self._rescore(CHANGE_SECONDS, "--model", str(self.files[other]),
                                              "--no-wait"))
            if found:
                self.live, self.changes = other, int(found[3])
                return True
        return False

    def follow(self, seconds=FOLLOW_SECONDS):
        """Whether everybody has been told of the change within this time."""
        return re.search("^done: ", self._rescore(seconds), re.MULTILINE) is not None

    def _rescore(self, seconds, *options):
        try:
            return self.tool.run("rescore", *options, check=False, seconds=seconds).stdout
        except subprocess.TimeoutExpired:
            return ""

    def rules(self):
        """For the judge; None where scores can be recounted."""
        if len(self.files) == 1 and not self.friends:
            return None
        return Rules(self.files, self.live, self.changes)
