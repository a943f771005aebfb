"""Retention over an idle tail: in an input that a transactional producer writes to, the last thing is a
marker, no record. Where retention takes all of it while nothing new comes, nothing was lost, and the
engine goes on; a record that it takes unread is a loss, and stops the engine until it is told to go on."""

import confluent_kafka
import pytest
from confluent_kafka import IsolationLevel

from bus import INPUTS
from engine import Accounted
from play import Play, at, consent, event, payment
from waiting import wait_until


class Transactional(Play):
    """Every send is a transaction."""

    def __init__(self, bus, engine, stack, prefix):
        super().__init__(bus, engine, stack)
        self.topics = engine.config["topics"]
        self.producer = bus.producer(transactional_id=prefix + "upstream")
        self.producer.init_transactions(30)

    def send(self, *events):
        self.producer.begin_transaction()
        for name, value in events:
            self.bus.produce(self.topics[name], [(value["user_id"], self.feed.encode(name, value))],
                             producer=self.producer)
        self.producer.commit_transaction(30)
        # the commit is told of before its markers are in the logs
        for topic in {self.topics[name] for name, _ in events}:
            wait_until(lambda topic=topic: self.is_stable(topic), 30, f"the markers of {topic}")

    def is_stable(self, topic):
        return self.bus.ends(topic) == self.bus.ends(topic, IsolationLevel.READ_COMMITTED)

    def uncommitted(self):
        """(input, partition) -> what the group has committed, and where the log ends, where they
        differ. A partition of which nothing was read has no offset."""
        found = {}
        for name in (*INPUTS, "neighbours"):
            ends = self.bus.ends(self.topics[name])
            committed = self.bus.committed(self.engine.config["group"], self.topics[name])
            found.update({(name, p): (offset, ends[p]) for p, offset in committed.items()
                          if offset != ends[p]})
        return found

    def cut(self):
        """What retention does, at once: all that there is of the inputs."""
        asked = [confluent_kafka.TopicPartition(self.topics[name], p, end)
                 for name in (*INPUTS, "neighbours")
                 for p, end in self.bus.ends(self.topics[name]).items() if end > 0]
        for future in self.bus.admin.delete_records(asked).values():
            future.result(30)


@pytest.fixture
def play(bus, engine, stack, prefix):
    return Transactional(bus, engine, stack, prefix)


def friends(*users):
    for user in users:
        yield consent(user, at(0))
        yield consent(user, at(0), purpose="SOCIAL")
        for other in users:
            if other != user:
                yield event("social", user, at(1), action="FRIEND_ADDED", friend_id=other)
        yield payment(user, at(2))


def test_an_idle_tail_of_markers_may_be_cut(play):
    play.send(*friends("ada", "ben", "cleo"))
    counts = play.drain()
    assert counts["consumed"] == counts["counted"] >= 15

    def settled():
        """What friends are told is read by the next run, and may lead to more."""
        play.drain()
        return not play.uncommitted()

    wait_until(settled, 120, lambda: f"all to be committed: {play.uncommitted()}")
    assert any(play.bus.ends(play.topics["neighbours"]).values()), "or it is not shown for these"
    play.cut()

    again = play.engine.run("run", "--until-caught-up")
    assert Accounted.of(again.stdout)["consumed"] == 0
    before = len(play.scores())
    play.send(payment("ada", at(3), 900000), payment("ben", at(3), 900000))
    counts = play.drain()
    assert counts["consumed"] >= counts["counted"] >= 2
    assert len(play.scores()) > before


def test_what_was_never_read_stops_the_engine_until_it_is_told_to_go_on(play):
    play.send(consent("ada", at(0)), payment("ada", at(2)))
    assert play.drain()["counted"] == 2
    play.send(payment("ada", at(3)))
    play.cut()
    stopped = play.engine.run("run", "--until-caught-up", check=False)
    text = stopped.stdout + stopped.stderr
    assert stopped.returncode != 0
    assert "retention cut off up to 2 records that were never read" in text, text[-2000:]
    topic = play.topics["payments"]
    (partition, end), = [(p, end) for p, end in play.bus.ends(topic).items() if end > 0]
    group = play.engine.config["group"]
    assert f"--group {group} --topic {topic}:{partition} --reset-offsets --to-earliest" in text

    # what that command does, once the broker has noticed that the engine is gone
    start = confluent_kafka.TopicPartition(topic, partition, end)
    asked = confluent_kafka.ConsumerGroupTopicPartitions(group, [start])

    def reset():
        try:
            future, = play.bus.admin.alter_consumer_group_offsets([asked]).values()
            return not any(one.error for one in future.result(30).topic_partitions)
        except confluent_kafka.KafkaException:
            return None

    wait_until(reset, 90, f"the offset of {group} to be reset")
    play.send(payment("ada", at(4)))
    again = play.engine.run("run", "--until-caught-up")
    assert "going on without what retention took in between" in again.stdout + again.stderr
    assert Accounted.of(again.stdout)["counted"] == 1
