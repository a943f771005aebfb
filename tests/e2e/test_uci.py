"""15,000 real people through the whole of it: from a registry's Avro to a subscriber's, and measured."""

import csv
import json

import pytest

from bus import INPUTS
from feed import Feed, check_sequences, consents_first, last_by_user, millis
from real_data import auc, data_file, to_avro, uci

FILE = "uci_credit_odd.csv.gz"


def test_auc_counts_pairs():
    assert auc([(1, 1), (2, 0), (3, 0)]) == 1
    assert auc([(1, 0), (2, 1)]) == 0
    assert auc([(5, 0), (5, 1)]) == 0.5
    assert auc([(1, 1), (2, 0), (2, 1), (3, 0)]) == pytest.approx(3.5 / 4)


def test_15000_clients_scored_and_measured(bus, engine, tmp_path, capsys):
    path = data_file(FILE)
    labels = uci.labels(path)
    assert len(labels) == 15000
    engine.config["workers"] = 2
    engine.run("topics", "create")
    engine.run("schemas", "register")
    sent = Feed(bus, engine).send(consents_first(uci.events(path)))
    assert sent["consents"] == 15000

    done = engine.drain()
    total = sum(sent.values())
    assert done == {
        "consumed": total, "counted": total, "duplicate": 0, "not_consented": 0, "dead_lettered": 0,
    }
    for name in INPUTS:
        assert sum(bus.ends(engine.config["topics"][name]).values()) == sent[name]

    records = bus.read(engine.config["topics"]["scores"], decode=False)  # read_committed
    last = {record.key: record for record in records}
    final = last_by_user(map(bus.decode, last.values()))  # their deserializer
    check_sequences(map(bus.decode, (record for record in records if record.key.endswith("11"))))
    assert final.keys() == labels.keys()
    reached = auc([(value["score"], labels[user]) for user, value in final.items()])
    with capsys.disabled():
        print(f"\n15,000 clients, {len(records):,} score records: AUC {reached:.4f} against their defaults")
    assert reached >= 0.75

    replayed = replay_twice(engine, path, tmp_path)
    assert replayed.keys() == final.keys()
    differing = {
        user: (final[user]["score"], row["score"])
        for user, row in replayed.items()
        if (str(final[user]["score"]), final[user]["tier"]) != (row["score"], row["tier"])
    }
    assert not differing, f"{len(differing)} differ: {list(differing.items())[:10]}"
    factors = ("history", "behaviour", "fulfilment", "characteristics", "relationships")
    as_of = uci.millis(*uci.AS_OF)
    same_instant = [user for user in final if millis(final[user]["as_of"]) == as_of]
    assert len(same_instant) > 10000  # the others' last event changed nothing
    for user in same_instant:
        for name in factors:
            shown = final[user]["factors"][name]
            assert str(shown["value"]) == replayed[user][name + "_value"], (user, name)


def replay_twice(engine, path, tmp_path):
    """`sesame replay` of the same events from files; the second run must give the same bytes."""
    to_avro.main(["uci", str(path), str(tmp_path / "files")])
    outputs = []
    for turn in ("first", "second"):
        scores, records = tmp_path / f"{turn}.csv", tmp_path / f"{turn}.avro"
        engine.run(
            "replay", "--files", str(tmp_path / "files"), "--scores", str(scores),
            "--records", str(records),
        )
        outputs.append((scores.read_bytes(), records.read_bytes()))
    assert outputs[0] == outputs[1]
    rows = list(csv.DictReader(outputs[0][0].decode().splitlines()))
    assert len(rows) == 15000, json.dumps(rows[:1])
    return {row["user_id"]: row for row in rows}
