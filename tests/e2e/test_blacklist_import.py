"""`sesame blacklist import`: a court's list through the real parts, interruptions included."""

import csv
import re
import signal

import pytest

from accounts import check_marks, check_published
from feed import Feed
from waiting import wait_until

HEADER = ["user_id", "case_id", "authority", "amount_owed", "currency", "listed_at", "action"]
GRANTED_AT_MS = 1700000000000
# At most 500 rows in 100 ms: slow enough to be interrupted, on any machine.
SLOW = {
    "kafka_producer": {
        "linger.ms": "100", "queue.buffering.max.messages": "500", "batch.num.messages": "10000"
    }
}
SUMMARY = re.compile(r"^(\d+) rows, (\d+) published, (\d+) rejected in ", re.MULTILINE)


def user(i):
    return f"user-{i:06}"


def rows(count, action="", bad=()):
    """One case for each of so many users; those of `bad` cannot be published."""
    for i in range(count):
        date = "2024-13-01" if i in bad else f"2024-05-{i % 10 + 1:02}"
        yield [user(i), f"(2024) 京 {i}", 'Court "A", Beijing', f"{i}.50", "CNY", date, action]


@pytest.fixture
def listed(tmp_path):
    """Writes rows into the list and returns its path."""
    path = tmp_path / "list.csv"

    def write(lines):
        with open(path, "w", newline="", encoding="utf-8-sig") as file:
            writer = csv.writer(file)  # CRLF, as the RFC says
            writer.writerow(HEADER)
            writer.writerows(lines)
        return path

    return write


@pytest.fixture
def opted_in(bus, engine):
    """Opts some users in, a score record each; returns the function."""
    engine.run("topics", "create")
    engine.run("schemas", "register")

    def grant(numbers):
        Feed(bus, engine).send(
            ("consents", {
                "event_id": f"consent-{i}", "user_id": user(i), "occurred_at": GRANTED_AT_MS,
                "action": "GRANTED", "purpose": "SCORING", "subscriber": "",
            })
            for i in numbers
        )
        assert engine.drain()["counted"] == len(numbers)

    return grant


def summary(text):
    found = SUMMARY.search(text)
    assert found, text
    return tuple(map(int, found.groups()))


def imported(engine, path, *more, code=0, changes=None):
    """Runs the import to its end; returns what it printed on both."""
    done = engine.run("blacklist", "import", str(path), *more, check=False, changes=changes)
    text = done.stdout + done.stderr
    assert done.returncode == code, f"exited {done.returncode}:\n{text}"
    return text


def kinds(bus, engine):
    """user -> the kinds of its score records, in order."""
    found = {}
    for record in bus.read(engine.config["topics"]["scores"]):
        found.setdefault(record.key, []).append(record.value["kind"])
    return found


def published(bus, engine):
    return [r.value for r in bus.read(engine.config["topics"]["blacklist"])]


def sent_count(bus, engine):
    return sum(bus.ends(engine.config["topics"]["blacklist"]).values())


def saved_rows(progress):
    """What an interrupted import has written down; None before it has."""
    found = progress.exists() and re.search(r"^rows (\d+)$", progress.read_text(), re.MULTILINE)
    return int(found.group(1)) if found else None


def test_listed_users_drop_once_and_come_back(bus, engine, listed, opted_in):
    opted_in(range(20))
    path = listed(rows(1000))
    text = imported(engine, path)
    assert summary(text) == (1000, 1000, 0)
    assert not path.with_name("list.csv.progress").exists()

    events = {event["user_id"]: event for event in published(bus, engine)}
    assert len(events) == 1000
    one = events[user(7)]
    assert (one["case_id"], one["authority"]) == ("(2024) 京 7", 'Court "A", Beijing')
    assert (one["amount_owed_minor"], one["currency"], one["action"]) == (750, "CNY", "LISTED")
    assert one["occurred_at"].strftime("%Y-%m-%d") == "2024-05-08"

    counts = engine.drain()
    assert (counts["counted"], counts["dead_lettered"]) == (1000, 0)
    dropped = {user(i): ["OPT_IN", "BLACKLIST_DROP"] for i in range(20)}
    assert kinds(bus, engine) == dropped

    # once more: nobody is told anything
    imported(engine, path)
    counts = engine.drain()
    assert (counts["consumed"], counts["duplicate"]) == (1000, 1000)
    assert kinds(bus, engine) == dropped

    # and struck
    imported(engine, listed(rows(1000, action="DELISTED")))
    assert engine.drain()["counted"] == 1000
    assert kinds(bus, engine) == {who: [*were, "BLACKLIST_RESTORE"] for who, were in dropped.items()}
    check_published(bus, engine.config["topics"])
    check_marks(bus, engine.config["topics"])


def test_who_opts_in_later_is_listed(bus, engine, listed, opted_in):
    opted_in(range(1))
    imported(engine, listed(rows(300)))
    assert engine.drain()["counted"] == 300
    opted_in(range(100, 110))
    records = [r for r in bus.read(engine.config["topics"]["scores"]) if r.key != user(0)]
    assert {r.key for r in records} == {user(i) for i in range(100, 110)}
    assert {(r.value["kind"], r.value["standing"]) for r in records} == {("OPT_IN", "LISTED")}


def test_killed_in_the_middle_all_arrive_and_count_once(bus, engine, listed, opted_in, tmp_path):
    count, bad, members = 20000, set(range(5, 20000, 500)), set(range(0, 20000, 97))
    opted_in(members)
    path, rejects = listed(rows(count, bad=bad)), tmp_path / "rejects.csv"
    progress = path.with_name("list.csv.progress")
    command = ("blacklist", "import", str(path), "--rejects", str(rejects))
    process = engine.start(*command, changes=SLOW)

    def sent_more_than_saved():
        assert process.running(), f"it was over too soon:\n{process.tail()}"
        saved = saved_rows(progress)
        return saved and sent_count(bus, engine) > saved

    wait_until(sent_more_than_saved, 60, "an import that has written its progress")
    process.kill()
    saved = saved_rows(progress)
    assert 0 < saved < count
    text = imported(engine, path, "--rejects", str(rejects), code=1)
    assert "going on at line" in text and f"{saved} of the rows by an earlier run" in text
    assert summary(text) == (count, count - len(bad), len(bad))
    assert not progress.exists()

    events = published(bus, engine)
    assert {e["user_id"] for e in events} == {user(i) for i in set(range(count)) - bad}
    assert len({e["event_id"] for e in events}) == count - len(bad)
    assert len(events) > count - len(bad), "nothing was sent twice: the test shows nothing"
    with open(rejects, newline="", encoding="utf-8") as file:
        kept = list(csv.DictReader(file))
    assert [int(row["rejected_line"]) for row in kept] == sorted(i + 2 for i in bad)

    counts = engine.drain()
    assert counts["consumed"] == len(events) and counts["dead_lettered"] == 0
    assert kinds(bus, engine) == {
        user(i): ["OPT_IN", *(["BLACKLIST_DROP"] if i not in bad else [])] for i in members
    }
    check_published(bus, engine.config["topics"])
    check_marks(bus, engine.config["topics"])


def test_stopped_it_goes_on_where_it_was(bus, engine, listed, opted_in, prefix):
    count = 20000
    path = listed(rows(count))
    progress = path.with_name("list.csv.progress")
    process = engine.start("blacklist", "import", str(path), changes=SLOW)
    wait_until(lambda: sent_count(bus, engine) > 1000, 60, "an import that has sent something")
    process.signal(signal.SIGTERM)
    assert process.wait() == 3, process.tail()
    assert "the same command goes on" in process.log()
    saved = saved_rows(progress)
    assert summary(process.out())[0] == saved and 0 < saved < count
    assert sent_count(bus, engine) == saved

    # to another topic it would leave rows out, and so it would if the file were another
    elsewhere = {"topics": {"blacklist": prefix + "elsewhere"}}
    engine.run("schemas", "register", changes=elsewhere)
    said = imported(engine, path, code=1, changes=elsewhere)
    assert "went to topic" in said and "--restart" in said, said
    content = path.read_bytes()
    for changed in (content.replace(b"user-000003", b"user-x00003"), content + b"\r\n"):
        path.write_bytes(changed)
        said = imported(engine, path, code=1)
        assert "has changed" in said and "--restart" in said, said
    path.write_bytes(content)
    assert sent_count(bus, engine) == saved

    assert summary(imported(engine, path)) == (count, count, 0)
    assert sent_count(bus, engine) == count  # it had ended well: nothing is sent twice
    assert not progress.exists()


def test_restart_begins_anew(bus, engine, listed, opted_in):
    path = listed(rows(20000))
    process = engine.start("blacklist", "import", str(path), changes=SLOW)
    wait_until(lambda: sent_count(bus, engine) > 1000, 60, "an import that has sent something")
    process.stop()
    saved = sent_count(bus, engine)
    path = listed(rows(3000))
    text = imported(engine, path, "--restart")
    assert summary(text) == (3000, 3000, 0) and "earlier run" not in text
    assert sent_count(bus, engine) == saved + 3000


def test_too_many_rejected_end_it(bus, engine, listed, opted_in):
    path = listed(rows(1000, bad=range(100, 200)))
    text = imported(engine, path, "--rejects-max", "10", code=1)
    assert summary(text) == (111, 100, 11) and "more than 10 rows" in text
    assert [int(n) for n in re.findall(r"^sesame: line (\d+): listed_at", text, re.MULTILINE)] == list(
        range(102, 113)
    )
    assert summary(imported(engine, path, code=1)) == (1000, 900, 100)
    assert sent_count(bus, engine) == 900


def test_what_is_missing_is_named(bus, engine, listed):
    path = listed(rows(3))
    assert "sesame schemas register" in imported(engine, path, code=1)
    engine.run("schemas", "register")
    own = engine.config.pop("registry")
    assert "registry.url" in imported(engine, path, code=1)
    engine.config["registry"] = own
    assert "3 fit" in imported(engine, path, "--dry-run")
    assert not list(path.parent.glob("*.progress*"))
