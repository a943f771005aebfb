/* helper_stores.h - one check held against every kind of store: in memory, on a Redis of its own,
 * and all checks of a program one after the other on a Redis Cluster. */
#ifndef SS_TESTS_HELPER_STORES_H
#define SS_TESTS_HELPER_STORES_H

#include "state/store.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

enum store_kind { STORE_MEMORY, STORE_REDIS, STORE_KIND_COUNT };

extern struct ss_store *store; /* of the check at hand */

void stores_open(enum store_kind kind);
void stores_close(enum store_kind kind);
/* Whatever is left behind a test that failed. */
void stores_remove(void);
void stores_list(const char *title, void (*check)(void));
/* Runs all checks on a cluster of three masters; how many these were. */
size_t stores_check_on_a_cluster(void);
/* A test that is run once against each kind of store. */
#define STORE_TEST(suite, name)                                                       \
    static void check_##name(void);                                                   \
    __attribute__((constructor)) static void list_##name(void)                        \
    {                                                                                 \
        stores_list(#name, check_##name);                                             \
    }                                                                                 \
    ParameterizedTestParameters(suite, name)                                          \
    {                                                                                 \
        static enum store_kind kinds[STORE_KIND_COUNT] = {STORE_MEMORY, STORE_REDIS}; \
        return cr_make_param_array(enum store_kind, kinds, STORE_KIND_COUNT);         \
    }                                                                                 \
    ParameterizedTest(enum store_kind *kind, suite, name)                             \
    {                                                                                 \
        stores_open(*kind);                                                           \
        check_##name();                                                               \
        stores_close(*kind);                                                          \
    }                                                                                 \
    static void check_##name(void)

/* A checkpoint that differs with its offset. */
struct ss_checkpoint checkpoint_at(int64_t offset);
struct ss_bytes text_bytes(const char *text);

#endif
