/* Properties over random events: promises 4, 5, 7 and 9 as far as the core holds them. */
#include "helper_model.h"
#include "helper_random.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define T0 DAY(FIRST_DAY)

enum { PER_INPUT = 60, EVENTS = PER_INPUT * SS_UPSTREAM_COUNT, SEEDS = 40, WAYS = 6 };

static uint64_t random_state;

static int64_t below(int64_t n)
{
    return helper_random_below(&random_state, n);
}

static const char *one_of(const char *letter, int count)
{
    static char names[1024][8];
    static unsigned next;
    char *name = names[next++ % 1024];
    snprintf(name, sizeof names[0], "%s%d", letter, (int)below(count));
    return name;
}

/* Some times lie before the grant, all out of order by up to 90 days. */
static int64_t some_time(int step)
{
    return T0 + DAY(step * 12) + below(DAY(180)) - DAY(90);
}

static struct ss_event some_profile(int64_t at)
{
    switch (below(4)) {
    case 0:
        return helper_opened(at, below(2) ? SS_TIME_UNKNOWN : at - below(DAY(4000)));
    case 1:
    case 2:
        return helper_line(at, one_of("l", 12), below(4) * 5000, below(20000) - 5000);
    default:
        return helper_fact(at, below(3) ? SS_PROFILE_VERIFIED : SS_PROFILE_REVOKED,
                           (enum ss_profile_fact)below(SS_FACT_COUNT),
                           (enum ss_degree_level)below(SS_DEGREE_COUNT));
    }
}

static bool social_holds; /* nobody grants or withdraws SOCIAL */

static struct ss_event some_event(enum ss_input input, int step)
{
    int64_t at = some_time(step);
    switch (input) {
    case SS_PAYMENTS:
        return helper_payment(at, below(5) ? SS_PAYMENT_SETTLED : (enum ss_payment_status)below(3),
                              (enum ss_payment_category)below(SS_CATEGORY_COUNT), below(20000));
    case SS_BILLS:
        return helper_bill(at, (enum ss_bill_status)below(4), one_of("b", 100),
                           at + below(DAY(90)) - DAY(20), below(20000));
    case SS_BOOKINGS:
        return helper_booking(at, (enum ss_booking_status)below(4));
    case SS_SOCIAL:
        return helper_social(at, below(4) ? SS_FRIEND_ADDED : SS_FRIEND_REMOVED, one_of("v", 9));
    case SS_PROFILES:
        return some_profile(at);
    case SS_CONSENTS:
        return helper_consent(at, below(3) ? SS_CONSENT_GRANTED : SS_CONSENT_WITHDRAWN,
                              below(3) || social_holds ? SS_PURPOSE_SHARE : SS_PURPOSE_SOCIAL,
                              one_of("s", 30));
    default:
        return helper_listing(at, below(2) ? SS_LISTED : SS_DELISTED, one_of("c", 4));
    }
}

/* Fills log[input][]: with refusals and, as ids of the same input again, duplicates. */
static void some_log(struct ss_event log[SS_UPSTREAM_COUNT][PER_INPUT])
{
    for (int input = 0; input < SS_UPSTREAM_COUNT; input++)
        for (int i = 0; i < PER_INPUT; i++) {
            struct ss_event *event = &log[input][i];
            *event = some_event((enum ss_input)input, i);
            if (i > 0 && below(8) == 0)
                event->event_id = log[input][i - 1 - below(i < 6 ? i : 6)].event_id;
            if (below(10) == 0)
                event->occurred_at_ms = SS_OCCURRED_AT_MIN - 1;
            else if (input == SS_PAYMENTS && below(10) == 0)
                event->payment.amount_minor = -1;
        }
}

static struct ss_model *realistic(void)
{
    struct ss_model *model = helper_model_copy();
    ss_decay_init(&model->payments_decay, 90);
    ss_decay_init(&model->bills_decay, 180);
    ss_decay_init(&model->defaults_decay, 720);
    ss_decay_init(&model->bookings_decay, 180);
    ss_model_prepare(model);
    return model;
}

static void check_bounds(const struct helper_user *user)
{
    const struct ss_user_state *state = &user->state;
    int window = user->model->recent_window;
    cr_assert_leq(state->bills.open_count, SS_OPEN_BILLS_MAX);
    cr_assert_leq(state->profiles.line_count, SS_CREDIT_LINES_MAX);
    cr_assert_leq(state->consents.share_count, SS_SHARES_MAX);
    cr_assert_leq(state->blacklist.case_count, SS_CASES_MAX);
    cr_assert_leq(state->payments.recent.count, window);
    cr_assert_leq(state->bills.recent.count, window);
    cr_assert_leq(state->bookings.recent.count, window);
    cr_assert_leq(state->social.recent.count, window);
    cr_assert_leq(state->profiles.recent.count, window);
    cr_assert_leq(state->consents.recent.count, window);
    cr_assert_leq(state->blacklist.recent.count, window);
    for (int i = 1; i < state->bills.open_count; i++)
        cr_assert_leq(state->bills.open[i - 1].due_at_ms, state->bills.open[i].due_at_ms);
}

static void check_record(const struct ss_user_state *before, const struct ss_user_state *after,
                         const struct ss_score_record *record)
{
    const struct ss_score *score = &record->score;
    bool opted_out = record->kind == SS_KIND_OPT_OUT;

    cr_assert_eq(record->sequence, before->published.sequence + 1);
    cr_assert_geq(record->as_of_ms, before->published.as_of_ms);
    cr_assert_eq(record->has_score, !opted_out);
    cr_assert_eq(record->has_previous, before->published.standing != SS_STANDING_NONE);
    cr_assert_eq(record->previous_score, before->published.score);
    if (opted_out)
        return;
    cr_assert_eq(record->kind == SS_KIND_OPT_IN, !before->consents.scoring);
    cr_assert(record->kind == SS_KIND_OPT_IN || score->score != record->previous_score ||
              record->standing != (enum ss_standing)before->published.standing);
    cr_assert_eq(after->published.score, score->score);
    cr_assert(score->score >= SS_SCORE_MIN && score->score <= SS_SCORE_MAX);
    int32_t points = 0;
    for (int f = 0; f < SS_FACTOR_COUNT; f++) {
        cr_assert(score->factors[f].value >= 0 && score->factors[f].value <= SS_VALUE_MAX);
        points += score->factors[f].points_centi;
    }
    cr_assert_eq(score->full_score, SS_SCORE_MIN + points / 100);
    for (int i = 1; i < score->reason_count; i++)
        cr_assert(i == 1 && score->listed
                      ? true
                      : score->reasons[i - 1].points_centi >= score->reasons[i].points_centi);
}

/* Applies one event and checks all that must hold of any. *held is what subscribers think that the
 * user holds, kept from the entitlements alone. */
static enum ss_outcome step(struct helper_user *user, const struct ss_event *event, uint32_t *held)
{
    struct ss_user_state before;
    memcpy(&before, &user->state, sizeof before);
    enum ss_outcome outcome = helper_apply(user, event);
    const struct ss_effects *effects = &user->effects;

    cr_assert_eq(outcome == SS_REFUSED, user->refusal != SS_REFUSAL_NONE);
    if (outcome != SS_COUNTED) {
        cr_assert_eq(memcmp(&before, &user->state, sizeof before), 0);
        cr_assert(!effects->has_record);
    }
    cr_assert(effects->has_record || effects->entitlement_count == 0);
    for (int i = 0; i < effects->entitlement_count; i++) {
        const struct ss_entitlement *entitlement = &effects->entitlements[i];
        uint32_t bit = UINT32_C(1) << (entitlement->benefit - user->model->benefits);
        cr_assert_eq(entitlement->action == SS_ENTITLEMENT_GRANTED, !(*held & bit));
        *held ^= bit;
    }
    cr_assert_eq(*held, user->state.published.benefits);
    cr_assert(user->state.blacklist.case_count == 0 || *held == 0);
    if (effects->has_record)
        check_record(&before, &user->state, &effects->record);
    else if (outcome == SS_COUNTED && before.consents.scoring)
        cr_assert_eq(user->state.published.sequence, before.published.sequence);
    check_bounds(user);
    return outcome;
}

/* Padding is nobody's business. */
static void settle_padding(struct ss_user_state *state)
{
    for (int i = 0; i < SS_CREDIT_LINES_MAX; i++) {
        struct ss_credit_line line = state->profiles.lines[i];
        memset(&state->profiles.lines[i], 0, sizeof line);
        state->profiles.lines[i].id_hash = line.id_hash;
        state->profiles.lines[i].limit = line.limit;
        state->profiles.lines[i].balance = line.balance;
    }
    for (int i = 0; i < SS_SHARES_MAX; i++) {
        struct ss_share share = state->consents.shares[i];
        memset(&state->consents.shares[i], 0, sizeof share);
        state->consents.shares[i].subscriber_hash = share.subscriber_hash;
        state->consents.shares[i].position = 0; /* an offset: they differ with the interleaving */
    }
    state->consents.social_position = 0;
}

static void compare(struct ss_user_state *a, struct ss_user_state *b, int seed)
{
    settle_padding(a);
    settle_padding(b);
    cr_assert_eq(memcmp(&a->payments, &b->payments, sizeof a->payments), 0, "seed %d", seed);
    cr_assert_eq(memcmp(&a->bills, &b->bills, sizeof a->bills), 0, "seed %d", seed);
    cr_assert_eq(memcmp(&a->bookings, &b->bookings, sizeof a->bookings), 0, "seed %d", seed);
    cr_assert_eq(memcmp(&a->social, &b->social, sizeof a->social), 0, "seed %d", seed);
    cr_assert_eq(memcmp(&a->profiles, &b->profiles, sizeof a->profiles), 0, "seed %d", seed);
    cr_assert_eq(memcmp(&a->consents, &b->consents, sizeof a->consents), 0, "seed %d", seed);
    cr_assert_eq(memcmp(&a->blacklist, &b->blacklist, sizeof a->blacklist), 0, "seed %d", seed);
    cr_assert_eq(a->published.as_of_ms, b->published.as_of_ms, "seed %d", seed);
    cr_assert_eq(a->published.standing, b->published.standing, "seed %d", seed);
    cr_assert_eq(a->published.score, b->published.score, "seed %d", seed);
    cr_assert_eq(a->published.tier, b->published.tier, "seed %d", seed);
}

/* Whom a user lists follows from the user's own events. */
static void compare_links(const struct ss_friends *a, const struct ss_friends *b, int seed)
{
    cr_assert_eq(a->count, b->count, "seed %d", seed);
    for (int i = 0; i < a->count; i++)
        cr_assert_eq(a->links[i].hash, b->links[i].hash, "seed %d", seed);
}

Test(order, between_inputs_does_not_matter)
{
    static struct ss_event log[SS_UPSTREAM_COUNT][PER_INPUT];
    struct ss_model *model = realistic();
    model->revoke_margin = 0;
    int outcomes[SS_OUTCOME_COUNT] = {0};

    for (int seed = 0; seed < SEEDS; seed++) {
        random_state = (uint64_t)seed;
        social_holds = true;
        some_log(log);
        struct helper_user first;
        for (int way = 0; way < WAYS; way++) {
            struct helper_user user;
            int at[SS_UPSTREAM_COUNT] = {0};
            uint32_t held;
            helper_user_init(&user, model);
            helper_grant(&user, T0);
            helper_count(&user, helper_consent(T0, SS_CONSENT_GRANTED, SS_PURPOSE_SOCIAL, ""));
            held = user.state.published.benefits;
            for (int left = EVENTS; left > 0; left--) {
                int input = (int)below(SS_UPSTREAM_COUNT);
                while (at[input] == PER_INPUT)
                    input = (input + 1) % SS_UPSTREAM_COUNT;
                outcomes[step(&user, &log[input][at[input]++], &held)]++;
            }
            if (way == 0)
                first = user;
            else
                compare(&first.state, &user.state, seed);
            compare_links(&first.friends, &user.friends, seed);
            cr_assert_eq(first.state.published.benefits, user.state.published.benefits);
        }
    }
    for (int o = 0; o < SS_OUTCOME_COUNT; o++)
        cr_assert_gt(outcomes[o], SEEDS, "too few are %s", ss_outcome_name((enum ss_outcome)o));
    free(model);
}

Test(order, grants_and_withdrawals_at_random_keep_every_invariant)
{
    struct ss_model *model = realistic();
    static const struct ss_user_state nobody;
    int opted_out = 0;
    social_holds = false;

    for (int seed = 0; seed < SEEDS; seed++) {
        struct helper_user user;
        uint32_t held = 0;
        random_state = (uint64_t)seed + 1000;
        helper_user_init(&user, model);
        for (int i = 0; i < EVENTS; i++) {
            struct ss_event event = some_event((enum ss_input)below(SS_UPSTREAM_COUNT), i / 10);
            if (below(12) == 0)
                event = helper_consent(some_time(i / 10),
                                       below(3) ? SS_CONSENT_GRANTED : SS_CONSENT_WITHDRAWN,
                                       SS_PURPOSE_SCORING, "");
            step(&user, &event, &held);
            if (user.effects.has_record && user.effects.record.kind == SS_KIND_OPT_OUT)
                opted_out++;
            if (user.state.consents.scoring)
                continue;
            cr_assert_eq(held, 0);
            struct ss_user_state rest = user.state;
            if (rest.blacklist.case_count > 0)
                memset(&rest.blacklist, 0, sizeof rest.blacklist);
            cr_assert_eq(memcmp(&rest.payments, &nobody.payments, sizeof rest.payments), 0);
            cr_assert_eq(memcmp(&rest, &nobody, sizeof rest), 0);
        }
    }
    cr_assert_gt(opted_out, SEEDS);
    free(model);
}
