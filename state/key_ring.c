#include "state/key_ring.h"

#include "base/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { LOOK_EVERY_MS = 1000 };

struct ss_key_ring {
    char *path;
    enum ss_plain_states plain;
    _Atomic(const struct ss_sealer *) current; /* the ring's own reference */
    _Atomic int64_t look_at_ms;
    pthread_mutex_t lock; /* of all below, and of who replaces the current one */
    struct ss_key_file *file;
    int64_t change_at_ms;              /* when another key of the file becomes current */
    struct ss_key_file_identity tried; /* the last file that was read, well or not */
    bool missing_said;
};

/* A sealer of the file's keys at this time, and the time until which it is right. */
static enum ss_status replace(struct ss_key_ring *ring, struct ss_key_file *file, int64_t now_ms,
                              struct ss_error *err)
{
    struct ss_sealer *next;
    enum ss_status status = ss_key_file_sealer(file, now_ms, ring->plain, &next, err);
    if (status != SS_OK)
        return status;
    const struct ss_sealer *before = atomic_load(&ring->current);
    if (ss_sealer_key_id(before) != ss_sealer_key_id(next))
        ss_info("keys", "sealing with key %u, of %zu that open", ss_sealer_key_id(next),
                ss_key_file_count(file));
    else
        ss_info("keys", "%zu keys open, key %u goes on sealing", ss_key_file_count(file),
                ss_sealer_key_id(next));
    ring->change_at_ms = ss_key_file_next_change_ms(file, now_ms);
    atomic_store(&ring->current, next);
    ss_sealer_close(before);
    if (ring->file != file)
        ss_key_file_close(ring->file);
    ring->file = file;
    return SS_OK;
}

static bool same(const struct ss_key_file_identity *a, const struct ss_key_file_identity *b)
{
    return a->device == b->device && a->inode == b->inode && a->modified_ns == b->modified_ns &&
           a->changed_ns == b->changed_ns && a->size == b->size;
}

static void read_again(struct ss_key_ring *ring, int64_t now_ms)
{
    struct ss_key_file *file;
    struct ss_error err;
    enum ss_status status = ss_key_file_open(ring->path, &file, &err);
    if (status == SS_OK) {
        ring->tried = *ss_key_file_identity(file);
        status = replace(ring, file, now_ms, &err);
        if (status != SS_OK)
            ss_key_file_close(file);
    }
    if (status != SS_OK)
        ss_warn("keys", "%s; going on with the keys as they were", err.detail);
}

static void look(struct ss_key_ring *ring, int64_t now_ms)
{
    struct ss_key_file_identity seen;
    struct ss_error err;
    if (!ss_key_file_look(ring->path, &seen)) {
        if (!ring->missing_said)
            ss_warn("keys", "key file %s is not there; going on with the keys as they were",
                    ring->path);
        ring->missing_said = true;
    } else {
        ring->missing_said = false;
        if (!same(&seen, &ring->tried)) {
            ring->tried = seen;
            read_again(ring, now_ms);
        }
    }
    if (now_ms >= ring->change_at_ms && replace(ring, ring->file, now_ms, &err) != SS_OK)
        ss_warn("keys", "%s; going on with the keys as they were", err.detail);
}

enum ss_status ss_key_ring_open(const char *path, enum ss_plain_states plain, int64_t now_ms,
                                struct ss_key_ring **out, struct ss_error *err)
{
    struct ss_key_file *file = NULL;
    *out = NULL;
    struct ss_key_ring *ring = calloc(1, sizeof *ring);
    if (!ring || !(ring->path = strdup(path))) {
        free(ring);
        return ss_fail(err, SS_STOP, "out of memory for keys");
    }
    ring->plain = plain;
    atomic_init(&ring->current, NULL);
    atomic_init(&ring->look_at_ms, now_ms + LOOK_EVERY_MS);
    pthread_mutex_init(&ring->lock, NULL);
    enum ss_status status = ss_key_file_open(path, &file, err);
    if (status == SS_OK) {
        ring->tried = *ss_key_file_identity(file);
        status = replace(ring, file, now_ms, err);
        if (status != SS_OK)
            ss_key_file_close(file);
    }
    if (status != SS_OK)
        ss_key_ring_close(ring);
    else
        *out = ring;
    return status;
}

void ss_key_ring_close(struct ss_key_ring *ring)
{
    if (!ring)
        return;
    ss_sealer_close(atomic_load(&ring->current));
    ss_key_file_close(ring->file);
    pthread_mutex_destroy(&ring->lock);
    free(ring->path);
    free(ring);
}

/* Under the lock, so that nobody closes the current one between its load and its share. */
static const struct ss_sealer *exchange(struct ss_key_ring *ring, const struct ss_sealer *held)
{
    const struct ss_sealer *current = ss_sealer_share(atomic_load(&ring->current));
    pthread_mutex_unlock(&ring->lock);
    ss_sealer_close(held);
    return current;
}

const struct ss_sealer *ss_key_ring_renew(struct ss_key_ring *ring, const struct ss_sealer *held,
                                          int64_t now_ms)
{
    if (!ring)
        return held;
    int64_t look_at_ms = atomic_load(&ring->look_at_ms);
    /* Or the clock was set back. */
    bool due = now_ms >= look_at_ms || now_ms < look_at_ms - LOOK_EVERY_MS;
    if (!due && atomic_load(&ring->current) == held)
        return held;
    pthread_mutex_lock(&ring->lock);
    if (due && atomic_load(&ring->look_at_ms) == look_at_ms) { /* else another thread has looked */
        atomic_store(&ring->look_at_ms, now_ms + LOOK_EVERY_MS);
        look(ring, now_ms);
    }
    return exchange(ring, held);
}

const struct ss_sealer *ss_key_ring_look(struct ss_key_ring *ring, const struct ss_sealer *held)
{
    pthread_mutex_lock(&ring->lock);
    look(ring, atomic_load(&ring->look_at_ms) - LOOK_EVERY_MS);
    return exchange(ring, held);
}
