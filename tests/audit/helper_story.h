/* helper_story.h - the logs of one partition, made up from a seed, and what an engine would have
 * published of them: it reads its inputs in a random interleaving, its clock is the watermark, it
 * wakes users late or not at all for a while, and all it computes comes from the core. What it
 * wrote can be altered before it is held against the logs.
 */
#ifndef SS_TESTS_AUDIT_HELPER_STORY_H
#define SS_TESTS_AUDIT_HELPER_STORY_H

#include "audit/proof.h"
#include "scoring/friends.h"

enum { STORY_USERS_MAX = 400, STORY_CHANGES_MAX = 12 };

struct story_options {
    uint64_t seed;
    int users, events;
    int disorder;    /* of 100 turns, how many read just any input */
    int wake_every;  /* turns between two looks at who is to be woken */
    int gaps;        /* of 100 events, behind how many an offset is missing */
    int withdrawals; /* of 100 consents */
    bool two_models; /* half-way another one is put in charge */
    int returns;     /* so many turns later the first one is; 0: never */
    int changes;     /* and so on, until there have been so many in all; 0: two */
    bool third;      /* a third comes before the first returns */
    bool friends;    /* people are friends, and tell each other their bands */
    bool ranks;      /* records have percentiles: a new histogram with each 50th */
    bool half_told;  /* the half is when some have been told of the second model, and others not */
    int silent;      /* of 100 events: those that change no score, such as refunds of nothing */
};

struct story_score {
    struct ss_score_record record;
    bool gone;
};

struct story_grant {
    struct ss_entitlement entitlement;
    bool gone;
};

struct story {
    struct story_options options;
    uint64_t random;
    struct ss_model *model, *second, *third;
    struct ss_models models;
    struct ss_source_event *events[SS_INPUT_COUNT];
    size_t counts[SS_INPUT_COUNT];
    struct story_score *scores;
    size_t score_count;
    struct story_grant *grants;
    size_t grant_count;
    char **texts;
    size_t text_count;
    char names[STORY_USERS_MAX][16];
    /* the engine */
    size_t read[SS_INPUT_COUNT];
    int32_t days[SS_INPUT_COUNT], half_days[SS_INPUT_COUNT];
    struct ss_friends *lists; /* by user */
    int64_t told_by_friends;  /* messages */
    struct ss_histogram histogram;
    struct ss_rank_entry *ranks; /* the histograms; records cite the offset behind one */
    struct ss_rank_table *tables;
    size_t rank_count, ranks_at;
    bool no_ranks; /* the histograms are not at hand */
    struct ss_models befores[STORY_CHANGES_MAX];
    int change_count;
    int64_t positions[SS_INPUT_COUNT], reached_ms[SS_INPUT_COUNT], clock_ms;
    struct ss_user_state *states;
    /* as all stood when half of the events had been read, or when the first were told of the second
     * model */
    struct ss_user_state *half_states;
    struct ss_friends *half_lists;
    int64_t half_positions[SS_INPUT_COUNT], half_clock_ms;
    size_t half_read[SS_INPUT_COUNT], half_scores;
    /* what is held against the logs */
    size_t drop_events[SS_INPUT_COUNT]; /* at the beginning: retention took them */
    size_t drop_scores, drop_grants, drop_ranks;
    bool without_neighbours; /* what friends told must not be asked for */
    /* as a feed */
    struct ss_published_record *published[SS_OUTPUT_COUNT];
    size_t published_count[SS_OUTPUT_COUNT], published_at[SS_OUTPUT_COUNT],
        input_at[SS_INPUT_COUNT];
    struct ss_buffer lent[SS_OUTPUT_COUNT]; /* the batch handed out last, which the next spoils */
    uint8_t **bodies;
    size_t body_count;
    size_t batch;
    /* what came of it */
    int told, histograms_told; /* the latter are not among the former */
    struct ss_proof_difference last;
    enum ss_proof_verdict verdicts[64];
    char fields[64][256]; /* of each difference: the names of the fields that differ, by blanks */
};

extern const struct story_options story_plain; /* nothing out of the ordinary, and no friends */
struct story *story_open(const struct story_options *options);
/* Without friends: with each seed more or less disorder, users and silence. */
struct story *story_open_varied(uint64_t seed);
void story_close(struct story *story);
struct ss_text story_name(struct story *story, int user);
void story_forget_published(struct story *story);
/* Holds what is there now against the logs. */
struct ss_proof_result story_prove(struct story *story, const struct ss_proof_options *more);
/* All of it is proven. */
void story_expect_proven(const struct story *story, const struct ss_proof_result *result);
/* Retention took what friends had told before that offset, or (-1) all of it. */
struct ss_proof_options story_cut_messages(struct story *story, int64_t offset);
/* What is left to prove from how all stood at the half on: a snapshot, and no event before it. */
struct ss_proof_options story_from_half(struct story *story);
/* Gives the states of the half to `put`: ss_proof_options.seed, with the story as its argument. */
enum ss_status story_seed(void *arg,
                          enum ss_status (*put)(void *to, struct ss_text user_id,
                                                struct ss_bytes packed, struct ss_error *err),
                          void *to, struct ss_error *err);
/* Swaps two score records of the log. */
void story_swap(struct story *story, size_t a, size_t b);
struct ss_text story_text(struct story *story, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
uint64_t story_random(struct story *story, uint64_t below);

#endif
