/* proof_friends.c - whose friends count, as the messages in the log say, and where they do not.
 *
 * A list follows from the user's own events of `social` and what friends told; it lies in a record
 * apart from the state (replay_friends.h), and is brought into hand for what reads it.
 *
 * Messages are kept for a shorter time than other inputs. What was told before the first that is
 * left is lost, so that whoever listed a friend while these were read (EXPIRED) has links of which
 * nobody knows what they came to: nothing of him is judged until a record at which he lists nobody.
 * Who lists nobody has lost nothing: no message changes an empty list.
 */
#include "audit/proof_internal.h"

enum ss_status ss_proof_friends_load(struct proof *proof, const struct ss_user_state *state,
                                     struct ss_text user_id)
{
    proof->list_changed = false;
    proof->friends->list.count = 0;
    return state->friends.open ? ss_replay_friends_read(proof->friends, user_id, proof->err)
                               : SS_OK;
}

enum ss_status ss_proof_friends_keep(struct proof *proof, struct ss_text user_id)
{
    return proof->list_changed ? ss_replay_friends_write(proof->friends, user_id, proof->err)
                               : SS_OK;
}

void ss_proof_friends_clear(struct proof *proof)
{
    proof->friends->list.count = 0;
    proof->list_changed = true;
}

void ss_proof_friends_copy(struct ss_friends *to, const struct ss_friends *from)
{
    to->count = from->count;
    memcpy(to->links, from->links, from->count * sizeof from->links[0]);
}

/* --- what is lost --- */

static int64_t lost_until(const struct proof *proof)
{
    const struct ss_proof_options *options = proof->options;
    return options->without_neighbours ? INT64_MAX : options->start[SS_NEIGHBOURS];
}

bool ss_proof_friends_losing(const struct proof *proof)
{
    return proof->heard < lost_until(proof);
}

bool ss_proof_friends_lost(const struct proof *proof)
{
    const int64_t from = proof->options->neighbours_from;
    const struct ss_walk *walk = &proof->walk;
    /* in hand is the record that ends the interval */
    const int64_t heard = walk->ahead ? walk->at[0]->view.positions[SS_NEIGHBOURS] : proof->heard;
    return lost_until(proof) > from && heard > from;
}

bool ss_proof_friends_lost_cause(const struct proof *proof, const struct ss_walk_record *record)
{
    return record->cause_input == SS_NEIGHBOURS && record->view.cause.offset < lost_until(proof);
}

bool ss_proof_friends_exposed(const struct proof *proof, const struct ss_user_state *state)
{
    return state->friends.open && proof->friends->list.count > 0;
}

void ss_proof_friends_fold(struct proof *proof, struct ss_user_state *state,
                           const struct ss_source_event *event, int32_t day)
{
    const struct ss_published before = state->published;
    const bool scored = state->consents.scoring;
    ss_proof_fold_blind(proof, state, event, day);
    if (scored && state->consents.scoring)
        state->published = before; /* what its records say, and nothing that was made up here */
}

void ss_proof_friends_believe(struct proof *proof, struct ss_user *user,
                              struct ss_user_state *state, const struct ss_score_view *view)
{
    ss_proof_adopt(proof, state, view);
    if (!state->friends.open)
        ss_proof_friends_clear(proof);
    if (proof->friends->list.count == 0)
        user->flags &= (uint8_t)~EXPIRED;
}

/* --- how many records --- */

enum ss_status ss_proof_friends_pass(struct proof *proof, struct ss_text user_id,
                                     const struct ss_score_view *view)
{
    struct ss_user *counts =
        ss_user_table_add(proof->friends->records, ss_user_hash(user_id), user_id);
    if (!counts)
        return ss_fail(proof->err, SS_STOP, "out of memory for users");
    enum ss_status status = ss_grants_pass(proof, view);
    counts->count++;
    counts->grants += (uint32_t)proof->grants.taken_count;
    proof->result->out_of_retention++;
    proof->result->friends_expired++;
    return status;
}

void ss_proof_friends_uncount(struct proof *proof, struct ss_text user_id)
{
    struct ss_user *counts =
        ss_user_table_find(proof->friends->records, ss_user_hash(user_id), user_id);
    if (!counts)
        return;
    proof->result->out_of_retention -= counts->count;
    proof->result->friends_expired -= counts->count;
    proof->result->entitlements -= counts->grants;
    proof->result->entitlements_unjudged -= counts->grants;
    counts->count = counts->grants = 0;
}
