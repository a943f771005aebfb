/* helper_explain.h - a user's life made in memory: events go through the core as in the engine,
 * what it publishes becomes the records, and both are the history that is explained. */
#ifndef SS_TESTS_AUDIT_HELPER_EXPLAIN_H
#define SS_TESTS_AUDIT_HELPER_EXPLAIN_H

#include "audit/explain.h"

#define DAY   INT64_C(86400000)
#define BEGIN INT64_C(1577836800000) /* 2020-01-01T00:00:00Z */

struct life {
    struct ss_models models; /* the default model */
    struct ss_history history;
    struct ss_user_state state;
    struct ss_friends friends;
    int64_t positions[SS_INPUT_COUNT];
    int64_t last_offset; /* of the newest event in its topic */
    int64_t scores;      /* records so far */
    bool ranked;         /* records to come say their percentile */
    int32_t percentile;
};

/* Partition 3; offsets of each input go up by 10, from 100 on. */
void life_begin(struct life *life, const char *user_id);
void life_end(struct life *life);

/* Time passes up to the event, which then happens. Only its payload needs to be set. */
void live(struct life *life, int64_t occurred_at_ms, struct ss_event event);
/* The same of an event that the logs no longer have. */
void live_unlogged(struct life *life, int64_t occurred_at_ms, struct ss_event event);
/* A friend whom the user adds confirms it, and stands in this band. */
void befriend(struct life *life, int64_t occurred_at_ms, const char *friend_id, uint8_t band);

struct ss_event granted(void);
struct ss_event granted_for(enum ss_consent_purpose purpose);
struct ss_event withdrawn(void);
struct ss_event paid(int64_t amount_minor, enum ss_payment_category category);
struct ss_event bill(enum ss_bill_status status, const char *id, int64_t amount_minor,
                     int64_t due_at_ms);
struct ss_event verified(enum ss_profile_fact fact);
struct ss_event listing(enum ss_listing_action action, const char *case_id);

/* Somebody with consent, payments, a bill paid late and one overdue, and a verified phone: 100 days
 * from BEGIN on. */
void live_hundred_days(struct life *life);

/* Asks for the newest score. */
struct ss_explain_request ask(const struct life *life);

/* As it is shown to whom no issuer is named; the caller frees. */
char *explained_text(const struct ss_explanation *e);
char *explained_json(const struct ss_explanation *e);
char *explained_html(const struct ss_explanation *e);

#endif
