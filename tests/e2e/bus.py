"""Kafka and the registry as other people's clients see them: confluent-kafka, with none of our code."""

from typing import Any, NamedTuple

import confluent_kafka
from confluent_kafka import IsolationLevel
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from stack import TREE
from waiting import wait_until

INPUTS = ("payments", "bills", "bookings", "social", "profiles", "consents", "blacklist")


def schema_text(name):
    """Our schema of a topic: schemas/<name>.avsc."""
    return (TREE / "schemas" / f"{name}.avsc").read_text()


class Record(NamedTuple):
    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: str | None
    value: Any  # decoded, or bytes with decode=False; None for a tombstone
    headers: dict[str, bytes]


class Bus:
    def __init__(self, stack):
        self.bootstrap = stack.bootstrap
        self.registry = SchemaRegistryClient({"url": stack.registry_url})
        self.admin = AdminClient({"bootstrap.servers": self.bootstrap})
        self._serializers = {}
        self._deserializer = AvroDeserializer(self.registry)

    # -- topics and schemas

    def create_topics(self, names, partitions=4, **config):
        """Topics with a config such as cleanup__policy="compact" (dots as double underscores)."""
        settings = {key.replace("__", "."): str(value) for key, value in config.items()}
        topics = [NewTopic(name, partitions, 1, config=settings) for name in names]
        for future in self.admin.create_topics(topics).values():
            future.result(30)

    def delete_topics(self, names):
        for future in self.admin.delete_topics(list(names)).values():
            future.result(30)

    def topics(self):
        """Partition counts by topic."""
        found = self.admin.list_topics(timeout=30).topics
        return {name: len(topic.partitions) for name, topic in found.items()}

    def topic_config(self, name):
        resource = confluent_kafka.admin.ConfigResource("topic", name)
        found = self.admin.describe_configs([resource])[resource].result(30)
        return {key: entry.value for key, entry in found.items()}

    def register(self, topic, schema, compatibility=None):
        """Registers a schema (text) for a topic's values and returns its id."""
        subject = f"{topic}-value"
        if compatibility:
            self.registry.set_compatibility(subject, compatibility)
        return self.registry.register_schema(subject, Schema(schema, "AVRO"))

    # -- producing

    def producer(self, **config):
        """A producer whose partitioner is Kafka's, as every producer to sesame must set it."""
        settings = {key.replace("_", "."): value for key, value in config.items()}
        return confluent_kafka.Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "partitioner": "murmur2_random",
                "message.max.bytes": 12 * 1024 * 1024,
                "linger.ms": 5,
                **settings,
            }
        )

    def encode(self, topic, schema, value):
        """A value in the wire format; registers the schema (text) under the topic's subject."""
        serializer = self._serializers.get((topic, schema))
        if serializer is None:
            serializer = AvroSerializer(self.registry, schema)
            self._serializers[topic, schema] = serializer
        return serializer(value, SerializationContext(topic, MessageField.VALUE))

    def produce(self, topic, records, schema=None, producer=None, **message):
        """Produces (key, value) pairs and waits for all of them.

        Values are dicts, encoded by `schema`, or bytes and None, sent as they are. `message` goes to
        confluent_kafka's produce(): partition, timestamp, headers. Returns (partition, offset) of each.
        """
        own = producer is None
        producer = producer or self.producer()
        done, failed = [], []

        def delivered(error, sent):
            if error:
                failed.append(error)
            else:
                done.append((sent.partition(), sent.offset()))

        for key, value in records:
            if isinstance(value, dict):
                value = self.encode(topic, schema, value)
            while True:
                try:
                    producer.produce(topic, value, key, on_delivery=delivered, **message)
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        if own:
            left = producer.flush(60)
            assert left == 0 and not failed, f"{left} not delivered to {topic}, failed: {failed[:3]}"
        return done

    # -- consuming

    def read(self, topic, decode=True, isolation="read_committed", seconds=60):
        """All records of a topic up to its end, in order within each partition.

        The end is that of the log: a transaction whose markers are still on their way when its
        commit returns is waited for, although a committed reader would be told of an end before it.
        """
        settings = {
            "bootstrap.servers": self.bootstrap,
            "group.id": "e2e-reader",  # required, never joined
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "isolation.level": isolation,
            "fetch.wait.max.ms": 10,
        }
        consumer = confluent_kafka.Consumer(settings)
        records = []
        try:
            ends = self.ends(topic)
            open_partitions = set(ends)
            consumer.assign(
                [
                    confluent_kafka.TopicPartition(topic, p, confluent_kafka.OFFSET_BEGINNING)
                    for p in open_partitions
                ]
            )
            while open_partitions:
                message = consumer.poll(seconds)
                assert message is not None, f"{topic} was not read to its end in {seconds} s"
                if message.error():
                    eof = confluent_kafka.KafkaError._PARTITION_EOF
                    assert message.error().code() == eof, message.error()
                    if message.offset() >= ends[message.partition()]:
                        open_partitions.discard(message.partition())
                else:
                    record = self._record(message)
                    records.append(self.decode(record) if decode else record)
        finally:
            consumer.close()
        return records

    @staticmethod
    def _record(message):
        key = message.key()
        return Record(
            message.topic(),
            message.partition(),
            message.offset(),
            message.timestamp()[1],
            None if key is None else key.decode("utf-8", "surrogateescape"),
            message.value(),
            dict(message.headers() or []),
        )

    def decode(self, record):
        """A record that was read with decode=False, its value decoded by their deserializer."""
        if record.value is None:
            return record
        context = SerializationContext(record.topic, MessageField.VALUE)
        return record._replace(value=self._deserializer(record.value, context))

    def ends(self, topic, isolation=IsolationLevel.READ_UNCOMMITTED):
        """End offset (the next one to be written, markers included) of each partition; with
        READ_COMMITTED the last stable one, which is before it while a transaction is open."""
        return wait_until(lambda: self._ends(topic, isolation), 30, f"the end offsets of {topic}")

    def _ends(self, topic, isolation):
        """None while the leader of a new partition does not know of its office yet."""
        partitions = self.admin.list_topics(topic, timeout=30).topics[topic].partitions
        asked = {confluent_kafka.TopicPartition(topic, p): OffsetSpec.latest() for p in partitions}
        found = {}
        for part, future in self.admin.list_offsets(asked, isolation_level=isolation).items():
            try:
                found[part.partition] = future.result(30).offset
            except confluent_kafka.KafkaException as failure:
                unknown = confluent_kafka.KafkaError.UNKNOWN_TOPIC_OR_PART
                moved = confluent_kafka.KafkaError.NOT_LEADER_FOR_PARTITION
                assert failure.args[0].code() in (moved, unknown), failure
                return None
        return found

    def committed(self, group, topic):
        """The group's committed (next) offset of each partition that has one.

        Asked by a consumer that never joins: the admin client's own call has crashed on a Kafka so new
        that it has no offsets topic yet."""
        settings = {"bootstrap.servers": self.bootstrap, "group.id": group}
        consumer = confluent_kafka.Consumer(settings)
        try:
            known = consumer.list_topics(topic, timeout=30).topics[topic].partitions
            asked = [confluent_kafka.TopicPartition(topic, p) for p in known]
            found = consumer.committed(asked, timeout=30)
        finally:
            consumer.close()
        return {part.partition: part.offset for part in found if part.offset >= 0}
