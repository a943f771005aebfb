/* The window of duplicates: what each input's day has left behind is forgotten, wherever it still
 * is. */
#include "helper_model.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct ss_context record_at(int64_t record_time_ms)
{
    return (struct ss_context){.record_time_ms = record_time_ms};
}

static int32_t next_day(int32_t day, int64_t occurred_at_ms, int64_t record_time_ms)
{
    const struct ss_event event = {.occurred_at_ms = occurred_at_ms};
    const struct ss_context context = record_at(record_time_ms);
    return ss_input_day(day, &event, &context);
}

Test(recent, the_first_event_says_which_day_it_is)
{
    cr_assert_eq(next_day(0, DAY(20000) + 5, DAY(20003)), 20000);
    cr_assert_eq(next_day(0, DAY(20003), DAY(20000) - 1), 19999, "or its record, if earlier");
}

Test(recent, a_day_never_falls_and_no_event_moves_it_by_more_than_one)
{
    cr_assert_eq(next_day(20000, DAY(19000), DAY(20000)), 20000);
    cr_assert_eq(next_day(20000, DAY(20001) - 1, DAY(20001)), 20000);
    cr_assert_eq(next_day(20000, DAY(20001), DAY(20001)), 20001);
    cr_assert_eq(next_day(20000, DAY(30000), DAY(30000)), 20001);
    cr_assert_eq(next_day(20000, DAY(30000), DAY(20000)), 20000, "the record knows better");
}

Test(recent, a_record_of_no_time_is_of_some_day)
{
    cr_assert_eq(next_day(0, DAY(20000), 0), SS_OCCURRED_AT_MIN / 86400000);
    cr_assert_eq(next_day(0, DAY(20000), INT64_MIN), SS_OCCURRED_AT_MIN / 86400000);
}

/* --- what is remembered --- */

static struct ss_model *model;
static struct ss_models models;

static void begin(void)
{
    model = helper_model_copy(); /* 4 ids for 10 days */
    ss_model_prepare(model);
    models = (struct ss_models){.person = model};
}

static void end(void)
{
    free(model);
}

TestSuite(recent, .init = begin, .fini = end);

static enum ss_outcome pay(struct helper_user *user, const char *id, int32_t day)
{
    struct ss_event event = helper_payment(DAY(20000), SS_PAYMENT_SETTLED, SS_CATEGORY_OTHER, 100);
    event.event_id = helper_text(id);
    struct ss_context context = {.record_time_ms = DAY(20000), .day = day};
    return ss_apply(&models, &user->state, &event, &context, &user->effects, &user->refusal);
}

Test(recent, an_id_is_known_as_long_as_its_input_has_not_left_it_behind)
{
    struct helper_user user;
    helper_user_init(&user, model);
    helper_grant(&user, DAY(19000));
    cr_assert_eq(pay(&user, "a", 20000), SS_COUNTED);
    cr_assert_eq(pay(&user, "a", 20010), SS_DUPLICATE);
    cr_assert_eq(pay(&user, "a", 20011), SS_COUNTED, "though nothing else was heard of its user");
    cr_assert_eq(user.state.payments.recent.count, 1);
    cr_assert_eq(pay(&user, "b", 20015), SS_COUNTED);
    cr_assert_eq(pay(&user, "a", 20021), SS_DUPLICATE);
    cr_assert_eq(pay(&user, "b", 20025), SS_DUPLICATE);
    cr_assert_eq(pay(&user, "a", 20025), SS_COUNTED);
}

Test(recent, each_input_has_a_day_of_its_own)
{
    struct helper_user user;
    helper_user_init(&user, model);
    helper_grant(&user, DAY(20000));
    cr_assert_eq(pay(&user, "a", 20000), SS_COUNTED);
    int32_t days[SS_INPUT_COUNT] = {0};
    days[SS_BILLS] = days[SS_CONSENTS] = 20010;
    ss_forget(&models, &user.state, days);
    cr_assert_eq(user.state.payments.recent.count, 1);
    cr_assert_eq(user.state.consents.recent.count, 1);
    days[SS_CONSENTS]++;
    ss_forget(&models, &user.state, days);
    cr_assert_eq(user.state.payments.recent.count, 1);
    cr_assert_eq(user.state.consents.recent.count, 0);
    days[SS_PAYMENTS] = 20011;
    ss_forget(&models, &user.state, days);
    cr_assert_eq(user.state.payments.recent.count, 0);
}

static uint64_t random_state;

static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % bound);
}

/* Promise 4: when somebody's state is stored, and so cleared of what is forgotten, changes nothing.
 */
Test(recent, forgetting_early_or_late_makes_no_difference)
{
    static const char *const ids[] = {"a", "b", "c", "d", "e", "f", "g"};
    int duplicates = 0, shorter = 0;
    for (int round = 0; round < 300; round++) {
        struct helper_user early, late;
        int32_t day = 20000;
        random_state = (uint64_t)round;
        helper_user_init(&early, model);
        helper_grant(&early, DAY(20000));
        late = early;
        for (int i = 0; i < 40; i++) {
            const char *id = ids[random_below(7)];
            day += random_below(3) ? 0 : (int32_t)random_below(8);
            enum ss_outcome outcome = pay(&early, id, day);
            cr_assert_eq(pay(&late, id, day), outcome, "round %d, event %d", round, i);
            duplicates += outcome == SS_DUPLICATE;
            int32_t days[SS_INPUT_COUNT];
            for (int input = 0; input < SS_INPUT_COUNT; input++)
                days[input] = day - (int32_t)random_below(4);
            ss_forget(&models, &early.state, days);
            shorter += early.state.payments.recent.count < late.state.payments.recent.count;
        }
        cr_assert_eq(early.state.payments.settled_milli, late.state.payments.settled_milli);
    }
    cr_assert(duplicates > 1000 && shorter > 100, "%d duplicates, %d times shorter", duplicates,
              shorter);
}
