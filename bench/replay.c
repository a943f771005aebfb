/* replay.c - what a replay costs per event: logs from files, or from Kafka, up to the final scores.
 *
 *   replay DIR [THREADS]             the logs of a directory (`sesame generate --files`), folded
 *   replay -b BROKERS [THREADS]      the topics of a broker with the registry of -r URL
 *   replay -n …                      reads, decodes and merges only
 *   replay -s …                      final scores and nothing on the way
 *
 * Prints one line of JSON. CPU seconds are those of all threads, librdkafka's included.
 */
#include "audit/replay.h"
#include "audit/source_merge.h"
#include "bench/spent.h"
#include "schemas/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void die(const struct ss_error *err)
{
    fprintf(stderr, "replay: %s\n", err->detail);
    exit(1);
}

static int64_t read_only(struct ss_source *source)
{
    struct ss_error err;
    int64_t events = 0;
    for (int32_t p = 0; p < ss_source_partition_count(source); p++) {
        const struct ss_merge_config config = {
            .source = source, .puller = {.partition = p}, .until_ms = INT64_MAX};
        const struct ss_source_event *event;
        struct ss_merge *merge;
        if (ss_merge_open(&config, &merge, &err) != SS_OK)
            die(&err);
        for (;; events++) {
            if (ss_merge_next(merge, &event, &err) != SS_OK)
                die(&err);
            if (!event)
                break;
        }
        ss_merge_close(merge);
    }
    return events;
}

static int64_t fold(struct ss_source *source, int threads, bool scores_only)
{
    static atomic_bool stop;
    const struct ss_replay_options options = {.source = source,
                                              .until_ms = INT64_MAX,
                                              .future_tolerance_ms = 86400000,
                                              .threads = threads,
                                              .scores_only = scores_only,
                                              .stop = &stop};
    struct ss_worker_stats stats;
    struct ss_error err;
    int64_t users, events = 0;
    if (ss_replay_run(&options, &stats, &users, &err) != SS_OK)
        die(&err);
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        events += stats.counts[i].consumed;
    return events;
}

int main(int argc, char **argv)
{
    struct ss_kafka_access access = {0};
    struct ss_registry_config registry = {.url = "embedded:", .timeout_ms = 10000};
    struct ss_source_config config = {.event_bytes_max = 1 << 20};
    struct ss_source *source;
    struct ss_error err;
    bool reads_only = false, scores_only = false;
    for (int letter; (letter = getopt(argc, argv, "b:r:ns")) != -1;) {
        if (letter == 'b')
            access.bootstrap = optarg;
        else if (letter == 'r')
            registry.url = optarg;
        else if (letter == 'n')
            reads_only = true;
        else if (letter == 's')
            scores_only = true;
        else
            return 2;
    }
    if (access.bootstrap)
        config.access = &access;
    else if (optind < argc)
        config.directory = argv[optind++];
    else
        return 2;
    const int threads = optind < argc ? atoi(argv[optind]) : 1;
    if (ss_registry_open(&registry, &config.registry, &err) != SS_OK)
        die(&err);
    const double began = wall(), cpu_before = cpu();
    if (ss_source_open(&config, &source, &err) != SS_OK)
        die(&err);
    const int64_t events = reads_only ? read_only(source) : fold(source, threads, scores_only);
    const double seconds = wall() - began, cpu_seconds = cpu() - cpu_before;
    printf("{\"kind\": \"%s\", \"source\": \"%s\", \"threads\": %d, \"events\": %lld, "
           "\"seconds\": %.2f, \"cpu_seconds\": %.2f, \"events_per_s\": %.0f, "
           "\"events_per_cpu_s\": %.0f}\n",
           reads_only    ? "read"
           : scores_only ? "scores"
                         : "replay",
           ss_source_kind_name(ss_source_kind(source)), threads, (long long)events, seconds,
           cpu_seconds, (double)events / seconds, (double)events / cpu_seconds);
    ss_source_close(source);
    ss_registry_close(config.registry);
    return 0;
}
