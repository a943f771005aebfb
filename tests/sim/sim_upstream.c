/* sim_upstream.c - the services that write the inputs: events of a few dozen users, with all that
 * goes wrong upstream: duplicates, late events, unreadable and misrouted records, transactions that
 * are aborted or stay open for a while. */
#include "sim.h"

static struct ss_bytes encode(struct sim_world *world, const struct ss_event *event)
{
    struct ss_buffer buffer;
    struct ss_error err;
    ss_buffer_init(&buffer, 8192);
    if (ss_encode_event(world->input_ids[event->input], event, &buffer, &err) != SS_OK)
        sim_differ(world, "cannot encode an event: %s", err.detail);
    struct ss_bytes copy = sim_copy(world->arena, (struct ss_bytes){buffer.data, buffer.size});
    ss_buffer_reset(&buffer);
    return copy;
}

/* --- records --- */

static const struct ss_header *some_headers(struct sim_world *world)
{
    static const struct ss_header one[] = {{"trace", {"abc", 3}}, {NULL, {NULL, 0}}};
    static const struct ss_header two[] = {
        {"source", {"app", 3}}, {"empty", {"", 0}}, {NULL, {NULL, 0}}};
    uint32_t which = sim_below(world, 6);
    return which == 0 ? one : which == 1 ? two : NULL;
}

static void change_byte(struct sim_world *world, struct ss_bytes *value, size_t at, char byte)
{
    *value = sim_copy(world->arena, *value);
    memcpy((char *)(uintptr_t)value->data + at, &byte, 1);
}

/* Makes of a good record one that cannot be used, and says why. */
static void spoil(struct sim_world *world, struct sim_truth *truth, struct sim_record *record,
                  int32_t *partition)
{
    size_t large = sim_chance(world, 500) ? SIM_LETTER_BYTES_MAX + 300 : SIM_EVENT_BYTES_MAX + 1;
    switch (sim_below(world, 10)) {
    case 0:
        record->key = (struct ss_bytes){NULL, 0};
        truth->reason = "NO_KEY";
        break;
    case 1:
        record->key = (struct ss_bytes){"", 0};
        truth->reason = "NO_KEY";
        break;
    case 2:
        record->key = (struct ss_bytes){sim_alloc(world->arena, 80), 80};
        truth->reason = "BAD_USER_ID";
        break;
    case 3:
        record->value = (struct ss_bytes){NULL, 0};
        truth->reason = "NO_VALUE";
        break;
    case 4:
        if (world->partition_count == 1)
            return;
        *partition = (*partition + 1) % world->partition_count;
        truth->reason = "MISROUTED";
        break;
    case 5:
        record->value = (struct ss_bytes){sim_alloc(world->arena, large), large};
        truth->reason = "TOO_LARGE";
        break;
    case 6:
        change_byte(world, &record->value, 0, 7);
        truth->reason = "BAD_WIRE_FORMAT";
        break;
    case 7:
        change_byte(world, &record->value, 3, 9);
        truth->reason = "BAD_SCHEMA";
        break;
    case 8:
        record->value.size -= 1;
        truth->reason = "UNREADABLE";
        break;
    default:
        truth->event.user_id = (struct ss_text){"somebody else", 13};
        record->value = encode(world, &truth->event);
        truth->reason = "KEY_MISMATCH";
        break;
    }
}

static struct sim_txn *upstream_txn(struct sim_world *world)
{
    int i = (int)sim_below(world, 6);
    if (i >= 2)
        return NULL;
    if (!world->upstream[i])
        world->upstream[i] = sim_txn_new(world);
    return world->upstream[i]->log_count < 60 ? world->upstream[i] : NULL;
}

static void send(struct sim_world *world)
{
    struct sim_record record = {.timestamp_ms = world->story_ms};
    struct sim_truth *truth;
    int index = world->event_count;
    bool again = index > 0 && sim_chance(world, 100);
    if (again) { /* sent twice, as producers do */
        int back = 1 + (int)sim_below(world, index < 40 ? (uint32_t)index : 40);
        truth = sim_alloc(world->arena, sizeof *truth);
        *truth = *world->truths[index - back];
        record.value = world->values[index - back];
        again = !truth->reason;
    }
    if (!again) {
        truth = sim_alloc(world->arena, sizeof *truth);
        sim_story_next(world, truth);
        record.value = encode(world, &truth->event);
    }
    const struct sim_user *user = &world->users[truth->user];
    int32_t partition = user->partition;
    record.key = (struct ss_bytes){user->id.data, user->id.size};
    record.headers = some_headers(world);
    if (sim_chance(world, 30))
        record.timestamp_ms = -1;
    if (!again && sim_chance(world, 40))
        spoil(world, truth, &record, &partition);
    record.truth = truth;
    record.txn = upstream_txn(world);
    world->truths[index] = truth;
    world->values[index] = record.value;
    world->event_count++;
    world->events_left--;
    int64_t offset = sim_log_append(&world->inputs[truth->event.input][partition], &record);
    sim_trace(world, "upstream: %s [%d] %lld%s%s", ss_input_name(truth->event.input), partition,
              (long long)offset, again ? ", again" : "", truth->reason ? truth->reason : "");
}

/* What was there before the first worker came: some weeks, or nothing. */
void sim_upstream_init(struct sim_world *world)
{
    size_t count = (size_t)world->options.length;
    sim_story_init(world);
    world->events_left = world->options.length;
    world->truths = sim_alloc(world->arena, count * sizeof *world->truths);
    world->values = sim_alloc(world->arena, count * sizeof *world->values);
    if (sim_chance(world, 300))
        return;
    uint32_t backlog = sim_below(world, (uint32_t)world->options.length * 6 / 10 + 1);
    uint32_t step_ms = (1 + sim_below(world, 40)) * (uint32_t)SIM_DAY_MS / (backlog + 40);
    world->story_ms -= (int64_t)step_ms * backlog;
    for (; backlog > 0; backlog--) {
        send(world);
        world->story_ms += step_ms;
    }
}

void sim_upstream_pass(struct sim_world *world)
{
    int count = (int)sim_below(world, 14);
    for (; count > 0 && world->events_left > 0; count--) {
        world->story_ms += (world->now_ms - world->story_ms) / (count + 1);
        send(world);
    }
    world->story_ms = world->now_ms;
}

void sim_upstream_tick(struct sim_world *world)
{
    world->story_ms = world->now_ms;
    int burst = sim_chance(world, world->calm ? 1000 : 250) ? 1 + (int)sim_below(world, 3) : 0;
    for (; burst > 0 && world->events_left > 0; burst--)
        send(world);
    for (int i = 0; i < 2; i++) {
        if (!world->upstream[i] || !sim_chance(world, world->events_left ? 60 : 300))
            continue;
        sim_txn_decide(world, world->upstream[i], sim_chance(world, 750));
        world->upstream[i] = NULL;
    }
}

bool sim_upstream_done(const struct sim_world *world)
{
    return world->events_left == 0 && !world->upstream[0] && !world->upstream[1];
}
