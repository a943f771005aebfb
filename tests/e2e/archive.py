"""Topics as Kafka Connect's file sinks archive them."""

import json

import fastavro

from bus import schema_text


def connect_schema(name):
    """What AvroConverter and InsertField make of our schema: enums become strings, and the record
    tells its place."""
    schema = json.loads(schema_text(name))
    for field in schema["fields"]:
        if isinstance(field["type"], dict) and field["type"]["type"] == "enum":
            field["type"] = "string"
            field.pop("default", None)
        field.pop("doc", None)
    schema["name"], schema["namespace"] = "ConnectDefault", "io.confluent.connect.avro"
    for added, kind in (("kafka_partition", "int"), ("kafka_offset", "long"), ("kafka_timestamp", "long")):
        schema["fields"].append({"name": added, "type": ["null", kind], "default": None})
    return fastavro.parse_schema(schema)


def archive(bus, engine, names, directory, file_records=500):
    """The topics as a sink would write them; what cannot be decoded is left out."""
    for name in names:
        topic = engine.config["topics"][name]
        parts = {}
        for record in bus.read(topic, decode=False):
            if record.value[:1] == b"\0":
                value = bus.decode(record).value
                place = {"kafka_partition": record.partition, "kafka_offset": record.offset,
                         "kafka_timestamp": record.timestamp_ms}
                parts.setdefault(record.partition, []).append({**value, **place})
        for partition, records in parts.items():
            folder = directory / topic / f"partition={partition}"
            folder.mkdir(parents=True)
            for i in range(0, len(records), file_records):
                some = records[i : i + file_records]
                path = folder / f"{topic}+{partition}+{some[0]['kafka_offset']:010}.avro"
                with path.open("wb") as file:
                    fastavro.writer(file, connect_schema(name), some, codec="deflate")
