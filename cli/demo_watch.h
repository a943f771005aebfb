/* demo_watch.h - the demo's subscriber: follows scores, entitlements and dead letters as any
 * service would, and keeps its own books, so that the engine's can be checked against them.
 *
 * One thread; ss_demo_watch_received may be called from any.
 */
#ifndef SS_CLI_DEMO_WATCH_H
#define SS_CLI_DEMO_WATCH_H

#include "config/config.h"
#include "consumer/kafka_tail.h"
#include "schemas/output_view.h"

#include <stdatomic.h>

enum {
    SS_DEMO_SAMPLES = 6,
    SS_DEMO_HISTORY = 24,
    SS_DEMO_NEWS = 2,
    SS_DEMO_BODY_MAX = 2048,
    SS_DEMO_REASONS = 16,
};

struct ss_demo_user {
    int64_t sequence;
    int64_t lost_sequence; /* the record with which benefits were last taken away */
    uint32_t benefits;     /* bit per benefit of the model */
    int16_t score;
    uint8_t standing; /* enum ss_standing */
    uint8_t tier;
    uint8_t lost_count;
};

/* A user whose latest record is kept whole. */
struct ss_demo_sample {
    bool used;
    uint32_t user;
    int16_t history[SS_DEMO_HISTORY]; /* the newest last */
    int history_count;
    int32_t change; /* the last one */
    size_t body_size;
    uint8_t body[SS_DEMO_BODY_MAX];
};

enum ss_demo_news_kind { SS_DEMO_DROP, SS_DEMO_REVOKED, SS_DEMO_RESTORE, SS_DEMO_NEWS_KINDS };

struct ss_demo_news {
    enum ss_demo_news_kind kind;
    uint32_t user;
    int64_t sequence;
    int32_t before, after; /* scores; the threshold and the score at REVOKED */
    int lost;              /* privileges that went with it, where known */
    char text[160];        /* without the user: "listed by a court (case-000042-1): 655 -> 350" */
};

struct ss_demo_watch {
    const struct ss_model *model;
    struct ss_kafka_tail *tail;
    struct ss_demo_user *users; /* by number */
    uint32_t user_count;

    atomic_llong score_records;
    int64_t entitlements, granted, revoked, dead_letters;
    int64_t kinds[SS_KIND_RESCORE + 1];
    int64_t tiers[SS_TIERS_MAX]; /* users now; the listed ones aside */
    int64_t listed;
    int64_t clock_ms; /* the newest as_of */
    int64_t wrong;    /* gaps in sequences, grants of what is held, revocations of what is not */

    struct ss_demo_sample samples[SS_DEMO_SAMPLES];
    struct ss_demo_sample revoked_user; /* one whom a score cost a benefit */
    struct ss_demo_news listings[SS_DEMO_NEWS], revocations[SS_DEMO_NEWS]; /* the newest last */
    int64_t news_total[SS_DEMO_NEWS_KINDS];
    struct ss_demo_news telling[SS_DEMO_NEWS_KINDS]; /* one of each kind to tell of at the end */

    struct {
        char name[32];
        int64_t count;
    } reasons[SS_DEMO_REASONS]; /* of dead letters */
    int reason_count;
};

SS_MUST_USE enum ss_status ss_demo_watch_open(struct ss_demo_watch *watch,
                                              const struct ss_config *config,
                                              const struct ss_model *model, uint32_t users,
                                              struct ss_error *err);
/* Takes in what has come, waiting at most timeout_ms for the first record. on_news (may be NULL)
 * hears of each piece of news. SS_RETRY: something was lost to us. */
SS_MUST_USE enum ss_status ss_demo_watch_poll(struct ss_demo_watch *watch, int timeout_ms,
                                              void (*on_news)(void *arg,
                                                              const struct ss_demo_news *news),
                                              void *arg, struct ss_error *err);
int64_t ss_demo_watch_received(const struct ss_demo_watch *watch); /* score records */
/* Benefits held, counted user by user. */
int64_t ss_demo_watch_held(const struct ss_demo_watch *watch);
void ss_demo_watch_close(struct ss_demo_watch *watch);

#endif
