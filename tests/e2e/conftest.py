"""Fixtures of the end-to-end tests.

One stack serves all of them; each test has names of its own (`prefix`), so that they share nothing
in it. A test that stops or kills a part of the stack must bring it up again.
"""

import os
import secrets
import tempfile

import pytest

import engine as engine_module
from bus import INPUTS, Bus
from feed import Feed
from redis_view import redis_delete
from stack import Stack

SKIPPED_ALL = 77  # for ctest's SKIP_RETURN_CODE


@pytest.fixture(scope="session")
def stack():
    given = os.environ.get("SESAME_STACK_DIR")
    if given:
        yield Stack(given)
        return
    with tempfile.TemporaryDirectory(prefix="sesame-e2e-") as directory:
        own = Stack(directory + "/stack")
        try:
            own.up()
            yield own
        finally:
            own.wipe()


@pytest.fixture(scope="session")
def bus(stack):
    return Bus(stack)


@pytest.fixture
def prefix():
    """Of all topics, groups and Redis keys of one test; ends with a dot."""
    return f"t{secrets.token_hex(4)}."


@pytest.fixture
def engine(stack, bus, prefix, tmp_path):
    """Runs the binary with a config for this test's names alone; deletes its topics in the end."""
    assert engine_module.BINARY.exists(), f"{engine_module.BINARY} is not built"
    config = {
        "group": prefix + "engine",
        "instance": "one",  # a second process in the group needs another
        "kafka": {"bootstrap.servers": stack.bootstrap},
        "registry": {"url": stack.registry_url},
        "redis": {"url": stack.redis_url, "prefix": prefix + "sesame"},
        # Most histories here are of past years; by the system's clock all bills would be overdue.
        "clock": {"source": "events"},
        "topics": {
            **{name: prefix + name for name in INPUTS},
            "scores": prefix + "scores",
            "entitlements": prefix + "entitlements",
            "dead_letters": prefix + "dead-letters",
            "state": prefix + "sesame-state",
            "ranks": prefix + "sesame-ranks",
            "models": prefix + "sesame-models",
            "neighbours": prefix + "sesame-neighbours",
        },
    }
    runner = engine_module.Engine(config, tmp_path)
    yield runner
    runner.close()
    # A broker with thousands of partitions is slow to start, and a test restarts it.
    own = [name for name in bus.topics() if name.startswith(prefix)]
    if own:
        bus.delete_topics(own)
    redis_delete(stack, prefix + "*")


@pytest.fixture
def feed(bus, engine):
    """An engine that is ready to run, with few enough buckets to be looked through, and its feed."""
    engine.config["redis"]["buckets"] = 64
    engine.run("topics", "create")
    engine.run("schemas", "register")
    return Feed(bus, engine)


def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    ran = any(reporter.stats.get(kind) for kind in ("passed", "failed", "error", "xfailed"))
    if exitstatus == 0 and not ran and reporter.stats.get("skipped"):
        session.exitstatus = SKIPPED_ALL
