/* intake.c - records to events; what cannot be one becomes a dead letter. */
#include "consumer/batch.h"
#include "consumer/partitioner.h"

#include <stdio.h>

void ss_item_reject(struct ss_item *item, const char *reason, const char *detail)
{
    item->letter.reason = reason;
    snprintf(item->letter.detail, sizeof item->letter.detail, "%.*s",
             (int)sizeof item->letter.detail - 1, detail);
}

/* SS_RETRY where the registry is away; everything else that is wrong becomes a dead letter. */
static enum ss_status read_record(struct ss_worker *worker, struct ss_item *item,
                                  struct ss_error *err)
{
    const struct ss_record *record = item->record;
    const struct ss_plan *plan;
    struct ss_bytes body;
    uint32_t schema_id;

    item->letter.reason = NULL;
    if (!record->key.data || record->key.size == 0) {
        ss_item_reject(item, "NO_KEY", "the record has no key; it must be the user id");
        return SS_OK;
    }
    if (record->key.size > SS_USER_ID_MAX) { /* before anybody asks the store for it */
        ss_item_reject(item, ss_refusal_name(SS_REFUSAL_BAD_USER_ID),
                       "the key is longer than a user id");
        return SS_OK;
    }
    if (!record->value.data) {
        ss_item_reject(item, "NO_VALUE", "the record has no value");
        return SS_OK;
    }
    if (ss_partition_of(record->key, worker->config.bus->partition_count) != record->partition) {
        ss_item_reject(
            item, "MISROUTED",
            "the key does not hash to this partition with Kafka's murmur2; librdkafka producers "
            "must set partitioner=murmur2_random");
        return SS_OK;
    }
    if (record->value.size > worker->config.limits.event_bytes_max) {
        ss_item_reject(item, "TOO_LARGE", "the value is larger than events.value_bytes_max");
        return SS_OK;
    }
    if (ss_wire_open(record->value, &schema_id, &body, err) != SS_OK) {
        ss_item_reject(item, "BAD_WIRE_FORMAT", err->detail);
        return SS_OK;
    }
    enum ss_status status =
        ss_registry_plan(worker->config.registry, record->input, schema_id, &plan, err);
    if (status == SS_DROP) {
        ss_item_reject(item, "BAD_SCHEMA", err->detail);
        return SS_OK;
    }
    if (status != SS_OK)
        return status;
    if (ss_plan_decode(plan, body, &item->event, err) != SS_OK) {
        ss_item_reject(item, "UNREADABLE", err->detail);
        return SS_OK;
    }
    struct ss_text user_id = item->event.user_id;
    if (!ss_bytes_equal(record->key, (struct ss_bytes){user_id.data, user_id.size}))
        ss_item_reject(item, "KEY_MISMATCH", "the key is not the record's user_id");
    return SS_OK;
}

/* Puts records[from..] back: the bus delivers them again. A partition that cannot be rewound is
 * begun anew, for what comes next of it would leave a gap. */
enum ss_status ss_batch_put_back(struct ss_worker *worker, const struct ss_poll *poll, size_t from,
                                 struct ss_error *err)
{
    for (size_t i = from; i < poll->record_count; i++) {
        const struct ss_record *record = &poll->records[i];
        struct ss_partition *partition = worker->partitions[record->partition];
        /* in offset order within an input and partition: the first one is the one to return to */
        bool first = partition != NULL;
        for (size_t j = from; first && j < i; j++)
            first = poll->records[j].input != record->input ||
                    poll->records[j].partition != record->partition;
        if (!first || partition->broken)
            continue;
        enum ss_status status = worker->config.bus->ops->rewind(
            worker->config.bus, record->input, record->partition, record->offset, err);
        if (status == SS_STOP)
            return status;
        partition->broken = status != SS_OK;
    }
    return SS_OK;
}

/* Fills items with what can be processed now; *taken records of the poll are covered by them. */
enum ss_status ss_batch_intake(struct ss_worker *worker, const struct ss_poll *poll, size_t *count,
                               size_t *taken, struct ss_error *err)
{
    *count = 0;
    for (*taken = 0; *taken < poll->record_count; ++*taken) {
        const struct ss_record *record = &poll->records[*taken];
        struct ss_partition *partition = worker->partitions[record->partition];
        if (!partition || partition->broken)
            continue; /* begin_partition returns to it */
        if (record->offset < partition->mark.positions[record->input])
            continue; /* delivered again although it is committed */
        struct ss_item *item = &worker->items[*count];
        item->record = record;
        item->partition = partition;
        enum ss_status status = read_record(worker, item, err);
        if (status != SS_OK)
            return status;
        ++*count;
    }
    return SS_OK;
}
