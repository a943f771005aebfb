/* proof_grants.c - the entitlements of a partition, each held against the score record it goes
 * with.
 *
 * They were published in the order of the score records, so that the ones of a record are mostly
 * the next. Those that had to be passed over are late: they belong to a record that comes later
 * (and stand in the wrong order), or to none.
 */
#include "audit/proof_internal.h"
#include "audit/room.h"

#include <stdlib.h>

enum { BODY_MAX = 1 << 20 };

static struct proof_grant *spare(struct proof_grants *grants)
{
    if (grants->spare_count)
        return grants->spare[--grants->spare_count];
    struct proof_grant *grant = calloc(1, sizeof *grant);
    if (grant)
        ss_buffer_init(&grant->body, BODY_MAX);
    return grant;
}

static bool push(struct proof_grant ***list, size_t *count, size_t *capacity,
                 struct proof_grant *grant)
{
    if (!ss_make_room(list, *count, capacity, sizeof **list))
        return false;
    (*list)[(*count)++] = grant;
    return true;
}

static void give_back(struct proof_grants *grants, struct proof_grant *grant)
{
    if (!push(&grants->spare, &grants->spare_count, &grants->spare_capacity, grant)) {
        ss_buffer_reset(&grant->body);
        free(grant);
    }
}

static void tell(struct proof *proof, enum ss_proof_verdict verdict, const struct ss_user *user,
                 struct ss_text user_id, const struct proof_grant *grant,
                 const struct ss_entitlement_view *recomputed, const char *why)
{
    const struct ss_proof_difference difference = {
        .verdict = verdict,
        .partition = proof->options->partition,
        .offset = grant ? grant->offset : -1,
        .user_hash = user ? user->hash : ss_user_hash(user_id),
        .user_id = user_id,
        .why = why,
        .published_entitlement = grant ? &grant->view : NULL,
        .recomputed_entitlement = recomputed,
    };
    proof->result->entitlements_differing++;
    if (proof->options->difference)
        proof->options->difference(proof->options->arg, &difference);
}

/* One that cannot be read is of nobody: told in the first pass, which sees all of them. */
static void tell_unreadable(struct proof *proof, int64_t offset)
{
    const struct proof_grant grant = {.offset = offset};
    if (proof->careful)
        return;
    proof->result->entitlements++;
    tell(proof, SS_PROOF_ANY_ENTITLEMENT, NULL, (struct ss_text){0}, &grant, NULL,
         "it cannot be read as an entitlement");
}

static bool of_others(struct proof *proof, struct ss_text user_id)
{
    uint64_t hash = ss_user_hash(user_id);
    if (!ss_proof_wants(proof, hash))
        return true;
    if (!proof->careful)
        return false;
    const struct ss_user *user = ss_user_table_find(proof->users, hash, user_id);
    return !user || !(user->flags & ASIDE);
}

/* The next one of somebody asked for into `ahead`; *got false at the end. */
static enum ss_status read_one(struct proof *proof, bool *got)
{
    struct proof_grants *grants = &proof->grants;
    struct ss_error ignored;
    *got = false;
    if (proof->options->no_entitlements)
        return SS_OK;
    for (;;) {
        if (grants->batch_at == grants->batch.count) {
            if (grants->ended)
                return SS_OK;
            enum ss_status status =
                proof->feed.published(proof->feed.arg, SS_ENTITLEMENTS, &grants->batch, proof->err);
            if (status != SS_OK)
                return status;
            grants->batch_at = 0;
            grants->ended = grants->batch.count == 0;
            continue;
        }
        const struct ss_published_record *record = &grants->batch.records[grants->batch_at++];
        struct proof_grant *grant = spare(grants);
        if (!grant)
            return ss_fail(proof->err, SS_STOP, "out of memory");
        grant->offset = record->offset;
        grant->body.size = 0;
        if (record->body.data &&
            !ss_buffer_append(&grant->body, record->body.data, record->body.size))
            return ss_fail(proof->err, SS_STOP, "an entitlement of %zu bytes", record->body.size);
        struct ss_bytes body = {grant->body.data, grant->body.size};
        bool fine = record->body.data && !record->reject &&
                    ss_entitlement_view_decode(body, &grant->view, &ignored) == SS_OK &&
                    grant->view.user_id.size >= 1 && grant->view.user_id.size <= SS_USER_ID_MAX;
        if (!fine || of_others(proof, grant->view.user_id)) {
            if (!fine)
                tell_unreadable(proof, record->offset);
            give_back(grants, grant);
            continue;
        }
        grants->ahead[grants->ahead_count++] = grant;
        *got = true;
        return SS_OK;
    }
}

enum { ANY_TIME = -1 };

static bool is_of(const struct proof_grant *grant, struct ss_text user_id, int64_t sequence,
                  int64_t as_of_ms)
{
    return grant->view.sequence == sequence &&
           (as_of_ms == ANY_TIME || grant->view.as_of_ms == as_of_ms) &&
           grant->view.user_id.size == user_id.size &&
           memcmp(grant->view.user_id.data, user_id.data, user_id.size) == 0;
}

static struct proof_grant *drop_ahead(struct proof_grants *grants, int i)
{
    struct proof_grant *grant = grants->ahead[i];
    memmove(&grants->ahead[i], &grants->ahead[i + 1],
            (size_t)(grants->ahead_count - i - 1) * sizeof grants->ahead[0]);
    grants->ahead_count--;
    return grant;
}

static void clear_taken(struct proof_grants *grants)
{
    while (grants->taken_count)
        give_back(grants, grants->taken[--grants->taken_count]);
    grants->taken_late = false;
}

/* Those at the front that are the record's. */
static enum ss_status take_next(struct proof *proof, struct ss_text user_id, int64_t sequence,
                                int64_t as_of_ms)
{
    struct proof_grants *grants = &proof->grants;
    while (grants->taken_count < GRANTS_MAX) {
        bool got = true;
        if (grants->ahead_count == 0) {
            enum ss_status status = read_one(proof, &got);
            if (status != SS_OK || !got)
                return status;
        }
        if (!is_of(grants->ahead[0], user_id, sequence, as_of_ms))
            return SS_OK;
        grants->taken[grants->taken_count++] = drop_ahead(grants, 0);
    }
    return SS_OK;
}

/* First pass: its user is for the second, which reads it again. */
static enum ss_status pass_over(struct proof *proof, struct proof_grant *grant)
{
    struct proof_grants *grants = &proof->grants;
    if (proof->careful)
        return push(&grants->late, &grants->late_count, &grants->late_capacity, grant)
                   ? SS_OK
                   : ss_fail(proof->err, SS_STOP, "out of memory");
    const struct ss_text user_id = grant->view.user_id;
    struct ss_user *user;
    enum ss_status status = ss_proof_add_user(proof, ss_user_hash(user_id), user_id, &user);
    if (status == SS_OK)
        ss_proof_put_aside(proof, user);
    give_back(grants, grant);
    return status;
}

static void take_from(struct proof_grants *grants, struct proof_grant **list, size_t *count,
                      struct ss_text user_id, int64_t sequence, int64_t as_of_ms)
{
    for (size_t i = 0; i < *count && grants->taken_count < GRANTS_MAX;) {
        if (!is_of(list[i], user_id, sequence, as_of_ms)) {
            i++;
            continue;
        }
        grants->taken[grants->taken_count++] = list[i];
        memmove(&list[i], &list[i + 1], (--*count - i) * sizeof list[0]);
    }
}

static bool is_before(const struct proof *proof, const struct proof_grant *grant)
{
    enum ss_input input = ss_cause_view_input(&grant->view.cause);
    return input != SS_INPUT_COUNT && grant->view.cause.offset < proof->cut_positions[input];
}

/* Entitlements of records that `scores` no longer has stand before those of its first one. Those
 * that name no cause may be left there. The second pass does as the first, which saw all users. */
static enum ss_status find_place(struct proof *proof)
{
    struct proof_grants *grants = &proof->grants;
    const struct ss_score_view *first = &proof->walk.record->view;
    bool got = true;
    int before;
    if (!proof->careful)
        memcpy(proof->cut_positions, first->positions, sizeof proof->cut_positions);
    do {
        while (got && grants->ahead_count < GRANTS_AHEAD) {
            enum ss_status status = read_one(proof, &got);
            if (status != SS_OK)
                return status;
        }
        before = 0;
        for (int i = 0; i < grants->ahead_count; i++)
            if (proof->careful
                    ? grants->ahead[i]->offset < proof->grants_place
                    : is_before(proof, grants->ahead[i]) &&
                          !is_of(grants->ahead[i], first->user_id, first->sequence, ANY_TIME))
                before = i + 1;
        for (int i = 0; i < before; i++) {
            if (!proof->careful)
                proof->grants_place = grants->ahead[0]->offset + 1;
            proof->result->entitlements += !proof->careful;
            proof->result->entitlements_unjudged += !proof->careful;
            give_back(grants, drop_ahead(grants, 0));
        }
    } while (before);
    grants->placed = true;
    return SS_OK;
}

/* None of a record that is there has been met. */
static bool may_be_gone(const struct proof *proof)
{
    return proof->options->scores_begin_late && !proof->grants.begun;
}

static void begin(struct proof *proof)
{
    struct proof_grants *grants = &proof->grants;
    if (!grants->taken_count)
        return;
    grants->begun = true;
    if (grants->taken[0]->offset < proof->grants_begin)
        proof->grants_begin = grants->taken[0]->offset;
}

/* Those that are the record's, among those ahead. */
static enum ss_status take_ahead(struct proof *proof, struct ss_text user_id, int64_t sequence,
                                 int64_t as_of_ms)
{
    struct proof_grants *grants = &proof->grants;
    const int most = may_be_gone(proof) ? GRANTS_CUT : GRANTS_AHEAD;
    enum ss_status status = SS_OK;
    bool got = true;
    while (got && grants->ahead_count < most) {
        status = read_one(proof, &got);
        if (status != SS_OK)
            return status;
    }
    for (int i = 0; i < grants->ahead_count; i++) {
        if (!is_of(grants->ahead[i], user_id, sequence, as_of_ms))
            continue;
        while (status == SS_OK && i-- > 0)
            status = pass_over(proof, drop_ahead(grants, 0));
        return status == SS_OK ? take_next(proof, user_id, sequence, as_of_ms) : status;
    }
    return SS_OK;
}

enum ss_status ss_grants_take(struct proof *proof, struct ss_text user_id, int64_t sequence,
                              int64_t as_of_ms)
{
    enum ss_status status = SS_OK;
    clear_taken(&proof->grants);
    if (proof->options->scores_begin_late && !proof->grants.placed && proof->walk.record &&
        !proof->walk.record->stray)
        status = find_place(proof);
    if (status == SS_OK)
        status = take_next(proof, user_id, sequence, as_of_ms);
    if (status == SS_OK && !proof->grants.taken_count && may_be_gone(proof))
        status = take_ahead(proof, user_id, sequence, as_of_ms);
    begin(proof);
    return status;
}

enum ss_status ss_grants_find(struct proof *proof, struct ss_text user_id, int64_t sequence,
                              int64_t as_of_ms)
{
    struct proof_grants *grants = &proof->grants;
    enum ss_status status = ss_grants_take(proof, user_id, sequence, as_of_ms);
    if (status == SS_OK && !grants->taken_count)
        status = take_next(proof, user_id, sequence, ANY_TIME);
    if (status != SS_OK || grants->taken_count)
        return status;
    take_from(grants, grants->held, &grants->held_count, user_id, sequence, ANY_TIME);
    if (grants->taken_count)
        return SS_OK;
    take_from(grants, grants->late, &grants->late_count, user_id, sequence, ANY_TIME);
    grants->taken_late = grants->taken_count > 0;
    if (grants->taken_count)
        return SS_OK;
    status = take_ahead(proof, user_id, sequence, ANY_TIME);
    begin(proof);
    return status;
}

enum ss_status ss_grants_hold(struct proof *proof, const struct ss_score_view *view)
{
    struct proof_grants *grants = &proof->grants;
    enum ss_status status = ss_grants_take(proof, view->user_id, view->sequence, view->as_of_ms);
    while (status == SS_OK && grants->taken_count)
        if (!push(&grants->held, &grants->held_count, &grants->held_capacity,
                  grants->taken[--grants->taken_count]))
            status = ss_fail(proof->err, SS_STOP, "out of memory");
    return status;
}

void ss_grants_let_go(struct proof *proof, const struct ss_score_view *view)
{
    struct proof_grants *grants = &proof->grants;
    clear_taken(grants);
    take_from(grants, grants->held, &grants->held_count, view->user_id, view->sequence,
              view->as_of_ms);
    proof->result->entitlements += grants->taken_count;
    proof->result->entitlements_unjudged += grants->taken_count;
}

enum ss_status ss_grants_pass(struct proof *proof, const struct ss_score_view *view)
{
    enum ss_status status = ss_grants_take(proof, view->user_id, view->sequence, view->as_of_ms);
    proof->result->entitlements += proof->grants.taken_count;
    proof->result->entitlements_unjudged += proof->grants.taken_count;
    return status;
}

enum ss_status ss_grants_judge(struct proof *proof, const struct ss_user *user, bool *same)
{
    const struct ss_effects *effects = &proof->effects;
    struct proof_grants *grants = &proof->grants;
    struct ss_proof_result *result = proof->result;
    const struct ss_text user_id = effects->record.user_id;
    const int64_t sequence = effects->record.sequence;
    *same = true;
    if (proof->options->no_entitlements)
        return SS_OK;
    enum ss_status status =
        effects->entitlement_count > 0
            ? ss_grants_find(proof, user_id, sequence, effects->record.as_of_ms)
            : ss_grants_take(proof, user_id, sequence, effects->record.as_of_ms);
    if (status != SS_OK)
        return status;
    if (effects->entitlement_count > 0 && !grants->begun && proof->options->entitlements_cut)
        return SS_OK; /* older than what is left of them */
    int count = effects->entitlement_count > grants->taken_count ? effects->entitlement_count
                                                                 : grants->taken_count;
    for (int i = 0; i < count; i++) {
        const struct proof_grant *grant = i < grants->taken_count ? grants->taken[i] : NULL;
        const struct ss_entitlement *wanted =
            i < effects->entitlement_count ? &effects->entitlements[i] : NULL;
        bool equal =
            grant && wanted && !grants->taken_late && ss_proof_equal_grant(proof, wanted, grant);
        *same &= equal;
        if (!proof->careful) {
            if (!equal)
                return SS_OK;
            continue;
        }
        result->entitlements += grant != NULL;
        result->entitlements_proven += equal;
        if (equal)
            continue;
        struct ss_entitlement_view view;
        if (wanted)
            ss_proof_view_grant(proof, wanted, &view);
        tell(proof,
             !grant    ? SS_PROOF_NO_ENTITLEMENT
             : !wanted ? SS_PROOF_ANY_ENTITLEMENT
             : grants->taken_late && ss_proof_same_entitlement(&view, &grant->view)
                 ? SS_PROOF_ANY_ENTITLEMENT
                 : SS_PROOF_ENTITLEMENT,
             user, user_id, grant, wanted ? &view : NULL,
             grants->taken_late ? "it stands behind those of later records" : NULL);
    }
    return SS_OK;
}

/* Of a record that `scores` no longer has, or of none: nobody can tell. */
static bool is_older(const struct proof *proof, const struct proof_grant *grant)
{
    return proof->options->scores_begin_late && grant->offset < proof->grants_begin &&
           (!grant->view.cause.known || is_before(proof, grant));
}

static void tell_left(struct proof *proof, struct proof_grant **list, size_t *count)
{
    for (size_t i = 0; i < *count; i++) {
        const bool older = is_older(proof, list[i]);
        proof->result->entitlements++;
        proof->result->entitlements_unjudged += older;
        if (!older)
            tell(proof, SS_PROOF_ANY_ENTITLEMENT, NULL, list[i]->view.user_id, list[i], NULL,
                 "no score record leads to it");
        give_back(&proof->grants, list[i]);
    }
    *count = 0;
}

enum ss_status ss_grants_end(struct proof *proof)
{
    struct proof_grants *grants = &proof->grants;
    bool got = true;
    clear_taken(grants);
    if (proof->options->live) /* they may be of newer records than were looked at */
        while (grants->ahead_count)
            give_back(grants, drop_ahead(grants, 0));
    while (got && !proof->options->live) {
        while (grants->ahead_count) {
            enum ss_status status = pass_over(proof, drop_ahead(grants, 0));
            if (status != SS_OK)
                return status;
        }
        enum ss_status status = read_one(proof, &got);
        if (status != SS_OK)
            return status;
    }
    tell_left(proof, grants->held, &grants->held_count);
    tell_left(proof, grants->late, &grants->late_count);
    return SS_OK;
}

static void free_all(struct proof_grant **list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ss_buffer_reset(&list[i]->body);
        free(list[i]);
    }
}

void ss_grants_reset(struct proof_grants *grants)
{
    free_all(grants->ahead, (size_t)grants->ahead_count);
    free_all(grants->taken, (size_t)grants->taken_count);
    free_all(grants->late, grants->late_count);
    free_all(grants->held, grants->held_count);
    free_all(grants->spare, grants->spare_count);
    free(grants->late);
    free(grants->held);
    free(grants->spare);
    *grants = (struct proof_grants){0};
}
