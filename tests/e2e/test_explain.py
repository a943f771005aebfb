"""`sesame explain`: from the running system's logs and from files; and its page in a real browser."""

import csv
import datetime
import http.server
import json
import subprocess
import threading

import fastavro
import pytest

import engine as engine_module
from browser import Visit
from bus import INPUTS
from feed import Feed, consents_first, last_by_user
from history import History

USERS = 300


def sesame(*arguments, code=0):
    done = subprocess.run([str(engine_module.BINARY), *map(str, arguments)], capture_output=True,
                          text=True, timeout=120, check=False)
    assert done.returncode == code, f"{arguments} exited {done.returncode}:\n{done.stderr}"
    return done.stdout if code == 0 else done.stderr


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Plain files of a made-up population, and its final scores by `sesame replay`."""
    directory = tmp_path_factory.mktemp("files")
    sesame("generate", "--files", directory, "--users", USERS, "--events", 20000, "--seed", 5)
    sesame("replay", "--files", directory, "--scores", directory / "scores.csv")
    with open(directory / "scores.csv", encoding="utf-8") as lines:
        scores = {row["user_id"]: row for row in csv.DictReader(lines)}
    return directory, scores


def explain(directory, user, *more):
    return json.loads(sesame("explain", user, "--files", directory, "--json", "-", *more))


# --- from files


def test_everybodys_score_is_recomputed_and_explained(files):
    directory, scores = files
    some = sorted(scores)[::10] + [u for u in scores if scores[u]["standing"] == "LISTED"]
    assert len(some) >= 25
    for user in some:
        found = explain(directory, user)
        assert found["finding"] == "score" and found["recomputed"] == "same", user
        assert found["score"]["value"] == int(scores[user]["score"])
        assert 350 == found["score"]["lowest"] and 950 == found["score"]["highest"]
        assert len(found["reasons"]) <= 4
        assert all(reason["meaning"] for reason in found["reasons"])
        previous = None
        for change in found["changes"]:
            assert change["previous_score"] == previous
            previous = change["score"]
            assert (change["cause"] is None) == (change["kind"] in ("AGED", "OVERDUE"))
            # what friends told is kept in no file
            told = change["kind"] == "NEIGHBOUR"
            assert change["cause"] is None or change["cause"]["in_log"] != told
            assert not told or "friend" in change["words"]
        assert previous == found["score"]["value"]


def test_the_score_of_a_past_time_is_the_one_that_held_then(files, tmp_path):
    directory, scores = files
    then = datetime.datetime(2025, 6, 1, tzinfo=datetime.timezone.utc)
    sesame("replay", "--files", directory, "--records", tmp_path / "records.avro")
    held = {}
    with open(tmp_path / "records.avro", "rb") as records:
        for record in fastavro.reader(records):
            if record["as_of"] <= then:
                held[record["user_id"]] = record
    some = sorted(held)[::12]
    assert len(some) >= 15
    for user in some:
        found = explain(directory, user, "--at", "2025-06-01")
        assert found["recomputed"] == "same"
        assert found["score"]["value"] == held[user]["score"], user
        assert found["score"]["sequence"] == held[user]["sequence"], user
    unborn = next(user for user in sorted(scores) if user not in held)
    assert explain(directory, unborn, "--at", "2025-06-01")["finding"] == "not_then"


def test_who_is_not_scored_gets_clear_words(files):
    directory, scores = files
    assert "no such user" in sesame("explain", "nobody", "--files", directory, code=1)
    consentless = next(u for u in (f"u-{i:06d}" for i in range(USERS)) if u not in scores)
    found = explain(directory, consentless)
    assert found["finding"] == "no_consent" and "never agreed" in found["words"]
    assert set(found) <= {"user_id", "finding", "words", "issuer", "contact"}
    text = sesame("explain", sorted(scores)[0], "--files", directory, "--at", "2001-01-01")
    assert "no score then" in text


def test_asked_wrongly_it_says_what_to_do(files):
    directory, scores = files
    user = sorted(scores)[0]
    assert "USER is missing" in sesame("explain", "--files", directory, code=2)
    assert "TOPIC:PARTITION:OFFSET" in sesame("explain", user, "--offset", "bills", code=2)
    assert "no input has that topic" in sesame(
        "explain", user, "--files", directory, "--offset", "cakes:0:1", code=1)
    assert "partition 0" in sesame(
        "explain", user, "--files", directory, "--offset", "bills:7:1", code=1)
    assert "--files" in sesame("explain", user, code=1)


# --- the page


def test_the_browser_here_sees_errors_and_requests(tmp_path):
    """Else the next test could not fail."""

    class Silent(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Silent)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        page = tmp_path / "bad.html"
        url = f"http://127.0.0.1:{server.server_port}/picture.png"
        page.write_text(f'<!DOCTYPE html><title>x</title><img src="{url}" alt="">'
                        '<link rel="stylesheet" href="style.css"><p style="background: url(dots.png)">'
                        '<script>console.error("oh no")</script>')
        visit = Visit(page, tmp_path)
        assert url in visit.requests and visit.references == [url, "style.css", "dots.png"]
        assert any("oh no" in line for line in visit.console)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_page_opens_in_a_browser_and_is_whole_by_itself(files, tmp_path):
    directory, scores = files
    listed = [u for u in scores if scores[u]["standing"] == "LISTED"]
    for number, user in enumerate(sorted(scores, key=lambda u: int(scores[u]["score"]))[:1] + listed[:1]
                                  + sorted(scores)[:1]):
        page = tmp_path / f"page-{number}.html"
        sesame("explain", user, "--files", directory, "--html", page, "--issuer",
               "<b>Example & Co</b>", "--contact", "scores@example.org")
        visit = Visit(page, tmp_path / str(number))
        assert visit.console == [] and visit.requests == [] and visit.references == []
        assert len(visit.elements["svg"]) == 2
        for svg in visit.elements["svg"]:
            assert svg["role"] == "img" and svg["aria-labelledby"]
        assert "script" not in visit.elements and "img" not in visit.elements
        assert "b" not in visit.elements and "<b>Example & Co</b>" in visit.text
        found = explain(directory, user)
        assert str(found["score"]["value"]) in visit.text and user in visit.text
        for reason in found["reasons"]:
            assert reason["brief"][1:] in visit.text and reason["code"] in visit.text
        for change in found["changes"]:
            if change["cause"]:
                assert change["cause"]["event_id"] in visit.text
                assert f"offset {change['cause']['offset']}," in visit.text
        assert "withdraw your consent" in visit.text and "scores@example.org" in visit.text


def test_the_page_of_who_is_not_scored_opens_too(files, tmp_path):
    directory, scores = files
    consentless = next(u for u in (f"u-{i:06d}" for i in range(USERS)) if u not in scores)
    sesame("explain", consentless, "--files", directory, "--html", tmp_path / "page.html")
    visit = Visit(tmp_path / "page.html", tmp_path)
    assert visit.console == [] and visit.requests == [] and visit.references == []
    assert "never agreed" in visit.text and "svg" not in visit.elements


# --- from the running system


def test_explains_from_the_running_system(bus, engine):
    engine.run("topics", "create")
    engine.run("schemas", "register")
    feed, history = Feed(bus, engine), History(40, seed=31)
    feed.send(consents_first(history.consents() + list(history.events(4000))))
    engine.drain()
    topics = engine.config["topics"]
    records = bus.read(topics["scores"])
    last = last_by_user(records)
    by_offset = {(r.topic, r.partition, r.offset): r for name in INPUTS for r in bus.read(topics[name])}
    explained = 0
    for user in history.users[:12]:
        done = engine.run("explain", user, "--json", "-", check=False)
        if user not in last and done.returncode:
            assert "no such user" in done.stderr
            continue
        found = json.loads(done.stdout)
        if user not in last or last[user]["score"] is None:
            assert found["finding"] in ("no_consent", "withdrawn"), user
            assert "changes" not in found
            continue
        explained += 1
        own = [r for r in records if r.value["user_id"] == user]
        assert found["published"] and found["recomputed"] == "same", user
        assert found["score"]["value"] == last[user]["score"]
        assert [c["record_offset"] for c in found["changes"]] == [r.offset for r in own]
        for change in found["changes"]:
            cause = change["cause"]
            if cause:
                at = (topics[cause["topic"]], cause["partition"], cause["offset"])
                assert by_offset[at].value["event_id"] == cause["event_id"]
                assert by_offset[at].value["user_id"] == user
        middle = own[len(own) // 2]
        then = json.loads(engine.run(
            "explain", user, "--json", "-", "--offset",
            f"{topics['scores']}:{middle.partition}:{middle.offset}").stdout)
        assert then["score"]["sequence"] == middle.value["sequence"]
        assert then["recomputed"] == "same"
    assert explained >= 8
