"""A run's record, as Markdown, and the sums that it and the output tell."""

import datetime
import os
import pathlib
import platform
import subprocess
import textwrap
from collections import Counter

from stack import TREE


def commit():
    def git(*words):
        done = subprocess.run(["git", "-C", str(TREE), *words], capture_output=True, text=True,
                              check=False)
        return done.stdout.strip()

    head = git("rev-parse", "--short=12", "HEAD") or "unknown"
    return head + (" with uncommitted changes" if git("status", "--porcelain", "-uno") else "")


def write_record(run, total, differences, path, fleet):
    """Adds this run to a file of records. `fleet`: what ran, in words."""
    judged = ("Held by all that anybody can count on (`tests/chaos/invariants.py`)" if run.models.rules()
              else "Recounted and found equal")
    options, sums = run.options, sums_of(run.verdicts)
    path = pathlib.Path(path)
    text = path.read_text() if path.exists() else (
        "# Chaos on the real parts\n\nRecords of `tools/chaos --record`, newest last. What is run and "
        "judged: `tests/chaos`.\n")
    command = f"--minutes {options.minutes:g} --seed {options.seed} --rate {options.rate}" + "".join(
        f" --{name}" for name in ("friends", "models") if getattr(options, name))
    kinds = "\n".join(
        f"| {lane} | {kind.replace('_', ' ')} | {run.faults.counts[kind]} |"
        for lane, names in run.faults.lanes.items() for kind in names)
    proofs = "".join(textwrap.fill(f"`sesame verify`, {what}: {proof}.", 110) + "\n"
                     for what, proof in run.audit.proofs.items())
    text += f"""
## {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC

`tools/chaos {command}` at commit {commit()},
on {os.cpu_count()} cores ({platform.machine()}), {fleet}.
All caught up {run.drain_seconds:.1f} s after the last fault.

**{total} events, {run.faults.total()} faults, {differences} differences**

Events: {sums['counted']} counted, {sums['duplicate']} duplicate, {sums['not_consented']} not consented,
{sums['dead_lettered']} dead-lettered. {judged}: these counts,
{published_of(run.verdicts)}; in Redis as in the changelog,
{sum(v.users for v in run.verdicts)} states.

{proofs}
| lane | fault | times |
|---|---|---|
{kinds}
"""
    path.write_text(text)


def sums_of(verdicts):
    sums = dict.fromkeys(("counted", "duplicate", "not_consented", "dead_lettered"), 0)
    for verdict in verdicts:
        for counts in verdict.counts.values():
            for outcome, count in counts.items():
                sums[outcome] += count
    return sums


def published_of(verdicts):
    def total(name):
        return sum(getattr(each, name) for each in verdicts)

    kinds = Counter()
    for each in verdicts:
        kinds.update(each.by_kind)
    return (f"{total('records')} score records ({', '.join(f'{n} {kind}' for kind, n in kinds.items())}), "
            f"{total('entitlements')} grants and revocations,\n{total('dead_letters')} dead letters, "
            f"{total('shared')} records for subscribers ({total('tombstones')} tombstones)")
