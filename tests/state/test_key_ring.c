/* The keys of a running process: they follow the file, and outlive its mistakes. */
#include "state/key_ring.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t start_ms = INT64_C(1767225600000);
static const struct ss_bytes anna = {"anna", 4}, packed = {"\x01state", 6};

static char folder[64], path[96];
static struct ss_key_ring *ring;

static void add_key(int64_t active_from_ms)
{
    struct ss_key_entry added;
    struct ss_error err = {0};
    cr_assert_eq(ss_key_file_add(path, start_ms, active_from_ms, &added, &err), SS_OK, "%s",
                 err.detail);
}

static void begin(void)
{
    struct ss_error err = {0};
    snprintf(folder, sizeof folder, "/tmp/sesame-ring-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/keys", folder);
    add_key(start_ms);
    cr_assert_eq(ss_key_ring_open(path, SS_PLAIN_ACCEPT, start_ms, &ring, &err), SS_OK, "%s",
                 err.detail);
}

static void end(void)
{
    ss_key_ring_close(ring);
    unlink(path);
    rmdir(folder);
}

TestSuite(key_ring, .init = begin, .fini = end);

Test(key_ring, off_is_no_sealer)
{
    cr_assert_null(ss_key_ring_renew(NULL, NULL, start_ms));
}

Test(key_ring, cannot_begin_without_keys)
{
    struct ss_key_ring *none;
    struct ss_error err = {0};
    cr_assert_eq(chmod(path, 0644), 0);
    cr_assert_eq(ss_key_ring_open(path, SS_PLAIN_ACCEPT, start_ms, &none, &err), SS_STOP);
    cr_assert_null(none);
}

Test(key_ring, a_new_key_opens_first_and_seals_later)
{
    const struct ss_sealer *sealer = ss_key_ring_renew(ring, NULL, start_ms);
    cr_assert_eq(ss_sealer_key_id(sealer), 1);
    const struct ss_sealer *first = sealer;
    cr_assert_eq(ss_key_ring_renew(ring, sealer, start_ms + 1), first, "nothing has changed");

    add_key(start_ms + 60000);
    sealer = ss_key_ring_renew(ring, sealer, start_ms + 999);
    cr_assert_eq(sealer, first, "the file is looked at every second only");
    sealer = ss_key_ring_renew(ring, sealer, start_ms + 1000);
    cr_assert_neq(sealer, first);
    cr_assert_eq(ss_sealer_key_id(sealer), 1, "opens, does not seal yet");

    /* Another process whose clock is ahead seals with it already. */
    struct ss_key_ring *ahead;
    struct ss_error err = {0};
    uint8_t sealed[SS_SEALED_MAX], out[SS_PACKED_MAX];
    struct ss_bytes opened;
    cr_assert_eq(ss_key_ring_open(path, SS_PLAIN_ACCEPT, start_ms + 60000, &ahead, &err), SS_OK,
                 "%s", err.detail);
    const struct ss_sealer *theirs = ss_key_ring_renew(ahead, NULL, start_ms + 60000);
    struct ss_bytes stored = ss_seal(theirs, anna, packed, sealed);
    cr_assert_eq(ss_seal_key_id(stored), 2);
    cr_assert_eq(ss_unseal(sealer, anna, stored, out, &opened, &err), SS_OK, "%s", err.detail);
    ss_sealer_close(theirs);
    ss_key_ring_close(ahead);

    sealer = ss_key_ring_renew(ring, sealer, start_ms + 59999);
    cr_assert_eq(ss_sealer_key_id(sealer), 1);
    sealer = ss_key_ring_renew(ring, sealer, start_ms + 60999);
    cr_assert_eq(ss_sealer_key_id(sealer), 2);
    ss_sealer_close(sealer);
}

Test(key_ring, a_file_gone_bad_changes_nothing)
{
    const struct ss_sealer *sealer = ss_key_ring_renew(ring, NULL, start_ms), *first = sealer;
    FILE *file = fopen(path, "a");
    fputs("nonsense\n", file);
    fclose(file);
    sealer = ss_key_ring_renew(ring, sealer, start_ms + 1000);
    cr_assert_eq(sealer, first);
    cr_assert_eq(unlink(path), 0);
    sealer = ss_key_ring_renew(ring, sealer, start_ms + 2000);
    cr_assert_eq(sealer, first);
    add_key(start_ms); /* mended, with another key 1 */
    sealer = ss_key_ring_renew(ring, sealer, start_ms + 3000);
    cr_assert_neq(sealer, first);
    ss_sealer_close(sealer);
}

Test(key_ring, permissions_are_mended_without_a_restart)
{
    add_key(start_ms + 1000);
    cr_assert_eq(chmod(path, 0644), 0);
    const struct ss_sealer *sealer = ss_key_ring_renew(ring, NULL, start_ms + 1000);
    cr_assert_eq(ss_sealer_key_id(sealer), 1);
    cr_assert_eq(chmod(path, 0600), 0);
    sealer = ss_key_ring_renew(ring, sealer, start_ms + 2000);
    cr_assert_eq(ss_sealer_key_id(sealer), 2);
    ss_sealer_close(sealer);
}

Test(key_ring, a_clock_set_back_does_not_blind_it)
{
    const struct ss_sealer *sealer = ss_key_ring_renew(ring, NULL, start_ms + 3600000);
    add_key(start_ms);
    sealer = ss_key_ring_renew(ring, sealer, start_ms);
    cr_assert_eq(ss_sealer_key_id(sealer), 2);
    ss_sealer_close(sealer);
}

Test(key_ring, a_sealer_outlives_the_ring)
{
    const struct ss_sealer *sealer = ss_key_ring_renew(ring, NULL, start_ms);
    uint8_t sealed[SS_SEALED_MAX], out[SS_PACKED_MAX];
    struct ss_bytes opened;
    ss_key_ring_close(ring);
    ring = NULL;
    struct ss_bytes stored = ss_seal(sealer, anna, packed, sealed);
    cr_assert_eq(ss_unseal(sealer, anna, stored, out, &opened, NULL), SS_OK);
    ss_sealer_close(sealer);
}

enum { THREADS = 4, ROTATIONS = 20 };

static atomic_llong now_ms;
static atomic_bool over;

static void *work(void *arg)
{
    const struct ss_sealer *sealer = NULL;
    uint8_t sealed[SS_SEALED_MAX], out[SS_PACKED_MAX];
    struct ss_bytes opened;
    (void)arg;
    bool fine = true;
    while (!atomic_load(&over)) {
        sealer = ss_key_ring_renew(ring, sealer, atomic_load(&now_ms));
        struct ss_bytes stored = ss_seal(sealer, anna, packed, sealed);
        fine = fine && ss_unseal(sealer, anna, stored, out, &opened, NULL) == SS_OK &&
               ss_bytes_equal(opened, packed);
    }
    sealer = ss_key_ring_renew(ring, sealer, atomic_load(&now_ms));
    fine = fine && ss_sealer_key_id(sealer) == ROTATIONS + 1;
    ss_sealer_close(sealer);
    return fine ? NULL : (void *)&over; /* anything but NULL */
}

Test(key_ring, workers_go_on_through_rotations)
{
    pthread_t threads[THREADS];
    void *wrong;
    atomic_store(&now_ms, start_ms);
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, work, NULL), 0);
    const struct ss_sealer *sealer = NULL;
    for (int i = 1; i <= ROTATIONS; i++) {
        add_key(start_ms + i * 2000);
        atomic_store(&now_ms, start_ms + i * 2000);
        sealer = ss_key_ring_renew(ring, sealer, start_ms + i * 2000);
    }
    ss_sealer_close(sealer);
    atomic_store(&now_ms, start_ms + (ROTATIONS + 1) * 2000);
    atomic_store(&over, true);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &wrong);
        cr_assert_null(wrong);
    }
}
