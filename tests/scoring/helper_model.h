/* helper_model.h - a model of round numbers, events to feed it, and one user who gets them. */
#ifndef SS_TESTS_SCORING_HELPER_MODEL_H
#define SS_TESTS_SCORING_HELPER_MODEL_H

#include "scoring/apply.h"
#include "scoring/decay.h"
#include "scoring/model_plan.h"

#include <string.h>

/* Start of a day. FIRST_DAY opens a month (of 30 days) and a quarter (of 90). */
#define DAY(n)    ((int64_t)(n)*86400000)
#define FIRST_DAY 18000

/* Counts of payments and bookings halve every day, of bills every two, of defaults every four.
 * Currencies: BAS (base), HLF (a half), MIL (a million). Every component has the weight 10 and the
 * neutral value 5000; curves of good things rise from 0 to 10000, those of bad things fall. Static
 * and shared. */
const struct ss_model *helper_model(void);
/* A copy to change, and then to be prepared (ss_model_prepare); the caller frees it. */
struct ss_model *helper_model_copy(void);

struct ss_text helper_text(const char *text);

/* Events of user "u" with event ids that do not repeat; amounts in BAS. */
struct ss_event helper_payment(int64_t at_ms, enum ss_payment_status status,
                               enum ss_payment_category category, int64_t amount);
struct ss_event helper_bill(int64_t at_ms, enum ss_bill_status status, const char *bill_id,
                            int64_t due_at_ms, int64_t amount);
struct ss_event helper_booking(int64_t at_ms, enum ss_booking_status status);
struct ss_event helper_social(int64_t at_ms, enum ss_social_action action, const char *friend_id);
struct ss_event helper_fact(int64_t at_ms, enum ss_profile_action action, enum ss_profile_fact fact,
                            enum ss_degree_level level);
struct ss_event helper_opened(int64_t at_ms, int64_t opened_at_ms);
struct ss_event helper_line(int64_t at_ms, const char *line_id, int64_t limit, int64_t balance);
struct ss_event helper_consent(int64_t at_ms, enum ss_consent_action action,
                               enum ss_consent_purpose purpose, const char *subscriber);
struct ss_event helper_listing(int64_t at_ms, enum ss_listing_action action, const char *case_id);

struct helper_user {
    const struct ss_model *model;
    const struct ss_model *business; /* NULL: none */
    struct ss_user_state state;
    struct ss_context context; /* of the newest event; offsets count up over all inputs */
    struct ss_friends friends; /* the user's record */
    struct ss_effects effects;
    enum ss_refusal refusal;
};

void helper_user_init(struct helper_user *user, const struct ss_model *model);
/* The event's own time is its record's. */
enum ss_outcome helper_apply(struct helper_user *user, const struct ss_event *event);
/* helper_apply on an event by value, which must count. */
void helper_count(struct helper_user *user, struct ss_event event);
/* A SCORING grant at that time, which must count. */
void helper_grant(struct helper_user *user, int64_t at_ms);

#endif
