#include "consumer/ranks.h"

#include <pthread.h>
#include <stdlib.h>

enum { PARTITIONS_MAX = 100000 }; /* no topic of ours has more: config/options.c */

struct ss_ranks {
    pthread_mutex_t lock;
    bool ready;
    int64_t version, offset;
    int32_t partition_count;
    struct ss_histogram **partitions; /* NULL: none yet */
    int64_t users[SS_SCORE_COUNT];    /* the sum */
};

enum ss_status ss_ranks_open(struct ss_ranks **out, struct ss_error *err)
{
    struct ss_ranks *ranks = calloc(1, sizeof *ranks);
    if (!ranks)
        return ss_fail(err, SS_STOP, "out of memory for ranks");
    pthread_mutex_init(&ranks->lock, NULL);
    ranks->version = 1;
    *out = ranks;
    return SS_OK;
}

void ss_ranks_close(struct ss_ranks *ranks)
{
    if (!ranks)
        return;
    for (int32_t p = 0; p < ranks->partition_count; p++)
        free(ranks->partitions[p]);
    free(ranks->partitions);
    pthread_mutex_destroy(&ranks->lock);
    free(ranks);
}

/* Room for the partition's histogram, zeroed if it is new; NULL: out of memory. */
static struct ss_histogram *slot_of(struct ss_ranks *ranks, int32_t partition)
{
    if (partition >= ranks->partition_count) {
        struct ss_histogram **grown =
            realloc(ranks->partitions, ((size_t)partition + 1) * sizeof *grown);
        if (!grown)
            return NULL;
        memset(grown + ranks->partition_count, 0,
               (size_t)(partition + 1 - ranks->partition_count) * sizeof *grown);
        ranks->partitions = grown;
        ranks->partition_count = partition + 1;
    }
    if (!ranks->partitions[partition])
        ranks->partitions[partition] = calloc(1, sizeof(struct ss_histogram));
    return ranks->partitions[partition];
}

enum ss_status ss_ranks_take(struct ss_ranks *ranks, int64_t offset, struct ss_bytes value,
                             struct ss_error *err)
{
    struct ss_histogram histogram;
    struct ss_bytes body;
    uint32_t id;
    int32_t partition;
    enum ss_status status = ss_wire_open(value, &id, &body, err);
    if (status == SS_OK)
        status = ss_decode_rank(body, &partition, &histogram, err);
    if (status == SS_OK && partition >= PARTITIONS_MAX)
        status = ss_fail(err, SS_DROP, "a histogram of partition %d", partition);
    pthread_mutex_lock(&ranks->lock);
    struct ss_histogram *slot = status == SS_OK ? slot_of(ranks, partition) : NULL;
    if (status == SS_OK && !slot)
        status =
            ss_fail(err, SS_STOP, "out of memory for the histogram of partition %d", partition);
    if (slot) {
        for (int i = 0; i < SS_SCORE_COUNT; i++)
            ranks->users[i] += (int64_t)histogram.users[i] - slot->users[i];
        *slot = histogram;
    }
    ranks->offset = offset + 1;
    ranks->version++;
    pthread_mutex_unlock(&ranks->lock);
    return status;
}

void ss_ranks_clear(struct ss_ranks *ranks)
{
    pthread_mutex_lock(&ranks->lock);
    for (int32_t p = 0; p < ranks->partition_count; p++) {
        free(ranks->partitions[p]);
        ranks->partitions[p] = NULL;
    }
    memset(ranks->users, 0, sizeof ranks->users);
    ranks->offset = 0;
    ranks->version++;
    pthread_mutex_unlock(&ranks->lock);
}

void ss_ranks_set_ready(struct ss_ranks *ranks)
{
    pthread_mutex_lock(&ranks->lock);
    ranks->ready = true;
    pthread_mutex_unlock(&ranks->lock);
}

bool ss_ranks_look(struct ss_ranks *ranks, struct ss_ranks_view *view)
{
    pthread_mutex_lock(&ranks->lock);
    bool ready = ranks->ready;
    if (ready && view->version != ranks->version) {
        view->version = ranks->version;
        view->offset = ranks->offset;
        ss_rank_table_init(&view->table, ranks->users);
    }
    pthread_mutex_unlock(&ranks->lock);
    return ready;
}

bool ss_ranks_has(struct ss_ranks *ranks, int32_t partition)
{
    pthread_mutex_lock(&ranks->lock);
    bool has = partition < ranks->partition_count && ranks->partitions[partition];
    pthread_mutex_unlock(&ranks->lock);
    return has;
}
