/* oracle.c - a partition's transactions, one after the other. oracle.h says how and why. */
#include "oracle.h"

#include "state/pack_friends.h"

#include <stdlib.h>

static void take(struct oracle *oracle, const struct sim_record *record, int input, int64_t offset,
                 const int64_t to[SS_INPUT_COUNT])
{
    struct oracle_effect effect;
    oracle_apply(oracle, record, (enum ss_input)input, offset, to, false, &effect);
    oracle->counts[input].outcomes[effect.outcome]++;
    if (effect.outcome == SS_REFUSED)
        oracle_letter(oracle, record, (enum ss_input)input, offset, effect.reason);
}

/* Those that have to do with friends wait for each other. */
struct waiting {
    const struct sim_record *record;
    int input, place;
    int64_t offset;
};

static int by_place(const void *a, const void *b)
{
    return ((const struct waiting *)a)->place - ((const struct waiting *)b)->place;
}

/* Everything between the last cut and `to` takes effect; cause (input, offset), if any, last. */
static void advance(struct oracle *oracle, const int64_t to[SS_INPUT_COUNT], int cause_input,
                    int64_t cause_offset, struct oracle_effect *caused)
{
    struct sim_world *world = oracle->world;
    struct waiting waiting[SIM_BATCH_MAX];
    int count = 0;
    const struct sim_record *cause = NULL, *record;
    for (int input = 0; input < SS_INPUT_COUNT; input++) {
        const struct sim_log *log = &world->inputs[input][oracle->partition];
        int64_t at = oracle->positions[input];
        if (to[input] < at) {
            sim_differ(world, "%s [%d]: the position goes back from %lld to %lld in txn %d",
                       ss_input_name((enum ss_input)input), oracle->partition, (long long)at,
                       (long long)to[input], oracle->txn->number);
            return;
        }
        while ((record = sim_log_next(log, &at, to[input], true))) {
            oracle->counts[input].consumed++;
            if (input == cause_input && at - 1 == cause_offset) {
                cause = record;
                continue;
            }
            if (input != SS_SOCIAL && input != SS_CONSENTS && input != SS_NEIGHBOURS) {
                take(oracle, record, input, at - 1, to);
                continue;
            }
            int place = oracle_place(oracle, input, at - 1);
            if (place < 0 || count == SIM_BATCH_MAX) {
                sim_differ(world, "%s [%d] %lld: txn %d has read what was not delivered to it",
                           ss_input_name((enum ss_input)input), oracle->partition,
                           (long long)at - 1, oracle->txn->number);
                return;
            }
            waiting[count++] = (struct waiting){record, input, place, at - 1};
        }
        oracle->positions[input] = to[input];
    }
    qsort(waiting, (size_t)count, sizeof waiting[0], by_place);
    for (int i = 0; i < count; i++)
        take(oracle, waiting[i].record, waiting[i].input, waiting[i].offset, to);
    oracle_bound(oracle, oracle->told && cause_input < 0);
    oracle_cut(oracle);
    if (cause_input < 0)
        return;
    if (!cause || to[cause_input] != cause_offset + 1) {
        sim_differ(world, "a score record's cause %s [%d] %lld is not the newest at its positions",
                   ss_input_name((enum ss_input)cause_input), oracle->partition,
                   (long long)cause_offset);
        return;
    }
    oracle_apply(oracle, cause, (enum ss_input)cause_input, cause_offset, to, true, caused);
    oracle_bound(oracle, false);
    oracle->counts[cause_input].outcomes[caused->outcome]++;
    if (caused->outcome == SS_REFUSED)
        oracle_letter(oracle, cause, (enum ss_input)cause_input, cause_offset, caused->reason);
}

static void expect_bytes(struct oracle *oracle, const struct sim_record *record, const char *what)
{
    struct ss_bytes expected = {oracle->encoded.data, oracle->encoded.size};
    if (!ss_bytes_equal(record->value, expected))
        sim_differ(oracle->world, "partition %d: %s in txn %d is not what the logs give",
                   oracle->partition, what, oracle->txn->number);
}

static void expect_entitlements(struct oracle *oracle, struct oracle_effect *effect)
{
    struct sim_world *world = oracle->world;
    const struct ss_model *model = world->epochs[oracle->epoch].person;
    const struct sim_log *log = &world->targets[SS_TO_ENTITLEMENTS][oracle->partition];
    const struct ss_score_record *record = &effect->record;
    struct ss_error err;
    for (int b = 0; b < model->benefit_count && !world->failed; b++) {
        if (!((effect->granted | effect->revoked) >> b & 1))
            continue;
        const struct sim_record *sent = sim_log_next(log, &oracle->entitlements_at, log->end, true);
        if (!sent || sent->txn != oracle->txn) {
            sim_differ(world, "partition %d: an entitlement is missing in txn %d",
                       oracle->partition, oracle->txn->number);
            return;
        }
        struct ss_entitlement entitlement = {
            .user_id = record->user_id,
            .action = effect->granted >> b & 1 ? SS_ENTITLEMENT_GRANTED : SS_ENTITLEMENT_REVOKED,
            .benefit = &model->benefits[b],
            .has_score = record->has_score,
            .score = record->score.score,
            .sequence = record->sequence,
            .as_of_ms = record->as_of_ms,
            .has_cause = record->has_cause,
            .cause = record->cause,
            .model_version = record->model_version,
        };
        oracle->encoded.size = 0;
        if (ss_encode_entitlement(world->output_ids[SS_ENTITLEMENTS], &entitlement,
                                  &oracle->encoded, &err) == SS_OK)
            expect_bytes(oracle, sent, "an entitlement");
    }
}

int oracle_user_of(const struct sim_world *world, struct ss_bytes id)
{
    for (int i = 0; i < world->user_count; i++)
        if (ss_bytes_equal(id, (struct ss_bytes){world->users[i].id.data, world->users[i].id.size}))
            return i;
    return -1;
}

struct ss_bytes oracle_owner_of(struct ss_bytes key)
{
    size_t skip = ss_is_friends_key(key);
    return (struct ss_bytes){(const uint8_t *)key.data + skip, key.size - skip};
}

static void check_score(struct oracle *oracle, const struct sim_record *sent)
{
    struct sim_world *world = oracle->world;
    struct oracle_effect effect = {0};
    struct ss_score_view view;
    struct ss_bytes body;
    struct ss_error err;
    uint32_t id;
    int input = 0;
    if (ss_wire_open(sent->value, &id, &body, &err) != SS_OK ||
        ss_score_view_decode(body, &view, &err) != SS_OK) {
        sim_differ(world, "partition %d: a score record cannot be read", oracle->partition);
        return;
    }
    int user = oracle_user_of(world, (struct ss_bytes){view.user_id.data, view.user_id.size});
    while (input < SS_INPUT_COUNT &&
           (view.cause.topic.size != strlen(ss_input_name((enum ss_input)input)) ||
            memcmp(view.cause.topic.data, ss_input_name((enum ss_input)input),
                   view.cause.topic.size) != 0))
        input++;
    if (view.cause.known ? input == SS_INPUT_COUNT || view.cause.partition != oracle->partition
                         : view.kind != SS_KIND_OVERDUE && view.kind != SS_KIND_AGED &&
                               view.kind != SS_KIND_RESCORE) {
        sim_differ(world, "partition %d: a score record of another cause", oracle->partition);
        return;
    }
    if (user < 0 || world->users[user].partition != oracle->partition) {
        sim_differ(world, "partition %d: a score record of nobody", oracle->partition);
        return;
    }
    oracle->told = &view;
    advance(oracle, view.positions, view.cause.known ? input : -1, view.cause.offset, &effect);
    if (view.kind == SS_KIND_RESCORE && !world->failed)
        oracle_rescore(oracle, &oracle->users[user], &view);
    else if (!view.cause.known && !world->failed)
        oracle_step(oracle, &oracle->users[user], &view);
    if (!view.cause.known && !world->failed) {
        oracle_aged(oracle, &oracle->users[user], &effect);
        oracle->users[user].counted = true;
    }
    oracle_clock(oracle, view.clock_ms, "a score record");
    oracle->told = NULL;
    if (world->failed)
        return;
    if (!effect.has_record) {
        sim_differ(world, "partition %d: the score record of %s %lld tells nothing new (%s)",
                   oracle->partition,
                   view.cause.known ? ss_input_name((enum ss_input)input) : "time",
                   (long long)view.cause.offset, ss_outcome_name(effect.outcome));
        return;
    }
    if (view.sequence != effect.record.sequence)
        sim_differ(world, "partition %d: %s %lld has sequence %lld, not %lld", oracle->partition,
                   view.cause.known ? ss_input_name((enum ss_input)input) : "time",
                   (long long)view.cause.offset, (long long)view.sequence,
                   (long long)effect.record.sequence);
    oracle_rank(oracle, &view, &effect.record);
    oracle->encoded.size = 0;
    if (ss_encode_score(world->output_ids[SS_SCORES], &effect.record, &oracle->encoded, &err) ==
        SS_OK)
        expect_bytes(oracle, sent, "a score record");
    expect_entitlements(oracle, &effect);
}

/* A changelog record of this transaction, once everything in it has been applied. */
static void check_state(struct oracle *oracle, const struct sim_record *sent)
{
    struct sim_world *world = oracle->world;
    uint8_t stored[SS_SEALED_MAX];
    bool friends = ss_is_friends_key(sent->key);
    int i = oracle_user_of(world, oracle_owner_of(sent->key));
    if (i < 0 || world->users[i].partition != oracle->partition) {
        sim_differ(world, "partition %d: the changelog has a state of nobody", oracle->partition);
        return;
    }
    struct oracle_user *user = &oracle->users[i];
    if (friends) {
        user->friends_key_id = ss_seal_key_id(sent->value);
        struct ss_bytes list = oracle_stored_friends(user, sent->key);
        if ((list.size > 0 && !sim_keys_may(world, user->friends_key_id)) ||
            !ss_bytes_equal(sent->value, list) || (list.size == 0 && sent->value.data))
            sim_differ(world, "partition %d, user %d: the friends in txn %d are not the logs'",
                       oracle->partition, i, oracle->txn->number);
        user->friends.changed = false;
        return;
    }
    struct ss_user_state left;
    user->key_id = ss_seal_key_id(sent->value);
    if ((sent->value.size > 0 && !sim_keys_may(world, user->key_id)) ||
        !sim_keys_read(sent->key, sent->value, &left)) {
        sim_differ(world, "partition %d, user %d: an unreadable state", oracle->partition, i);
        return;
    }
    if (user->state.consents.scoring)
        oracle_left(oracle, user, &left.published);
    oracle_forget(oracle, &user->state);
    struct ss_bytes expected = sim_keys_write(user->key_id, sent->key, &user->state, stored);
    if (!ss_bytes_equal(sent->value, expected) || (expected.size == 0 && sent->value.data))
        sim_differ(world, "partition %d, user %d: the state in txn %d is not what the logs give",
                   oracle->partition, i, oracle->txn->number);
    user->counted = false;
}

static void note_stored(struct oracle *oracle, int64_t from, int64_t to)
{
    const struct sim_log *log = &oracle->world->targets[SS_TO_CHANGELOG][oracle->partition];
    const struct sim_record *record;
    for (int i = 0; i < oracle->world->user_count; i++)
        oracle->users[i].stored = false;
    while ((record = sim_log_next(log, &from, to, true))) {
        int i = oracle_user_of(oracle->world, record->key);
        if (i >= 0)
            oracle->users[i].stored = true;
    }
}

/* One transaction: changelog records [from, at of the mark]. */
static void check_txn(struct oracle *oracle, int64_t from, int64_t to,
                      const struct sim_record *mark_record)
{
    struct sim_world *world = oracle->world;
    const struct sim_log *log = &world->targets[SS_TO_CHANGELOG][oracle->partition];
    const struct sim_log *scores = &world->targets[SS_TO_SCORES][oracle->partition];
    int64_t before[SS_INPUT_COUNT], at = oracle->scores_at;
    const struct sim_record *record;
    struct ss_mark mark;
    struct ss_error err;
    memcpy(before, oracle->positions, sizeof before);
    memcpy(oracle->days_before, oracle->days, sizeof oracle->days_before);
    oracle->txn = mark_record->txn;
    if (ss_mark_unpack(mark_record->value, &mark, &err) != SS_OK) {
        sim_differ(world, "partition %d: an unreadable mark", oracle->partition);
        return;
    }
    if (mark.epoch < oracle->epoch || mark.epoch >= world->epoch_count) {
        sim_differ(world, "partition %d: the mark of txn %d is at epoch %d after %d",
                   oracle->partition, oracle->txn->number, mark.epoch, oracle->epoch);
        return;
    }
    if (mark.epoch > oracle->epoch)
        oracle->rescored = 0;
    oracle->epoch = mark.epoch;
    oracle->now_ms = mark_record->timestamp_ms + SIM_SKEW_MS;
    oracle->behind = oracle->txn->behind[oracle->partition];
    oracle->has_records = false;
    oracle->told_clock_ms = 0;
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        if (mark.positions[i] > before[i]) {
            oracle->has_records = true;
            oracle->behind |= i == SS_NEIGHBOURS ? 0 : 1u << i;
        }
    while (!world->failed && (record = sim_log_next(scores, &at, scores->end, true)) &&
           record->txn == oracle->txn) {
        oracle->scores_at = at;
        check_score(oracle, record);
    }
    if (!world->failed)
        advance(oracle, mark.positions, -1, 0, NULL);
    if (!world->failed)
        oracle_ranks(oracle, &mark);
    bool others = false;
    for (int i = 0; i < SS_CONSENTS; i++)
        others |= oracle->positions[i] > before[i];
    if (!world->failed)
        oracle_mark(oracle, &mark, others);
    note_stored(oracle, from, to);
    if (!world->failed)
        oracle_messages(oracle);
    oracle_clock(oracle, mark.clock_ms, "the mark");
    if (mark.clock_ms < oracle->clock_ms)
        sim_differ(world, "partition %d: the clock goes back from %lld to %lld in txn %d",
                   oracle->partition, (long long)oracle->clock_ms, (long long)mark.clock_ms,
                   oracle->txn->number);
    while (!world->failed && (record = sim_log_next(log, &from, to, true)))
        check_state(oracle, record);
    oracle->clock_ms = mark.clock_ms;
    if (oracle->told_clock_ms > mark.clock_ms)
        sim_differ(world, "partition %d: txn %d tells of %lld, its mark has come to %lld",
                   oracle->partition, oracle->txn->number, (long long)oracle->told_clock_ms,
                   (long long)mark.clock_ms);
    for (int i = 0; i < world->user_count; i++) {
        if (oracle->users[i].counted)
            sim_differ(world, "partition %d, user %d: counted in txn %d, not in its changelog",
                       oracle->partition, i, oracle->txn->number);
        oracle->users[i].counted = false;
        if (oracle->users[i].friends.changed)
            sim_differ(world,
                       "partition %d, user %d: other friends in txn %d, not in its changelog",
                       oracle->partition, i, oracle->txn->number);
        oracle->users[i].friends.changed = false;
    }
}

static void walk(struct oracle *oracle)
{
    struct sim_world *world = oracle->world;
    const struct sim_log *log = &world->targets[SS_TO_CHANGELOG][oracle->partition];
    const struct sim_log *scores = &world->targets[SS_TO_SCORES][oracle->partition];
    const struct sim_log *entitlements = &world->targets[SS_TO_ENTITLEMENTS][oracle->partition];
    const struct sim_record *record, *first = NULL;
    int64_t at = 0, from = 0;
    while (!world->failed && (record = sim_log_next(log, &at, log->end, true))) {
        if (!first) {
            first = record;
            from = at - 1;
        }
        if (record->txn != first->txn) {
            sim_differ(world, "partition %d: txn %d ends without its mark", oracle->partition,
                       first->txn->number);
            return;
        }
        if (!ss_bytes_equal(record->key, ss_mark_key))
            continue;
        check_txn(oracle, from, at - 1, record);
        first = NULL;
    }
    if (first)
        sim_differ(world, "partition %d: txn %d ends without its mark", oracle->partition,
                   first->txn->number);
    if (!world->failed &&
        (sim_log_next(scores, &oracle->scores_at, scores->end, true) ||
         sim_log_next(entitlements, &oracle->entitlements_at, entitlements->end, true)))
        sim_differ(world, "partition %d: outputs that no transaction of its changelog accounts for",
                   oracle->partition);
    if (!world->failed)
        oracle_no_shared_left(oracle);
    if (!world->failed)
        oracle_no_ranks_left(oracle);
    if (!world->failed)
        oracle_no_letter_left(oracle);
}

/* Once all is read: the whole of the logs counted, and the store where the changelog is. */
static void check_end(struct oracle *oracle)
{
    struct sim_world *world = oracle->world;
    int32_t p = oracle->partition;
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        int64_t at = oracle->positions[i];
        const struct sim_log *log = &world->inputs[i][p];
        if (sim_log_next(log, &at, log->end, true))
            sim_differ(world, "%s [%d]: %lld and more never took effect",
                       ss_input_name((enum ss_input)i), p, (long long)at - 1);
        int64_t committed = world->group.committed[i][p];
        if (committed >= 0 ? committed != oracle->passed[i] : oracle->txn != NULL)
            sim_differ(world, "%s [%d]: the group is at %lld, the last mark at %lld",
                       ss_input_name((enum ss_input)i), p, (long long)committed,
                       (long long)oracle->passed[i]);
    }
    oracle_store(oracle);
    sim_judge_wakes(world, p);
}

void sim_judge(struct sim_world *world)
{
    struct oracle *oracles[SIM_PARTITIONS_MAX];
    oracle_read_messages(world);
    for (int32_t p = 0; p < world->partition_count && !world->failed; p++) {
        struct oracle *oracle = oracles[p] = sim_alloc(world->arena, sizeof *oracle);
        oracle->world = world;
        oracle->partition = p;
        ss_buffer_init(&oracle->encoded, 65536);
        oracle_read_letters(oracle);
        walk(oracle);
        if (!world->failed)
            check_end(oracle);
        ss_buffer_reset(&oracle->encoded);
    }
    if (!world->failed)
        oracle_friends_agree(world, oracles);
}
