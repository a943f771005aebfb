/* sim_group.c - the consumer group: members, generations, eager rebalances by range; and what a
 * member's client does when it is served.
 *
 *   stable ──somebody joins, leaves, is silent too long──> rebalancing ──all have joined──> stable
 *
 * With static members a restart takes the old one's place, and its assignment, without a rebalance;
 * the old one is fenced.
 */
#include "sim.h"

#include "base/log.h"

enum { MEMBERS = SIM_SLOTS_MAX * 4 };

static struct sim_member *member_of(const struct sim_session *session)
{
    struct sim_group *group = &session->world->group;
    for (int i = 0; i < MEMBERS; i++)
        if (group->members[i].there && group->members[i].session == session &&
            group->members[i].id == session->member_id)
            return &group->members[i];
    return NULL;
}

void sim_group_rebalance(struct sim_world *world)
{
    struct sim_group *group = &world->group;
    if (group->rebalancing)
        return;
    group->rebalancing = true;
    for (int i = 0; i < MEMBERS; i++)
        group->members[i].joined = false;
    sim_trace(world, "rebalance begins, generation %d", group->generation);
}

static void expel(struct sim_world *world, struct sim_member *member)
{
    sim_trace(world, "group: member %lld of slot %d is out", (long long)member->id, member->slot);
    member->there = false;
    sim_group_rebalance(world);
}

void sim_group_leave(struct sim_session *session)
{
    struct sim_member *member = member_of(session);
    if (member)
        expel(session->world, member);
}

/* Range: members in the order of their slots get runs of partitions. */
static void assign_ranges(struct sim_world *world)
{
    struct sim_group *group = &world->group;
    int order[MEMBERS], count = 0;
    for (int slot = 0; slot < SIM_SLOTS_MAX; slot++)
        for (int i = 0; i < MEMBERS; i++)
            if (group->members[i].there && group->members[i].slot == slot)
                order[count++] = i;
    group->generation++;
    group->rebalancing = false;
    memset(group->owner, 0, sizeof group->owner);
    int32_t next = 0;
    for (int i = 0; i < count; i++) {
        int32_t share = world->partition_count / count + (i < world->partition_count % count);
        while (share-- > 0)
            group->owner[next++] = group->members[order[i]].id;
    }
    sim_trace(world, "generation %d of %d members", group->generation, count);
}

void sim_group_tick(struct sim_world *world)
{
    struct sim_group *group = &world->group;
    bool all = true, any = false;
    for (int i = 0; i < MEMBERS; i++) {
        struct sim_member *member = &group->members[i];
        if (!member->there)
            continue;
        const struct sim_session *session = member->session;
        if (session && !session->dead && !session->ended &&
            world->now_ms >= session->frozen_until_ms)
            member->heartbeat_ms = world->now_ms;
        if (world->now_ms - member->heartbeat_ms > SIM_SESSION_TIMEOUT_MS)
            expel(world, member);
    }
    for (int i = 0; i < MEMBERS; i++) {
        any |= group->members[i].there;
        all &= !group->members[i].there || group->members[i].joined;
    }
    if (group->rebalancing && any && all)
        assign_ranges(world);
}

static void on_assign(struct sim_session *session)
{
    struct sim_world *world = session->world;
    for (int32_t p = 0; p < world->partition_count; p++)
        if (world->group.owner[p] == session->member_id)
            session->owned[p].assigned = session->owned[p].assign_pending = true;
    session->generation = world->group.generation;
    session->reassign_at_ms = 0;
    sim_trace(world, "session %d: assigned, generation %d", session->number, session->generation);
}

static void join(struct sim_session *session)
{
    struct sim_world *world = session->world;
    struct sim_group *group = &world->group;
    struct sim_member *place = NULL;
    bool replaces = false;
    for (int i = MEMBERS; i-- > 0;) {
        struct sim_member *member = &group->members[i];
        if (!member->there && !replaces)
            place = member;
        if (member->there && world->static_members && member->slot == session->slot) {
            place = member;
            replaces = true;
        }
    }
    int64_t old = replaces ? place->id : 0;
    sim_on_join(session);
    session->member_id = ++group->next_id;
    *place = (struct sim_member){.there = true,
                                 .session = session,
                                 .id = session->member_id,
                                 .slot = session->slot,
                                 .heartbeat_ms = world->now_ms,
                                 .joined = true};
    sim_trace(world, "session %d joins as member %lld%s", session->number,
              (long long)session->member_id, replaces ? ", a static one again" : "");
    if (!replaces) {
        sim_group_rebalance(world);
        place->joined = true;
        return;
    }
    for (int32_t p = 0; p < world->partition_count; p++)
        if (group->owner[p] == old)
            group->owner[p] = session->member_id;
}

/* As consumer/kafka_fence.c has it: once or twice may be a request of its own past that was held up
 * somewhere, so all is lost and begun anew; the third time in a row is a twin. */
enum ss_status sim_fenced(struct sim_session *session, const char *step, struct ss_error *err)
{
    struct sim_world *world = session->world;
    if (world->now_ms - session->fenced_at_ms > 3 * SIM_SESSION_TIMEOUT_MS)
        session->fenced_count = 0;
    session->fenced_count++;
    session->fenced_at_ms = world->now_ms;
    sim_on_revoke(session, true);
    if (!world->static_members)
        sim_group_leave(session);
    session->member_id = 0;
    session->epoch = -1;
    if (session->fenced_count >= 3) {
        session->fenced = true;
        return ss_fail(err, SS_STOP, "%s: fenced by a twin", step);
    }
    session->anew_at_ms =
        world->now_ms + session->fenced_count * (SIM_SESSION_TIMEOUT_MS / 10 +
                                                 sim_below(world, SIM_SESSION_TIMEOUT_MS / 5));
    return ss_fail(err, SS_RETRY, "%s: taken over, beginning anew", step);
}

/* A request of the slot's own past, held up somewhere: InitProducerId, or JoinGroup. Nobody lives
 * behind it. */
void sim_group_late_request(struct sim_world *world, int slot)
{
    struct sim_group *group = &world->group;
    if (sim_chance(world, 500)) {
        struct sim_producer *producer = &world->producers[slot];
        producer->epoch++;
        if (producer->txn && producer->txn->state == SIM_TXN_OPEN)
            sim_txn_decide(world, producer->txn, false);
        sim_trace(world, "slot %d: a late InitProducerId", slot);
        return;
    }
    for (int i = 0; i < MEMBERS && world->static_members; i++) {
        struct sim_member *member = &group->members[i];
        if (!member->there || member->slot != slot)
            continue;
        for (int32_t p = 0; p < world->partition_count; p++)
            if (group->owner[p] == member->id)
                group->owner[p] = group->next_id + 1;
        member->id = ++group->next_id;
        member->session = NULL;
        sim_trace(world, "slot %d: a late JoinGroup, as member %lld", slot, (long long)member->id);
    }
}

enum ss_status sim_group_serve(struct sim_session *session, struct ss_error *err)
{
    struct sim_world *world = session->world;
    struct sim_group *group = &world->group;
    if (session->dead)
        return sim_dead(err);
    if (session->fenced)
        return ss_fail(err, SS_STOP, "fenced by a twin");
    if (!session->member_id && world->now_ms < session->anew_at_ms)
        return SS_OK;
    struct sim_member *member = session->member_id ? member_of(session) : NULL;
    if (session->member_id && !member) {
        sim_on_revoke(session, true);
        session->member_id = 0;
        for (int i = 0; i < MEMBERS; i++)
            if (world->static_members && group->members[i].there &&
                group->members[i].slot == session->slot)
                return sim_fenced(session, "heartbeat", err);
    }
    if (!session->member_id) {
        join(session);
        return SS_OK;
    }
    if (group->rebalancing) {
        if (!member->joined) {
            sim_on_revoke(session, false);
            sim_on_join(session);
            member->joined = true;
        }
        return SS_OK;
    }
    if (session->generation != group->generation)
        on_assign(session);
    return SS_OK;
}

/* TxnOffsetCommit. Offsets of no member at all pass unchecked: hence never generation -1. */
enum sim_refusal sim_group_accepts(const struct sim_session *session)
{
    const struct sim_world *world = session->world;
    if (world->options.mutant == SIM_GENERATION_MINUS_ONE)
        return SIM_ACCEPTED;
    if (member_of(session))
        return session->generation == world->group.generation ? SIM_ACCEPTED : SIM_STALE;
    for (int i = 0; i < MEMBERS; i++)
        if (world->static_members && world->group.members[i].there &&
            world->group.members[i].slot == session->slot)
            return SIM_FENCED;
    return SIM_STALE;
}
