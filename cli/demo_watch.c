#include "cli/demo_watch.h"

#include "consumer/engine.h"
#include "consumer/kafka_reader.h"

#include <stdio.h>
#include <stdlib.h>

enum topic { SCORES, ENTITLEMENTS, DEAD_LETTERS, TOPIC_COUNT };
enum { POLL_RECORDS_MAX = 20000 };

struct listener {
    void (*on_news)(void *arg, const struct ss_demo_news *news);
    void *arg;
};

enum ss_status ss_demo_watch_open(struct ss_demo_watch *watch, const struct ss_config *config,
                                  const struct ss_model *model, uint32_t users,
                                  struct ss_error *err)
{
    const char *const topics[TOPIC_COUNT] = {[SCORES] = config->scores_topic,
                                             [ENTITLEMENTS] = config->entitlements_topic,
                                             [DEAD_LETTERS] = config->dead_letters_topic};
    memset(watch, 0, sizeof *watch);
    watch->model = model;
    watch->user_count = users;
    watch->users = calloc(users, sizeof *watch->users);
    if (!watch->users)
        return ss_fail(err, SS_STOP, "out of memory");
    struct ss_kafka_access access;
    enum ss_status status = ss_engine_access_open(config, &access, err);
    if (status == SS_OK)
        status = ss_kafka_tail_open(&access, topics, TOPIC_COUNT, &watch->tail, err);
    ss_engine_access_close(&access);
    return status;
}

void ss_demo_watch_close(struct ss_demo_watch *watch)
{
    ss_kafka_tail_close(watch->tail);
    free(watch->users);
    watch->tail = NULL;
    watch->users = NULL;
}

int64_t ss_demo_watch_received(const struct ss_demo_watch *watch)
{
    return atomic_load(&watch->score_records);
}

int64_t ss_demo_watch_held(const struct ss_demo_watch *watch)
{
    int64_t held = 0;
    for (uint32_t i = 0; i < watch->user_count; i++)
        held += __builtin_popcount(watch->users[i].benefits);
    return held;
}

/* The population's users are u-000000 and so on. */
static struct ss_demo_user *find_user(struct ss_demo_watch *watch, struct ss_text id,
                                      uint32_t *number)
{
    uint64_t value = 0;
    if (id.size < 3 || id.size > 12 || id.data[0] != 'u' || id.data[1] != '-')
        return NULL;
    for (uint32_t i = 2; i < id.size; i++)
        value = value * 10 + (uint64_t)(id.data[i] - '0');
    if (value >= watch->user_count)
        return NULL;
    *number = (uint32_t)value;
    return &watch->users[value];
}

/* --- news --- */

static void tell(struct ss_demo_watch *watch, const struct ss_demo_news *news,
                 const struct listener *listener)
{
    struct ss_demo_news *list =
        news->kind == SS_DEMO_REVOKED ? watch->revocations : watch->listings;
    memmove(&list[0], &list[1], (SS_DEMO_NEWS - 1) * sizeof list[0]);
    list[SS_DEMO_NEWS - 1] = *news;
    /* The telling one of a kind: whoever is listed should have something to lose. */
    struct ss_demo_news *telling = &watch->telling[news->kind];
    if (watch->news_total[news->kind]++ == 0 ||
        (news->kind == SS_DEMO_DROP && telling->before < 650 && news->before >= 650))
        *telling = *news;
    if (listener->on_news)
        listener->on_news(listener->arg, news);
}

static void tell_of_listing(struct ss_demo_watch *watch, uint32_t user,
                            const struct ss_score_view *view, const struct listener *listener)
{
    struct ss_demo_news news = {
        .kind = view->kind == SS_KIND_BLACKLIST_DROP ? SS_DEMO_DROP : SS_DEMO_RESTORE,
        .user = user,
        .sequence = view->sequence,
        .before = view->previous_score,
        .after = view->score,
    };
    const struct ss_demo_user *now = &watch->users[user];
    if (now->lost_sequence == view->sequence) /* entitlements may be ahead of scores, or behind */
        news.lost = now->lost_count;
    snprintf(news.text, sizeof news.text, "%s (%.*s): %d -> %d",
             news.kind == SS_DEMO_DROP ? "listed by a court" : "struck off the list",
             (int)view->case_id.size, view->case_id.data, news.before, news.after);
    tell(watch, &news, listener);
}

/* --- scores --- */

static void sample_update(struct ss_demo_sample *sample, const struct ss_score_view *view,
                          struct ss_bytes body)
{
    if (view->has_score) {
        if (sample->history_count == SS_DEMO_HISTORY)
            memmove(&sample->history[0], &sample->history[1],
                    (SS_DEMO_HISTORY - 1) * sizeof sample->history[0]);
        else
            sample->history_count++;
        sample->history[sample->history_count - 1] = (int16_t)view->score;
        sample->change = view->has_previous ? view->score - view->previous_score : 0;
    }
    sample->body_size = body.size <= sizeof sample->body ? body.size : 0;
    if (sample->body_size)
        memcpy(sample->body, body.data, body.size);
}

static void sample_take(struct ss_demo_sample *sample, uint32_t user)
{
    memset(sample, 0, sizeof *sample);
    sample->used = true;
    sample->user = user;
}

/* Looked at are users who have changed a few times, from low tiers to high ones. */
static void sample_find(struct ss_demo_watch *watch, uint32_t user, const struct ss_demo_user *now)
{
    if ((now->sequence != 6 && now->sequence != 12 && now->sequence != 24) ||
        now->standing != SS_STANDING_SCORED)
        return;
    for (int i = 0; i < SS_DEMO_SAMPLES; i++)
        if (watch->samples[i].used && watch->samples[i].user == user)
            return;
    for (int i = 0; i < SS_DEMO_SAMPLES; i++) {
        int wanted = i * watch->model->tier_count / SS_DEMO_SAMPLES;
        if (watch->samples[i].used || (now->tier != wanted && now->sequence < 24))
            continue;
        sample_take(&watch->samples[i], user);
        return;
    }
}

static void count_user(struct ss_demo_watch *watch, const struct ss_demo_user *user, int by)
{
    if (user->standing == SS_STANDING_LISTED)
        watch->listed += by;
    else if (user->standing == SS_STANDING_SCORED)
        watch->tiers[user->tier] += by;
}

static uint8_t find_tier(const struct ss_model *model, struct ss_text name)
{
    for (int i = 0; i < model->tier_count; i++)
        if (strlen(model->tiers[i].name) == name.size &&
            memcmp(model->tiers[i].name, name.data, name.size) == 0)
            return (uint8_t)i;
    return 0;
}

static void take_score(struct ss_demo_watch *watch, const struct ss_score_view *view,
                       struct ss_bytes body, const struct listener *listener)
{
    uint32_t number;
    struct ss_demo_user *user = find_user(watch, view->user_id, &number);
    if (!user) {
        watch->wrong++;
        return;
    }
    watch->kinds[view->kind]++;
    if (view->as_of_ms > watch->clock_ms)
        watch->clock_ms = view->as_of_ms;
    /* counted from each opt-in on; erased with the rest at an opt-out */
    if (view->sequence != (view->kind == SS_KIND_OPT_IN ? 1 : user->sequence + 1))
        watch->wrong++;
    count_user(watch, user, -1);
    user->sequence = view->sequence;
    user->standing = (uint8_t)view->standing;
    user->score = (int16_t)view->score;
    user->tier = find_tier(watch->model, view->tier);
    count_user(watch, user, 1);

    sample_find(watch, number, user);
    for (int i = 0; i < SS_DEMO_SAMPLES; i++) {
        struct ss_demo_sample *sample = &watch->samples[i];
        if (sample->used && sample->user == number) {
            sample_update(sample, view, body);
            sample->used = view->has_score; /* who opts out makes room */
        }
    }
    if (watch->revoked_user.used && watch->revoked_user.user == number)
        sample_update(&watch->revoked_user, view, body);
    if (view->kind == SS_KIND_BLACKLIST_DROP || view->kind == SS_KIND_BLACKLIST_RESTORE)
        tell_of_listing(watch, number, view, listener);
}

/* --- entitlements --- */

static int find_benefit(const struct ss_model *model, struct ss_text id)
{
    for (int i = 0; i < model->benefit_count; i++)
        if (strlen(model->benefits[i].id) == id.size &&
            memcmp(model->benefits[i].id, id.data, id.size) == 0)
            return i;
    return -1;
}

static bool text_is(struct ss_text text, const char *literal)
{
    return text.size == strlen(literal) && memcmp(text.data, literal, text.size) == 0;
}

static void take_revocation(struct ss_demo_watch *watch, uint32_t number, struct ss_demo_user *user,
                            const struct ss_entitlement_view *view, const struct listener *listener)
{
    if (user->lost_sequence != view->sequence)
        user->lost_count = 0;
    user->lost_sequence = view->sequence;
    user->lost_count++;
    struct ss_demo_news *drop = &watch->telling[SS_DEMO_DROP];
    if (drop->user == number && drop->sequence == view->sequence)
        drop->lost = user->lost_count;
    /* those that come with a listing or a withdrawal are told of there */
    if (!view->has_score || text_is(view->cause.topic, "blacklist") || user->lost_count > 1)
        return;
    if (!watch->revoked_user.body_size) /* and none of a user who was taken before has come */
        sample_take(&watch->revoked_user, number);
    struct ss_demo_news news = {.kind = SS_DEMO_REVOKED,
                                .user = number,
                                .sequence = view->sequence,
                                .before = view->threshold,
                                .after = view->score};
    snprintf(news.text, sizeof news.text, "loses \"%.*s\": %d is below %d, after %s%.*s",
             (int)view->title.size, view->title.data, view->score, view->threshold,
             view->cause.known ? "an event in " : "some time", (int)view->cause.topic.size,
             view->cause.known ? view->cause.topic.data : "");
    tell(watch, &news, listener);
}

static void take_entitlement(struct ss_demo_watch *watch, const struct ss_entitlement_view *view,
                             const struct listener *listener)
{
    uint32_t number;
    struct ss_demo_user *user = find_user(watch, view->user_id, &number);
    int benefit = find_benefit(watch->model, view->benefit_id);
    if (!user || benefit < 0) {
        watch->wrong++;
        return;
    }
    uint32_t bit = UINT32_C(1) << benefit;
    bool grant = view->action == SS_ENTITLEMENT_GRANTED;
    if (grant == !!(user->benefits & bit))
        watch->wrong++;
    if (grant) {
        user->benefits |= bit;
        watch->granted++;
    } else {
        user->benefits &= ~bit;
        watch->revoked++;
        take_revocation(watch, number, user, view, listener);
    }
}

/* --- dead letters --- */

static void take_dead_letter(struct ss_demo_watch *watch, const struct ss_kafka_record *record)
{
    struct ss_header header = {0};
    struct ss_bytes reason = {"?", 1};
    for (size_t i = 0; ss_kafka_reader_header(record, i, &header); i++)
        if (strcmp(header.name, "sesame.reason") == 0)
            reason = header.value;
    int at = 0;
    while (at < watch->reason_count &&
           (strlen(watch->reasons[at].name) != reason.size ||
            memcmp(watch->reasons[at].name, reason.data, reason.size) != 0))
        at++;
    if (at == SS_DEMO_REASONS)
        return;
    if (at == watch->reason_count) {
        snprintf(watch->reasons[at].name, sizeof watch->reasons[at].name, "%.*s", (int)reason.size,
                 (const char *)reason.data);
        watch->reason_count++;
    }
    watch->reasons[at].count++;
}

/* --- all --- */

static enum ss_status take(struct ss_demo_watch *watch, enum topic topic,
                           const struct ss_kafka_record *record, const struct listener *listener,
                           struct ss_error *err)
{
    struct ss_score_view score;
    struct ss_entitlement_view entitlement;
    struct ss_bytes body;
    uint32_t schema_id;

    if (topic == DEAD_LETTERS) {
        watch->dead_letters++;
        take_dead_letter(watch, record);
        return SS_OK;
    }
    enum ss_status status = ss_wire_open(record->value, &schema_id, &body, err);
    if (status != SS_OK)
        return status;
    if (topic == ENTITLEMENTS) {
        watch->entitlements++;
        status = ss_entitlement_view_decode(body, &entitlement, err);
        if (status == SS_OK)
            take_entitlement(watch, &entitlement, listener);
        return status;
    }
    status = ss_score_view_decode(body, &score, err);
    if (status == SS_OK)
        take_score(watch, &score, body, listener);
    atomic_fetch_add(&watch->score_records, 1);
    return status;
}

enum ss_status ss_demo_watch_poll(struct ss_demo_watch *watch, int timeout_ms,
                                  void (*on_news)(void *arg, const struct ss_demo_news *news),
                                  void *arg, struct ss_error *err)
{
    const struct listener listener = {on_news, arg};
    for (int i = 0; i < POLL_RECORDS_MAX; i++) {
        struct ss_kafka_record record;
        size_t topic;
        bool got;
        enum ss_status status =
            ss_kafka_tail_next(watch->tail, i ? 0 : timeout_ms, &record, &topic, &got, err);
        if (status != SS_OK)
            return status;
        if (!got)
            break;
        status = take(watch, (enum topic)topic, &record, &listener, err);
        if (status != SS_OK)
            return status;
    }
    return SS_OK;
}
