#include "helper_story.h"

#include "config/model_file.h"
#include "scoring/model_plan.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BEGIN_MS INT64_C(1700000000000)
#define HOUR_MS  INT64_C(3600000)
#define DAY_MS   (24 * HOUR_MS)
enum { SCORES_MAX = 40000, HALF_TOLD = 25 /* events */ };

const struct story_options story_plain = {.seed = 1,
                                          .users = 40,
                                          .events = 1500,
                                          .disorder = 10,
                                          .wake_every = 20,
                                          .gaps = 3,
                                          .withdrawals = 20,
                                          .silent = 30};

uint64_t story_random(struct story *story, uint64_t below)
{
    story->random = story->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    uint64_t x = story->random ^ story->random >> 33;
    return (x * UINT64_C(0xff51afd7ed558ccd) >> 20) % below;
}

static bool percent(struct story *story, int of)
{
    return (int)story_random(story, 100) < of;
}

struct ss_text story_text(struct story *story, const char *format, ...)
{
    char text[128];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    story->texts = realloc(story->texts, (story->text_count + 1) * sizeof *story->texts);
    cr_assert(story->texts);
    char *copy = story->texts[story->text_count++] = strdup(text);
    return (struct ss_text){copy, (uint32_t)strlen(copy)};
}

struct ss_text story_name(struct story *story, int user)
{
    return (struct ss_text){story->names[user], (uint32_t)strlen(story->names[user])};
}

/* --- what people do --- */

static void consent(struct story *story, struct ss_event *event, bool first)
{
    event->consent.purpose = SS_PURPOSE_SCORING;
    event->consent.action = SS_CONSENT_GRANTED;
    if (first)
        return;
    if (percent(story, story->options.withdrawals)) {
        event->consent.action = SS_CONSENT_WITHDRAWN;
        if (story->options.friends && percent(story, 50))
            event->consent.purpose = SS_PURPOSE_SOCIAL;
    } else if (story->options.friends && percent(story, 50))
        event->consent.purpose = SS_PURPOSE_SOCIAL;
    else if (percent(story, 50)) {
        event->consent.purpose = SS_PURPOSE_SHARE;
        event->consent.subscriber = story_text(story, "lender-%d", (int)story_random(story, 3));
    }
}

/* Few enough that friendships are of both sides. */
static struct ss_text friend_of(struct story *story, int user)
{
    int users = story->options.users;
    return story_name(story, (user + (percent(story, 50) ? 1 : users - 1)) % users);
}

static void fill(struct story *story, struct ss_event *event, int user)
{
    static const struct ss_text eur = {"CNY", 3};
    switch (event->input) {
    case SS_PAYMENTS:
        event->payment = (struct ss_payment){
            .status = percent(story, 90) ? SS_PAYMENT_SETTLED : SS_PAYMENT_REFUNDED,
            .category = (enum ss_payment_category)story_random(story, SS_CATEGORY_COUNT),
            .amount_minor = (int64_t)story_random(story, 90000),
            .currency = eur};
        if (percent(story, story->options.silent))
            event->payment.amount_minor = 0;
        break;
    case SS_BILLS:
        event->bill = (struct ss_bill){
            .status = percent(story, 50)   ? SS_BILL_ISSUED
                      : percent(story, 90) ? SS_BILL_PAID
                                           : SS_BILL_DEFAULTED,
            .bill_id = story_text(story, "b-%d-%d", user, (int)story_random(story, 6)),
            .amount_minor = (int64_t)story_random(story, 50000),
            .currency = eur,
            .due_at_ms = event->occurred_at_ms + (int64_t)story_random(story, 40) * DAY_MS};
        break;
    case SS_BOOKINGS:
        event->booking.status = (enum ss_booking_status)story_random(story, 4);
        event->booking.booking_id = story_text(story, "k-%d", user);
        break;
    case SS_SOCIAL:
        event->social.action = percent(story, 80) ? SS_FRIEND_ADDED : SS_FRIEND_REMOVED;
        event->social.friend_id =
            story_name(story, (int)story_random(story, (uint64_t)story->options.users));
        if (story->options.friends)
            event->social.friend_id = friend_of(story, user);
        break;
    case SS_PROFILES:
        event->profile.action = percent(story, 80) ? SS_PROFILE_VERIFIED : SS_PROFILE_REVOKED;
        event->profile.fact = (enum ss_profile_fact)(1 + story_random(story, SS_FACT_COUNT - 1));
        event->profile.degree_level = SS_DEGREE_UNIVERSITY;
        event->profile.opened_at_ms = SS_TIME_UNKNOWN;
        break;
    case SS_CONSENTS:
        consent(story, event, false);
        break;
    case SS_BLACKLIST:
        event->listing.action = percent(story, 50) ? SS_LISTED : SS_DELISTED;
        event->listing.case_id = story_text(story, "c-%d-%d", user, (int)story_random(story, 2));
        break;
    case SS_NEIGHBOURS: /* comes of what the engine tells friends */
    case SS_INPUT_COUNT:
        break;
    }
}

static enum ss_input pick_input(struct story *story)
{
    static const int shares[SS_INPUT_COUNT] = {40, 25, 10, 8, 8, 6, 3};
    int at = (int)story_random(story, 100), input = 0;
    while (at >= shares[input])
        at -= shares[input++];
    return (enum ss_input)input;
}

static void append(struct story *story, enum ss_input input, const struct ss_event *event)
{
    size_t count = story->counts[input];
    int64_t next = count ? story->events[input][count - 1].offset + 1 : 0;
    story->events[input] =
        realloc(story->events[input], (count + 1) * sizeof *story->events[input]);
    cr_assert(story->events[input]);
    story->events[input][count] = (struct ss_source_event){
        .event = *event,
        .offset = next + (count > 0 && percent(story, story->options.gaps)),
        .timestamp_ms = event->occurred_at_ms + (int64_t)story_random(story, 5000),
    };
    story->counts[input]++;
}

/* Everybody agrees to be found, and then names a friend. */
static void befriend(struct story *story, struct ss_event *event, int i)
{
    int users = story->options.users;
    event->user_id = story_name(story, i % users);
    event->input = i < users ? SS_CONSENTS : SS_SOCIAL;
    if (i < users) {
        event->consent.purpose = SS_PURPOSE_SOCIAL;
        event->consent.action = SS_CONSENT_GRANTED;
    } else {
        event->social.action = SS_FRIEND_ADDED;
        event->social.friend_id = story_name(story, (i % users + 1) % users);
        if (percent(story, 50))
            event->social.friend_id = story_name(story, (i % users + users - 1) % users);
    }
}

static void make_events(struct story *story)
{
    const struct story_options *options = &story->options;
    int64_t now_ms = BEGIN_MS;
    for (int i = 0; i < options->users + options->events; i++) {
        bool first = i < options->users && percent(story, 90);
        int user = i < options->users ? i : (int)story_random(story, (uint64_t)options->users);
        now_ms += (int64_t)story_random(
            story, (uint64_t)(2 * 400 * DAY_MS / (options->users + options->events)));
        struct ss_event event = {.input = first ? SS_CONSENTS : pick_input(story),
                                 .user_id = story_name(story, user),
                                 .event_id = story_text(story, "e-%d", i),
                                 .occurred_at_ms = now_ms};
        if (percent(story, 5))
            event.occurred_at_ms -= (int64_t)story_random(story, 20 * DAY_MS);
        if (first)
            consent(story, &event, true);
        else if (options->friends && i >= options->users && i < 3 * options->users)
            befriend(story, &event, i - options->users);
        else
            fill(story, &event, user);
        append(story, event.input, &event);
        if (percent(story, 2))
            append(story, event.input, &event); /* a duplicate */
    }
}

/* --- the engine --- */

static void rank(struct story *story, struct ss_score_record *record)
{
    if (!story->options.ranks)
        return;
    const size_t count = story->rank_count;
    if (count > 0)
        ss_rank_record(&story->tables[count - 1], story->ranks[count - 1].offset + 1, record);
    cr_assert(ss_histogram_move(&story->histogram, record));
    if (story->score_count % 50 != 1)
        return;
    int64_t users[SS_SCORE_COUNT];
    for (int i = 0; i < SS_SCORE_COUNT; i++)
        users[i] = story->histogram.users[i];
    story->tables = realloc(story->tables, (count + 1) * sizeof *story->tables);
    story->ranks = realloc(story->ranks, (count + 1) * sizeof *story->ranks);
    cr_assert(story->tables && story->ranks);
    ss_rank_table_init(&story->tables[count], users);
    story->ranks[count] =
        (struct ss_rank_entry){.offset = 3 * (int64_t)count, .histogram = story->histogram};
    memcpy(story->ranks[count].positions, record->positions, sizeof record->positions);
    story->rank_count++;
}

static void send(struct story *story, const struct ss_neighbour_message *message, int64_t at_ms)
{
    struct ss_event event = {
        .input = SS_NEIGHBOURS,
        .user_id = story_text(story, "%.*s", (int)message->to.size, message->to.data),
        .event_id = {"", 0},
        .occurred_at_ms = at_ms,
        .neighbour = {.action = message->kind == SS_NEIGHBOUR_GONE ? SS_NEIGHBOUR_LEFT
                                : message->wants_reply             ? SS_NEIGHBOUR_ASKS
                                                                   : SS_NEIGHBOUR_TELLS,
                      .from =
                          story_text(story, "%.*s", (int)message->from.size, message->from.data),
                      .band = message->band,
                      .cause = {"", 0},
                      .cause_offset = -1}};
    append(story, SS_NEIGHBOURS, &event);
    story->told_by_friends++;
}

static void tell_friends(struct story *story, int user, const struct ss_effects *effects)
{
    struct ss_friends_sum closing = {.open = true};
    struct ss_neighbour_message gone;
    if (effects->has_message)
        send(story, &effects->message, effects->message_at_ms);
    while (effects->friends_left &&
           ss_friends_leave(&story->lists[user], &closing, story_name(story, user), &gone))
        send(story, &gone, effects->message_at_ms);
}

static void tell_band(struct story *story, int user)
{
    struct ss_user_state *state = &story->states[user];
    struct ss_neighbour_message message;
    while (ss_friends_tell(&story->lists[user], &state->friends, story_name(story, user), &message))
        send(story, &message, state->published.as_of_ms);
}

static void publish(struct story *story, const struct ss_effects *effects)
{
    if (!effects->has_record)
        return;
    cr_assert_lt(story->score_count, (size_t)SCORES_MAX);
    struct ss_score_record *record = &story->scores[story->score_count++].record;
    *record = effects->record;
    rank(story, record);
    for (int i = 0; i < effects->entitlement_count; i++)
        story->grants[story->grant_count++].entitlement = effects->entitlements[i];
}

static void steps(struct story *story, int user)
{
    struct ss_context context = {.clock_ms = story->clock_ms};
    struct ss_effects effects;
    memcpy(context.positions, story->positions, sizeof context.positions);
    while (
        ss_wake(&story->models, &story->states[user], story_name(story, user), &context, &effects))
        publish(story, &effects);
    tell_band(story, user);
}

static void tick(struct story *story)
{
    int64_t least_ms = INT64_MAX, newest_ms = 0;
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        if (i == SS_NEIGHBOURS)
            continue;
        if (story->read[i] < story->counts[i] && story->reached_ms[i] < least_ms)
            least_ms = story->reached_ms[i];
        if (story->reached_ms[i] > newest_ms)
            newest_ms = story->reached_ms[i];
    }
    int64_t clock_ms = least_ms == INT64_MAX ? newest_ms : least_ms - 1;
    if (clock_ms > story->clock_ms)
        story->clock_ms = clock_ms;
}

static void read_event(struct story *story, enum ss_input input)
{
    const struct ss_source_event copy = story->events[input][story->read[input]++];
    const struct ss_source_event *source = &copy; /* what comes of it may be appended there */
    const struct ss_event *event = &source->event;
    struct ss_effects effects;
    enum ss_refusal refusal;
    int user = 0;
    while (strncmp(story->names[user], event->user_id.data, event->user_id.size) != 0)
        user++;
    if (event->occurred_at_ms > story->reached_ms[input])
        story->reached_ms[input] = event->occurred_at_ms;
    tick(story);
    steps(story, user);
    story->positions[input] = source->offset + 1;
    struct ss_context context = {.offset = source->offset,
                                 .record_time_ms = source->timestamp_ms,
                                 .future_tolerance_ms = DAY_MS,
                                 .clock_ms = story->clock_ms};
    memcpy(context.positions, story->positions, sizeof context.positions);
    if (ss_event_check(story->models.person, event, &context) == SS_REFUSAL_NONE)
        story->days[input] = ss_input_day(story->days[input], event, &context);
    context.day = story->days[input];
    if (ss_event_reads_friends(&story->models, event))
        context.friends = &story->lists[user];
    enum ss_outcome outcome =
        ss_apply(&story->models, &story->states[user], event, &context, &effects, &refusal);
    if (outcome == SS_COUNTED)
        publish(story, &effects);
    if (outcome == SS_COUNTED || input == SS_NEIGHBOURS)
        tell_friends(story, user, &effects);
}

static enum ss_input next_input(struct story *story)
{
    enum ss_input found = SS_INPUT_COUNT;
    if (percent(story, story->options.disorder)) {
        found = (enum ss_input)story_random(story, SS_INPUT_COUNT);
        if (story->read[found] < story->counts[found])
            return found;
    }
    found = SS_INPUT_COUNT;
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        if (story->read[i] < story->counts[i] &&
            (found == SS_INPUT_COUNT ||
             story->events[i][story->read[i]].event.occurred_at_ms <
                 story->events[found][story->read[found]].event.occurred_at_ms))
            found = (enum ss_input)i;
    return found;
}

static void keep_half(struct story *story)
{
    size_t size = (size_t)story->options.users * sizeof *story->states;
    story->half_states = malloc(size);
    story->half_lists = calloc((size_t)story->options.users, sizeof *story->half_lists);
    cr_assert(story->half_states && story->half_lists);
    memcpy(story->half_states, story->states, size);
    for (int user = 0; user < story->options.users; user++) {
        const struct ss_friends *list = &story->lists[user];
        story->half_lists[user].count = list->count;
        memcpy(story->half_lists[user].links, list->links, list->count * sizeof list->links[0]);
    }
    memcpy(story->half_positions, story->positions, sizeof story->positions);
    memcpy(story->half_read, story->read, sizeof story->read);
    memcpy(story->half_days, story->days, sizeof story->days);
    story->half_clock_ms = story->clock_ms;
    story->half_scores = story->score_count;
}

static void change_model(struct story *story)
{
    const struct ss_model *const cycle[] = {story->model, story->second, story->third};
    struct ss_models *before = &story->befores[story->change_count++];
    cr_assert_leq(story->change_count, STORY_CHANGES_MAX);
    *before = story->models;
    story->models =
        (struct ss_models){.person = cycle[story->change_count % (story->third ? 3 : 2)],
                           .epoch = before->epoch + 1,
                           .person_since = before->epoch + 1,
                           .before = before};
}

/* How many turns after the half. */
static bool is_change(const struct story *story, int turn)
{
    const struct story_options *options = &story->options;
    const int changes = options->changes ? options->changes : 2;
    if (!story->second || turn < 0)
        return false;
    return turn == 0 ||
           (options->returns && turn % options->returns == 0 && turn / options->returns < changes);
}

static void run_engine(struct story *story)
{
    const int half = (story->options.users + story->options.events) / 2;
    enum ss_input input;
    for (int turn = 0; (input = next_input(story)) != SS_INPUT_COUNT; turn++) {
        if (turn == half + (story->options.half_told ? HALF_TOLD : 0))
            keep_half(story);
        if (is_change(story, turn - half))
            change_model(story);
        read_event(story, input);
        if (turn % story->options.wake_every == story->options.wake_every - 1)
            for (int user = 0; user < story->options.users; user++)
                steps(story, user);
    }
}

static struct ss_model *another_model(const struct ss_model *model, enum ss_factor factor,
                                      const char *version)
{
    struct ss_model *another = malloc(sizeof *another);
    cr_assert(another);
    *another = *model;
    another->weights[factor] += 5;
    ss_model_prepare(another);
    snprintf(another->version, sizeof another->version, "%s", version);
    return another;
}

struct story *story_open(const struct story_options *options)
{
    struct story *story = calloc(1, sizeof *story);
    struct ss_model *model = calloc(1, sizeof *model);
    struct ss_error err;
    cr_assert(story && model);
    cr_assert_leq(options->users, STORY_USERS_MAX);
    story->options = *options;
    story->random = options->seed * 2 + 1;
    story->models.person = story->model = model;
    cr_assert_eq(ss_model_default(model, &err), SS_OK);
    if (options->two_models)
        story->second = another_model(model, SS_FACTOR_HISTORY, "second-0123456789abcdef");
    if (options->third)
        story->third = another_model(model, SS_FACTOR_BEHAVIOUR, "third-0123456789abcdef");
    story->scores = calloc(SCORES_MAX, sizeof *story->scores);
    story->grants = calloc(SCORES_MAX, sizeof *story->grants);
    story->states = calloc((size_t)options->users, sizeof *story->states);
    story->lists = calloc((size_t)options->users, sizeof *story->lists);
    cr_assert(story->lists);
    story->batch = 7;
    for (int i = 0; i < options->users; i++)
        snprintf(story->names[i], sizeof story->names[i], "user-%04d", i);
    make_events(story);
    run_engine(story);
    return story;
}

struct story *story_open_varied(uint64_t seed)
{
    struct story_options options = story_plain;
    options.seed = seed;
    options.disorder = (int)(seed * 7 % 60);
    options.wake_every = (int)(1 + seed * 5 % 90);
    options.users = (int)(5 + seed % 50);
    options.silent = (int)(seed % 100);
    return story_open(&options);
}

void story_close(struct story *story)
{
    story_forget_published(story);
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        free(story->events[i]);
    for (size_t i = 0; i < story->text_count; i++)
        free(story->texts[i]);
    free(story->texts);
    free(story->scores);
    free(story->grants);
    free(story->states);
    free(story->half_states);
    free(story->half_lists);
    free(story->lists);
    free(story->tables);
    free(story->ranks);
    free(story->model);
    free(story->second);
    free(story->third);
    free(story);
}
