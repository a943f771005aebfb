/* bare_read.c - what librdkafka alone costs to read topics once: the floor of a replay from Kafka.
 *
 *   bare_read -b BROKERS [-X NAME=VALUE…] TOPIC…
 *
 * Reads all partitions of the topics from their beginning to their end, read_committed, in batches
 * from one queue, by no group, looks at each record's size and gives it back. Prints one line of
 * JSON; CPU seconds are those of all threads.
 */
#include "bench/spent.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 512, WAIT_MS = 20, METADATA_MS = 30000 };

_Noreturn static void die(const char *what, const char *why)
{
    fprintf(stderr, "bare_read: %s: %s\n", what, why);
    exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK)
        die(name, text);
}

/* All partitions of a topic into the queue; how many there are. */
static int start(rd_kafka_t *handle, const char *name, rd_kafka_queue_t *queue)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(handle, name, NULL);
    if (!topic || rd_kafka_metadata(handle, 0, topic, &metadata, METADATA_MS))
        die(name, rd_kafka_err2str(rd_kafka_last_error()));
    const int count = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    for (int32_t p = 0; p < count; p++)
        if (rd_kafka_consume_start_queue(topic, p, RD_KAFKA_OFFSET_BEGINNING, queue) != 0)
            die(name, rd_kafka_err2str(rd_kafka_last_error()));
    return count; /* the topic goes with the process */
}

int main(int argc, char **argv)
{
    static rd_kafka_message_t *batch[BATCH];
    long long records = 0, bytes = 0;
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "isolation.level", "read_committed");
    set(conf, "enable.partition.eof", "true");
    for (int letter; (letter = getopt(argc, argv, "b:X:")) != -1;) {
        char name[128];
        const char *value;
        if (letter == 'b') {
            set(conf, "bootstrap.servers", optarg);
        } else if (letter == 'X' && sscanf(optarg, "%127[^=]", name) == 1 &&
                   (value = optarg + strlen(name))[0] == '=') {
            set(conf, name, value + 1);
        } else {
            return 2;
        }
    }
    const double began = wall(), cpu_before = cpu();
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (!handle)
        die("librdkafka", text);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    int left = 0;
    for (int i = optind; i < argc; i++)
        left += start(handle, argv[i], queue);
    while (left > 0) {
        const ssize_t got = rd_kafka_consume_batch_queue(queue, WAIT_MS, batch, BATCH);
        for (ssize_t i = 0; i < got; i++) {
            if (batch[i]->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
                left--;
            else if (batch[i]->err)
                die("reading", rd_kafka_message_errstr(batch[i]));
            else
                records++, bytes += (long long)(batch[i]->len + batch[i]->key_len);
            rd_kafka_message_destroy(batch[i]);
        }
    }
    const double seconds = wall() - began, used = cpu() - cpu_before;
    printf("{\"kind\": \"bare read\", \"records\": %lld, \"bytes\": %lld, \"seconds\": %.2f, "
           "\"cpu_seconds\": %.2f, \"records_per_s\": %.0f, \"records_per_cpu_s\": %.0f}\n",
           records, bytes, seconds, used, (double)records / seconds, (double)records / used);
    return 0;
}
