/* proof_case.c - what is kept of a user who was put aside, from one of its records to the next. */
#include "audit/event_texts.h"
#include "audit/proof_internal.h"
#include "audit/room.h"
#include "scoring/hash.h"

#include <stdlib.h>

static struct ss_text copy_text(char **at, struct ss_text text)
{
    struct ss_text copy = {*at, text.size};
    if (text.size)
        memcpy(*at, text.data, text.size);
    *at += text.size;
    return copy;
}

/* A message of nobody whom the user lists, or has begun to list since the last record, changes
 * nothing, and there may be any number of them. */
static enum ss_status is_stranger(struct proof *proof, const struct proof_case *one,
                                  struct ss_text user_id, struct ss_text from, bool *strange)
{
    const struct ss_friends *list = &proof->friends->list;
    const uint64_t hash = ss_hash64(from);
    for (size_t i = 0; i < one->kept_count; i++)
        if (one->kept[i]->event.input == SS_SOCIAL &&
            ss_hash64(one->kept[i]->event.social.friend_id) == hash)
            return SS_OK;
    enum ss_status status = ss_replay_friends_read(proof->friends, user_id, proof->err);
    for (uint16_t i = 0; status == SS_OK && i < list->count; i++)
        if (list->links[i].hash == hash)
            return SS_OK;
    *strange = status == SS_OK;
    return status;
}

enum ss_status ss_case_keep(struct proof *proof, struct proof_case *one, const struct ss_user *user)
{
    const struct ss_walk *walk = &proof->walk;
    struct ss_event event = walk->event->event;
    struct ss_text *texts[SS_EVENT_TEXTS_MAX];
    const size_t count = ss_event_texts(&event, texts);
    size_t size = 0;
    bool strange = false;
    enum ss_status status = SS_OK;
    if (event.input == SS_NEIGHBOURS)
        status = is_stranger(proof, one, ss_user_id(user), event.neighbour.from, &strange);
    one->strangers |= strange;
    if (status != SS_OK || strange)
        return status;
    for (size_t i = 0; i < count; i++)
        size += texts[i]->size;
    struct proof_kept *kept = malloc(sizeof *kept + size);
    if (!kept ||
        !ss_make_room(&one->kept, one->kept_count, &one->kept_capacity, sizeof *one->kept)) {
        free(kept);
        return ss_fail(proof->err, SS_STOP, "out of memory for events");
    }
    kept->event = event;
    char *at = kept->bytes;
    (void)ss_event_texts(&kept->event, texts);
    for (size_t i = 0; i < count; i++)
        *texts[i] = copy_text(&at, *texts[i]);
    kept->offset = walk->event->offset;
    kept->timestamp_ms = walk->event->timestamp_ms;
    kept->low_ms = proof->low_ms;
    kept->day = proof->day;
    kept->epoch = proof->models.epoch;
    kept->interval = proof->interval;
    kept->losing = ss_proof_friends_losing(proof);
    one->kept[one->kept_count++] = kept;
    return SS_OK;
}

enum ss_status ss_case_keep_stray(struct proof *proof, struct proof_case *one,
                                  const struct ss_walk_record *record)
{
    uint8_t *bytes = malloc(record->body.size + 1);
    if (!bytes ||
        !ss_make_room(&one->strays, one->stray_count, &one->stray_capacity, sizeof *one->strays)) {
        free(bytes);
        return ss_fail(proof->err, SS_STOP, "out of memory for records");
    }
    struct proof_stray *stray = &one->strays[one->stray_count++];
    *stray = (struct proof_stray){.record = *record, .bytes = bytes};
    memcpy(bytes, record->body.data, record->body.size);
    stray->record.body.data = bytes;
    ss_score_view_move(&stray->record.view, record->body.data, bytes);
    return SS_OK;
}

void ss_case_forget_events(struct proof_case *one)
{
    while (one->kept_count)
        free(one->kept[--one->kept_count]);
}

void ss_case_forget(struct proof_case *one)
{
    ss_case_forget_events(one);
    while (one->stray_count)
        free(one->strays[--one->stray_count].bytes);
}

void ss_case_reset(struct proof *proof, struct proof_case *one)
{
    ss_case_forget(one);
    ss_skips_reset(proof, &one->skips);
    free(one->kept);
    free(one->strays);
    free(one->other);
    ss_guess_forget(&one->guesses);
    memset(one, 0, sizeof *one);
}
