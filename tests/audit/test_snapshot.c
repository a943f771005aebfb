/* Snapshots: what is written comes back, and a byte that was changed is noticed wherever it is. */
#include "audit/snapshot_models.h"
#include "tests/audit/helper_logs.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { USERS = 40 };

static struct ss_error err = {.detail = ""};

static void begin(void)
{
    logs_directory();
}

TestSuite(snapshot, .init = begin, .fini = logs_remove);

static size_t state_of(int user, uint8_t *packed)
{
    struct ss_user_state state = {0};
    state.consents.scoring = true;
    state.consents.granted_at_ms = LOGS_BEGIN + user;
    state.payments.any = true;
    state.payments.settled_milli = 1000 * user;
    return ss_state_pack(&state, packed);
}

static const struct ss_snapshot_epoch epochs[] = {
    {.epoch = 0, .person = "model-1"},
    {.epoch = 1, .business_since = 1, .person = "model-1", .business = "shops-1"},
    {.epoch = 3,
     .person_since = 3,
     .business_since = 1,
     .person = "model-2",
     .business = "shops-1"},
};

static const char *write_snapshot(int users)
{
    const struct ss_snapshot_head head = {.live = true,
                                          .cluster_id = "cluster",
                                          .partition_count = 3,
                                          .made_at_ms = LOGS_BEGIN,
                                          .model_version = "model-2",
                                          .business_model_version = "shops-1",
                                          .epochs = epochs,
                                          .epoch_count = 3,
                                          .note = "a note"};
    const char *path = logs_path("snapshot.avro");
    struct ss_snapshot_writer *writer;
    cr_assert_eq(ss_snapshot_create(path, &head, NULL, &writer, &err), SS_OK, "%s", err.detail);
    for (int32_t p = 0; p < 3; p += 2) {
        struct ss_snapshot_part part = {
            .partition = p, .mark_offset = 70 + p, .clock_ms = LOGS_BEGIN, .users = users * p};
        part.epoch = p ? 3 : 1;
        part.positions[SS_BILLS] = 9;
        part.counts[SS_BILLS].consumed = 9;
        part.counts[SS_BILLS].outcomes[SS_COUNTED] = 9;
        cr_assert_eq(ss_snapshot_begin(writer, &part, &err), SS_OK, "%s", err.detail);
        for (int i = 0; i < part.users; i++) {
            uint8_t packed[SS_PACKED_MAX];
            char id[32];
            snprintf(id, sizeof id, "user-%d", i);
            const size_t size = state_of(i, packed);
            cr_assert_eq(
                ss_snapshot_put(writer, logs_text(id), (struct ss_bytes){packed, size}, &err),
                SS_OK, "%s", err.detail);
        }
    }
    cr_assert_eq(ss_snapshot_finish(writer, &err), SS_OK, "%s", err.detail);
    return path;
}

static enum ss_status on_state(void *arg, struct ss_text user_id, struct ss_bytes packed,
                               struct ss_error *ignored)
{
    int *next = arg;
    uint8_t expected[SS_PACKED_MAX];
    char id[32];
    (void)ignored;
    snprintf(id, sizeof id, "user-%d", *next);
    const size_t size = state_of((*next)++, expected);
    cr_expect(ss_bytes_equal((struct ss_bytes){user_id.data, user_id.size},
                             (struct ss_bytes){id, strlen(id)}));
    cr_expect(ss_bytes_equal(packed, (struct ss_bytes){expected, size}));
    return SS_OK;
}

Test(snapshot, comes_back_as_it_was_written)
{
    const char *path = write_snapshot(5000); /* several blocks */
    struct ss_snapshot *snapshot;
    int states = 0;
    cr_assert_eq(ss_snapshot_open(path, NULL, &snapshot, &err), SS_OK, "%s", err.detail);
    const struct ss_snapshot_head *head = ss_snapshot_head(snapshot);
    cr_expect(head->live);
    cr_expect_str_eq(head->cluster_id, "cluster");
    cr_expect_str_eq(head->model_version, "model-2");
    cr_expect_str_eq(head->business_model_version, "shops-1");
    cr_assert_eq(head->epoch_count, 3);
    cr_expect_eq(memcmp(head->epochs, epochs, sizeof epochs), 0);
    cr_expect_eq(ss_snapshot_part(snapshot, 0)->epoch, 1);
    cr_expect_eq(ss_snapshot_part(snapshot, 2)->epoch, 3);
    cr_expect_str_eq(head->note, "a note");
    cr_expect_eq(head->partition_count, 3);
    cr_expect_null(ss_snapshot_part(snapshot, 1));
    const struct ss_snapshot_part *part = ss_snapshot_part(snapshot, 2);
    cr_assert_not_null(part);
    cr_expect_eq(part->mark_offset, 72);
    cr_expect_eq(part->positions[SS_BILLS], 9);
    cr_expect_eq(part->counts[SS_BILLS].outcomes[SS_COUNTED], 9);
    cr_expect_eq(part->users, 10000);
    cr_expect_eq(ss_snapshot_states(snapshot), 10000);
    for (int again = 0; again < 2; again++) {
        states = 0;
        cr_assert_eq(ss_snapshot_read(snapshot, 2, on_state, &states, &err), SS_OK, "%s",
                     err.detail);
        cr_expect_eq(states, 10000);
    }
    cr_expect_eq(ss_snapshot_read(snapshot, 0, on_state, &states, &err), SS_OK);
    cr_expect_eq(ss_snapshot_read(snapshot, 1, on_state, &states, &err), SS_STOP);
    ss_snapshot_close(snapshot);
    cr_expect_neq(access(logs_path("snapshot.avro.draft"), F_OK), 0);
}

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(1 << 20);
    cr_assert_not_null(file);
    *size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

static bool opens_with(const uint8_t *bytes, size_t size)
{
    const char *path = logs_path("changed.avro");
    struct ss_snapshot *snapshot;
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, size, file), size);
    fclose(file);
    bool opens = ss_snapshot_open(path, NULL, &snapshot, &err) == SS_OK;
    if (opens)
        ss_snapshot_close(snapshot);
    return opens;
}

Test(snapshot, a_changed_byte_is_noticed_wherever_it_is)
{
    static const uint8_t flips[] = {0x01, 0x80, 0xff, 0x20};
    size_t size;
    uint8_t *bytes = read_file(write_snapshot(USERS / 2), &size);
    cr_assert(opens_with(bytes, size));
    /* the container's head, up to the first mark of synchronisation, has errors of its own */
    const uint8_t *head_end = memmem(bytes, size, bytes + size - 16, 16);
    for (size_t at = 0; at < size; at++) {
        const uint8_t was = bytes[at];
        const bool at_states = bytes + at >= head_end + 16;
        bytes[at] = was ^ flips[at % sizeof flips];
        cr_assert_not(opens_with(bytes, size), "byte %zu of %zu", at, size);
        cr_assert(!at_states || strstr(err.detail, "no sound snapshot"), "byte %zu of %zu: %s", at,
                  size, err.detail);
        bytes[at] = was;
    }
    free(bytes);
}

Test(snapshot, an_end_that_is_cut_off_or_added_to_is_noticed)
{
    size_t size;
    uint8_t *bytes = read_file(write_snapshot(USERS / 2), &size);
    for (size_t cut = 1; cut < 400; cut += 3)
        cr_assert_not(opens_with(bytes, size - cut), "%zu", cut);
    cr_assert_not(opens_with(bytes, size + 1));
    free(bytes);
}

Test(snapshot, sealed_states_open_with_their_key_only)
{
    static const uint8_t key[SS_SEAL_KEY_SIZE] = {1, 2, 3};
    const struct ss_seal_key keys[] = {{.id = 7, .bytes = key}};
    const struct ss_snapshot_head head = {.partition_count = 1};
    const struct ss_snapshot_part part = {.users = 1};
    const char *path = logs_path("sealed.avro");
    const struct ss_sealer *sealer = NULL;
    struct ss_sealer *opened;
    struct ss_snapshot_writer *writer;
    struct ss_snapshot *snapshot;
    uint8_t packed[SS_PACKED_MAX];
    int states = 0;
    const size_t size = state_of(0, packed);
    cr_assert_eq(ss_sealer_open(keys, 1, 0, SS_PLAIN_REFUSE, &opened, &err), SS_OK);
    sealer = opened;
    cr_assert_eq(ss_snapshot_create(path, &head, sealer, &writer, &err), SS_OK);
    cr_assert_eq(ss_snapshot_begin(writer, &part, &err), SS_OK);
    cr_assert_eq(
        ss_snapshot_put(writer, logs_text("user-0"), (struct ss_bytes){packed, size}, &err), SS_OK);
    cr_assert_eq(ss_snapshot_finish(writer, &err), SS_OK, "%s", err.detail);
    cr_expect_eq(ss_snapshot_open(path, NULL, &snapshot, &err), SS_STOP);
    cr_assert_eq(ss_snapshot_open(path, sealer, &snapshot, &err), SS_OK, "%s", err.detail);
    cr_expect_eq(ss_snapshot_read(snapshot, 0, on_state, &states, &err), SS_OK);
    cr_expect_eq(states, 1);
    ss_snapshot_close(snapshot);
    ss_sealer_close(sealer);
}

/* --- by which models its users were told --- */

static struct ss_model known[3]; /* zeroed but for their versions */

static const struct ss_model *find(void *arg, struct ss_text version, bool *business)
{
    const int *count = arg;
    static const char *const versions[] = {"shops-1", "model-2", "model-1"};
    *business = false;
    for (int i = 0; i < *count; i++) {
        snprintf(known[i].version, sizeof known[i].version, "%s", versions[i]);
        if (strlen(versions[i]) == version.size && !memcmp(versions[i], version.data, version.size))
            return &known[i];
    }
    return NULL;
}

Test(snapshot, the_models_of_its_epochs_are_found)
{
    int count = 3;
    const struct ss_model_shelf shelf = {&count, find};
    const struct ss_snapshot_head head = {.epochs = epochs, .epoch_count = 3};
    struct ss_snapshot_models *models;
    const struct ss_models *at;
    struct ss_snapshot_epoch *list;
    size_t listed;
    cr_assert_eq(ss_snapshot_models_open(&head, &shelf, &models, &err), SS_OK);
    cr_assert_eq(ss_snapshot_models_at(models, 3, &at, &err), SS_OK, "%s", err.detail);
    cr_expect_str_eq(at->person->version, "model-2");
    cr_expect_str_eq(at->business->version, "shops-1");
    cr_expect_eq(at->person_since, 3);
    cr_expect_eq(at->business_since, 1);
    cr_expect_str_eq(ss_models_find(at, false, 0)->version, "model-1");
    cr_expect_eq(ss_snapshot_models_at(models, 2, &at, &err), SS_STOP);
    cr_assert_eq(ss_snapshot_models_at(models, 3, &at, &err), SS_OK);
    cr_assert_eq(ss_snapshot_epochs_list(at, &list, &listed, &err), SS_OK);
    cr_expect_eq(listed, 3);
    cr_expect_eq(memcmp(list, epochs, sizeof epochs), 0);
    free(list);
    ss_snapshot_models_close(models);
}

Test(snapshot, a_model_that_is_nowhere_is_asked_for)
{
    int count = 2; /* not model-1 */
    const struct ss_model_shelf shelf = {&count, find};
    const struct ss_snapshot_head head = {.epochs = epochs, .epoch_count = 3};
    struct ss_user_state state = {.consents.scoring = true};
    struct ss_snapshot_models *models;
    const struct ss_models *at;
    cr_assert_eq(ss_snapshot_models_open(&head, &shelf, &models, &err), SS_OK);
    cr_expect_eq(ss_snapshot_models_at(models, 1, &at, &err), SS_STOP);
    cr_expect(strstr(err.detail, "model-1") && strstr(err.detail, "--model"), "%s", err.detail);
    cr_assert_eq(ss_snapshot_models_at(models, 3, &at, &err), SS_OK);
    /* who was told of it and holds nothing by it can go on, whoever holds something cannot */
    cr_expect_eq(ss_snapshot_models_check(&head, at, &state, &err), SS_OK);
    state.published.benefits = 1;
    cr_expect_eq(ss_snapshot_models_check(&head, at, &state, &err), SS_STOP);
    cr_expect(strstr(err.detail, "model-1") && strstr(err.detail, "--model"), "%s", err.detail);
    state.published.epoch = 3;
    cr_expect_eq(ss_snapshot_models_check(&head, at, &state, &err), SS_OK);
    ss_snapshot_models_close(models);
}
