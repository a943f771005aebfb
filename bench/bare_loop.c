/* bare_loop.c - what librdkafka alone costs: consume, transform, produce, exactly once.
 *
 *   bare_loop -b BROKERS -g GROUP -o TOPIC:RATE:BYTES… [-w WORKERS] [-n RECORDS] [-f BYTES]
 *             [-X NAME=VALUE…] INPUT…
 *
 * Reads the inputs from their beginning to their end with the fetch settings, batches and
 * transactions of consumer/kafka_*.c, and for each record read writes RATE records of BYTES (key
 * included) to TOPIC, in the partition and with the key that it was read with. Nothing is decoded
 * and no state is kept, so this bounds from below what any engine on librdkafka can cost. Prints
 * one line of JSON.
 *
 * Threads: a worker each, with a consumer and a transactional producer of its own. The main thread
 * lets the records flow once the group has settled, so that no transaction meets a rebalance and
 * any error can end the process.
 */
#include "bench/spent.h"

#include <assert.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OUTPUTS_MAX = 8, PROPERTIES_MAX = 32, WORKERS_MAX = 64, TIMEOUT_MS = 30000 };

struct output {
    const char *topic;
    double rate; /* records for each one read */
    size_t bytes;
};

static struct {
    const char *brokers, *group;
    struct output outputs[OUTPUTS_MAX];
    int output_count;
    const char *properties[PROPERTIES_MAX]; /* NAME=VALUE */
    int property_count;
    int workers, records_max;
    long fetch_bytes;
    char **inputs;
    int input_count;
} options = {.workers = 1, .records_max = 10000, .fetch_bytes = 64 << 20};

struct worker {
    int index;
    pthread_t thread;
    rd_kafka_t *consumer, *producer;
    rd_kafka_queue_t *queue;
    rd_kafka_topic_t *topics[OUTPUTS_MAX];
    double due[OUTPUTS_MAX];                 /* records owed to each output */
    rd_kafka_topic_partition_list_t *mine;   /* as the group assigned */
    rd_kafka_topic_partition_list_t *passed; /* offsets of the batch in hand */
    uint8_t *filler;
    bool flowing;
    atomic_int assigned, at_end; /* partitions */
    int64_t events, input_bytes, produced, produced_bytes, transactions;
    double first, last; /* when the first batch came, when the last commit was through */
};

static atomic_bool go, stop;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bare_loop: %s: %s\n", what, why);
    _exit(1);
}

static void check(rd_kafka_error_t *error, const char *what)
{
    if (error)
        die(what, rd_kafka_error_string(error));
}

/* --- clients --- */

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char reason[256];
    if (rd_kafka_conf_set(conf, name, value, reason, sizeof reason) != RD_KAFKA_CONF_OK)
        die(name, reason);
}

static void set_number(rd_kafka_conf_t *conf, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    set(conf, name, text);
}

static rd_kafka_conf_t *conf_new(struct worker *worker)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_opaque(conf, worker);
    set(conf, "bootstrap.servers", options.brokers);
    set(conf, "socket.nagle.disable", "true");
    return conf;
}

static void set_given(rd_kafka_conf_t *conf)
{
    for (int i = 0; i < options.property_count; i++) {
        char name[128];
        const char *equals = strchr(options.properties[i], '=');
        if (!equals)
            die(options.properties[i], "write NAME=VALUE");
        snprintf(name, sizeof name, "%.*s", (int)(equals - options.properties[i]),
                 options.properties[i]);
        set(conf, name, equals + 1);
    }
}

static rd_kafka_t *client_open(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
    char reason[256];
    rd_kafka_t *client = rd_kafka_new(type, conf, reason, sizeof reason);
    if (!client)
        die("client", reason);
    return client;
}

/* Nothing is fetched before `go`: till then another member may join and take partitions away. */
static void on_rebalance(rd_kafka_t *consumer, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct worker *worker = opaque;
    if (worker->flowing)
        die("group", "rebalanced in the middle of the run");
    if (worker->mine)
        rd_kafka_topic_partition_list_destroy(worker->mine);
    bool given = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    worker->mine = given ? rd_kafka_topic_partition_list_copy(list) : NULL;
    rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(0);
    rd_kafka_assign(consumer, given ? none : NULL);
    rd_kafka_topic_partition_list_destroy(none);
    atomic_store(&worker->assigned, given ? list->cnt : 0);
}

/* The settings of fetcher_conf() in consumer/kafka_client.c. */
static void consumer_open(struct worker *worker)
{
    rd_kafka_conf_t *conf = conf_new(worker);
    int64_t part = options.fetch_bytes / 4;
    int64_t response = part < 1000000 ? 1000000 : part > 100000000 ? 100000000 : part;
    set_number(conf, "queued.max.messages.kbytes", part / 1024 < 64 ? 64 : part / 1024);
    set_number(conf, "queued.min.messages", part / 256 < 1000 ? 1000 : part / 256);
    set_number(conf, "fetch.max.bytes", response);
    set_number(conf, "max.partition.fetch.bytes", response / 4);
    set(conf, "fetch.wait.max.ms", "20");
    set(conf, "fetch.error.backoff.ms", "100");
#if RD_KAFKA_VERSION >= 0x020200ff
    set(conf, "fetch.queue.backoff.ms", "20");
#endif
    set(conf, "group.id", options.group);
    set(conf, "partition.assignment.strategy", "range");
    set(conf, "enable.auto.commit", "false");
    set(conf, "enable.auto.offset.store", "false");
    set(conf, "enable.partition.eof", "true");
    set(conf, "auto.offset.reset", "earliest");
    set(conf, "isolation.level", "read_committed");
    set_given(conf);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    worker->consumer = client_open(RD_KAFKA_CONSUMER, conf);
    rd_kafka_poll_set_consumer(worker->consumer);
    worker->queue = rd_kafka_queue_get_consumer(worker->consumer);
    rd_kafka_topic_partition_list_t *topics =
        rd_kafka_topic_partition_list_new(options.input_count);
    for (int i = 0; i < options.input_count; i++)
        rd_kafka_topic_partition_list_add(topics, options.inputs[i], RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(worker->consumer, topics);
    if (code)
        die("subscribe", rd_kafka_err2str(code));
    rd_kafka_topic_partition_list_destroy(topics);
}

static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
    (void)producer;
    (void)opaque;
    if (message->err)
        die("delivery", rd_kafka_err2str(message->err));
}

/* The settings of producer_conf() in consumer/kafka_transaction.c. */
static void producer_open(struct worker *worker)
{
    rd_kafka_conf_t *conf = conf_new(worker);
    char id[192];
    snprintf(id, sizeof id, "%s-%d", options.group, worker->index);
    set(conf, "linger.ms", "5");
    set(conf, "queue.buffering.max.messages", "1000000");
    set(conf, "queue.buffering.max.kbytes", "32768");
    set(conf, "message.max.bytes", "11534336");
    set(conf, "transactional.id", id);
    set(conf, "transaction.timeout.ms", "10000");
    set_given(conf);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    worker->producer = client_open(RD_KAFKA_PRODUCER, conf);
    check(rd_kafka_init_transactions(worker->producer, TIMEOUT_MS), "init_transactions");
    for (int i = 0; i < options.output_count; i++)
        worker->topics[i] = rd_kafka_topic_new(worker->producer, options.outputs[i].topic, NULL);
}

/* --- the loop --- */

static void produce(struct worker *worker, int i, const rd_kafka_message_t *input)
{
    const struct output *output = &options.outputs[i];
    size_t size = output->bytes > input->key_len ? output->bytes - input->key_len : 0;
    while (rd_kafka_produce(worker->topics[i], input->partition, RD_KAFKA_MSG_F_COPY,
                            worker->filler, size, input->key, input->key_len, NULL) != 0) {
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            die("produce", rd_kafka_err2str(rd_kafka_last_error()));
        rd_kafka_poll(worker->producer, 10);
    }
    worker->produced_bytes += (int64_t)(size + input->key_len);
    if (++worker->produced % 5000 == 0)
        rd_kafka_poll(worker->producer, 0);
}

static void note_offset(struct worker *worker, const rd_kafka_message_t *message)
{
    const char *topic = rd_kafka_topic_name(message->rkt);
    rd_kafka_topic_partition_list_t *passed = worker->passed;
    /* runs of one partition are long */
    rd_kafka_topic_partition_t *at = passed->cnt ? &passed->elems[passed->cnt - 1] : NULL;
    if (!at || at->partition != message->partition || strcmp(at->topic, topic) != 0)
        at = rd_kafka_topic_partition_list_find(passed, topic, message->partition);
    if (!at)
        at = rd_kafka_topic_partition_list_add(passed, topic, message->partition);
    at->offset = message->offset + 1;
}

static void take(struct worker *worker, const rd_kafka_message_t *message)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        atomic_fetch_add(&worker->at_end, 1);
        return;
    }
    if (message->err)
        die("consume", rd_kafka_message_errstr(message));
    if (worker->events++ == 0)
        worker->first = wall();
    worker->input_bytes += (int64_t)(message->key_len + message->len);
    for (int i = 0; i < options.output_count; i++) {
        worker->due[i] += options.outputs[i].rate;
        for (; worker->due[i] >= 1; worker->due[i]--)
            produce(worker, i, message);
    }
    note_offset(worker, message);
}

static void transact(struct worker *worker, rd_kafka_message_t **messages, ssize_t count)
{
    check(rd_kafka_begin_transaction(worker->producer), "begin_transaction");
    worker->passed->cnt = 0;
    for (ssize_t i = 0; i < count; i++)
        take(worker, messages[i]);
    rd_kafka_resp_err_t code = rd_kafka_flush(worker->producer, TIMEOUT_MS);
    if (code)
        die("flush", rd_kafka_err2str(code));
    if (worker->passed->cnt > 0) {
        rd_kafka_consumer_group_metadata_t *group =
            rd_kafka_consumer_group_metadata(worker->consumer);
        check(rd_kafka_send_offsets_to_transaction(worker->producer, worker->passed, group,
                                                   TIMEOUT_MS),
              "send_offsets_to_transaction");
        rd_kafka_consumer_group_metadata_destroy(group);
        worker->transactions++;
    }
    check(rd_kafka_commit_transaction(worker->producer, TIMEOUT_MS), "commit_transaction");
    if (worker->passed->cnt > 0)
        worker->last = wall();
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    const size_t records_max = (size_t)options.records_max;
    rd_kafka_message_t **messages = calloc(records_max, sizeof *messages);
    if (!messages)
        die("worker", "out of memory");
    worker->passed = rd_kafka_topic_partition_list_new(64);
    producer_open(worker);
    consumer_open(worker);
    while (!atomic_load(&stop)) {
        if (!worker->flowing && atomic_load(&go)) {
            worker->flowing = true;
            if (worker->mine && rd_kafka_assign(worker->consumer, worker->mine))
                die("assign", "refused");
        }
        ssize_t count = rd_kafka_consume_batch_queue(worker->queue, 0, messages, records_max);
        if (count <= 0)
            count = rd_kafka_consume_batch_queue(worker->queue, 5, messages, records_max);
        if (count <= 0)
            continue;
        transact(worker, messages, count);
        for (ssize_t i = 0; i < count; i++)
            rd_kafka_message_destroy(messages[i]);
    }
    worker->flowing = false; /* leaving is a rebalance too */
    rd_kafka_topic_partition_list_destroy(worker->passed);
    for (int i = 0; i < options.output_count; i++)
        rd_kafka_topic_destroy(worker->topics[i]);
    rd_kafka_destroy(worker->producer);
    rd_kafka_queue_destroy(worker->queue);
    rd_kafka_consumer_close(worker->consumer);
    rd_kafka_destroy(worker->consumer);
    if (worker->mine)
        rd_kafka_topic_partition_list_destroy(worker->mine);
    free(messages);
    return NULL;
}

/* --- the whole --- */

static int partitions_of_inputs(const struct worker *worker)
{
    const struct rd_kafka_metadata *metadata;
    int count = 0;
    rd_kafka_resp_err_t code = rd_kafka_metadata(worker->producer, 1, NULL, &metadata, TIMEOUT_MS);
    if (code)
        die("metadata", rd_kafka_err2str(code));
    for (int t = 0; t < metadata->topic_cnt; t++)
        for (int i = 0; i < options.input_count; i++)
            if (strcmp(metadata->topics[t].topic, options.inputs[i]) == 0)
                count += metadata->topics[t].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    return count;
}

static void wait_for(struct worker *workers, int partitions, bool flowing)
{
    double deadline = wall() + 120;
    for (;;) {
        int sum = 0, holders = 0;
        for (int i = 0; i < options.workers; i++) {
            sum += atomic_load(flowing ? &workers[i].at_end : &workers[i].assigned);
            holders += atomic_load(&workers[i].assigned) > 0;
        }
        /* Each has some: then all have joined, and the group is settled. */
        if (sum == partitions && holders == options.workers)
            return;
        if (!flowing && wall() > deadline)
            die("group", "did not settle (more workers than partitions?)");
        nanosleep(&(struct timespec){0, 5 * 1000000L}, NULL);
    }
}

static void report(const struct worker *workers, double started)
{
    struct worker sum = {0};
    struct rusage usage;
    double first = 0, last = 0;
    for (int i = 0; i < options.workers; i++) {
        const struct worker *worker = &workers[i];
        sum.events += worker->events;
        sum.input_bytes += worker->input_bytes;
        sum.produced += worker->produced;
        sum.produced_bytes += worker->produced_bytes;
        sum.transactions += worker->transactions;
        if (worker->events && (first == 0 || worker->first < first))
            first = worker->first;
        if (worker->last > last)
            last = worker->last;
    }
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"events\": %" PRId64 ", \"input_bytes\": %" PRId64 ", \"produced\": %" PRId64
           ", \"produced_bytes\": %" PRId64 ", \"transactions\": %" PRId64
           ", \"seconds\": %.3f, \"flow_seconds\": %.3f, \"cpu_user\": %ld.%03ld, "
           "\"cpu_system\": %ld.%03ld, \"librdkafka\": \"%s\"}\n",
           sum.events, sum.input_bytes, sum.produced, sum.produced_bytes, sum.transactions,
           wall() - started, last - first, (long)usage.ru_utime.tv_sec,
           (long)usage.ru_utime.tv_usec / 1000, (long)usage.ru_stime.tv_sec,
           (long)usage.ru_stime.tv_usec / 1000, rd_kafka_version_str());
}

static struct output output_parse(char *text)
{
    struct output output = {.topic = text};
    char *bytes = strrchr(text, ':'), *rate = NULL;
    if (bytes) {
        *bytes++ = '\0';
        rate = strrchr(text, ':');
    }
    if (!rate)
        die(text, "write TOPIC:RATE:BYTES");
    *rate++ = '\0';
    output.rate = strtod(rate, NULL);
    output.bytes = (size_t)strtoul(bytes, NULL, 10);
    if (output.bytes > 1 << 20)
        die(text, "at most 1 MiB");
    return output;
}

static void parse(int argc, char **argv)
{
    int letter;
    while ((letter = getopt(argc, argv, "b:g:o:w:n:f:X:")) != -1) {
        switch (letter) {
        case 'b':
            options.brokers = optarg;
            break;
        case 'g':
            options.group = optarg;
            break;
        case 'o':
            if (options.output_count == OUTPUTS_MAX)
                die("-o", "too many");
            options.outputs[options.output_count++] = output_parse(optarg);
            break;
        case 'w':
            options.workers = atoi(optarg);
            break;
        case 'n':
            options.records_max = atoi(optarg);
            break;
        case 'f':
            options.fetch_bytes = atol(optarg);
            break;
        case 'X':
            if (options.property_count == PROPERTIES_MAX)
                die("-X", "too many");
            options.properties[options.property_count++] = optarg;
            break;
        default:
            exit(2);
        }
    }
    options.inputs = argv + optind;
    options.input_count = argc - optind;
    if (!options.brokers || !options.group || options.input_count == 0 || options.workers < 1 ||
        options.workers > WORKERS_MAX || options.records_max < 1 || options.fetch_bytes < 1)
        die("usage", "bare_loop -b BROKERS -g GROUP -o TOPIC:RATE:BYTES… [-w WORKERS] "
                     "[-n RECORDS] [-f BYTES] [-X NAME=VALUE…] INPUT…");
}

int main(int argc, char **argv)
{
    static struct worker workers[WORKERS_MAX];
    double started = wall();
    size_t bytes_max = 1;

    parse(argc, argv);
    for (int i = 0; i < options.output_count; i++)
        if (options.outputs[i].bytes > bytes_max)
            bytes_max = options.outputs[i].bytes;
    for (int i = 0; i < options.workers; i++) {
        workers[i].index = i;
        workers[i].filler = malloc(bytes_max);
        if (!workers[i].filler)
            die("worker", "out of memory");
        for (size_t b = 0; b < bytes_max; b++)
            workers[i].filler[b] = (uint8_t)(b * 131 + 7);
        if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]))
            die("worker", "no thread");
    }
    int partitions = 0;
    {
        struct worker probe = {0};
        rd_kafka_conf_t *conf = conf_new(&probe);
        set_given(conf);
        probe.producer = client_open(RD_KAFKA_PRODUCER, conf);
        partitions = partitions_of_inputs(&probe);
        rd_kafka_destroy(probe.producer);
    }
    wait_for(workers, partitions, false);
    atomic_store(&go, true);
    wait_for(workers, partitions, true);
    atomic_store(&stop, true);
    for (int i = 0; i < options.workers; i++) {
        pthread_join(workers[i].thread, NULL);
        free(workers[i].filler);
    }
    report(workers, started);
    return 0;
}
