"""The ACLs of docs/subscribing.md, on a broker that asks who is there."""

import os
import re
import subprocess

import confluent_kafka
import pytest

from bus import Bus
from engine import Engine
from feed import Feed
from play import at, consent, payment
from stack import free_port, servers
from subscriber import Subscriber, blocks, share
from waiting import wait_until

USERS = ("admin", "sesame", "lending")


def properties(user):
    """A client's, by its password."""
    return {
        "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN",
        "sasl.username": user, "sasl.password": f"{user}-secret",
    }


def jaas(user):
    return ("org.apache.kafka.common.security.plain.PlainLoginModule required "
            f'username="{user}" password="{user}-secret"')


class Broker:
    """One KRaft node with the document's properties and a listener with passwords."""

    def __init__(self, directory):
        self.directory, self.classes = directory, f"{servers()}/kafka/*"
        self.bootstrap, controller = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        [documented] = blocks("properties")
        passwords = " ".join(f'user_{user}="{user}-secret"' for user in USERS)
        config = directory / "server.properties"
        # the controllers of one process talk without passwords
        config.write_text(f"""{documented.replace("User:admin", "User:admin;User:ANONYMOUS")}
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{controller}
listeners=SASL_PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}
listener.security.protocol.map=SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=SASL_PLAINTEXT
controller.listener.names=CONTROLLER
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config={jaas("admin")} {passwords};
log.dirs={directory}/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
""")
        self._java("kafka.tools.StorageTool", "format", "-c", config, "-t", "AAAAAAAAAAAAAAAAAAAAAA")
        with open(directory / "kafka.log", "wb") as log:
            self.popen = subprocess.Popen(
                ["java", "-Xmx512m", "-cp", self.classes, "kafka.Kafka", str(config)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._acls_script()

    def _java(self, *command):
        done = subprocess.run(["java", "-Xmx128m", "-cp", self.classes, *map(str, command)],
                              capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def _acls_script(self):
        """What Kafka's own bin/ has under this name, and whom it works for."""
        script = self.directory / "kafka-acls.sh"
        script.write_text(f"#!/bin/sh\nexec java -Xmx128m -XX:TieredStopAtLevel=1 -cp '{self.classes}' "
                          'org.apache.kafka.tools.AclCommand "$@"\n')
        script.chmod(0o755)
        (self.directory / "admin.properties").write_text(
            f"security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config={jaas('admin')};\n")

    def acls(self, script):
        environment = {**os.environ, "KAFKA": self.bootstrap,
                       "PATH": f"{self.directory}:{os.environ['PATH']}"}
        done = subprocess.run(["bash", "-e", "-c", script], cwd=self.directory, env=environment,
                              capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def client(self, kind, user, **more):
        return kind({"bootstrap.servers": self.bootstrap, **properties(user), **more})

    def close(self):
        self.popen.kill()
        self.popen.wait()


@pytest.fixture
def broker(tmp_path):
    (tmp_path / "broker").mkdir()
    started = Broker(tmp_path / "broker")
    try:
        admin = started.client(confluent_kafka.admin.AdminClient, "admin")

        def answers():
            assert started.popen.poll() is None, (started.directory / "kafka.log").read_text()[-3000:]
            try:
                return admin.list_topics(timeout=1)
            except confluent_kafka.KafkaException:
                return None

        wait_until(answers, 60, "the broker answers")
        yield started
    finally:
        started.close()


def refused(broker, user, topic):
    """Who may read may also see that the topic is there: so who may not see it may not read it."""
    admin = broker.client(confluent_kafka.admin.AdminClient, user)
    error = admin.list_topics(topic, timeout=30).topics[topic].error
    assert not error or error.code() == confluent_kafka.KafkaError.TOPIC_AUTHORIZATION_FAILED, error
    return error is not None


def test_a_subscriber_reads_its_own_topic_and_the_engine_does_its_work(broker, stack, prefix, tmp_path):
    config = {
        "group": "sesame", "kafka": {"bootstrap.servers": broker.bootstrap, **properties("admin")},
        "registry": {"url": stack.registry_url},
        "redis": {"url": stack.redis_url, "prefix": prefix + "sesame"},
        "clock": {"source": "events"}, "subscribers": [{"name": "lending"}],
        "topics": {name: name for name in ("payments", "consents")},
    }
    engine, by_sesame = Engine(config, tmp_path), {"kafka": properties("sesame")}
    try:
        engine.run("topics", "create")
        engine.run("schemas", "register")
        # without ACLs nobody but the administrator may do anything
        assert engine.run("run", "--until-caught-up", changes=by_sesame, check=False).returncode == 1
        for block in blocks("sh"):
            if block.startswith("kafka-acls.sh"):
                broker.acls(block)

        bus = Bus(stack)
        bus.producer = lambda **more: broker.client(confluent_kafka.Producer, "admin",
                                                    partitioner="murmur2_random")
        feed = Feed(bus, engine)
        feed.send([consent("u", at(0)), share("u", 0), payment("u", at(1))])
        assert engine.drain(changes=by_sesame)["counted"] == 3

        seen = {topic for topic in ("payments", "consents", "scores", "scores.lending", "entitlements",
                                    "sesame-state", "sesame-neighbours", "sesame-models")
                if not refused(broker, "lending", topic)}
        assert seen == {"scores.lending"} and not refused(broker, "admin", "scores")
        # and the document's program says which line to change for passwords
        [source] = blocks("python")
        line = re.search(r"^ *# TLS and SASL go here.*$", source, re.MULTILINE).group()
        subscriber = Subscriber(stack, "scores.lending", tmp_path, bootstrap=broker.bootstrap,
                                source=source.replace(line, f"**{properties('lending')!r},"))
        subscriber.wait(lambda told: {"what": "caught up", "users": 1} in told, "caught up")
        subscriber.stop()
    finally:
        engine.close()
