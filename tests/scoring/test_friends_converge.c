/* Two to five users who add, remove, withdraw and come back at random, with messages under way
 * between them for as long as chance will have it, some of them read again. An oracle keeps, from
 * the events alone, who lists whom; once all has been read, links and sums must be what it says,
 * whatever the order was. The proof is in docs/decisions/0010-friends.md. */
#include "scoring/friends.h"

#include "helper_model.h"
#include "helper_random.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { USERS_MAX = 5, LOG_MAX = 4000, REACH = 30 /* of helper_model */ };

struct sent {
    enum ss_neighbour_kind kind;
    uint8_t band;
    bool wants_reply;
};

/* What one user has ever told another, and how far that is read. */
struct channel {
    struct sent sent[LOG_MAX];
    int count, read;
};

struct user {
    char id[USERS_MAX + 1];
    struct ss_friends list;
    struct ss_friends_sum sum;
    int32_t own, score; /* without and with what friends add */
    int causes, tellings;
    /* the oracle's */
    bool consents, lists[USERS_MAX];
    int listed;
    uint32_t unlinked;
};

struct world {
    uint64_t seed;
    int users;
    uint16_t links_max;
    struct user user[USERS_MAX];
    struct channel channel[USERS_MAX][USERS_MAX]; /* from, to */
    int delivered;
};

static struct world w;

static int chance(int bound)
{
    return (int)helper_random_below(&w.seed, bound);
}

static struct ss_text id_of(int u)
{
    return helper_text(w.user[u].id);
}

static int number_of(struct ss_text id)
{
    for (int u = 0; u < w.users; u++)
        if (id.size == strlen(w.user[u].id) && memcmp(id.data, w.user[u].id, id.size) == 0)
            return u;
    cr_assert_fail("a message names nobody");
    return -1;
}

static void send(const struct ss_neighbour_message *message)
{
    cr_assert(ss_neighbour_valid(message));
    struct channel *c = &w.channel[number_of(message->from)][number_of(message->to)];
    cr_assert_lt(c->count, LOG_MAX, "seed of %d users: they never stop", w.users);
    c->sent[c->count++] = (struct sent){message->kind, message->band, message->wants_reply};
}

/* As the worker does after whatever happened to the user. */
static void settle(int u)
{
    struct user *user = &w.user[u];
    const struct ss_friends_sum *sum = &user->sum;
    cr_assert(ss_friends_agree(&user->list, sum));
    cr_assert_eq(sum->open, user->consents);
    user->score = user->own;
    if (sum->confirmed > 0)
        user->score += REACH * sum->bands / (sum->confirmed * (SS_BAND_COUNT - 1));
    user->tellings += ss_friends_scored(helper_model(), &user->sum, user->score);
    cr_assert_leq(user->tellings, user->causes, "told twice without an outside cause");
}

static void stepped(int u, const struct ss_friends_step *step)
{
    cr_assert(!step->sum_changed || step->list_changed);
    if (step->says)
        send(&step->message);
    settle(u);
}

static void deliver(int from, int to)
{
    struct channel *c = &w.channel[from][to];
    const struct sent *sent = &c->sent[c->read++];
    struct ss_neighbour_message message = {id_of(to), id_of(from), sent->kind, sent->band,
                                           sent->wants_reply};
    struct ss_friends_step step;
    ss_friends_receive(&w.user[to].list, &w.user[to].sum, &message, &step);
    stepped(to, &step);
    w.delivered++;
}

static void tell(int u, int at_most)
{
    struct ss_neighbour_message message;
    while (at_most-- > 0 && ss_friends_tell(&w.user[u].list, &w.user[u].sum, id_of(u), &message))
        send(&message);
}

static void consent(int u)
{
    struct user *user = &w.user[u];
    user->consents = true;
    user->causes++;
    ss_friends_open(&user->sum, user->own);
    settle(u);
}

static void withdraw(int u)
{
    struct user *user = &w.user[u];
    struct ss_neighbour_message message;
    while (ss_friends_leave(&user->list, &user->sum, id_of(u), &message))
        send(&message);
    user->consents = false;
    memset(user->lists, 0, sizeof user->lists);
    user->listed = 0;
    user->unlinked = 0;
    settle(u);
}

static void add(int u, int f)
{
    struct user *user = &w.user[u];
    struct ss_friends_step step;
    if (!user->consents)
        return; /* does not count */
    if (u != f && !user->lists[f]) {
        if (user->listed < w.links_max) {
            user->lists[f] = true;
            user->listed++;
        } else {
            user->unlinked++;
        }
    }
    ss_friends_add(&user->list, &user->sum, id_of(u), id_of(f), w.links_max, &step);
    stepped(u, &step);
}

static void removes(int u, int f)
{
    struct user *user = &w.user[u];
    struct ss_friends_step step;
    if (!user->consents)
        return;
    if (user->lists[f]) {
        user->lists[f] = false;
        user->listed--;
    } else if (user->unlinked > 0) {
        user->unlinked--;
    }
    ss_friends_remove(&user->list, &user->sum, id_of(u), id_of(f), &step);
    stepped(u, &step);
}

static void something(bool read_again)
{
    int u = chance(w.users), f = chance(w.users);
    struct channel *c = &w.channel[u][f];
    switch (chance(24)) {
    case 0:
        if (chance(3) == 0)
            withdraw(u);
        break;
    case 1:
    case 2:
        consent(u);
        break;
    case 3:
    case 4:
    case 5:
        add(u, f);
        break;
    case 6:
        removes(u, f);
        break;
    case 7:
        w.user[u].causes++;
        w.user[u].own = 350 + chance(600 - REACH);
        settle(u);
        break;
    case 8:
    case 9:
        tell(u, 1 + chance(3));
        break;
    case 10:
        if (read_again && c->read > 0)
            c->read -= 1 + chance(c->read < 6 ? c->read : 6);
        break;
    default:
        if (c->read < c->count)
            deliver(u, f);
    }
}

/* Everything that is under way arrives, in an order of chance. */
static void quiet(void)
{
    for (bool any = true; any;) {
        any = false;
        for (int i = 0; i < 40; i++) {
            int u = chance(w.users), f = chance(w.users);
            if (w.channel[u][f].read < w.channel[u][f].count)
                deliver(u, f);
        }
        for (int u = 0; u < w.users; u++) {
            tell(u, 1);
            any |= w.user[u].sum.telling;
            for (int f = 0; f < w.users; f++)
                any |= w.channel[u][f].read < w.channel[u][f].count;
        }
    }
}

static const struct ss_friend *link_of(int u, int f)
{
    const struct ss_friends *list = &w.user[u].list;
    for (int i = 0; i < list->count; i++) {
        struct ss_friends one = {.count = 0};
        struct ss_friends_sum sum = {.open = true};
        struct ss_friends_step step;
        ss_friends_add(&one, &sum, id_of(u), id_of(f), 1, &step);
        if (one.count && one.links[0].hash == list->links[i].hash)
            return &list->links[i];
    }
    return NULL;
}

static void assert_as_the_oracle_says(unsigned run)
{
    for (int u = 0; u < w.users; u++) {
        struct user *user = &w.user[u];
        int confirmed = 0, bands = 0;
        cr_assert_eq(user->list.count, user->listed, "run %u", run);
        cr_assert_eq(user->sum.unlinked, user->unlinked, "run %u", run);
        for (int f = 0; f < w.users; f++) {
            const struct ss_friend *link = link_of(u, f);
            bool linked = user->lists[f] && w.user[f].lists[u];
            cr_assert_eq(link != NULL, user->lists[f], "run %u: %d lists %d", run, u, f);
            if (!link)
                continue;
            cr_assert_eq(link->id_size > 0, linked, "run %u: %d and %d", run, u, f);
            cr_assert_eq(link->band, linked ? w.user[f].sum.told_band : 0, "run %u", run);
            confirmed += linked;
            bands += link->band;
        }
        cr_assert_eq(user->sum.confirmed, confirmed);
        cr_assert_eq(user->sum.bands, bands);
        if (user->consents) {
            int32_t least = 350 + SS_BAND_WIDTH * user->sum.told_band;
            cr_assert_geq(user->score, least - REACH - SS_BAND_MARGIN);
            cr_assert_leq(user->score, least + SS_BAND_WIDTH + REACH + SS_BAND_MARGIN);
        }
    }
}

static void begin(unsigned run)
{
    memset(&w, 0, sizeof w);
    w.seed = run;
    w.users = 2 + chance(USERS_MAX - 1);
    w.links_max = (uint16_t)(chance(3) ? USERS_MAX : 1 + chance(USERS_MAX));
    for (int u = 0; u < w.users; u++) {
        memset(w.user[u].id, 'a' + u, (size_t)u + 1);
        w.user[u].own = 350 + chance(600 - REACH);
        if (chance(4))
            consent(u);
    }
}

static void runs(unsigned from, unsigned count, bool read_again)
{
    long linked = 0, delivered = 0;
    for (unsigned run = from; run < from + count; run++) {
        begin(run);
        for (int burst = 1 + chance(4); burst > 0; burst--) {
            for (int i = chance(120); i > 0; i--)
                something(read_again);
            quiet();
            assert_as_the_oracle_says(run);
        }
        for (int u = 0; u < w.users; u++)
            linked += w.user[u].sum.confirmed;
        delivered += w.delivered;
    }
    printf("%u runs: %ld messages, %ld links at their ends\n", count, delivered, linked);
    cr_assert_gt(linked, count / 2); /* or it would prove little */
}

Test(friends_converge, in_any_order_between_different_pairs)
{
    runs(1, 20000, false);
}

Test(friends_converge, also_where_messages_are_read_again)
{
    runs(1000001, 20000, true);
}
