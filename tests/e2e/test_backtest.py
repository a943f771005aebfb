"""`sesame backtest` as a risk analyst uses it: on real clients and their defaults, from files and Kafka."""

import csv
import json
import random
import re
import subprocess

import fastavro
import pytest

import browser
from bus import schema_text
from engine import BINARY
from feed import Feed, consents_first
from real_data import auc, data_file, to_avro, uci
from stack import TREE

FILE = "uci_credit_odd.csv.gz"
MEASURES = {"score", "history", "behaviour", "fulfilment", "characteristics", "relationships"}


def backtest(*arguments, code=0):
    done = subprocess.run([str(BINARY), "backtest", *map(str, arguments)], capture_output=True,
                          text=True, timeout=300, check=False)
    assert done.returncode == code, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout if code == 0 else done.stderr


def write_model(path, name, *changes):
    """The default model under another name, with regular expressions replaced."""
    text = re.sub(r"^name: .*$", f"name: {name}", (TREE / "config/model.yaml").read_text(), flags=re.M)
    for pattern, replacement in changes:
        text, count = re.subn(pattern, replacement, text, count=1)
        assert count == 1, pattern
    path.write_text(text)
    return path


def write_labels(path, labels):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["user", "time", "outcome"])
        writer.writerows((user, "2005-10-01", bad) for user, bad in labels.items())
    return path


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    """All 15,000 as files, with their labels and a challenger that knows of no lateness."""
    path, directory = data_file(FILE), tmp_path_factory.mktemp("uci")
    to_avro.main(["uci", str(path), str(directory / "files")])
    labels = uci.labels(path)
    write_labels(directory / "labels.csv", labels)
    write_model(directory / "blind.yaml", "blind", (r"(lateness:\n +weight:) 60", r"\1 0"))
    return directory, labels


@pytest.fixture(scope="module")
def reports(clients):
    directory, _ = clients
    text = backtest("--files", directory / "files", "--model", directory / "blind.yaml",
                    "--labels", directory / "labels.csv", "--json", directory / "out.json",
                    "--html", directory / "out.html", "--scores", directory / "scores.csv",
                    "--label-scores", directory / "labelled.csv")
    return text, json.loads((directory / "out.json").read_text())


def test_auc_is_that_of_an_independent_count(clients, reports):
    directory, labels = clients
    measured = reports[1]["labelled"]
    assert measured["used"] == 15000 and measured["bad"] == sum(labels.values())
    rows = list(csv.DictReader((directory / "labelled.csv").read_text().splitlines()))
    for side in ("champion", "challenger"):
        for measure in MEASURES:
            pairs = [(int(row[f"{side}_{measure}"]), int(row["outcome"])) for row in rows]
            found = measured[side]["measures"][measure]
            assert found["auc"] == pytest.approx(auc(pairs), abs=1e-9), (side, measure)
            if found["auc_interval"]:
                low, high = found["auc_interval"]
                assert low < found["auc"] < high
    champion, challenger = (measured[s]["measures"]["score"]["auc"] for s in ("champion", "challenger"))
    assert champion >= 0.765
    difference = measured["challenger_less_champion"]["score"]
    assert difference["auc"] == pytest.approx(challenger - champion, abs=1e-9)
    assert difference["auc"] < -0.02 and difference["p"] < 0.001


def test_scores_are_those_of_a_replay(clients, reports):
    directory, _ = clients
    subprocess.run([str(BINARY), "replay", "--files", str(directory / "files"), "--scores",
                    str(directory / "replayed.csv")], check=True, capture_output=True, timeout=300)
    replayed = {row["user_id"]: (row["score"], row["tier"])
                for row in csv.DictReader((directory / "replayed.csv").read_text().splitlines())}
    rows = csv.DictReader((directory / "scores.csv").read_text().splitlines())
    assert {row["user_id"]: (row["champion_score"], row["champion_tier"]) for row in rows} == replayed


def test_movers_and_tiers_add_up(reports):
    text, report = reports
    moved = report["comparison"]
    assert sum(map(sum, moved["tiers"])) == report["scored"] == 15000
    assert len(moved["movers"]) == 20
    for mover in moved["movers"]:
        change = mover["score"][1] - mover["score"][0]
        points = sum(f["points"][1] - f["points"][0] for f in mover["factors"])
        assert abs(points - change) < 1.01
        assert mover["components"], mover
        assert mover["user_id"] in text
    for benefit in moved["benefits"]:
        assert benefit["challenger"] == benefit["champion"] + benefit["gained"] - benefit["lost"]


def test_outcomes_that_have_nothing_to_do_with_people_show_no_link(clients):
    directory, labels = clients
    shuffled = list(labels.values())
    random.Random(1).shuffle(shuffled)
    write_labels(directory / "shuffled.csv", dict(zip(labels, shuffled)))
    text = backtest("--files", directory / "files", "--labels", directory / "shuffled.csv",
                    "--json", directory / "shuffled.json")
    measured = json.loads((directory / "shuffled.json").read_text())["labelled"]["champion"]
    assert "no significant link" in text
    assert all(measured["measures"][m]["p_holm"] > 0.01 for m in MEASURES)


def test_a_page_opens_in_a_browser_and_fetches_nothing(clients, reports, tmp_path):
    directory, _ = clients
    visit = browser.Visit(directory / "out.html", tmp_path)
    assert visit.console == [] and visit.requests == [] and visit.references == []
    assert len(visit.elements["svg"]) >= 4  # distribution, ROC, two calibrations
    assert "Against what became of them" in visit.text
    auc_text = f'{reports[1]["labelled"]["champion"]["measures"]["score"]["auc"]:.4f}'
    assert auc_text in visit.text
    for mover in reports[1]["comparison"]["movers"]:
        assert mover["user_id"] in visit.text


def test_wrong_input_says_what_to_do(clients, tmp_path):
    directory, _ = clients
    files = directory / "files"
    assert "--model FILE" in backtest("--files", files, code=2)
    assert "--files DIR" in backtest("--model", directory / "blind.yaml", code=1)
    bad = tmp_path / "labels.csv"
    for line, complaint in (("uci-1,yesterday,1", "time"), ("uci-1,2005-10-01,perhaps", "outcome"),
                            ("uci-1,2005-10-01", "columns"), (",2005-10-01,1", "user id")):
        bad.write_text("user,time,outcome\nuci-3,2005-10-01,0\n" + line + "\n")
        said = backtest("--files", files, "--labels", bad, code=1)
        assert "line 3" in said and complaint in said, said
    bad.write_text("outcome,extra,user_id,time\ngood,x,uci-3,2005-10-01T00:00:00Z\n")
    assert "1 used" in backtest("--files", files, "--labels", bad)


def test_kafka_and_files_give_the_same(engine, bus, tmp_path):
    """Two hundred clients through a broker, and as files: all but where they came from is equal."""
    path = data_file(FILE)
    chosen = {f"uci-{row['ID']}" for row in list(uci.rows(path))[:200]}
    history = [(topic, event) for topic, event in uci.events(path) if event["user_id"] in chosen]
    labels = {user: bad for user, bad in uci.labels(path).items() if user in chosen}
    write_labels(tmp_path / "labels.csv", labels)
    model = write_model(tmp_path / "short.yaml", "short", (r"bills: 365", "bills: 90"))
    (tmp_path / "files").mkdir()
    for topic, records in to_avro.by_topic(history).items():
        schema = fastavro.parse_schema(json.loads(schema_text(topic)))
        with open(tmp_path / "files" / f"{topic}.avro", "wb") as out:
            fastavro.writer(out, schema, records, codec="deflate")
    engine.run("topics", "create")
    engine.run("schemas", "register")
    Feed(bus, engine).send(consents_first(history))
    common = ["--model", model, "--labels", tmp_path / "labels.csv"]
    backtest("--files", tmp_path / "files", *common, "--json", tmp_path / "files.json")
    engine.run("backtest", *map(str, common), "--json", str(tmp_path / "kafka.json"))
    of_files, of_kafka = (json.loads((tmp_path / f"{n}.json").read_text()) for n in ("files", "kafka"))
    assert of_files.pop("source") == "files" and of_kafka.pop("source") == "kafka"
    assert of_kafka["folded_for_each"] and of_kafka["scored"] == 200
    assert of_kafka == of_files
