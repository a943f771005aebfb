"""Events as bytes: an Avro encoder of the contract's schemas, for where no other is installed."""

import struct
import sys

from notation import TREE, schema_of

sys.path.insert(0, str(TREE / "tests" / "e2e"))
from partitioner import murmur2_partition  # noqa: E402  pylint: disable=wrong-import-position

UNREADABLE = b"\x00\xff\xff\xff\xffnot a value of anybody's schema"


def number(value):
    value = value << 1 ^ value >> 63
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def text(value):
    data = value.encode()
    return number(len(data)) + data


def encode(schema, value):
    """A value of a schema in Avro's binary form; missing fields take the schema's defaults."""
    if isinstance(schema, list):
        branch = 0 if value is None else next(i for i, each in enumerate(schema) if each != "null")
        return number(branch) + encode(schema[branch], value)
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "record":
        return b"".join(
            encode(field["type"], value[field["name"]] if field["name"] in value
                   else field["default"])
            for field in schema["fields"]
        )
    if kind == "enum":
        return number(schema["symbols"].index(value))
    if kind == "null":
        return b""
    return {"string": text, "long": number}[kind](value)


SCHEMAS = {}


def message(topic, schema_id, value):
    """The same in the Confluent wire format."""
    if topic not in SCHEMAS:
        SCHEMAS[topic] = schema_of(topic)
    return struct.pack(">bI", 0, schema_id) + encode(SCHEMAS[topic], value)


class Cast:
    """The users of one scenario, each with an id that belongs to one of its partitions."""

    def __init__(self, scenario, lanes, partitions):
        self.lanes, self.partitions = lanes, partitions
        self.ids = {}
        for name in scenario.users():
            lane = lanes[1] if name in scenario.elsewhere else lanes[0]
            candidates = (f"{name}-{n}" for n in range(1, 1 << 20))
            self.ids[name] = next(c for c in candidates if murmur2_partition(c, partitions) == lane)
        self.names = {id: name for name, id in self.ids.items()}

    def value(self, event):
        """The event's value with the ids of its users, and friends where they are of the cast."""
        value = {"user_id": self.ids[event.user], **event.value}
        if "friend_id" in value:
            value["friend_id"] = self.ids.get(value["friend_id"], value["friend_id"])
        return value

    def place(self, event):
        """The record's key and partition."""
        user = self.ids[event.user]
        lane = murmur2_partition(user, self.partitions)
        if "misrouted" in event.flags:
            lane = next(each for each in self.lanes if each != lane)
        return None if "no-key" in event.flags else user, lane
