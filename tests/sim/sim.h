/* sim.h - the world of one seed: a simulated Kafka, Redis, upstream and clock, and the real worker.
 *
 *   scheduler (sim_run.c) ──> sessions: ss_worker_step on a stack of its own (sim_session.c)
 *                                │ each op of bus and store is a point where it may be left alone,
 *                                v frozen, killed, or answered wrongly (sim_fate)
 *                      sim_bus.c, sim_commit.c ──> sim_broker.c, sim_group.c ──> sim_log.c
 *                      sim_store.c ──> sim_redis.c
 *   upstream (sim_upstream.c) ──> the input logs, with the truth of each record beside it
 *   oracle (oracle*.c) reads the logs afterwards and computes everything anew
 *
 * 1. One seed decides everything: no clock, no address, no thread of the machine enters.
 * 2. A session is one life of a worker's process. Killed, all its ops fail from then on and have no
 *    effect, so that the step unwinds; what it had sent stays. Left alone in the middle of a step
 * it is a zombie to whoever took over meanwhile.
 * 3. Whoever finds something wrong calls sim_differ; the first one counts.
 */
#ifndef SS_TESTS_SIM_H
#define SS_TESTS_SIM_H

#include "consumer/worker.h"
#include "sim_log.h"
#include "sim_random.h"

#include <ucontext.h>

enum {
    SIM_SLOTS_MAX = 3,
    SIM_SESSIONS_MAX = 160,
    SIM_USERS_MAX = 28,
    SIM_BUFFERED_MAX = 512,
    SIM_LATE_MAX = 8,
    SIM_MARKERS_MAX = 256,
    SIM_SNAPSHOTS = 3,
    SIM_WAKE_GROUPS = 4,
    SIM_EPOCHS_MAX = 4, /* of models */
    SIM_STACK_SIZE = 256 * 1024,
    SIM_PLANS_MAX = 256,

    SIM_SUBSCRIBERS = 2, /* of those to whom upstream's users grant */
    SIM_TARGETS = SS_TO_SUBSCRIBERS + SIM_SUBSCRIBERS,

    SIM_BATCH_MAX = 24,
    SIM_EVENT_BYTES_MAX = 1200,
    SIM_LETTER_BYTES_MAX = 2500,
    SIM_RECORD_BYTES_MAX = 4000, /* of a produced one */
};

#define SIM_GROUP               "sim"
#define SIM_START_MS            INT64_C(1780000000000)
#define SIM_SESSION_TIMEOUT_MS  2000
#define SIM_TXN_TIMEOUT_MS      2500
#define SIM_TXN_CLEANUP_MS      1000
#define SIM_RESTORE_TIMEOUT_MS  20000
#define SIM_LOOK_MS             1000 /* an input's end is known at most that late */
#define SIM_SKEW_MS             40   /* between the clocks of two sessions, at most twice that */
#define SIM_DAY_MS              INT64_C(86400000)
#define SIM_DELETE_RETENTION_MS (10 * SIM_DAY_MS)
#define SIM_FUTURE_TOLERANCE_MS INT64_C(86400000)

/* Deliberate bugs of bus and store, chosen at run time; those in the worker's own code are patches
 * in mutants/. */
enum sim_mutant {
    SIM_MUTANT_NONE,
    SIM_RESTORE_TO_LAST_STABLE,
    SIM_WATERMARK_BEFORE_OFFSETS,
    SIM_UNSTABLE_OFFSETS,
    SIM_OFFSETS_BEFORE_FLUSH,
    SIM_GENERATION_MINUS_ONE,
    SIM_READ_UNCOMMITTED,
    SIM_TOLD_OUTSIDE, /* of the transaction */
    SIM_CHECKPOINT_NOT_ATOMIC,
    SIM_SAVE_WITHOUT_COMPARING,
    SIM_LOAD_WITHOUT_CHECKPOINT,
    SIM_WIPE_UNGUARDED,
    SIM_WIPE_WITHOUT_COMPARING,
    SIM_UNKNOWN_COMMIT_IS_FINE,
    SIM_REARM_WITHOUT_COMPARING,
    SIM_RANKS_UNCOMMITTED,
    SIM_RANKS_OUTSIDE,
    SIM_MUTANT_COUNT
};
const char *sim_mutant_name(enum sim_mutant mutant);

/* What a record in an input really is, known to upstream and oracle only. */
struct sim_truth {
    const char *reason; /* why it cannot be read; NULL: event is what it says */
    struct ss_event event;
    int user; /* index; -1 where there is none */
};

struct sim_user {
    struct ss_text id;
    int32_t partition;
    int64_t silent_ms; /* nothing more is heard of it then */
};

struct sim_plan { /* a bill that is going to be paid */
    int64_t at_ms;
    int user;
    struct ss_text bill_id;
};

/* --- Kafka's coordinators --- */

struct sim_producer { /* by transactional id: one for each slot */
    int64_t epoch;
    struct sim_txn *txn; /* open, or decided with markers on their way; NULL: none */
    int64_t started_ms;
};

struct sim_marker { /* on its way to a log, or to the group's offsets */
    struct sim_txn *txn;
    struct sim_log *log; /* NULL: the offsets */
};

struct sim_member {
    bool there;
    struct sim_session *session;
    int64_t id;
    int slot; /* the static identity */
    int64_t heartbeat_ms;
    bool joined; /* in the rebalance under way */
};

struct sim_group {
    int generation;
    bool rebalancing;
    struct sim_member members[SIM_SLOTS_MAX * 4];
    int64_t next_id;
    int64_t owner[SIM_PARTITIONS_MAX]; /* member id; 0: nobody */
    int64_t committed[SS_INPUT_COUNT][SIM_PARTITIONS_MAX];
};

/* --- Redis --- */

struct sim_pair {
    struct ss_bytes key, value;
};
struct sim_keyspace { /* of one partition */
    struct ss_checkpoint checkpoint;
    bool found;
    uint64_t wipe;   /* token of the wipe under way; 0: none */
    int64_t written; /* which of the workers' writes was the last; an old dump has its own */
    struct sim_pair *pairs;
    size_t count, capacity;
    int64_t wakes[SIM_WAKE_GROUPS]; /* 0: never */
};
struct sim_late { /* a save, or a rearming, that the server gets to later */
    bool used, rearms;
    uint32_t group;
    int64_t wake_ms;
    int32_t partition;
    bool has_expect;
    struct ss_checkpoint expect, next;
    struct ss_put *puts;
    size_t count;
};
struct sim_redis {
    struct sim_keyspace live[SIM_PARTITIONS_MAX];
    struct sim_keyspace replica[SIM_PARTITIONS_MAX];
    struct sim_keyspace snapshots[SIM_SNAPSHOTS][SIM_PARTITIONS_MAX];
    struct sim_late late[SIM_LATE_MAX];
    int64_t away_until_ms;
    uint64_t next_token;
    int64_t writes; /* by the workers: saves, and wipes begun */
};

/* --- one life of a worker --- */

struct sim_flow {
    int64_t next, passed;
    bool held, flowing, at_end;
    int64_t looked_ms;  /* when at_end was last looked up */
    int64_t reached_ms; /* event time of what was delivered; 0: none */
    int64_t base;       /* committed, as far as this session knows */
};
struct sim_owned {
    bool assigned, announced, revoke_pending, revoke_lost, assign_pending, open;
    struct sim_flow flows[SS_INPUT_COUNT];
    bool marked;
    int64_t mark_offset, mark_time_ms;
    int64_t drain_end;  /* of consents, when the partition was started */
    int64_t early_end;  /* the changelog's, when we joined: for the mutant */
    int64_t allowed_ms; /* how far promise 10 has let its clock come, by the polls so far */
};
struct sim_buffered {
    enum ss_target target;
    int32_t partition;
    struct sim_record record;
    bool mark;
};

struct sim_session {
    struct ss_bus bus; /* first: a bus is its address */
    struct sim_session_store {
        struct ss_store store;
        struct sim_session *session;
    } store;
    struct sim_world *world;
    int slot, number;

    /* the coroutine */
    ucontext_t context;
    void *stack;
    void *fake_stack;         /* the sanitizers' */
    bool running_step, ended; /* ended: the worker is closed */
    bool stopping;            /* at the next step's end */
    bool stopped;             /* by a step that could not go on */
    bool dead;                /* killed: all its ops fail */
    bool fenced;              /* may stop for a twin */
    int fenced_count;         /* in a row */
    int64_t fenced_at_ms, anew_at_ms;
    int64_t frozen_until_ms, paused_until_ms;
    bool idle;
    struct ss_worker *worker;
    struct ss_worker_stats stats;
    atomic_bool stop;

    /* the client's side of the bus */
    int64_t member_id; /* 0: none */
    int generation;    /* of the assignment that holds; -1: none */
    struct sim_owned owned[SIM_PARTITIONS_MAX];
    int64_t reassign_at_ms;
    int32_t event_partitions[SIM_PARTITIONS_MAX];
    struct ss_record records[SIM_BATCH_MAX];
    int32_t epoch_seen;                       /* how far the topic of models is known here */
    struct sim_delivery order[SIM_BATCH_MAX]; /* of the newest poll's */
    int order_count;
    int64_t restores;                   /* how many were asked for */
    int64_t looked[SIM_PARTITIONS_MAX]; /* redis.writes, when it last read the checkpoint */
    int64_t epoch;                      /* of the producer; -1: to be made anew */
    struct ss_ranks *ranks;
    int64_t ranks_next,
        ranks_begun; /* offsets of sesame-ranks: taken up to, its end at our start */
    bool in_txn;
    int64_t begun_at_ms;
    struct sim_buffered buffered[SIM_BUFFERED_MAX];
    size_t buffered_count, flushed;
    int64_t offsets[SS_INPUT_COUNT][SIM_PARTITIONS_MAX]; /* -1: not in the transaction */
};

/* --- all of it --- */

struct sim_options {
    uint64_t seed;
    int length; /* events */
    enum sim_mutant mutant;
    bool verbose;
};

struct sim_world {
    struct sim_options options;
    struct sim_random random;
    struct sim_arena *arena;
    int64_t now_ms;
    bool calm;  /* the faults have stopped */
    bool quiet; /* and since then time has passed in which nothing happened */
    int32_t partition_count;
    int slot_count;
    bool static_members;
    const struct ss_model *model; /* what is structural is the same in all */
    struct ss_model *other;
    /* The topic of models: those up to epoch_count - 1 are in it, of the two models in turn. In
     * most seeds the first stays; the others draw from randomness of their own. */
    struct ss_models epochs[SIM_EPOCHS_MAX];
    int32_t epoch_count, epochs_to_come;
    int to_epoch; /* counts down */
    struct sim_random epoch_random;
    struct ss_registry *registry;
    uint32_t input_ids[SS_INPUT_COUNT], output_ids[SS_OUTPUT_COUNT];
    int64_t registry_away_until_ms;
    struct ss_keys keys; /* of all processes */
    int keys_change_at;  /* txn_count */

    struct sim_log inputs[SS_INPUT_COUNT][SIM_PARTITIONS_MAX];
    struct sim_log targets[SIM_TARGETS][SIM_PARTITIONS_MAX];
    struct sim_producer producers[SIM_SLOTS_MAX];
    struct sim_marker markers[SIM_MARKERS_MAX];
    int marker_count;
    struct sim_group group;
    struct sim_redis redis;

    struct sim_user users[SIM_USERS_MAX];
    int user_count;
    int events_left, event_count, bill_count, granted_count, social_count;
    int64_t story_ms;     /* how far what upstream tells has come */
    uint32_t idle_inputs; /* bit i: nobody writes to input i */
    int slow_input;       /* read far behind the others */
    struct sim_plan plans[SIM_PLANS_MAX];
    int plan_count;
    struct sim_truth **truths; /* of all records so far, for duplicates */
    struct ss_bytes *values;
    struct sim_txn *upstream[2]; /* producers' own open transactions */

    struct sim_session *sessions[SIM_SESSIONS_MAX];
    int session_count;
    void *stacks[SIM_SESSIONS_MAX];           /* kept from seed to seed */
    struct sim_session *slots[SIM_SLOTS_MAX]; /* who stands for it now; NULL: down */
    int64_t slot_back_ms[SIM_SLOTS_MAX];
    ucontext_t scheduler;
    void *scheduler_fake_stack;
    const void *scheduler_stack;
    size_t scheduler_stack_size;
    int to_op_fault, to_world_fault; /* counts down */
    bool time_waits, long_time;      /* to pass: for those in a step to come to its end */
    int64_t ops, faults;
    int txn_count;

    bool failed;
    char difference[600];
};

/* What happens to an op. */
enum sim_fate {
    SIM_GOES,
    SIM_FAILS,       /* an error, and no effect */
    SIM_FAILS_LATER, /* the effect, and an error all the same */
    SIM_DEAD,        /* the process is gone: no effect, and unwind */
};

void sim_trace(const struct sim_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sim_differ(struct sim_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* sim_run.c: one seed. Keeps the arena for the next one. */
struct sim_world *sim_world_new(const struct ss_model *model, struct ss_registry *registry);
void sim_world_free(struct sim_world *world);
void sim_world_run(struct sim_world *world, const struct sim_options *options);

/* sim_session.c */
struct sim_session *sim_session_start(struct sim_world *world, int slot);
void sim_session_resume(struct sim_session *session); /* until it yields, or its step ends */
void sim_session_end(struct sim_session *session);    /* runs it out and closes it */
/* Called by each op before and after its effect. */
enum sim_fate sim_point(struct sim_session *session, const char *op);
/* An op waits for the others: false once the session is dead. */
bool sim_wait(struct sim_session *session);
enum ss_status sim_dead(struct ss_error *err);

/* sim_models.c: the live model changes, and each session hears of it some time later. */
void sim_models_init(struct sim_world *world);
void sim_models_tick(struct sim_world *world);
void sim_models_session(struct sim_session *session);
const struct ss_models *sim_models_live(void *session);
size_t sim_models_slice(struct sim_world *world); /* users told in one transaction */
/* Of which the user was told last. */
const struct ss_model *sim_model_of(const struct sim_world *world,
                                    const struct ss_user_state *state);

/* sim_bus.c and sim_commit.c */
void sim_bus_init(struct sim_session *session);
void sim_bus_leave(struct sim_session *session); /* a clean close */
int64_t sim_clock_allowed(const struct sim_session *session, int32_t partition);
void sim_take_back(struct sim_session *session, int pause_ms);
bool sim_owns(const struct sim_session *session, int32_t partition);
void sim_on_revoke(struct sim_session *session, bool lost);
void sim_on_join(struct sim_session *session);
enum ss_status sim_begin(struct ss_bus *bus, struct ss_error *err);
enum ss_status sim_produce(struct ss_bus *bus, enum ss_target target, int32_t partition,
                           struct ss_bytes key, struct ss_bytes value,
                           const struct ss_header *headers, size_t header_count, bool mark,
                           struct ss_error *err);
enum ss_status sim_commit(struct ss_bus *bus, struct ss_error *err);
enum ss_status sim_abort(struct ss_bus *bus, struct ss_error *err);
enum ss_status sim_offset(struct ss_bus *bus, enum ss_input input, int32_t partition,
                          int64_t next_offset, struct ss_error *err);
enum ss_status sim_mark(struct ss_bus *bus, int32_t partition, int64_t *offset,
                        int64_t *broker_time_ms, struct ss_error *err);
/* sim_ranks.c: the thread of the process that reads sesame-ranks. */
void sim_ranks_init(struct sim_session *session);
void sim_ranks_follow(struct sim_session *session); /* at some ops, some records */
/* sim_start.c */
enum ss_status sim_start(struct ss_bus *bus, int32_t partition, struct ss_partition_start *out,
                         struct ss_error *err);
enum ss_status sim_restore(struct ss_bus *bus, int32_t partition, int64_t from, int64_t to,
                           ss_restore_sink *sink, void *arg, struct ss_error *err);
/* No op of the scheduler's: what it tells is the same at any time, for there is but one group. */
enum ss_status sim_newest_group(struct ss_bus *bus, int32_t partition,
                                const struct ss_partition_start *start, char group[SS_GROUP_MAX],
                                struct ss_error *err);

/* sim_group.c: the group's coordinator, and the member's serving of it. SS_STOP: fenced. */
enum ss_status sim_group_serve(struct sim_session *session, struct ss_error *err);
void sim_group_tick(struct sim_world *world);
void sim_group_leave(struct sim_session *session);
void sim_group_rebalance(struct sim_world *world);
enum sim_refusal { SIM_ACCEPTED, SIM_STALE, SIM_FENCED };
enum sim_refusal sim_group_accepts(const struct sim_session *session);
/* Somebody has this session's place. SS_STOP: a twin, as it has to conclude; SS_RETRY: begin anew.
 */
enum ss_status sim_fenced(struct sim_session *session, const char *step, struct ss_error *err);
/* A request of the slot's own past reaches the broker. */
void sim_group_late_request(struct sim_world *world, int slot);

/* sim_broker.c: transactions. */
bool sim_producer_init(struct sim_session *session); /* false: an earlier one is being settled */
bool sim_producer_current(const struct sim_session *session);
struct sim_txn *sim_txn_new(struct sim_world *world);
void sim_txn_decide(struct sim_world *world, struct sim_txn *txn, bool commit);
bool sim_txn_settled(const struct sim_world *world, const struct sim_txn *txn);
void sim_broker_tick(struct sim_world *world);
bool sim_offsets_pending(const struct sim_world *world, int32_t partition);
void sim_compact(struct sim_world *world, int32_t partition);
void sim_move_input_starts(struct sim_world *world);
void sim_cut_inputs(struct sim_world *world);

/* sim_store.c, sim_redis.c */
void sim_store_init(struct sim_session *session);
bool sim_redis_save(struct sim_world *world, int32_t partition, const struct ss_checkpoint *expect,
                    const struct ss_checkpoint *next, const struct ss_put *puts, size_t count);
/* What a reader of the checkpoint is shown: store.h. */
void sim_redis_shown(const struct sim_keyspace *space, struct ss_checkpoint *out);
/* Puts the wipe's token in place of what was shown; 0: it no longer is. */
uint64_t sim_redis_wipe(struct sim_session *session, int32_t partition,
                        const struct ss_checkpoint *shown);
bool sim_redis_rearm(struct sim_world *world, int32_t partition, const struct ss_checkpoint *expect,
                     uint32_t group, int64_t wake_ms);
void sim_redis_put(struct sim_world *world, int32_t partition, const struct ss_put *put);
struct ss_bytes sim_redis_get(const struct sim_keyspace *space, struct ss_bytes key);
uint32_t sim_redis_group(struct ss_bytes key);
void sim_redis_tick(struct sim_world *world);
void sim_redis_fault(struct sim_world *world);

/* sim_upstream.c */
void sim_upstream_init(struct sim_world *world);
void sim_upstream_tick(struct sim_world *world);
/* Time has jumped to now_ms: what upstream has written meanwhile. */
void sim_upstream_pass(struct sim_world *world);
bool sim_upstream_done(const struct sim_world *world);

/* sim_story.c: what happens to users next, as of world->story_ms. */
void sim_story_init(struct sim_world *world);
void sim_story_next(struct sim_world *world, struct sim_truth *truth);

/* sim_keys.c */
void sim_keys_init(struct sim_world *world);
void sim_keys_tick(struct sim_world *world); /* when a transaction begins */
/* Whether a state may be sealed with this key in this seed; 0: not sealed. */
bool sim_keys_may(const struct sim_world *world, uint32_t key_id);
/* The stored form under a key; ss_stored_write. */
/* The same of another record than a state. */
struct ss_bytes sim_keys_seal(uint32_t key_id, struct ss_bytes key, struct ss_bytes plain,
                              uint8_t *out);
struct ss_bytes sim_keys_write(uint32_t key_id, struct ss_bytes user_id,
                               const struct ss_user_state *state, uint8_t *out);
/* Under whatever key; false: not readable. */
bool sim_keys_read(struct ss_bytes user_id, struct ss_bytes stored, struct ss_user_state *state);

/* oracle_shared.c: whom the config names. */
void sim_subscribers(struct ss_worker_subscriber out[SIM_SUBSCRIBERS]);
/* oracle_time.c: when time alone has something to do next, as docs/model.md 7.11 says. */
int64_t sim_wake_at(const struct ss_model *model, const struct ss_user_state *state);
/* oracle.c: judges what is committed, once everything is. */
void sim_judge(struct sim_world *world);
/* oracle_store.c: a store's content against the changelog up to its checkpoint. */
void sim_judge_store(struct sim_world *world, int32_t partition);
/* No group of the store's sleeps longer than the first of its users may. */
void sim_judge_wakes(struct sim_world *world, int32_t partition);
/* oracle_rest.c. *why: what is not, if so. */
bool sim_caught_up(const struct sim_world *world, char why[160]);

static inline bool sim_chance(struct sim_world *world, uint32_t per_mille)
{
    return sim_random_below(&world->random, 1000) < per_mille;
}
static inline uint32_t sim_below(struct sim_world *world, uint32_t bound)
{
    return sim_random_below(&world->random, bound);
}

#endif
