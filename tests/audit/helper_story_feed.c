/* What a story has published, as a feed of records, and held against its logs. */
#include "helper_story.h"

#include "state/pack.h"
#include "state/pack_friends.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define BEGIN_MS INT64_C(1700000000000)
#define DAY_MS   INT64_C(86400000)

static int32_t on_rank(void *arg, int64_t offset, int32_t score)
{
    const struct story *story = arg;
    const size_t i = (size_t)(offset - 1) / 3;
    if (offset > 3 * (int64_t)story->rank_count)
        return SS_PROOF_RANK_NONE; /* behind the end */
    return i < story->drop_ranks ? SS_PROOF_RANK_UNKNOWN
                                 : ss_rank_percentile(&story->tables[i], score);
}

static const struct ss_rank_entry *on_histogram(void *arg)
{
    struct story *story = arg;
    return story->ranks_at < story->rank_count ? &story->ranks[story->ranks_at++] : NULL;
}

void story_forget_published(struct story *story)
{
    for (int output = 0; output < SS_OUTPUT_COUNT; output++) {
        free(story->published[output]);
        story->published[output] = NULL;
        story->published_count[output] = story->published_at[output] = 0;
        ss_buffer_reset(&story->lent[output]);
    }
    while (story->body_count)
        free(story->bodies[--story->body_count]);
    free(story->bodies);
    story->bodies = NULL;
}

void story_swap(struct story *story, size_t a, size_t b)
{
    struct story_score score = story->scores[a];
    story->scores[a] = story->scores[b];
    story->scores[b] = score;
}

static void add(struct story *story, enum ss_output output, int64_t offset, struct ss_text key,
                const struct ss_buffer *encoded)
{
    size_t count = story->published_count[output]++;
    size_t size = encoded->size - SS_WIRE_HEADER_SIZE;
    story->published[output] =
        realloc(story->published[output], (count + 1) * sizeof *story->published[output]);
    story->bodies = realloc(story->bodies, (story->body_count + 1) * sizeof *story->bodies);
    uint8_t *body = malloc(size + 1);
    cr_assert(story->published[output] && story->bodies && body);
    memcpy(body, encoded->data + SS_WIRE_HEADER_SIZE, size);
    story->bodies[story->body_count++] = body;
    story->published[output][count] = (struct ss_published_record){.offset = offset,
                                                                   .timestamp_ms = BEGIN_MS,
                                                                   .key = {key.data, key.size},
                                                                   .body = {body, size}};
}

static void encode_all(struct story *story)
{
    struct ss_buffer encoded;
    struct ss_error err;
    story_forget_published(story);
    ss_buffer_init(&encoded, 1 << 20);
    for (size_t i = story->drop_scores; i < story->score_count; i++) {
        const struct story_score *score = &story->scores[i];
        encoded.size = 0;
        cr_assert_eq(ss_encode_score(1, &score->record, &encoded, &err), SS_OK);
        if (!score->gone)
            add(story, SS_SCORES, (int64_t)(2 * i), score->record.user_id, &encoded);
    }
    for (size_t i = story->drop_grants; i < story->grant_count; i++) {
        const struct story_grant *grant = &story->grants[i];
        encoded.size = 0;
        cr_assert_eq(ss_encode_entitlement(1, &grant->entitlement, &encoded, &err), SS_OK);
        if (!grant->gone)
            add(story, SS_ENTITLEMENTS, (int64_t)(2 * i), grant->entitlement.user_id, &encoded);
    }
    ss_buffer_reset(&encoded);
}

static enum ss_status on_events(void *arg, enum ss_input input, struct ss_source_batch *batch,
                                struct ss_error *err)
{
    struct story *story = arg;
    cr_assert(input != SS_NEIGHBOURS || !story->without_neighbours);
    size_t at = story->input_at[input], left = story->counts[input] - at;
    (void)err;
    batch->count = left < story->batch ? left : story->batch;
    batch->events = &story->events[input][at];
    story->input_at[input] += batch->count;
    at += batch->count;
    batch->next_offset = at ? story->events[input][at - 1].offset + 1 : 0;
    return SS_OK;
}

static enum ss_status on_published(void *arg, enum ss_output output,
                                   struct ss_published_batch *batch, struct ss_error *err)
{
    struct story *story = arg;
    struct ss_buffer *lent = &story->lent[output];
    size_t at = story->published_at[output], left = story->published_count[output] - at;
    const struct ss_published_record *records = &story->published[output][at];
    (void)err;
    batch->count = left < story->batch ? left : story->batch;
    story->published_at[output] += batch->count;
    if (lent->data)
        memset(lent->data, 0xa5, lent->capacity);
    size_t size = batch->count * sizeof *records;
    for (size_t i = 0; i < batch->count; i++)
        size += records[i].body.size;
    lent->size = 0;
    lent->size_max = SIZE_MAX / 2;
    cr_assert(ss_buffer_reserve(lent, size + 1));
    cr_assert(ss_buffer_append(lent, records, batch->count * sizeof *records));
    struct ss_published_record *given = (struct ss_published_record *)(void *)lent->data;
    batch->records = given;
    for (size_t i = 0; i < batch->count; i++) {
        given[i].body.data = lent->data + lent->size;
        cr_assert(ss_buffer_append(lent, records[i].body.data, records[i].body.size));
    }
    return SS_OK;
}

static enum ss_status on_open(void *arg, const struct ss_source_users *users,
                              struct ss_walk_feed *feed, struct ss_error *err)
{
    struct story *story = arg;
    (void)users;
    (void)err;
    memset(story->published_at, 0, sizeof story->published_at);
    memcpy(story->input_at, story->drop_events, sizeof story->input_at);
    *feed = (struct ss_walk_feed){story, on_events, on_published};
    return SS_OK;
}

static enum ss_status seed_friends(struct story *story, int user,
                                   enum ss_status (*put)(void *to, struct ss_text user_id,
                                                         struct ss_bytes packed,
                                                         struct ss_error *err),
                                   void *to, struct ss_error *err)
{
    uint8_t packed[SS_FRIENDS_PACKED_MAX], bytes[SS_FRIENDS_KEY_MAX];
    const struct ss_text name = story_name(story, user);
    const struct ss_bytes key = ss_friends_key((struct ss_bytes){name.data, name.size}, bytes);
    const size_t size = ss_friends_pack(&story->half_lists[user], packed);
    return size ? put(to, (struct ss_text){key.data, (uint32_t)key.size},
                      (struct ss_bytes){packed, size}, err)
                : SS_OK;
}

enum ss_status story_seed(void *arg,
                          enum ss_status (*put)(void *to, struct ss_text user_id,
                                                struct ss_bytes packed, struct ss_error *err),
                          void *to, struct ss_error *err)
{
    struct story *story = arg;
    enum ss_status status = SS_OK;
    for (int user = 0; user < story->options.users && status == SS_OK; user++) {
        uint8_t packed[SS_PACKED_MAX];
        size_t size = ss_state_pack(&story->half_states[user], packed);
        if (size)
            status = put(to, story_name(story, user), (struct ss_bytes){packed, size}, err);
        if (status == SS_OK && story->half_states[user].friends.open)
            status = seed_friends(story, user, put, to, err);
    }
    return status;
}

static void on_difference(void *arg, const struct ss_proof_difference *difference)
{
    struct story *story = arg;
    if (difference->verdict == SS_PROOF_HISTOGRAM) {
        story->histograms_told++;
        return;
    }
    if (getenv("STORY_VERBOSE") && difference->published && difference->recomputed)
        for (size_t i = 0; i < ss_proof_score_field_count; i++)
            if (!ss_proof_score_fields[i].same(difference->published, difference->recomputed)) {
                char a[100], b[100];
                ss_proof_score_fields[i].show(difference->published, a, 100);
                ss_proof_score_fields[i].show(difference->recomputed, b, 100);
                fprintf(stderr, "  %s: %s, %s\n", ss_proof_score_fields[i].name, a, b);
            }
    for (int i = 0; i < 2 && getenv("STORY_VERBOSE"); i++) {
        const struct ss_score_view *v = i ? difference->recomputed : difference->published;
        if (v)
            fprintf(stderr,
                    "  %s: seq %lld %s %d<-%d as_of %lld clock %lld friends %d/%d model %.*s\n",
                    i ? "recomputed" : "published", (long long)v->sequence,
                    ss_proof_kind_name(v->kind), v->score, v->previous_score,
                    (long long)v->as_of_ms, (long long)v->clock_ms, v->friends_confirmed,
                    v->friends_bands, (int)v->model_version.size, v->model_version.data);
    }
    if (getenv("STORY_VERBOSE"))
        fprintf(stderr, "%s at %lld of %.*s: %s\n", ss_proof_verdict_text(difference->verdict),
                (long long)difference->offset, (int)difference->user_id.size,
                difference->user_id.data, difference->why ? difference->why : "");
    if (story->told < 64) {
        char *fields = story->fields[story->told];
        story->verdicts[story->told] = difference->verdict;
        fields[0] = '\0';
        for (size_t i = 0;
             difference->published && difference->recomputed && i < ss_proof_score_field_count; i++)
            if (!ss_proof_score_fields[i].same(difference->published, difference->recomputed))
                snprintf(fields + strlen(fields), 256 - strlen(fields), "%s ",
                         ss_proof_score_fields[i].name);
    }
    story->told++;
}

static const struct ss_model *find_model(void *arg, struct ss_text version, bool *business)
{
    const struct story *story = arg;
    const struct ss_model *models[] = {story->model, story->second, story->third};
    *business = false;
    for (int i = 0; i < 3; i++)
        if (models[i] && strlen(models[i]->version) == version.size &&
            memcmp(models[i]->version, version.data, version.size) == 0)
            return models[i];
    return NULL;
}

struct ss_proof_result story_prove(struct story *story, const struct ss_proof_options *more)
{
    const struct ss_model_shelf shelf = {story, find_model};
    struct ss_proof_options options = more ? *more : (struct ss_proof_options){0};
    struct ss_proof_result result;
    struct ss_error err = {.detail = ""};
    options.shelf = &shelf;
    if (!options.models.person)
        options.models.person = story->model;
    options.future_tolerance_ms = DAY_MS;
    options.open = on_open;
    options.difference = on_difference;
    options.rank = story->options.ranks && !story->no_ranks ? on_rank : NULL;
    options.histogram = options.rank ? on_histogram : NULL;
    options.scores_begin_late = story->drop_scores > 0;
    story->ranks_at = story->drop_ranks;
    options.arg = story;
    story->told = story->histograms_told = 0;
    encode_all(story);
    cr_assert_eq(ss_proof_run(&options, &result, &err), SS_OK, "%s", err.detail);
    return result;
}

void story_expect_proven(const struct story *story, const struct ss_proof_result *result)
{
    cr_assert_eq(result->records, (int64_t)story->score_count);
    cr_assert_eq(result->proven, result->records,
                 "seed %d: %d of %d proven, %d differ, %d missing; %s", (int)story->options.seed,
                 (int)result->proven, (int)result->records, (int)result->differing,
                 (int)result->missing, story->told ? story->fields[0] : "");
    cr_assert_eq(result->entitlements, (int64_t)story->grant_count);
    cr_assert_eq(result->entitlements_proven, result->entitlements);
    cr_assert_eq(result->missing, 0);
    cr_assert(ss_proof_holds(result));
    cr_assert_eq(story->told, 0);
}

struct ss_proof_options story_from_half(struct story *story)
{
    struct ss_proof_options options = {
        .seed = story_seed,
        .start_clock_ms = story->half_clock_ms,
        .neighbours_from = story->half_positions[SS_NEIGHBOURS],
        .entitlements_cut = true,
    };
    memcpy(options.start, story->half_positions, sizeof options.start);
    memcpy(options.start_days, story->half_days, sizeof options.start_days);
    memcpy(story->drop_events, story->half_read, sizeof story->drop_events);
    return options;
}

struct ss_proof_options story_cut_messages(struct story *story, int64_t offset)
{
    size_t *dropped = &story->drop_events[SS_NEIGHBOURS];
    struct ss_proof_options options = {.without_neighbours = offset < 0};
    story->without_neighbours = offset < 0;
    if (offset < 0)
        return options;
    options.start[SS_NEIGHBOURS] = offset;
    for (*dropped = 0; *dropped < story->counts[SS_NEIGHBOURS] &&
                       story->events[SS_NEIGHBOURS][*dropped].offset < offset;)
        ++*dropped;
    return options;
}
