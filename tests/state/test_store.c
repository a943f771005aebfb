/* What every store must do (state/store.h), held against each of them. */
#include "helper_state.h"
#include "helper_stores.h"

#include <stdio.h>
#include <stdlib.h>

TestSuite(store, .fini = stores_remove);

/* Saves one value (NULL deletes) on the way from one offset to another; from -1 means from nothing.
 */
static enum ss_status save(int32_t partition, int64_t from, int64_t to, const char *id,
                           const char *value)
{
    struct ss_checkpoint expect = checkpoint_at(from), next = checkpoint_at(to);
    struct ss_put put = {text_bytes(id), value ? text_bytes(value) : (struct ss_bytes){0},
                         SS_WAKE_NEVER};
    return store->ops->save(store, partition, from < 0 ? NULL : &expect, &next, &put, 1, NULL);
}

struct seen {
    char value[64];
    int calls;
};

static void see(void *arg, size_t i, struct ss_bytes packed)
{
    struct seen *seen = arg;
    cr_assert_eq(i, 0);
    seen->calls++;
    snprintf(seen->value, sizeof seen->value, "%.*s", (int)packed.size,
             packed.data ? (const char *)packed.data : "");
}

/* What the store holds of a user, "" for nothing, NULL if the checkpoint is another one. */
static const char *value_of(int32_t partition, int64_t offset, const char *id)
{
    static struct seen seen;
    struct ss_checkpoint expect = checkpoint_at(offset);
    struct ss_bytes user_id = text_bytes(id);
    seen = (struct seen){0};
    enum ss_status status =
        store->ops->load(store, partition, &expect, &user_id, 1, see, &seen, NULL);
    if (status == SS_OK) {
        cr_assert_eq(seen.calls, 1);
        return seen.value;
    }
    cr_assert_eq(status, SS_GIVE_UP);
    cr_assert_eq(seen.calls, 0);
    return NULL;
}

static bool holds_checkpoint(int32_t partition, int64_t offset)
{
    struct ss_checkpoint found, wanted = checkpoint_at(offset);
    bool is_found;
    cr_assert_eq(store->ops->checkpoint(store, partition, &found, &is_found, NULL), SS_OK);
    return is_found && ss_checkpoint_equal(&found, &wanted);
}

static bool has_checkpoint(int32_t partition)
{
    struct ss_checkpoint found;
    bool is_found;
    cr_assert_eq(store->ops->checkpoint(store, partition, &found, &is_found, NULL), SS_OK);
    return is_found;
}

STORE_TEST(store, starts_with_nothing)
{
    cr_assert(!has_checkpoint(0));
    cr_assert_null(value_of(0, 1, "alice"));
}

STORE_TEST(store, delivers_what_was_saved)
{
    cr_assert_eq(save(0, -1, 1, "alice", "one"), SS_OK);
    cr_assert(holds_checkpoint(0, 1));
    cr_assert_str_eq(value_of(0, 1, "alice"), "one");
    cr_assert_str_eq(value_of(0, 1, "bob"), "");
    cr_assert_eq(save(0, 1, 2, "alice", "two, and longer than before"), SS_OK);
    cr_assert_str_eq(value_of(0, 2, "alice"), "two, and longer than before");
}

STORE_TEST(store, deletes)
{
    cr_assert_eq(save(0, -1, 1, "alice", "one"), SS_OK);
    cr_assert_eq(save(0, 1, 2, "alice", NULL), SS_OK);
    cr_assert_str_eq(value_of(0, 2, "alice"), "");
    cr_assert_eq(save(0, 2, 3, "nobody", NULL), SS_OK);
    cr_assert(holds_checkpoint(0, 3));
}

STORE_TEST(store, gives_up_at_another_checkpoint_and_writes_nothing)
{
    cr_assert_eq(save(0, 5, 6, "alice", "zero"), SS_GIVE_UP); /* there is none */
    cr_assert(!has_checkpoint(0));
    cr_assert_eq(save(0, -1, 1, "alice", "one"), SS_OK);
    cr_assert_eq(save(0, -1, 2, "alice", "two"), SS_GIVE_UP); /* there is one */
    cr_assert_eq(save(0, 7, 8, "alice", "three"), SS_GIVE_UP);
    cr_assert(holds_checkpoint(0, 1));
    cr_assert_str_eq(value_of(0, 1, "alice"), "one");
    cr_assert_null(value_of(0, 2, "alice"));
    cr_assert_eq(save(0, 1, 2, "alice", "two"), SS_OK); /* and goes on as if nothing had been */
}

STORE_TEST(store, another_incarnation_is_another_checkpoint)
{
    cr_assert_eq(save(0, -1, 1, "alice", "one"), SS_OK);
    struct ss_checkpoint other = checkpoint_at(1), next = checkpoint_at(2);
    struct ss_bytes id = text_bytes("alice");
    other.incarnation[15] = 1;
    struct seen seen = {0};
    cr_assert_eq(store->ops->load(store, 0, &other, &id, 1, see, &seen, NULL), SS_GIVE_UP);
    cr_assert_eq(store->ops->save(store, 0, &other, &next, NULL, 0, NULL), SS_GIVE_UP);
    cr_assert_eq(seen.calls, 0);
}

STORE_TEST(store, a_repeated_save_is_fine)
{
    cr_assert_eq(save(0, -1, 1, "alice", "one"), SS_OK);
    cr_assert_eq(save(0, -1, 1, "alice", "one"), SS_OK);
    cr_assert_eq(save(0, 1, 2, "alice", "two"), SS_OK);
    cr_assert_eq(save(0, 1, 2, "alice", "two"), SS_OK);
    cr_assert_str_eq(value_of(0, 2, "alice"), "two");
}

STORE_TEST(store, saves_a_checkpoint_alone)
{
    struct ss_checkpoint one = checkpoint_at(1), two = checkpoint_at(2);
    cr_assert_eq(store->ops->save(store, 3, NULL, &one, NULL, 0, NULL), SS_OK);
    cr_assert_eq(store->ops->save(store, 3, &one, &two, NULL, 0, NULL), SS_OK);
    cr_assert(holds_checkpoint(3, 2));
    cr_assert_eq(store->ops->load(store, 3, &two, NULL, 0, see, NULL, NULL), SS_OK);
}

STORE_TEST(store, a_wipe_takes_away_only_what_was_seen)
{
    struct ss_checkpoint before = checkpoint_at(1), none = {.partition_count = 0};
    cr_assert_eq(save(0, -1, 1, "alice", "one"), SS_OK);
    cr_assert_eq(store->ops->wipe(store, 0, &none, NULL), SS_GIVE_UP);
    cr_assert_eq(save(0, 1, 2, "alice", "two"), SS_OK);
    cr_assert_eq(store->ops->wipe(store, 0, &before, NULL), SS_GIVE_UP);
    cr_assert_str_eq(value_of(0, 2, "alice"), "two");
    before = checkpoint_at(2);
    cr_assert_eq(store->ops->wipe(store, 0, &before, NULL), SS_OK);
    cr_assert(!has_checkpoint(0));
    cr_assert_eq(store->ops->wipe(store, 0, &before, NULL), SS_GIVE_UP);
    cr_assert_eq(store->ops->wipe(store, 0, &none, NULL), SS_OK);
}

STORE_TEST(store, partitions_are_apart)
{
    cr_assert_eq(save(0, -1, 1, "alice", "zero"), SS_OK);
    cr_assert_eq(save(9, -1, 5, "alice", "nine"), SS_OK);
    cr_assert_str_eq(value_of(0, 1, "alice"), "zero");
    cr_assert_str_eq(value_of(9, 5, "alice"), "nine");
    cr_assert_eq(wipe_now(store, 0, NULL), SS_OK);
    cr_assert(!has_checkpoint(0));
    cr_assert_str_eq(value_of(9, 5, "alice"), "nine");
}

STORE_TEST(store, ids_and_states_are_any_bytes)
{
    struct ss_checkpoint one = checkpoint_at(1);
    struct ss_put puts[2] = {{{"a\0\r\n$", 5}, {"\0\r\n*1\xff", 6}, SS_WAKE_NEVER},
                             {text_bytes("\xc3\xa4%s%b\"'\\{1}:"), text_bytes("x"), SS_WAKE_NEVER}};
    cr_assert_eq(store->ops->save(store, 0, NULL, &one, puts, 2, NULL), SS_OK);
    cr_assert_str_eq(value_of(0, 1, "\xc3\xa4%s%b\"'\\{1}:"), "x");
    cr_assert_str_eq(value_of(0, 1, "a"), "");
}

/* ---- many ---- */

enum { MANY = 5000 };

struct many {
    char ids[MANY][16];
    uint8_t states[MANY][600];
    struct ss_put puts[MANY];
    struct ss_bytes user_ids[MANY];
    bool seen[MANY];
    int empty;
};

static struct many *make_many(uint64_t seed)
{
    struct many *many = calloc(1, sizeof *many);
    for (int i = 0; i < MANY; i++) {
        size_t size = 1 + random_next(&seed) % sizeof many->states[i];
        for (size_t b = 0; b < size; b++)
            many->states[i][b] = (uint8_t)random_next(&seed);
        snprintf(many->ids[i], sizeof many->ids[i], "user-%d", i);
        many->user_ids[i] = text_bytes(many->ids[i]);
        many->puts[i] = (struct ss_put){many->user_ids[i], {many->states[i], size}, SS_WAKE_NEVER};
    }
    return many;
}

static void see_many(void *arg, size_t i, struct ss_bytes packed)
{
    struct many *many = arg;
    cr_assert(i < MANY && !many->seen[i]);
    many->seen[i] = true;
    many->empty += packed.size == 0;
    if (!ss_bytes_equal(packed, many->puts[i].packed))
        cr_assert_fail("user %zu has another state", i);
}

static int index_of(struct ss_bytes user_id)
{
    return atoi((const char *)user_id.data + 5);
}

static void scan_many(void *arg, struct ss_bytes user_id, struct ss_bytes packed)
{
    struct many *many = arg;
    char id[16] = "";
    memcpy(id, user_id.data, user_id.size < 15 ? user_id.size : 15);
    see_many(many, (size_t)index_of((struct ss_bytes){id, 15}), packed);
}

STORE_TEST(store, many_users_in_one_batch)
{
    struct many *many = make_many(1);
    struct ss_checkpoint one = checkpoint_at(1), two = checkpoint_at(2);
    cr_assert_eq(store->ops->save(store, 0, NULL, &one, many->puts, MANY, NULL), SS_OK);
    cr_assert_eq(store->ops->load(store, 0, &one, many->user_ids, MANY, see_many, many, NULL),
                 SS_OK);
    for (int i = 0; i < MANY; i++)
        cr_assert(many->seen[i]);
    cr_assert_eq(many->empty, 0);

    /* two thirds go, in the same batch as new values come */
    for (int i = 0; i < MANY; i++)
        many->puts[i].packed = i % 3 ? (struct ss_bytes){0} : (struct ss_bytes){many->states[i], 3};
    cr_assert_eq(store->ops->save(store, 0, &one, &two, many->puts, MANY, NULL), SS_OK);
    memset(many->seen, 0, sizeof many->seen);
    cr_assert_eq(store->ops->load(store, 0, &two, many->user_ids, MANY, see_many, many, NULL),
                 SS_OK);
    cr_assert_eq(many->empty, MANY - (MANY + 2) / 3);

    memset(many->seen, 0, sizeof many->seen);
    cr_assert_eq(store->ops->scan(store, 0, scan_many, many, NULL), SS_OK);
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(many->seen[i], i % 3 == 0);
    free(many);
}

STORE_TEST(store, a_long_random_run_agrees_with_a_plain_array)
{
    enum { USERS = 300, STEPS = 400, BATCH = 20 };
    static char ids[USERS][8], values[USERS][8]; /* "" for none */
    uint64_t seed = 99;
    for (int i = 0; i < USERS; i++)
        snprintf(ids[i], sizeof ids[i], "u%d", i);
    for (int step = 0; step < STEPS; step++) {
        struct ss_put puts[BATCH];
        int first = (int)(random_next(&seed) % (USERS - BATCH));
        struct ss_checkpoint expect = checkpoint_at(step - 1), next = checkpoint_at(step);
        for (int i = 0; i < BATCH; i++) {
            char *value = values[first + i];
            snprintf(value, 8, "%d", step);
            if (random_next(&seed) % 3 == 0)
                value[0] = '\0';
            puts[i] = (struct ss_put){text_bytes(ids[first + i]), text_bytes(value), SS_WAKE_NEVER};
        }
        cr_assert_eq(store->ops->save(store, 0, step ? &expect : NULL, &next, puts, BATCH, NULL),
                     SS_OK);
    }
    for (int i = 0; i < USERS; i++)
        cr_assert_str_eq(value_of(0, STEPS - 1, ids[i]), values[i], "%s", ids[i]);
}

static void count_scanned(void *arg, struct ss_bytes user_id, struct ss_bytes packed)
{
    (void)user_id, (void)packed;
    ++*(int *)arg;
}

STORE_TEST(store, wipe_leaves_nothing)
{
    struct many *many = make_many(2);
    struct ss_checkpoint one = checkpoint_at(1);
    int count = 0;
    cr_assert_eq(store->ops->save(store, 0, NULL, &one, many->puts, MANY, NULL), SS_OK);
    cr_assert_eq(store->ops->scan(store, 0, count_scanned, &count, NULL), SS_OK);
    cr_assert_eq(count, MANY);
    cr_assert_eq(wipe_now(store, 0, NULL), SS_OK);
    cr_assert(!has_checkpoint(0));
    count = 0;
    cr_assert_eq(store->ops->scan(store, 0, count_scanned, &count, NULL), SS_OK);
    cr_assert_eq(count, 0);
    cr_assert_eq(wipe_now(store, 0, NULL), SS_OK); /* again: nothing to do */
    cr_assert_eq(save(0, -1, 1, "alice", "one"), SS_OK);
    cr_assert_str_eq(value_of(0, 1, "alice"), "one");
    cr_assert_str_eq(value_of(0, 1, "user-1"), "");
    free(many);
}

Test(store, a_cluster_does_all_of_that)
{
    cr_assert_geq(stores_check_on_a_cluster(), 12);
}
