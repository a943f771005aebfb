/* oracle_friends.c - who is whose friend and what is told of it, kept as plain lists of names:
 * docs/decisions/0010-friends.md's table, said once more.
 *
 * Whether a band finds its sender listed depends on the order in which the partition's records were
 * taken. No position tells that, but the simulated broker knows in which order it delivered them
 * (sim_txn.order); events of social, consents and neighbours take effect in that one. So every
 * message is known: who tells whom what, in which transaction, and because of which record. */
#include "oracle.h"

#include "scoring/hash.h"
#include "state/pack_friends.h"

#include <stdlib.h>

/* --- messages as they stand in the logs --- */

static int64_t number(const uint8_t **at)
{
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
    }
}

static struct ss_text text(const uint8_t **at)
{
    struct ss_text out = {(const char *)*at + 1, 0};
    const uint8_t *begin = *at;
    out.size = (uint32_t)number(&begin);
    out.data = (const char *)begin;
    *at = begin + out.size;
    return out;
}

static bool same(struct ss_text a, struct ss_text b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

static int user_named(const struct sim_world *world, struct ss_text id)
{
    for (int i = 0; i < world->user_count; i++)
        if (same(world->users[i].id, id))
            return i;
    return -1;
}

/* Gives each message its truth, as upstream's records have theirs. */
void oracle_read_messages(struct sim_world *world)
{
    for (int32_t p = 0; p < world->partition_count; p++) {
        struct sim_log *log = &world->inputs[SS_NEIGHBOURS][p];
        for (int64_t i = 0; i < log->end; i++) {
            struct sim_record *record = &log->records[i];
            if (record->control)
                continue;
            struct sim_truth *truth = sim_alloc(world->arena, sizeof *truth);
            const uint8_t *at = (const uint8_t *)record->value.data + 5;
            struct ss_event *event = &truth->event;
            event->input = SS_NEIGHBOURS;
            event->event_id = (struct ss_text){"", 0};
            event->user_id = text(&at);
            event->occurred_at_ms = number(&at);
            event->neighbour.action = (enum ss_neighbour_action)number(&at);
            event->neighbour.from = text(&at);
            event->neighbour.band = number(&at);
            event->neighbour.cause = text(&at);
            event->neighbour.cause_offset = number(&at);
            truth->user = user_named(world, event->user_id);
            record->truth = truth;
            if (truth->user < 0 || world->users[truth->user].partition != p ||
                user_named(world, event->neighbour.from) < 0)
                sim_differ(world, "neighbours [%d] %lld is to or from nobody here", p,
                           (long long)i);
        }
    }
}

static void expect(struct oracle *oracle, struct oracle_message message)
{
    if (oracle->message_count == ORACLE_MESSAGES_MAX)
        abort();
    oracle->messages[oracle->message_count++] = message;
}

/* --- one user's friends --- */

static struct oracle_link *find(struct oracle_friends *friends, struct ss_text id)
{
    for (int i = 0; i < friends->count; i++)
        if (same(friends->links[i].id, id))
            return &friends->links[i];
    return NULL;
}

/* What the packed state says of them. */
static void sync(struct oracle_user *user)
{
    const struct oracle_friends *friends = &user->friends;
    struct ss_friends_sum sum = {.open = friends->open};
    if (friends->open) {
        sum.told_band = (uint8_t)friends->told;
        sum.telling = friends->telling;
        sum.unlinked = friends->unlinked;
    }
    for (int i = 0; i < friends->count; i++)
        if (friends->links[i].confirmed) {
            sum.confirmed++;
            sum.bands = (uint16_t)(sum.bands + friends->links[i].band);
        }
    user->state.friends = sum;
}

void oracle_social(struct oracle *oracle, struct oracle_user *user, const struct ss_event *event,
                   int64_t offset)
{
    struct oracle_friends *friends = &user->friends;
    struct ss_text id = event->social.friend_id;
    struct oracle_link *link = find(friends, id);
    struct oracle_message message = {
        .from = event->user_id, .to = id, .cause = SS_SOCIAL, .offset = offset};
    if (event->social.action == SS_FRIEND_REMOVED) {
        if (!link) {
            friends->unlinked -= friends->unlinked > 0;
        } else {
            message.action = SS_NEIGHBOUR_LEFT;
            if (link->confirmed)
                expect(oracle, message);
            *link = friends->links[--friends->count];
            friends->changed = true;
        }
    } else if (!same(id, event->user_id) && !(link && link->confirmed)) {
        if (!link && friends->count == oracle->world->model->friends_max) {
            friends->unlinked++;
        } else {
            if (!link)
                friends->links[friends->count++] = (struct oracle_link){.id = id};
            friends->changed |= !link;
            message.action = SS_NEIGHBOUR_ASKS;
            message.band = friends->told;
            expect(oracle, message);
        }
    }
    sync(user);
}

bool oracle_told(struct oracle *oracle, struct oracle_user *user, const struct ss_event *event,
                 int64_t offset)
{
    struct oracle_friends *friends = &user->friends;
    const struct ss_neighbour *said = &event->neighbour;
    struct oracle_link *link = find(friends, said->from), before;
    struct oracle_message answer = {
        .from = event->user_id, .to = said->from, .cause = SS_NEIGHBOURS, .offset = offset};
    bool changed = false;
    if (said->action == SS_NEIGHBOUR_LEFT) {
        changed = link && link->confirmed;
        if (changed)
            *link = (struct oracle_link){.id = link->id};
    } else if (!link) {
        answer.action = SS_NEIGHBOUR_LEFT;
        expect(oracle, answer);
    } else {
        before = *link;
        link->confirmed = true;
        link->band = (int)said->band;
        changed = !before.confirmed || before.band != link->band;
        answer.action = SS_NEIGHBOUR_TELLS;
        answer.band = friends->told;
        if (!before.confirmed || said->action == SS_NEIGHBOUR_ASKS)
            expect(oracle, answer);
    }
    friends->changed |= changed;
    sync(user);
    return changed;
}

void oracle_consented(struct oracle *oracle, struct oracle_user *user, const struct ss_event *event,
                      int64_t offset)
{
    struct oracle_friends *friends = &user->friends;
    if (user->state.consents.scoring && user->state.consents.social)
        return;
    for (int i = 0; i < friends->count; i++)
        if (friends->links[i].confirmed)
            expect(oracle, (struct oracle_message){.from = event->user_id,
                                                   .to = friends->links[i].id,
                                                   .action = SS_NEIGHBOUR_LEFT,
                                                   .cause = SS_CONSENTS,
                                                   .offset = offset});
    bool changed = friends->changed || friends->count > 0;
    *friends = (struct oracle_friends){.changed = changed};
    user->state.social = (struct ss_social_part){0};
    sync(user);
}

static int band_of(int32_t score)
{
    int band = 0;
    while (band < 11 && score >= 400 + 50 * band)
        band++;
    return band;
}

void oracle_open_friends(struct oracle_user *user)
{
    if (user->friends.open || !user->state.consents.scoring || !user->state.consents.social)
        return;
    user->friends.open = true;
    user->friends.told = band_of(user->state.published.score);
    sync(user);
}

/* By how much all friends together can move a score, rounded up. */
static int32_t reach(const struct ss_model *model)
{
    const struct ss_component *friends = &model->components[SS_VAR_FRIENDS];
    int64_t least = friends->neutral, most = friends->neutral, weights = 0;
    for (int i = 0; i < friends->curve.count; i++) {
        least = friends->curve.y[i] < least ? friends->curve.y[i] : least;
        most = friends->curve.y[i] > most ? friends->curve.y[i] : most;
    }
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        weights += model->weights[f];
    int64_t points = 600 * (most - least) * model->weights[SS_FACTOR_RELATIONSHIPS];
    return (int32_t)((points + weights * 10000 - 1) / (weights * 10000));
}

void oracle_friends_scored(struct oracle *oracle, struct oracle_user *user)
{
    struct oracle_friends *friends = &user->friends;
    int32_t score = user->state.published.score,
            beyond = reach(oracle->world->epochs[oracle->epoch].person) + 10;
    int32_t from = 350 + 50 * friends->told, to = friends->told == 11 ? 950 : from + 49;
    if (!friends->open || (score >= from - beyond && score <= to + beyond))
        return;
    friends->told = band_of(score);
    friends->telling = user->state.friends.confirmed > 0;
    sync(user);
}

/* --- what a transaction has told --- */

static const char *action_name(enum ss_neighbour_action action)
{
    static const char *const names[] = {"BAND", "QUESTION", "GONE"};
    return names[action];
}

static void match(struct oracle *oracle, const struct ss_event *event)
{
    const struct ss_neighbour *said = &event->neighbour;
    struct oracle_message *next = NULL;
    for (int i = 0; i < oracle->message_count && !next; i++)
        if (!oracle->messages[i].sent && same(oracle->messages[i].from, said->from) &&
            same(oracle->messages[i].to, event->user_id))
            next = &oracle->messages[i];
    if (!next || next->action != said->action || next->band != said->band ||
        next->offset != said->cause_offset ||
        !same(said->cause, (struct ss_text){ss_input_name(next->cause),
                                            (uint32_t)strlen(ss_input_name(next->cause))})) {
        sim_differ(oracle->world,
                   "partition %d: %.*s tells %.*s %s %lld (%.*s %lld) in txn %d, not %s %d",
                   oracle->partition, (int)said->from.size, said->from.data,
                   (int)event->user_id.size, event->user_id.data, action_name(said->action),
                   (long long)said->band, (int)said->cause.size, said->cause.data,
                   (long long)said->cause_offset, oracle->txn->number,
                   next ? action_name(next->action) : "anything", next ? next->band : 0);
        return;
    }
    next->sent = true;
}

/* Everybody who confirms it is told the band, once, or nobody yet. */
static void judge_telling(struct oracle *oracle, struct oracle_user *user, struct ss_text self)
{
    struct oracle_friends *friends = &user->friends;
    int told = 0, confirmed = user->state.friends.confirmed;
    for (int i = 0; i < friends->count; i++) {
        friends->links[i].told = false;
    }
    for (int32_t q = 0; q < oracle->world->partition_count; q++) {
        const struct sim_log *log = &oracle->world->inputs[SS_NEIGHBOURS][q];
        const struct sim_record *record;
        for (int64_t at = 0; (record = sim_log_next(log, &at, log->end, true));) {
            const struct sim_truth *truth = record->truth;
            const struct ss_neighbour *said = &truth->event.neighbour;
            if (record->txn != oracle->txn || !same(said->from, self))
                continue;
            struct oracle_link *link = find(friends, truth->event.user_id);
            if (!friends->telling || !link || !link->confirmed || link->told ||
                said->action != SS_NEIGHBOUR_TELLS || said->band != friends->told ||
                said->cause.size != 0)
                sim_differ(
                    oracle->world, "partition %d: %.*s tells %.*s what nobody asked for in txn %d",
                    oracle->partition, (int)self.size, self.data, (int)truth->event.user_id.size,
                    truth->event.user_id.data, oracle->txn->number);
            if (link)
                link->told = true;
            told++;
        }
    }
    if (told > 0 && told != confirmed)
        sim_differ(oracle->world, "partition %d: %.*s tells %d of %d friends in txn %d",
                   oracle->partition, (int)self.size, self.data, told, confirmed,
                   oracle->txn->number);
    if (told > 0 || (confirmed == 0 && user->stored))
        friends->telling = false;
    sync(user);
}

void oracle_messages(struct oracle *oracle)
{
    struct sim_world *world = oracle->world;
    for (int i = 0; !oracle->has_records && i < world->user_count; i++)
        if (world->users[i].partition == oracle->partition)
            judge_telling(oracle, &oracle->users[i], world->users[i].id);
    for (int32_t q = 0; oracle->has_records && q < world->partition_count; q++) {
        const struct sim_log *log = &world->inputs[SS_NEIGHBOURS][q];
        const struct sim_record *record;
        for (int64_t at = 0; (record = sim_log_next(log, &at, log->end, true));) {
            const struct sim_truth *truth = record->truth;
            int from = user_named(world, truth->event.neighbour.from);
            if (record->txn == oracle->txn && world->users[from].partition == oracle->partition)
                match(oracle, &truth->event);
        }
    }
    for (int i = 0; i < oracle->message_count && !world->failed; i++)
        if (!oracle->messages[i].sent)
            sim_differ(world, "partition %d: %.*s is not told %s by %.*s in txn %d",
                       oracle->partition, (int)oracle->messages[i].to.size,
                       oracle->messages[i].to.data, action_name(oracle->messages[i].action),
                       (int)oracle->messages[i].from.size, oracle->messages[i].from.data,
                       oracle->txn->number);
    oracle->message_count = 0;
}

/* --- records and the end --- */

static int by_hash(const void *a, const void *b)
{
    uint64_t x = ((const struct ss_friend *)a)->hash, y = ((const struct ss_friend *)b)->hash;
    return (x > y) - (x < y);
}

struct ss_bytes oracle_stored_friends(const struct oracle_user *user, struct ss_bytes key)
{
    static struct ss_friends list;
    static uint8_t packed[SS_FRIENDS_PACKED_MAX];
    static uint8_t sealed[SS_FRIENDS_PACKED_MAX + SS_SEAL_OVERHEAD_MAX];
    list.count = 0;
    for (int i = 0; i < user->friends.count; i++) {
        const struct oracle_link *link = &user->friends.links[i];
        struct ss_friend *out = &list.links[list.count++];
        *out = (struct ss_friend){.hash = ss_hash64(link->id)};
        if (!link->confirmed)
            continue;
        memcpy(out->id, link->id.data, link->id.size);
        out->id_size = (uint8_t)link->id.size;
        out->band = (uint8_t)link->band;
    }
    qsort(list.links, list.count, sizeof list.links[0], by_hash);
    struct ss_bytes plain = {packed, ss_friends_pack(&list, packed)};
    return sim_keys_seal(user->friends_key_id, key, plain, sealed);
}

int oracle_place(const struct oracle *oracle, int input, int64_t offset)
{
    const struct sim_txn *txn = oracle->txn;
    for (int i = 0; i < txn->order_count; i++)
        if (txn->order[i].input == input && txn->order[i].partition == oracle->partition &&
            txn->order[i].offset == offset)
            return i;
    return -1;
}

/* No message is under way: confirmed are those who list each other, with the bands they told. */
void oracle_friends_agree(struct sim_world *world, struct oracle *const *oracles)
{
    for (int a = 0; a < world->user_count && !world->failed; a++) {
        const struct oracle_friends *friends =
            &oracles[world->users[a].partition]->users[a].friends;
        for (int i = 0; i < friends->count; i++) {
            int b = user_named(world, friends->links[i].id);
            struct oracle_friends *others = &oracles[world->users[b].partition]->users[b].friends;
            bool mutual = find(others, world->users[a].id) != NULL;
            if (friends->links[i].confirmed != mutual ||
                (mutual && friends->links[i].band != others->told))
                sim_differ(world, "user %d has user %d %s in band %d, who %s him and told %d", a, b,
                           friends->links[i].confirmed ? "confirmed" : "pending",
                           friends->links[i].band, mutual ? "lists" : "does not list",
                           others->told);
        }
        if (friends->telling)
            sim_differ(world, "user %d never told of band %d", a, friends->told);
    }
}
