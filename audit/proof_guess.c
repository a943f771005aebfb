/* proof_guess.c - states that all records of a user so far allow alike.
 *
 * Whom a user lists, and not only how many confirm it, stands in no record. Where a grant of
 * SOCIAL, events of `social` and messages lie in the same interval, their order decides it, and
 * only what comes later may show which it was. So each way that leads to the record is kept as a
 * guess, until it does not lead on.
 */
#include "audit/proof_internal.h"
#include "scoring/hash.h"

#include <stdlib.h>

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0xff51afd7ed558ccd);
    return hash ^ hash >> 32;
}

uint64_t ss_guess_hash(const struct ss_user_state *state, const struct ss_friends *list)
{
    uint8_t packed[SS_PACKED_MAX];
    const size_t size = ss_state_pack(state, packed);
    uint64_t hash = ss_hash64((struct ss_text){(const char *)packed, (uint32_t)size});
    for (uint16_t i = 0; list && state->friends.open && i < list->count; i++)
        hash = mix(mix(hash, list->links[i].hash),
                   (uint64_t)list->links[i].band << 8 | list->links[i].id_size);
    return hash;
}

bool ss_guess_add(struct proof_guesses *guesses, const struct ss_user_state *state,
                  const struct ss_friends *list)
{
    uint8_t packed[SS_PACKED_MAX], links[SS_FRIENDS_PACKED_MAX];
    const uint64_t hash = ss_guess_hash(state, list);
    for (int i = 0; i < guesses->count; i++)
        if (guesses->at[i]->hash == hash)
            return true;
    if (guesses->count == GUESSES_MAX)
        return false;
    const size_t size = ss_state_pack(state, packed);
    const size_t links_size = state->friends.open ? ss_friends_pack(list, links) : 0;
    struct proof_guess *guess = malloc(sizeof *guess + size + links_size);
    if (!guess)
        return false;
    *guess = (struct proof_guess){.hash = hash, .size = size, .links_size = links_size};
    memcpy(guess->bytes, packed, size);
    memcpy(guess->bytes + size, links, links_size);
    guesses->at[guesses->count++] = guess;
    return true;
}

bool ss_guess_take(const struct proof_guess *guess, struct ss_user_state *state,
                   struct ss_friends *list)
{
    struct ss_error ignored;
    return ss_state_unpack((struct ss_bytes){guess->bytes, guess->size}, state, &ignored) ==
               SS_OK &&
           ss_friends_unpack((struct ss_bytes){guess->bytes + guess->size, guess->links_size}, list,
                             &ignored) == SS_OK;
}

void ss_guess_forget(struct proof_guesses *guesses)
{
    while (guesses->count)
        free(guesses->at[--guesses->count]);
}

bool ss_guess_of_friends(const struct ss_event *event)
{
    return event->input == SS_SOCIAL || event->input == SS_NEIGHBOURS ||
           (event->input == SS_CONSENTS && event->consent.purpose != SS_PURPOSE_SHARE);
}

bool ss_guess_needed(const struct proof_case *one)
{
    int64_t interval = -1;
    enum ss_input first = SS_INPUT_COUNT;
    for (size_t i = 0; i < one->kept_count; i++) {
        const struct ss_event *event = &one->kept[i]->event;
        if (!ss_guess_of_friends(event))
            continue;
        if (one->kept[i]->interval == interval && event->input != first)
            return true;
        interval = one->kept[i]->interval;
        first = event->input;
    }
    return false;
}
