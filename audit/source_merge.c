#include "audit/source_merge.h"

#include <stdlib.h>

struct head {
    struct ss_source_batch batch;
    size_t next;
    int64_t at_ms; /* of the event that is next */
    bool dry;      /* a batch is to be pulled */
    bool end;
};

struct ss_merge {
    struct ss_merge_config config;
    struct ss_puller *puller;
    enum ss_input order[SS_INPUT_COUNT];
    struct head heads[SS_INPUT_COUNT];
    struct head *taken;                       /* whose event was handed out */
    struct ss_source_users *known;            /* who needs no grant of ours (any more) */
    struct ss_source_users *assumed, *social; /* to whom we gave SCORING; and SOCIAL with it */
    struct ss_source_event grant, shifted;
    int64_t grants; /* handed out */
};

/* The order of ties. */
static void set_order(struct ss_merge *merge)
{
    int count = 0;
    merge->order[count++] = SS_CONSENTS;
    merge->order[count++] = SS_BLACKLIST;
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        if (input != SS_CONSENTS && input != SS_BLACKLIST)
            merge->order[count++] = (enum ss_input)input;
}

static enum ss_status list_known(struct ss_merge *merge, struct ss_error *err)
{
    struct ss_puller_config config = merge->config.puller;
    struct ss_puller *puller;
    struct ss_source_batch batch;
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        config.inputs_skipped[i] = i != SS_CONSENTS;
    config.from = NULL;
    merge->known = ss_source_users_open();
    merge->assumed = ss_source_users_open();
    merge->social = ss_source_users_open();
    if (!merge->known || !merge->assumed || !merge->social)
        return ss_fail(err, SS_STOP, "out of memory");
    enum ss_status status = ss_puller_open(merge->config.source, &config, &puller, err);
    if (status != SS_OK)
        return status;
    do {
        status = ss_puller_next(puller, SS_CONSENTS, &batch, err);
        for (size_t i = 0; status == SS_OK && i < batch.count; i++) {
            const struct ss_text id = batch.events[i].event.user_id;
            if (!batch.events[i].reject &&
                ss_source_users_add(merge->known, (struct ss_bytes){id.data, id.size}, err) ==
                    SS_STOP)
                status = SS_STOP;
        }
    } while (status == SS_OK && batch.count > 0);
    ss_puller_close(puller);
    return status;
}

enum ss_status ss_merge_open(const struct ss_merge_config *config, struct ss_merge **out,
                             struct ss_error *err)
{
    struct ss_merge *merge = calloc(1, sizeof *merge);
    *out = NULL;
    if (!merge)
        return ss_fail(err, SS_STOP, "out of memory");
    merge->config = *config;
    set_order(merge);
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        merge->heads[i].dry = true;
    enum ss_status status = config->assume_consent ? list_known(merge, err) : SS_OK;
    if (status == SS_OK)
        status = ss_puller_open(config->source, &config->puller, &merge->puller, err);
    if (status != SS_OK) {
        ss_merge_close(merge);
        return status;
    }
    *out = merge;
    return SS_OK;
}

void ss_merge_close(struct ss_merge *merge)
{
    if (!merge)
        return;
    ss_puller_close(merge->puller);
    ss_source_users_close(merge->known);
    ss_source_users_close(merge->assumed);
    ss_source_users_close(merge->social);
    free(merge);
}

size_t ss_merge_row(const struct ss_merge *merge)
{
    const struct head *taken = merge->taken;
    return taken && !merge->known ? taken->batch.count - taken->next : 1;
}

const struct ss_puller *ss_merge_puller(const struct ss_merge *merge)
{
    return merge->puller;
}

/* A rejected record has no time of its own, and comes right away. */
static void look(const struct ss_merge *merge, struct head *head)
{
    const int64_t tolerance_ms = merge->config.future_tolerance_ms;
    head->dry = head->next == head->batch.count;
    if (head->dry)
        return;
    const struct ss_source_event *event = &head->batch.events[head->next];
    const int64_t at_ms = event->event.occurred_at_ms;
    const bool stray =
        tolerance_ms > 0 && event->timestamp_ms >= 0 && at_ms > event->timestamp_ms + tolerance_ms;
    head->at_ms = event->reject || stray ? INT64_MIN : at_ms;
}

/* The earliest event that there is, or NULL. Those beyond until_ms are passed over: times need not
 * be in order. */
static enum ss_status earliest(struct ss_merge *merge, struct head **best, struct ss_error *err)
{
    *best = NULL;
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        struct head *head = &merge->heads[merge->order[i]];
        while (!head->end && (head->dry || head->at_ms > merge->config.until_ms)) {
            if (!head->dry) {
                head->next++;
                head->end = merge->config.cut;
                look(merge, head);
                continue;
            }
            enum ss_status status =
                ss_puller_next(merge->puller, merge->order[i], &head->batch, err);
            if (status != SS_OK)
                return status;
            head->next = 0;
            head->end = head->batch.count == 0;
            if (!head->end)
                look(merge, head);
        }
        if (!head->end && (!*best || head->at_ms < (*best)->at_ms))
            *best = head;
    }
    return SS_OK;
}

static bool gives_social(const struct ss_merge *merge, const struct ss_event *event)
{
    const struct ss_text id = event->user_id;
    return event->input == SS_SOCIAL && ss_source_users_have(merge->assumed, id.data, id.size) &&
           !ss_source_users_have(merge->social, id.data, id.size);
}

/* SCORING first, then, before the user's first friend, SOCIAL. */
static enum ss_status assume(struct ss_merge *merge, const struct ss_source_event *first,
                             bool *assumed, struct ss_error *err)
{
    const struct ss_text id = first->event.user_id;
    const enum ss_input input = first->event.input;
    const bool readable =
        !first->reject && input != SS_CONSENTS && input != SS_BLACKLIST && input != SS_NEIGHBOURS;
    const bool scoring = readable && !ss_source_users_have(merge->known, id.data, id.size);
    const bool social = readable && !scoring && gives_social(merge, &first->event);
    *assumed = scoring || social;
    if (!*assumed)
        return SS_OK;
    const struct ss_bytes user = {id.data, id.size};
    enum ss_status status = SS_OK;
    if (scoring)
        status = ss_source_users_add(merge->known, user, err);
    if (status == SS_OK)
        status = ss_source_users_add(scoring ? merge->assumed : merge->social, user, err);
    if (status != SS_OK) { /* no user id: it is refused as it is */
        *assumed = false;
        return status == SS_DROP ? SS_OK : status;
    }
    const struct head *consents = &merge->heads[SS_CONSENTS];
    const int64_t next =
        consents->end ? consents->batch.next_offset : consents->batch.events[consents->next].offset;
    merge->grant = (struct ss_source_event){
        .partition = first->partition,
        .offset = next + merge->grants++,
        .timestamp_ms = first->timestamp_ms,
        .event = {.input = SS_CONSENTS,
                  .user_id = id,
                  .event_id = {social ? "assumed-social" : "assumed", social ? 14 : 7},
                  .occurred_at_ms = first->event.occurred_at_ms,
                  .consent = {.action = SS_CONSENT_GRANTED,
                              .purpose = social ? SS_PURPOSE_SOCIAL : SS_PURPOSE_SCORING}}};
    return SS_OK;
}

enum ss_status ss_merge_next(struct ss_merge *merge, const struct ss_source_event **event,
                             struct ss_error *err)
{
    struct head *best;
    *event = NULL;
    if (merge->taken) {
        merge->taken->next++;
        look(merge, merge->taken);
        merge->taken = NULL;
    }
    enum ss_status status = earliest(merge, &best, err);
    if (status != SS_OK || !best)
        return status;
    const struct ss_source_event *first = &best->batch.events[best->next];
    if (merge->known) {
        bool assumed;
        status = assume(merge, first, &assumed, err);
        if (status != SS_OK || assumed) {
            *event = status == SS_OK ? &merge->grant : NULL;
            return status; /* the event comes next */
        }
        if (first->event.input == SS_CONSENTS && merge->grants > 0) {
            merge->shifted = *first;
            merge->shifted.offset += merge->grants;
            first = &merge->shifted;
        }
    }
    merge->taken = best;
    *event = first;
    return SS_OK;
}
