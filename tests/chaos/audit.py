"""The run's own audit: `sesame snapshot` in its middle, and afterwards `sesame verify` over the whole of
it, and from the snapshot on. Inputs and outputs of a run are kept whole, so every record must be proven, by
the models that the run itself has kept, with its percentile and the histograms that this is of."""

import json
import re
import subprocess
import threading

SNAPSHOT_SECONDS = 60  # for one attempt, with a broker that comes and goes
VERIFY_SECONDS = 3600
STATES = re.compile(r"sound: [1-9]\d* states")  # before there are any, nothing is older than it
SHOWN_MAX = 20
COUNTS = ("records", "proven", "differing", "missing", "erased", "out_of_retention", "newer",
          "before_snapshot", "undecided", "entitlements", "entitlements_proven",
          "entitlements_differing", "entitlements_not_judged", "percentiles_proven",
          "percentiles_differing", "percentiles_out_of_retention", "percentiles_unchecked",
          "histograms", "histograms_proven", "histograms_differing")


class Proof(dict):
    """What `sesame verify` has counted, and how many of that should not be there."""

    def __init__(self, total, partial):
        super().__init__({name: total[name] for name in COUNTS})
        self.seconds = total["seconds"]
        accepted = self["before_snapshot"] if partial else 0
        self.differences = self["records"] - self["proven"] - accepted
        self.differences += self["missing"] + self["newer"] + self["entitlements_differing"]
        self.differences += self["percentiles_differing"] + self["histograms_differing"]
        self.differences += self["percentiles_out_of_retention"] + self["percentiles_unchecked"]
        if not partial:
            self.differences += self["entitlements_not_judged"]
            self.differences += self["histograms"] - self["histograms_proven"] - \
                self["histograms_differing"]

    def __str__(self):
        text = (f"{self['records']} score records: {self['proven']} proven, {self['differing']} "
                f"differing, {self['missing']} missing, {self['erased']} erased, "
                f"{self['out_of_retention']} out of retention; {self['entitlements']} entitlements: "
                f"{self['entitlements_proven']} proven, {self['entitlements_differing']} differing "
                f"or missing; percentiles: {self['percentiles_proven']} proven, "
                f"{self['percentiles_differing']} differing, "
                f"{self['percentiles_out_of_retention']} out of retention; {self['histograms']} "
                f"histograms: {self['histograms_proven']} proven, "
                f"{self['histograms_differing']} differing")
        for name in ("before_snapshot", "newer", "undecided", "percentiles_unchecked"):
            if self[name]:
                text += f"; {self[name]} {name.replace('_', ' ')}"
        return text


class Audit:
    """`tool`: an Engine with the config of one that reads past the proxies."""

    def __init__(self, tool, directory):
        self.tool = tool
        self.snapshot = directory / "middle.avro"
        self.proofs = {}  # what of -> Proof
        self.differences = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._take, daemon=True)

    def take_snapshot(self):
        """Begins one; the engines are at work, and the broker may be away."""
        self._thread.start()

    def finish(self):
        """No further attempt."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _take(self):
        while not self._stop.wait(1):
            try:
                done = self.tool.run("snapshot", str(self.snapshot), check=False,
                                     seconds=SNAPSHOT_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            if done.returncode == 0 and STATES.search(done.stdout):
                return
        self.snapshot.unlink(missing_ok=True)

    def verify(self, records, say):
        """All of it, engines stopped; `records`: how many score records a subscriber has read."""
        whole = self._verify("all", [], say)
        if whole and whole["records"] != records:
            self.differences.append(f"verify has seen {whole['records']} of {records} score records")
        if not self.snapshot.exists():
            return
        part = self._verify("from the snapshot on", ["--snapshot", str(self.snapshot)], say)
        if part and not 0 < part["proven"] < part["records"]:
            self.differences.append("the snapshot leaves nothing, or everything, to be proven")

    def _verify(self, what, more, say):
        done = self.tool.run("verify", "--json", "--show-users", "--limit", str(SHOWN_MAX), *more,
                             check=False, seconds=VERIFY_SECONDS)
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        if not lines or "holds" not in lines[-1]:
            self.differences.append(
                f"verify ended with {done.returncode}: {done.stdout[-1000:]}{done.stderr[-2000:]}")
            return None
        proof = self.proofs[what] = Proof(lines[-1], bool(more))
        say(f"verified, {what}, in {proof.seconds:.0f} s: {proof}")
        for line in lines:
            if "difference" in line:
                say(f"  {json.dumps(line)[:4000]}")
        holds = lines[-1]["holds"]
        if (done.returncode == 0) != holds or not holds and not proof.differences:
            self.differences.append(f"verify ended with {done.returncode}: {lines[-1]}")
        return proof

    def count(self):
        """Of all that should not be."""
        return len(self.differences) + sum(proof.differences for proof in self.proofs.values())
