#include "cli/sender.h"

#include "consumer/engine.h"

#include <stdio.h>
#include <stdlib.h>

enum { RECORD_MAX = 4096 };

static enum ss_status find_schemas(struct ss_sender *sender, const struct ss_config *config,
                                   int first, int end, struct ss_error *err)
{
    const struct ss_registry_config where = ss_engine_registry(config);
    struct ss_registry *registry;
    enum ss_status status = ss_registry_open(&where, &registry, err);
    if (status != SS_OK)
        return status;
    for (int input = first; status == SS_OK && input < end; input++)
        status = ss_engine_find_schema(registry, sender->topics[input],
                                       ss_schema_of_input((enum ss_input)input),
                                       &sender->schema_ids[input], err);
    ss_registry_close(registry);
    return status;
}

static enum ss_status open_for(struct ss_sender *sender, const struct ss_config *config, int first,
                               int end, struct ss_error *err)
{
    memset(sender, 0, sizeof *sender);
    ss_buffer_init(&sender->buffer, RECORD_MAX);
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        sender->topics[input] = config->input_topics[input];
    enum ss_status status = find_schemas(sender, config, first, end, err);
    if (status != SS_OK)
        return status;
    struct ss_kafka_access access;
    status = ss_engine_access_open(config, &access, err);
    if (status == SS_OK)
        status = ss_kafka_producer_open(&access, &sender->producer, err);
    ss_engine_access_close(&access);
    return status;
}

enum ss_status ss_sender_open(struct ss_sender *sender, const struct ss_config *config,
                              struct ss_error *err)
{
    return open_for(sender, config, 0, SS_UPSTREAM_COUNT, err);
}

enum ss_status ss_sender_open_for(struct ss_sender *sender, const struct ss_config *config,
                                  enum ss_input input, struct ss_error *err)
{
    return open_for(sender, config, (int)input, (int)input + 1, err);
}

void ss_sender_close(struct ss_sender *sender)
{
    ss_kafka_producer_close(sender->producer);
    sender->producer = NULL;
    ss_buffer_reset(&sender->buffer);
}

int64_t ss_sender_sent(const struct ss_sender *sender)
{
    return atomic_load(&sender->sent);
}

/* What a record looks like whose producer is broken. */
static void spoil(enum ss_flaw flaw, uint8_t *data, struct ss_bytes *key, struct ss_bytes *value)
{
    switch (flaw) {
    case SS_FLAW_MAGIC:
        data[0] = '{';
        break;
    case SS_FLAW_SCHEMA:
        memset(data + 1, 0x7e, 4);
        break;
    case SS_FLAW_TRUNCATED:
        value->size -= 3;
        break;
    case SS_FLAW_NO_VALUE:
        *value = (struct ss_bytes){NULL, 0};
        break;
    case SS_FLAW_NO_KEY:
        *key = (struct ss_bytes){NULL, 0};
        break;
    case SS_FLAW_OTHER_KEY:
        *key = (struct ss_bytes){"somebody-else", 13};
        break;
    default: /* it is in the event */
        break;
    }
}

static enum ss_status send_flawed(struct ss_sender *sender, const struct ss_event *event,
                                  enum ss_flaw flaw, struct ss_error *err)
{
    sender->buffer.size = 0;
    enum ss_status status =
        ss_encode_event(sender->schema_ids[event->input], event, &sender->buffer, err);
    if (status != SS_OK)
        return status;
    struct ss_bytes key = {event->user_id.data, event->user_id.size};
    struct ss_bytes value = {sender->buffer.data, sender->buffer.size};
    spoil(flaw, sender->buffer.data, &key, &value);
    status = ss_kafka_producer_send(sender->producer, sender->topics[event->input], key, value,
                                    NULL, 0, 0, err);
    if (status != SS_OK)
        return status;
    sender->counts.sent[event->input]++;
    atomic_fetch_add(&sender->sent, 1);
    return SS_OK;
}

enum ss_status ss_sender_send_event(struct ss_sender *sender, const struct ss_event *event,
                                    struct ss_error *err)
{
    return send_flawed(sender, event, SS_FLAW_NONE, err);
}

enum ss_status ss_sender_send(struct ss_sender *sender, const struct ss_population_event *event,
                              struct ss_error *err)
{
    enum ss_status status = send_flawed(sender, &event->event, event->flaw, err);
    if (status != SS_OK)
        return status;
    sender->counts.duplicates += event->duplicate;
    sender->counts.bad += event->flaw != SS_FLAW_NONE;
    return SS_OK;
}
