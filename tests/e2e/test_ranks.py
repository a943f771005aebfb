"""Percentiles on the real parts: anybody can recompute them from sesame-ranks, whatever has happened."""

import json
import random
import signal
import uuid

import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

from accounts import MARK_KEY, mark_histogram, wait_consumed
from feed import DAY_MS, Feed, check_sequences
from partitioner import murmur2_partition
from redis_view import redis_delete
from waiting import wait_until

PARTITIONS = 2
USERS = 60
PAST = 1700000000000  # 2023-11-14


class Ranks:
    def __init__(self, bus, engine):
        self.bus, self.engine = bus, engine
        engine.config["topics"]["partitions"] = PARTITIONS
        engine.config["ranks"] = {"interval_ms": 300}
        engine.run("topics", "create")
        engine.run("schemas", "register")
        self.feed = Feed(bus, engine)
        self.random = random.Random(7)
        self.day = self.sent = 0

    def topic(self, name):
        return self.engine.config["topics"][name]

    def send(self, events):
        self.sent += sum(self.feed.send(events).values())

    def event(self, topic, user, **fields):
        return topic, {"event_id": uuid.uuid4().hex, "user_id": user,
                       "occurred_at": PAST + self.day * DAY_MS, **fields}

    def consent(self, user, action):
        return self.event("consents", user, action=action, purpose="SCORING", subscriber="")

    def payments(self, users):
        self.day += 1
        return [self.event("payments", user, status="SETTLED", currency="CNY",
                           amount_minor=self.random.randrange(100, 2000000),
                           category=self.random.choice(("DINING", "GROCERIES", "TRAVEL")),
                           counterparty="") for user in users]

    def scores(self):
        records = self.bus.read(self.topic("scores"))
        check_sequences(records)
        return records

    def last(self):
        """The last score record of each user."""
        return list({record.key: record for record in self.scores()}.values())

    def start(self):
        process = self.engine.start("run")
        for partition in range(PARTITIONS):
            process.wait_log(f"partition {partition}: ready")
        return process

    def histograms(self):
        return self.bus.read(self.topic("ranks"))

    def wait_consumed(self, process):
        wait_consumed(self.bus, self.engine, self.sent, process)

    def wait_told(self, process):
        """Until the last histogram of each partition is that of the scores."""
        def told():
            assert process.running(), process.tail()
            return self.told() == self.counted()

        wait_until(told, 60, lambda: f"histograms to be published: {self.told()}, {self.counted()}")

    def counted(self):
        """partition -> {score: users}, by the last score record of each."""
        found = {}
        for record in self.last():
            counts = found.setdefault(record.partition, {})
            score = record.value["score"]
            if score is not None:
                counts[score] = counts.get(score, 0) + 1
        return found

    def told(self):
        last = {}
        for record in self.histograms():
            assert record.partition == 0 and record.key == str(record.value["partition"])
            last[record.value["partition"]] = users_by_score(record.value)
        return last


def users_by_score(value):
    return {value["lowest"] + i: users for i, users in enumerate(value["users"]) if users}


def recompute(histograms, offset, score):
    """docs/model.md 7.13, of its records before an offset."""
    last = {}
    for record in histograms:
        if record.offset < offset:
            last[record.value["partition"]] = users_by_score(record.value)
    users = sum(sum(each.values()) for each in last.values())
    below = sum(n for each in last.values() for s, n in each.items() if s < score)
    return below * 10000 // users


def check_percentiles(ranks):
    histograms, ranked = ranks.histograms(), 0
    for record in ranks.scores():
        value = record.value
        if value["percentile"] is None:
            assert value["ranks"] is None
            continue
        ranked += 1
        assert value["percentile"] == recompute(histograms, value["ranks"], value["score"]), value
    return ranked


def check_marks(ranks):
    last = {record.partition: mark_histogram(record.value)
            for record in ranks.bus.read(ranks.topic("state"), decode=False)
            if record.key == MARK_KEY}
    assert last == ranks.counted()


def verify(ranks, code=0):
    """The total of `sesame verify`."""
    done = ranks.engine.run("verify", "--json", "--limit", "3", check=False)
    assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def set_topic(ranks, **settings):
    settings = {name.replace("_", "."): str(value) for name, value in settings.items()}
    entries = [ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
               for key, value in settings.items()]
    resource = ConfigResource("topic", ranks.topic("ranks"), incremental_configs=entries)
    for future in ranks.bus.admin.incremental_alter_configs([resource]).values():
        future.result(30)


@pytest.fixture
def ranks(bus, engine):
    return Ranks(bus, engine)


def test_percentiles_are_recomputed_through_a_kill_an_emptied_redis_and_opt_outs(ranks, stack):
    users = [f"user-{n}" for n in range(USERS)]
    ranks.send([ranks.consent(user, "GRANTED") for user in users])
    process = ranks.start()
    ranks.wait_consumed(process)
    ranks.send(ranks.payments(users))
    ranks.wait_consumed(process)
    ranks.wait_told(process)

    # killed in the middle of work, with Redis emptied before it is back
    ranks.send(ranks.payments(users * 20))
    process.signal(signal.SIGKILL)
    process.wait()
    assert redis_delete(stack, ranks.engine.config["redis"]["prefix"]) > 0
    process = ranks.start()
    ranks.wait_consumed(process)
    ranks.wait_told(process)

    # emptied under a running engine, and a third of the users gone
    redis_delete(stack, ranks.engine.config["redis"]["prefix"])
    ranks.send([ranks.consent(user, "WITHDRAWN") for user in users[::3]])
    ranks.send(ranks.payments(users))
    ranks.wait_consumed(process)
    ranks.wait_told(process)
    ranks.send(ranks.payments(users))
    ranks.wait_consumed(process)
    ranks.wait_told(process)
    assert process.stop() == 0

    assert check_percentiles(ranks) > USERS
    check_marks(ranks)
    kept = USERS - len(users[::3])
    assert sum(sum(each.values()) for each in ranks.told().values()) == kept
    last = ranks.last()
    assert len({record.partition for record in last}) == PARTITIONS
    assert any(0 < (record.value["percentile"] or 0) < 10000 for record in last)

    # nothing is told anew by a process that finds all as it was left
    before = len(ranks.histograms())
    assert ranks.engine.drain()["consumed"] == 0
    assert len(ranks.histograms()) == before


def test_a_partition_that_comes_late_was_not_compacted_though_transactions_were_aborted(ranks):
    producer = ranks.bus.producer(transactional_id=uuid.uuid4().hex)
    producer.init_transactions(30)
    producer.begin_transaction()
    for partition in range(PARTITIONS):
        producer.produce(ranks.topic("scores"), b"nobody", b"nobody", partition=partition)
    assert producer.flush(30) == 0
    producer.abort_transaction(30)

    users = [f"user-{n}" for n in range(USERS)]
    process = ranks.start()
    for partition in range(PARTITIONS):
        those = [user for user in users if murmur2_partition(user, PARTITIONS) == partition]
        ranks.send([ranks.consent(user, "GRANTED") for user in those])
        ranks.wait_consumed(process)
        ranks.send(ranks.payments(those))
        ranks.wait_consumed(process)
        ranks.wait_told(process)
        ranks.send(ranks.payments(those))
        ranks.wait_consumed(process)
    assert process.stop() == 0
    assert all(record.offset > 1 for record in ranks.scores())
    late = min(r.offset for r in ranks.histograms() if r.value["partition"] == PARTITIONS - 1)
    cited = [r.value["ranks"] for r in ranks.scores() if r.value["ranks"] is not None]
    assert sum(at <= late for at in cited) > 0
    assert verify(ranks)["percentiles_proven"] == len(cited) == check_percentiles(ranks)


def test_verify_proves_percentiles_and_tells_which_compaction_took(ranks):
    users = [f"user-{n}" for n in range(USERS)]
    ranks.send([ranks.consent(user, "GRANTED") for user in users])
    process = ranks.start()
    for _ in range(6):
        ranks.send(ranks.payments(users))
        ranks.wait_consumed(process)
        ranks.wait_told(process)
    assert process.stop() == 0
    ranked = check_percentiles(ranks)
    total = verify(ranks)
    assert total["percentiles_proven"] == ranked > USERS
    assert total["histograms_proven"] == total["histograms"] == len(ranks.histograms())

    # as if the history were over: nothing that a newer histogram follows is kept
    set_topic(ranks, segment_ms=100, min_compaction_lag_ms=0, max_compaction_lag_ms=1,
              min_cleanable_dirty_ratio=0.0)
    process = ranks.start()
    before = ranks.histograms()

    def taken():
        # the segment in use is never compacted, and a new one begins with a record
        ranks.send(ranks.payments(users[:5]))
        ranks.wait_consumed(process)
        left = {record.offset for record in ranks.histograms()}
        return not any(record.offset in left for record in before[:-PARTITIONS])

    wait_until(taken, 120, "compaction to take the histograms")
    set_topic(ranks, segment_ms=3600000)
    for _ in range(6):
        ranks.send(ranks.payments(users))
        ranks.wait_consumed(process)
        ranks.wait_told(process)
    assert process.stop() == 0

    def seen():  # with nothing taken meanwhile
        left = ranks.histograms()
        total = verify(ranks)
        return (left, total) if ranks.histograms() == left else None

    left, total = wait_until(seen, 120, "compaction to come to rest")
    # of each partition one must be left below what a record cites; then the sum is the old one
    known_from = max(min(r.offset for r in left if r.value["partition"] == partition)
                     for partition in range(PARTITIONS)) + 1
    cited = [r.value["ranks"] for r in ranks.scores() if r.value["ranks"] is not None]
    assert total["proven"] == total["records"]
    assert total["percentiles_out_of_retention"] == sum(at < known_from for at in cited) > USERS
    assert total["percentiles_proven"] == sum(at >= known_from for at in cited) > 0
    assert total["histograms_proven"] == total["histograms"] == len(left)
