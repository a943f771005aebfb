#include "consumer/model_topic.h"

#include "base/clock.h"
#include "base/log.h"
#include "config/model_file.h"
#include "consumer/kafka_admin.h"
#include "consumer/kafka_producer.h"
#include "consumer/kafka_tail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum { ANSWER_MS = 5000, READ_MS = 20000, ENTRY_MAX = 1 << 20, KEY_MAX = 64 };

struct ss_model_topic {
    char *name;
    struct ss_kafka_tail *tail;
    struct ss_model_history *history;
    int64_t next; /* offset */
};

static enum ss_status read_one(struct ss_model_topic *topic, int timeout_ms, bool *got,
                               struct ss_error *err)
{
    struct ss_kafka_record record;
    struct ss_error why;
    size_t which;
    enum ss_status status = ss_kafka_tail_next(topic->tail, timeout_ms, &record, &which, got, err);
    if (status != SS_OK || !*got)
        return status;
    topic->next = record.offset + 1;
    status = ss_model_history_add(topic->history, record.value, &why);
    if (status == SS_DROP)
        ss_warn("models", "%s offset %lld: %s; passed over", topic->name, (long long)record.offset,
                why.detail);
    else if (status != SS_OK)
        *err = why;
    return status == SS_DROP ? SS_OK : status;
}

/* What is there is read up to here; an activation that cannot be followed is told of once. */
static void complain(struct ss_model_topic *topic, int32_t before)
{
    const char *trouble = ss_model_history_trouble(topic->history);
    if (trouble && ss_model_history_newest(topic->history) != before)
        ss_error_log("models", "%s: cannot go on to %s", topic->name, trouble);
}

static enum ss_status read_to(struct ss_model_topic *topic, int64_t end, struct ss_error *err)
{
    const int64_t deadline = ss_clock_steady_ms() + READ_MS;
    const int32_t before = ss_model_history_newest(topic->history);
    enum ss_status status = SS_OK;
    while (status == SS_OK && topic->next < end) {
        bool got;
        status = read_one(topic, 200, &got, err);
        if (status == SS_OK && !got && ss_clock_steady_ms() > deadline)
            status = ss_fail(err, SS_RETRY, "%s: nothing for %d ms, its end not reached",
                             topic->name, READ_MS);
    }
    if (status == SS_OK)
        complain(topic, before);
    return status;
}

static enum ss_status open_topic(struct ss_model_topic *topic, const struct ss_kafka_access *access,
                                 struct ss_error *err)
{
    struct ss_kafka_end end;
    const char *name = topic->name;
    int32_t partitions = 1;
    enum ss_status status =
        ss_kafka_topic_ends(access, name, true, &end, &partitions, ANSWER_MS, err);
    if (status == SS_STOP && partitions == 0)
        return ss_fail(err, SS_STOP, "there is no topic %s; `sesame topics create` makes it", name);
    if (status == SS_STOP && partitions > 1)
        return ss_fail(err, SS_STOP,
                       "%s has %d partitions and must have one: delete it and run "
                       "`sesame topics create`",
                       name, partitions);
    if (status == SS_OK)
        status = ss_kafka_tail_open(access, &name, 1, &topic->tail, err);
    return status == SS_OK ? read_to(topic, end.high, err) : status;
}

enum ss_status ss_model_topic_open(const struct ss_kafka_access *access, const char *name,
                                   struct ss_model_topic **out, struct ss_error *err)
{
    struct ss_model_topic *topic = calloc(1, sizeof *topic);
    if (topic) {
        topic->name = strdup(name);
        topic->history = ss_model_history_open();
    }
    enum ss_status status = SS_OK;
    if (!topic || !topic->name || !topic->history)
        status = ss_fail(err, SS_STOP, "out of memory for models");
    else
        status = open_topic(topic, access, err);
    if (status != SS_OK) {
        ss_model_topic_close(topic);
        return status;
    }
    *out = topic;
    return SS_OK;
}

enum ss_status ss_model_topic_poll(struct ss_model_topic *topic, int timeout_ms,
                                   struct ss_error *err)
{
    const int32_t before = ss_model_history_newest(topic->history);
    bool got = true;
    enum ss_status status = SS_OK;
    while (status == SS_OK && got) {
        status = read_one(topic, timeout_ms, &got, err);
        timeout_ms = 0;
    }
    complain(topic, before);
    return status;
}

const struct ss_model_history *ss_model_topic_history(const struct ss_model_topic *topic)
{
    return topic->history;
}

static struct ss_text text_of(const char *text)
{
    return (struct ss_text){text, (uint32_t)strlen(text)};
}

static enum ss_status send(struct ss_kafka_producer *producer, const char *topic,
                           uint32_t schema_id, const char *key, const struct ss_model_entry *entry,
                           struct ss_error *err)
{
    struct ss_buffer value;
    ss_buffer_init(&value, ENTRY_MAX);
    enum ss_status status = ss_model_entry_encode(schema_id, entry, &value, err);
    if (status == SS_OK)
        status = ss_kafka_producer_send(producer, topic, (struct ss_bytes){key, strlen(key)},
                                        (struct ss_bytes){value.data, value.size}, NULL, 0, 0, err);
    ss_buffer_reset(&value);
    return status;
}

static enum ss_status send_model(const struct ss_model_topic *topic,
                                 struct ss_kafka_producer *producer, uint32_t schema_id,
                                 const struct ss_model_text *text, const char *by,
                                 struct ss_error *err)
{
    struct ss_buffer canonical;
    char structural[SS_NAME_MAX];
    if (!text->model || ss_model_history_find(topic->history, text->model->version))
        return SS_OK;
    ss_buffer_init(&canonical, SS_MODEL_CANONICAL_MAX);
    enum ss_status status = ss_model_canonical(text->model, &canonical, err);
    if (status == SS_OK)
        status = ss_model_structural_version(text->model, structural, err);
    if (status == SS_OK) {
        struct ss_model_entry entry = {
            .published_at_ms = ss_clock_wall_ms(),
            .published_by = text_of(by),
            .version = text_of(text->model->version),
            .canonical = {(const char *)canonical.data, (uint32_t)canonical.size},
            .structural = text_of(structural),
            .source = {text->source.data, (uint32_t)text->source.size},
        };
        status = send(producer, topic->name, schema_id, text->model->version, &entry, err);
    }
    ss_buffer_reset(&canonical);
    return status;
}

/* A key that nobody else has: the first activation of an epoch must not be compacted away in favour
 * of one that came too late. */
static enum ss_status draw_key(int32_t epoch, char key[KEY_MAX], struct ss_error *err)
{
    uint64_t random;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return ss_fail(err, SS_STOP, "no randomness from the system: %s", strerror(errno));
    snprintf(key, KEY_MAX, "activation/%d/%016llx", epoch, (unsigned long long)random);
    return SS_OK;
}

static enum ss_status send_all(const struct ss_model_topic *topic,
                               struct ss_kafka_producer *producer, uint32_t schema_id,
                               const struct ss_model_activation *activation, struct ss_error *err)
{
    const struct ss_model *business = activation->business.model;
    char key[KEY_MAX];
    enum ss_status status =
        send_model(topic, producer, schema_id, &activation->person, activation->by, err);
    if (status == SS_OK)
        status = send_model(topic, producer, schema_id, &activation->business, activation->by, err);
    if (status == SS_OK)
        status = draw_key(activation->epoch, key, err);
    if (status == SS_OK) {
        struct ss_model_entry entry = {
            .published_at_ms = ss_clock_wall_ms(),
            .published_by = text_of(activation->by),
            .is_activation = true,
            .epoch = activation->epoch,
            .person = text_of(activation->person.model->version),
            .business = business ? text_of(business->version) : (struct ss_text){"", 0},
        };
        status = send(producer, topic->name, schema_id, key, &entry, err);
    }
    return status == SS_OK ? ss_kafka_producer_flush(producer, READ_MS, NULL, err) : status;
}

static bool is_live(const struct ss_model_topic *topic,
                    const struct ss_model_activation *activation)
{
    const struct ss_model_epoch *live = ss_model_history_live(topic->history);
    const struct ss_model *business = activation->business.model;
    return live && live->models.epoch == activation->epoch &&
           strcmp(live->models.person->version, activation->person.model->version) == 0 &&
           !business == !live->models.business &&
           (!business || strcmp(live->models.business->version, business->version) == 0);
}

enum ss_status ss_model_topic_activate(struct ss_model_topic *topic,
                                       const struct ss_kafka_access *access, uint32_t schema_id,
                                       const struct ss_model_activation *activation, bool *won,
                                       struct ss_error *err)
{
    struct ss_kafka_producer *producer;
    enum ss_status status = ss_kafka_producer_open(access, &producer, err);
    if (status != SS_OK)
        return status;
    status = send_all(topic, producer, schema_id, activation, err);
    ss_kafka_producer_close(producer);
    const int64_t deadline = ss_clock_steady_ms() + READ_MS;
    while (status == SS_OK && ss_model_history_newest(topic->history) < activation->epoch) {
        status = ss_model_topic_poll(topic, 200, err);
        if (status == SS_OK && ss_clock_steady_ms() > deadline)
            status = ss_fail(err, SS_RETRY, "%s: what was written there does not come back",
                             topic->name);
    }
    *won = status == SS_OK && is_live(topic, activation);
    const char *trouble = ss_model_history_trouble(topic->history);
    if (status == SS_OK && trouble)
        return ss_fail(err, SS_STOP, "%s: cannot go on to %s", topic->name, trouble);
    return status;
}

void ss_model_topic_close(struct ss_model_topic *topic)
{
    if (!topic)
        return;
    ss_kafka_tail_close(topic->tail);
    ss_model_history_close(topic->history);
    free(topic->name);
    free(topic);
}
