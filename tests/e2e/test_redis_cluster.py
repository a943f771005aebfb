"""State in a Redis Cluster: slots are moved and a master is lost, with writes that its replica never
had, while the engine runs; the outcome is that of an undisturbed run on a single Redis."""

import pytest

from accounts import check_same, committed_total, ends_total, wait_consumed
from history import History
from redis_cluster import RedisCluster
from waiting import wait_until

SLOW = {"batch": {"records_max": 100}}  # so that there is something left to disturb


@pytest.fixture
def cluster(tmp_path):
    started = RedisCluster(tmp_path)
    yield started
    started.close()


def test_slots_move_and_a_master_is_lost(bus, engine, stack, feed, prefix, cluster):
    keys = engine.config["redis"]["prefix"]
    engine.config["redis"]["url"] = cluster.url
    group = engine.config["group"]
    history = History(1000, seed=21)
    feed.send(history.consents())
    slots = [cluster.slot(keys, partition) for partition in range(4)]
    assert len({cluster.owner(slot) for slot in slots}) == 3  # they are spread
    process = engine.start("run", changes=SLOW)
    process.wait_log("partition 3: ready")

    def under_load(events):
        """More to do, of which something is done already."""
        done = committed_total(bus, group)
        feed.send(history.events(events))
        wait_consumed(bus, engine, done + events // 10, process)

    def while_half_is_gone():
        process.wait_log(f"slot {slot} is being moved to another node")

    for slot in slots[:2]:
        under_load(5000)
        source = cluster.owner(slot)
        moved = cluster.move(slot, while_half_is_gone)
        assert 66 < moved <= 130  # 64 buckets of users, as many of friends, the checkpoint, the wakes
        assert committed_total(bus, group) < ends_total(bus, engine)
        assert cluster.owner(slot) is not source
        process.wait_log(f"slot {slot} has arrived")

    lost = cluster.owner(slots[3])
    replica = cluster.cut_off(lost)
    under_load(20000)
    lost.kill()
    assert committed_total(bus, group) < ends_total(bus, engine)
    wait_until(lambda: cluster.owner(slots[3]) is replica, 30, "the replica is promoted")
    process.wait_log("restoring it from the changelog")

    cluster.move(slots[3])
    feed.send(history.events(3000))
    wait_consumed(bus, engine, ends_total(bus, engine), process)
    assert process.stop() == 0, process.tail()
    engine.drain(changes=SLOW)  # finds Redis as the last run left it

    changelog = bus.read(engine.config["topics"]["state"], decode=False)
    last = {record.key: record.value for record in changelog if record.key != "\x01"}
    assert cluster.users(keys) == {user for user, value in last.items() if value is not None}
    engine.config["redis"]["url"] = stack.redis_url
    check_same(bus, engine, prefix)
