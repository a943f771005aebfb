#include "cli/dead_letter_replay.h"

#include "consumer/dead_letter.h"
#include "consumer/kafka_producer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { FLUSH_TIMEOUT_MS = 60000 };

struct ss_letter_replay {
    struct ss_letter_replay_config config;
    struct ss_kafka_producer *producer; /* NULL in a dry run */
    struct ss_letter_view view;
    struct ss_header *headers;
    size_t header_capacity;
    int64_t queued;
    struct ss_letter_replayed counts;
};

enum ss_status ss_letter_replay_open(const struct ss_letter_replay_config *config,
                                     struct ss_letter_replay **out, struct ss_error *err)
{
    struct ss_letter_replay *replay = calloc(1, sizeof *replay);
    if (!replay)
        return ss_fail(err, SS_STOP, "out of memory");
    replay->config = *config;
    ss_letter_view_init(&replay->view, NULL);
    enum ss_status status = SS_OK;
    if (!config->dry_run)
        status = ss_kafka_producer_open(config->access, &replay->producer, err);
    if (status != SS_OK) {
        ss_letter_replay_close(replay);
        return status;
    }
    *out = replay;
    return SS_OK;
}

void ss_letter_replay_close(struct ss_letter_replay *replay)
{
    if (!replay)
        return;
    ss_kafka_producer_close(replay->producer);
    ss_letter_view_reset(&replay->view);
    free(replay->headers);
    free(replay);
}

/* Where a letter goes; NULL if it cannot, and *why says so. */
static const char *destination(const struct ss_letter_replay *replay,
                               const struct ss_letter *letter, const char **why)
{
    const struct ss_config *config = replay->config.config;
    *why = "its value was too large to be kept; send it again from its source";
    if (letter->by_hash)
        return NULL;
    if (replay->config.to)
        return replay->config.to;
    /* The header is as trustworthy as whoever may write to the topic of dead letters. */
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        if (strcmp(letter->topic, config->input_topics[input]) == 0)
            return config->input_topics[input];
    *why = letter->topic[0] ? "its topic is none of the config's inputs; --to says where to"
                            : "it does not say where it came from; --to says where to";
    return NULL;
}

static bool add_header(struct ss_letter_replay *replay, size_t *count, struct ss_header header)
{
    if (*count == replay->header_capacity) {
        size_t capacity = replay->header_capacity ? replay->header_capacity * 2 : 16;
        struct ss_header *headers = realloc(replay->headers, capacity * sizeof *headers);
        if (!headers)
            return false;
        replay->headers = headers;
        replay->header_capacity = capacity;
    }
    replay->headers[(*count)++] = header;
    return true;
}

static void tell(struct ss_letter_replay *replay, FILE *out, const char *what,
                 const struct ss_letter *letter, const char *text)
{
    bool fits = ss_letter_show_origin(&replay->view, letter);
    fprintf(out, "%s: dead letter %" PRId32 ":%" PRId64 ", from %.*s", what,
            letter->record.partition, letter->record.offset, fits ? (int)replay->view.text.size : 1,
            fits ? (char *)replay->view.text.data : "?");
    fprintf(out, letter->by_hash ? ", sha256 %.64s: %s\n" : "%s: %s\n",
            letter->by_hash ? letter->sha256 : "", text);
}

enum ss_status ss_letter_replay_send(struct ss_letter_replay *replay,
                                     const struct ss_letter *letter, struct ss_error *err)
{
    char place[48];
    const char *why;
    struct ss_header header;
    size_t count = 0;

    const char *topic = destination(replay, letter, &why);
    if (!topic) {
        replay->counts.not_replayable++;
        tell(replay, stderr, "not replayable", letter, why);
        return SS_OK;
    }
    if (replay->config.dry_run || replay->config.verbose) {
        char to[300];
        snprintf(to, sizeof to, "to %.250s", topic);
        tell(replay, stdout, replay->config.dry_run ? "would send" : "sends", letter, to);
    }
    if (replay->config.dry_run) {
        replay->counts.sent++;
        return SS_OK;
    }
    snprintf(place, sizeof place, "%" PRId32 ":%" PRId64, letter->record.partition,
             letter->record.offset);
    bool room = true;
    for (size_t i = 0; room && ss_kafka_reader_header(&letter->record, i, &header); i++)
        if (!ss_letter_own_header(header.name))
            room = add_header(replay, &count, header);
    header = (struct ss_header){SS_DEAD_LETTER_REPLAYED, {place, strlen(place)}};
    if (!room || !add_header(replay, &count, header))
        return ss_fail(err, SS_STOP, "out of memory");
    enum ss_status status =
        ss_kafka_producer_send(replay->producer, topic, letter->record.key, letter->record.value,
                               replay->headers, count, 0, err);
    if (status == SS_OK) {
        replay->queued++;
        return SS_OK;
    }
    replay->counts.failed++;
    tell(replay, stderr, "failed", letter, err->detail);
    return status == SS_DROP ? SS_OK : status;
}

void ss_letter_replay_finish(struct ss_letter_replay *replay, struct ss_letter_replayed *counts)
{
    struct ss_kafka_deliveries deliveries = {0};
    struct ss_error err;
    if (replay->producer) {
        if (ss_kafka_producer_flush(replay->producer, FLUSH_TIMEOUT_MS, &deliveries, &err) != SS_OK)
            fprintf(stderr, "sesame: %s\n", err.detail);
        replay->counts.sent = deliveries.delivered;
        replay->counts.failed += replay->queued - deliveries.delivered;
    }
    *counts = replay->counts;
}
