/* oracle_shared.c - what subscribers see. A record's score, tier and number are what was published
 * last, so they are known although the order between two cuts is not; what depends on that order
 * (factors, reasons, as_of, clock, positions), and the rank, is not among the fields that are
 * shared here. */
#include "oracle.h"

#include <string.h>

void sim_subscribers(struct ss_worker_subscriber out[SIM_SUBSCRIBERS])
{
    static const struct {
        const char *name;
        uint32_t fields;
    } list[SIM_SUBSCRIBERS] = {
        {"bank 0",
         SS_FIELDS_ALL & ~(SS_FIELD_BIT(SS_FIELD_FACTORS) | SS_FIELD_BIT(SS_FIELD_REASONS) |
                           SS_FIELD_BIT(SS_FIELD_AS_OF) | SS_FIELD_BIT(SS_FIELD_CLOCK) |
                           SS_FIELD_BIT(SS_FIELD_POSITIONS) | SS_FIELD_BIT(SS_FIELD_PERCENTILE) |
                           SS_FIELD_BIT(SS_FIELD_RANKS))},
        {"bank 1", SS_FIELD_BIT(SS_FIELD_STANDING) | SS_FIELD_BIT(SS_FIELD_TIER)},
    };
    for (int i = 0; i < SIM_SUBSCRIBERS; i++)
        out[i] = (struct ss_worker_subscriber){
            .hash =
                ss_subscriber_hash((struct ss_text){list[i].name, (uint32_t)strlen(list[i].name)}),
            .schema_id = 1000 + (uint32_t)i,
            .fields = list[i].fields,
        };
}

struct oracle_grants oracle_grants(const struct ss_user_state *state)
{
    struct ss_worker_subscriber subscribers[SIM_SUBSCRIBERS];
    struct oracle_grants grants = {0};
    sim_subscribers(subscribers);
    for (int s = 0; s < SIM_SUBSCRIBERS && state->consents.scoring; s++)
        for (int i = 0; i < state->consents.share_count; i++)
            grants.to[s] |= state->consents.shares[i].subscriber_hash == subscribers[s].hash;
    return grants;
}

/* The subscriber's next record, of this transaction; NULL as score is a tombstone. */
static void expect(struct oracle *oracle, int s, const struct ss_worker_subscriber *subscriber,
                   struct ss_text user_id, const struct ss_score_record *score)
{
    struct sim_world *world = oracle->world;
    const struct sim_log *log = &world->targets[SS_TO_SUBSCRIBERS + s][oracle->partition];
    const struct sim_record *sent = sim_log_next(log, &oracle->shared_at[s], log->end, true);
    struct ss_bytes expected = {NULL, 0};
    struct ss_error err;
    if (!sent || sent->txn != oracle->txn ||
        !ss_bytes_equal(sent->key, (struct ss_bytes){user_id.data, user_id.size})) {
        sim_differ(world, "partition %d: subscriber %d misses a %s of %.*s in txn %d",
                   oracle->partition, s, score ? "record" : "tombstone", (int)user_id.size,
                   user_id.data, oracle->txn->number);
        return;
    }
    oracle->encoded.size = 0;
    if (score && ss_encode_shared_score(subscriber->schema_id, subscriber->fields, score,
                                        &oracle->encoded, &err) == SS_OK)
        expected = (struct ss_bytes){oracle->encoded.data, oracle->encoded.size};
    if (!ss_bytes_equal(sent->value, expected) || !sent->value.data != !score)
        sim_differ(world, "partition %d: subscriber %d sees another %s of %.*s in txn %d",
                   oracle->partition, s, score ? "record" : "tombstone", (int)user_id.size,
                   user_id.data, oracle->txn->number);
}

static struct ss_score_record as_it_stands(const struct oracle *oracle,
                                           const struct ss_user_state *state,
                                           const struct ss_event *event, int64_t offset)
{
    const struct ss_model *model = sim_model_of(oracle->world, state);
    struct ss_score_record record = {
        .user_id = event->user_id,
        .kind = SS_KIND_SHARED,
        .standing = (enum ss_standing)state->published.standing,
        .sequence = state->published.sequence,
        .has_score = true,
        .tier_name = model->tiers[state->published.tier].name,
        .has_cause = true,
        .cause = {event->input, oracle->partition, offset, event->event_id},
        .consent_position = state->consents.scoring_position,
        .friends_confirmed = state->friends.confirmed,
        .friends_bands = state->friends.bands,
        .model_version = model->version,
    };
    record.score.score = state->published.score;
    return record;
}

void oracle_shared(struct oracle *oracle, const struct ss_user_state *state,
                   const struct ss_event *event, int64_t offset, struct oracle_grants before,
                   const struct ss_score_record *record)
{
    struct ss_worker_subscriber subscribers[SIM_SUBSCRIBERS];
    struct oracle_grants now = oracle_grants(state);
    sim_subscribers(subscribers);
    for (int s = 0; s < SIM_SUBSCRIBERS && !oracle->world->failed; s++) {
        const struct ss_worker_subscriber *subscriber = &subscribers[s];
        bool granted = event->input == SS_CONSENTS && event->consent.purpose == SS_PURPOSE_SHARE &&
                       event->consent.action == SS_CONSENT_GRANTED &&
                       ss_subscriber_hash(event->consent.subscriber) == subscriber->hash;
        if (granted) {
            struct ss_score_record shared = as_it_stands(oracle, state, event, offset);
            expect(oracle, s, subscriber, event->user_id, &shared);
        } else if (now.to[s] && record) {
            expect(oracle, s, subscriber, event->user_id, record);
        } else if (before.to[s] && !now.to[s]) {
            expect(oracle, s, subscriber, event->user_id, NULL);
        }
    }
}

void oracle_shared_step(struct oracle *oracle, const struct ss_user_state *state,
                        const struct ss_score_record *record)
{
    struct ss_worker_subscriber subscribers[SIM_SUBSCRIBERS];
    struct oracle_grants now = oracle_grants(state);
    sim_subscribers(subscribers);
    for (int s = 0; s < SIM_SUBSCRIBERS && !oracle->world->failed; s++)
        if (now.to[s])
            expect(oracle, s, &subscribers[s], record->user_id, record);
}

void oracle_no_shared_left(struct oracle *oracle)
{
    for (int s = 0; s < SIM_SUBSCRIBERS; s++) {
        const struct sim_log *log =
            &oracle->world->targets[SS_TO_SUBSCRIBERS + s][oracle->partition];
        const struct sim_record *more = sim_log_next(log, &oracle->shared_at[s], log->end, true);
        if (more)
            sim_differ(oracle->world,
                       "partition %d: subscriber %d sees what nobody has shared, in txn %d",
                       oracle->partition, s, more->txn->number);
    }
}
