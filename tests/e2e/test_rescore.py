"""The live model is changed while events flow and the engine is killed: every scored user gets exactly
one RESCORE, and what comes after is scored by the new model."""

import collections
import csv
import json
import re
import shutil

import pytest

from accounts import MARK_KEY, check_marks, ends_total, mark_sweep, wait_consumed
from archive import archive
from bus import INPUTS
from feed import Feed, check_sequences
from history import History
from stack import TREE

USERS = 3000
SLOW = {"batch": {"records_max": 100, "rescore_users_max": 20}}  # so that a kill meets one under way


@pytest.fixture
def feed(bus, engine):
    engine.config["redis"]["buckets"] = 4096  # a sweep takes some of them at a time
    engine.run("topics", "create")
    engine.run("schemas", "register")
    return Feed(bus, engine)


def challenger(tmp_path, name="challenger", **changes):
    """The default model under another name, with texts replaced."""
    text = (TREE / "config" / "model.yaml").read_text()
    for old, new in {"name: default": f"name: {name}", **changes}.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = tmp_path / f"{name}.yaml"
    path.write_text(text)
    return path


def weights(tmp_path, name="challenger"):
    """Every score changes, and the folds do not."""
    text = (TREE / "config" / "model.yaml").read_text()
    found = re.search(r"^  history:\n    weight: \d+$", text, re.MULTILINE).group()
    return challenger(tmp_path, name, **{found: "  history:\n    weight: 90"})


def sweeps(bus, engine):
    """partition -> the newest mark's sweep."""
    return {record.partition: mark_sweep(record.value)
            for record in bus.read(engine.config["topics"]["state"], decode=False)
            if record.key == MARK_KEY}


def verify(engine, *more):
    """The total, if all is proven: with the models that the topic has kept, none being given."""
    done = engine.run("verify", "--json", "--limit", "5", *more, check=False, seconds=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    total = json.loads(done.stdout.splitlines()[-1])
    assert total["holds"] and total["percentiles_unchecked"] == 0
    assert total["histograms_proven"] == total["histograms"] > 0
    return total


def replayed(engine, tmp_path, *more):
    """user -> score, at the end of the logs."""
    path = tmp_path / "replayed.csv"
    engine.run("replay", "--scores", str(path), *more, seconds=300)
    return {row["user_id"]: row["score"] for row in csv.DictReader(path.read_text().splitlines())}


def explain(engine, record):
    """What is said of the very record, and whether it was recomputed."""
    where = f"scores:{record.partition}:{record.offset}"
    done = engine.run("explain", record.key, "--offset", where, "--json", "-")
    return json.loads(done.stdout)


def scored_before(users, version):
    """Who was scored by another model before this one, and has not withdrawn by then."""
    return {user for user, values in users.items()
            if any(value["model_version"] != version for value in values)}


def test_changed_under_load_and_kills(bus, engine, feed, tmp_path):
    history = History(USERS, seed=41)
    feed.send(history.consents())
    feed.send(history.events(3000))
    engine.drain()
    before = check_sequences(bus.read(engine.config["topics"]["scores"]))
    opted_in = {user for user, values in before.items() if values[-1]["kind"] != "OPT_OUT"}
    old = next(iter(before.values()))[0]["model_version"]

    feed.send(history.events(2500))  # a backlog that the change has to share the engine with
    process = engine.start("run", changes=SLOW)
    wait_consumed(bus, engine, ends_total(bus, engine) - 2200, process)
    said = engine.run("rescore", "--model", str(weights(tmp_path)), "--no-wait").stdout
    new = re.search(r"model (challenger-[0-9a-f]{16}) is live from now on \(epoch 1\)", said)[1]
    unfinished, snapshots = 0, []
    for seen in (rf"partition \d+: model {new} from now on", "partition 1: ready",
                 r"partition \d+: all \d+ users are told"):
        process.wait_log(seen)
        process.kill()
        unfinished += any(s["swept"] == 0 for s in sweeps(bus, engine).values())
        snapshots.append(str(tmp_path / f"amid-{len(snapshots)}.avro"))
        engine.run("snapshot", snapshots[-1], seconds=120)
        feed.send(history.events(300))
        process = engine.start("run", changes=SLOW)
    assert unfinished > 0, "no kill has met the change under way"
    followed = engine.run("rescore", seconds=120)
    assert re.search(r"^done: \d+ users rescored", followed.stdout, re.MULTILINE), followed.stdout
    assert process.stop(60) == 0, process.tail()
    engine.drain()

    users = check_sequences(bus.read(engine.config["topics"]["scores"]))
    check_marks(bus, engine.config["topics"])
    told = collections.Counter()
    for user, values in users.items():
        position = [i for i, value in enumerate(values) if value["kind"] == "RESCORE"]
        told[len(position)] += 1
        assert len(position) <= 1, f"{user} was told {len(position)} times"
        by_new = [i for i, value in enumerate(values) if value["model_version"] == new]
        by_old = [i for i, value in enumerate(values) if value["model_version"] == old]
        assert not by_new or not by_old or max(by_old) < min(by_new), f"{user}: back again"
        if position:
            at = position[0]
            assert at == min(by_new) and by_old, user
            assert values[at]["as_of"] >= values[at - 1]["as_of"]
            assert values[at]["cause"] is None
        elif by_old and values[-1]["model_version"] == new and values[-1]["kind"] != "OPT_OUT":
            # nothing but an opt-in after a withdrawal leads from one model to the other untold
            assert values[min(by_new)]["kind"] == "OPT_IN", (user, values)
    # who was scored and has not withdrawn before the change has been told
    untold = [user for user in opted_in
              if not any(value["kind"] == "RESCORE" for value in users[user])]
    assert all("OPT_OUT" in (value["kind"] for value in users[user]) for user in untold), untold[:3]
    assert told[1] > 0.9 * len(opted_in), told
    status = engine.run("rescore", "--status").stdout
    assert new in status and old in status and "done: 100.0 %" in status, status
    assert all(s["swept"] == 1 for s in sweeps(bus, engine).values())

    # all of it follows, by either model, with every percentile; also from the middle of the change
    scores = bus.read(engine.config["topics"]["scores"])
    total = verify(engine)
    assert total["proven"] == total["records"] == len(scores)
    ranked = sum(record.value["percentile"] is not None for record in scores)
    assert total["percentiles_proven"] == ranked > USERS
    for snapshot in snapshots:
        after = verify(engine, "--snapshot", snapshot)
        assert after["proven"] + after["before_snapshot"] == len(scores)
        assert after["before_snapshot"] > 0 and after["proven"] > 0
    # a replay goes by the live model, and tells those whom the snapshot's engine had yet to tell
    final = {user: str(values[-1]["score"]) for user, values in users.items()
             if values[-1]["score"] is not None}
    assert replayed(engine, tmp_path, "--snapshot", snapshots[0]) == final
    by_old = replayed(engine, tmp_path, "--model", old)
    assert by_old.keys() == final.keys() and by_old != final

    archive(bus, engine, (*INPUTS, "scores", "entitlements", "ranks", "models"), tmp_path / "archive")
    archived = verify(engine, "--files", str(tmp_path / "archive"))
    assert archived["proven"] == len(scores)
    assert archived["percentiles_proven"] == ranked
    # without the topic of models it says which one it wants, and takes it from a file
    shutil.rmtree(tmp_path / "archive" / engine.config["topics"]["models"])
    wanting = engine.run("verify", "--files", str(tmp_path / "archive"), check=False)
    assert wanting.returncode == 1
    assert f"records name model {new}" in wanting.stderr and "--model" in wanting.stderr
    given = verify(engine, "--files", str(tmp_path / "archive"), "--model", str(weights(tmp_path)),
                   "--model", str(TREE / "config" / "model.yaml"))
    assert given["proven"] == len(scores)

    told_once = next(r for r in scores if r.value["kind"] == "RESCORE"
                     and not any(v["kind"] == "OPT_OUT" for v in users[r.key]))
    before_it = [r for r in scores if r.key == told_once.key and r.offset < told_once.offset][-1]
    for record, version in ((before_it, old), (told_once, new)):
        said = explain(engine, record)
        assert record.value["model_version"] == version
        assert said["recomputed"] == "same", said

    # back again, by the version that the topic has kept; an old config file changes nothing
    process = engine.start("run")
    process.wait_log(r"says that model challenger-\w+ is live; the config's default-\w+ is not used")
    back = engine.run("rescore", "--model", old).stdout
    assert f"model {old} is live from now on (epoch 2), in place of {new}" in back, back
    assert process.stop(60) == 0
    users = check_sequences(bus.read(engine.config["topics"]["scores"]))
    last = [values[-1] for values in users.values() if values[-1]["kind"] != "OPT_OUT"]
    assert {value["model_version"] for value in last} == {old}
    total = verify(engine)
    assert total["proven"] == total["records"] > len(scores)
    assert engine.run("rescore", "--model", old).stdout.startswith(f"model {old} is live already")


def test_refused_with_what_to_do(bus, engine, feed, tmp_path):
    feed.send(History(20, seed=42).consents())
    engine.drain()
    text = (TREE / "config" / "model.yaml").read_text()
    half_life = re.search(r"{payments: \d+,", text).group()
    other = challenger(tmp_path, "folds", **{half_life: "{payments: 77,"})
    said = engine.run("rescore", "--model", str(other), check=False)
    assert said.returncode == 1 and "structural" in said.stderr and "replay" in said.stderr, said
    missing = engine.run("rescore", "--model", str(tmp_path / "none.yaml"), check=False)
    assert missing.returncode == 1 and "none.yaml" in missing.stderr
    wrong = engine.run("rescore", "--status", "--model", "x", check=False)
    assert wrong.returncode == 2
    status = engine.run("rescore", "--status").stdout
    assert "epoch 0" in status and "folds" not in status, status
