/* Waves of bands over thousands of users: that they die out, what one change of a score costs, and
 * that the links then hold what a computation from scratch gives.
 *
 * Runs on a graph of chance, and on the ego-Facebook friendships (SNAP, McAuley and Leskovec 2012)
 * where the data is: ../shared/data, or what SESAME_DATA names. Messages take from 1 to 1,000
 * ticks, so those of different pairs overtake each other and those of one pair do not. */
#include "scoring/friends.h"

#include "helper_model.h"
#include "helper_random.h"
#include "scoring/score.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum { DELAY_MAX = 1000, PIECE = 100 /* messages of a telling in one transaction */ };

struct edge {
    int from, to;
    int64_t last_at; /* when the newest message on it arrives */
};

enum action { ADD, TELL, DELIVER, CHANGE };

struct event {
    int64_t at, order;
    enum action action;
    int user, other;
    int64_t own_centi;                   /* CHANGE: the new one */
    struct ss_neighbour_message message; /* DELIVER: without the ids */
    int wave;                            /* the change that led to it */
};

struct person {
    char id[16];
    int64_t own_centi; /* hundredths of points without friends, above the least score */
    int32_t score;
    int first_edge, edge_count;
    int wave; /* of the telling under way */
    int causes, tellings;
    struct ss_friends list;
    struct ss_friends_sum sum;
};

static struct ss_model *model;
static struct person *people;
static struct edge *edges; /* each friendship twice, sorted */
static int people_count, edge_count;
static struct event *heap;
static size_t heap_count, heap_size;
static int64_t now, order;
static int *wave_messages, *wave_tellings; /* by wave */
static uint64_t seed;

static int64_t chance(int64_t bound)
{
    return helper_random_below(&seed, bound);
}

/* ---- what is yet to happen ---- */

static bool before(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void push(struct event event)
{
    if (heap_count == heap_size) {
        heap_size = heap_size ? 2 * heap_size : 1024;
        heap = realloc(heap, heap_size * sizeof *heap);
    }
    event.order = order++;
    size_t i = heap_count++;
    for (; i > 0 && before(&event, &heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = event;
}

static struct event pop(void)
{
    struct event first = heap[0], last = heap[--heap_count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < heap_count; i = child) {
        if (child + 1 < heap_count && before(&heap[child + 1], &heap[child]))
            child++;
        if (!before(&heap[child], &last))
            break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return first;
}

static struct ss_text id_of(int u)
{
    return helper_text(people[u].id);
}

static int number_of(struct ss_text id)
{
    char text[16] = "";
    memcpy(text, id.data, id.size);
    return atoi(text + 1);
}

static int by_ends(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;
    return x->from != y->from ? x->from - y->from : x->to - y->to;
}

static void send(const struct ss_neighbour_message *message, int wave)
{
    struct edge key = {number_of(message->from), number_of(message->to), 0};
    struct edge *edge = bsearch(&key, edges, (size_t)edge_count, sizeof key, by_ends);
    cr_assert(edge);
    int64_t at = now + 1 + chance(DELAY_MAX);
    edge->last_at = at > edge->last_at ? at : edge->last_at;
    push((struct event){.at = edge->last_at,
                        .action = DELIVER,
                        .user = key.to,
                        .other = key.from,
                        .message = *message,
                        .wave = wave});
    wave_messages[wave]++;
}

/* ---- one user ---- */

static int64_t friends_centi(const struct ss_friends_sum *sum)
{
    struct ss_variables variables = {0};
    struct ss_score score;
    variables.known[SS_VAR_FRIENDS] = sum->confirmed > 0;
    if (sum->confirmed > 0)
        variables.value[SS_VAR_FRIENDS] = INT64_C(1000) * sum->bands / sum->confirmed;
    ss_score_sum(model, &variables, false, &score);
    return score.factors[SS_FACTOR_RELATIONSHIPS].points_centi;
}

static int32_t score_of(const struct person *p)
{
    return SS_SCORE_MIN + (int32_t)((p->own_centi + friends_centi(&p->sum)) / 100);
}

static void settle(int u, int wave)
{
    struct person *p = &people[u];
    p->score = score_of(p);
    bool telling = p->sum.telling;
    if (!ss_friends_scored(model, &p->sum, p->score))
        return;
    p->tellings++;
    cr_assert_leq(p->tellings, p->causes, "told twice without an outside cause");
    wave_tellings[wave]++;
    p->wave = wave;
    if (p->sum.telling && !telling)
        push((struct event){.at = now + 1, .action = TELL, .user = u});
}

static void happen(const struct event *event)
{
    struct person *p = &people[event->user];
    struct ss_friends_step step = {0};
    struct ss_neighbour_message message = event->message;
    switch (event->action) {
    case ADD:
        ss_friends_add(&p->list, &p->sum, id_of(event->user), id_of(event->other), SS_FRIENDS_MAX,
                       &step);
        break;
    case TELL:
        for (int i = 0;
             i < PIECE && ss_friends_tell(&p->list, &p->sum, id_of(event->user), &message); i++)
            send(&message, p->wave);
        if (p->sum.telling)
            push((struct event){.at = now + 1 + chance(10), .action = TELL, .user = event->user});
        return;
    case DELIVER:
        message.to = id_of(event->user);
        message.from = id_of(event->other);
        ss_friends_receive(&p->list, &p->sum, &message, &step);
        break;
    case CHANGE:
        p->own_centi = event->own_centi;
        p->causes++;
        break;
    }
    if (step.says)
        send(&step.message, event->wave);
    settle(event->user, event->wave);
}

/* Until nothing is left to happen; fails if there is no end to it. */
static int64_t run(int64_t events_max)
{
    int64_t events = 0;
    for (; heap_count > 0; events++) {
        cr_assert_lt(events, events_max, "the waves do not die out");
        struct event event = pop();
        now = event.at;
        happen(&event);
    }
    return events;
}

/* ---- the graph ---- */

static void befriend(int a, int b)
{
    edges = realloc(edges, (size_t)(edge_count + 2) * sizeof *edges);
    edges[edge_count++] = (struct edge){a, b, 0};
    edges[edge_count++] = (struct edge){b, a, 0};
    people_count = a >= people_count ? a + 1 : people_count;
    people_count = b >= people_count ? b + 1 : people_count;
}

static int64_t any_own(void)
{
    return chance((SS_SCORE_MAX - SS_SCORE_MIN - 30) * 100); /* 30 are the friends' */
}

static void begin(uint64_t with_seed)
{
    seed = with_seed;
    model = helper_model_copy();
    model->components[SS_VAR_FRIENDS].curve.x[1] = 1000 * (SS_BAND_COUNT - 1);
    model->components[SS_VAR_FRIENDS].neutral = 3000;
    ss_model_prepare(model);
    cr_assert_eq(ss_friends_reach(model), 30);
    qsort(edges, (size_t)edge_count, sizeof *edges, by_ends);
    people = calloc((size_t)people_count, sizeof *people);
    for (int u = 0; u < people_count; u++) {
        struct person *p = &people[u];
        snprintf(p->id, sizeof p->id, "u%d", u);
        p->own_centi = any_own();
        p->causes = 1;
        ss_friends_open(&p->sum, score_of(p));
    }
    for (int e = edge_count; e-- > 0;) {
        people[edges[e].from].first_edge = e;
        people[edges[e].from].edge_count++;
    }
}

static void end(void)
{
    free(model), free(people), free(edges), free(heap), free(wave_messages), free(wave_tellings);
}

static void waves(int count)
{
    wave_messages = realloc(wave_messages, (size_t)count * sizeof *wave_messages);
    wave_tellings = realloc(wave_tellings, (size_t)count * sizeof *wave_tellings);
    memset(wave_messages, 0, (size_t)count * sizeof *wave_messages);
    memset(wave_tellings, 0, (size_t)count * sizeof *wave_tellings);
}

static const struct ss_friend *link_of(int u, int f)
{
    const struct ss_friends *list = &people[u].list;
    struct ss_text id = id_of(f);
    for (int i = 0; i < list->count; i++)
        if (list->links[i].id_size == id.size && memcmp(list->links[i].id, id.data, id.size) == 0)
            return &list->links[i];
    return NULL;
}

static bool full(int u)
{
    return people[u].sum.unlinked > 0;
}

/* From the told bands and the edges alone. Where neither side ran out of room, they are linked. */
static void assert_as_computed_from_scratch(void)
{
    long links = 0;
    for (int u = 0; u < people_count; u++) {
        const struct person *p = &people[u];
        struct ss_friends_sum direct = {.open = true};
        cr_assert(ss_friends_agree(&p->list, &p->sum));
        for (int e = p->first_edge; e < p->first_edge + p->edge_count; e++) {
            int f = edges[e].to;
            const struct ss_friend *link = link_of(u, f);
            cr_assert_eq(link != NULL, link_of(f, u) != NULL);
            cr_assert(link || full(u) || full(f));
            if (!link)
                continue;
            direct.confirmed++;
            direct.bands = (uint16_t)(direct.bands + people[f].sum.told_band);
            links++;
        }
        cr_assert_eq(p->sum.confirmed, direct.confirmed);
        cr_assert_eq(p->sum.bands, direct.bands);
        cr_assert_eq(p->score, SS_SCORE_MIN + (p->own_centi + friends_centi(&direct)) / 100);
        cr_assert_eq((int)(p->list.count + p->sum.unlinked), p->edge_count);
        int32_t least = SS_SCORE_MIN + p->sum.told_band * SS_BAND_WIDTH,
                slack = 30 + SS_BAND_MARGIN;
        cr_assert(p->score >= least - slack && p->score <= least + SS_BAND_WIDTH + slack);
    }
    cr_assert_gt(links, edge_count / 2);
}

static int ascending(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static void report(const char *what, int *counts, int count)
{
    int64_t sum = 0;
    qsort(counts, (size_t)count, sizeof *counts, ascending);
    for (int i = 0; i < count; i++)
        sum += counts[i];
    printf("  %s: mean %.2f, p99 %d, max %d\n", what, (double)sum / count,
           counts[(int64_t)count * 99 / 100], counts[count - 1]);
}

/* Changes of random users' own scores by up to so many points, all at once or one after the other
 * has died out. */
static void change(int points, int count, bool at_once)
{
    waves(count);
    for (int i = 0; i < count; i++) {
        int u = (int)chance(people_count);
        int64_t own = people[u].own_centi + chance(200 * points + 1) - 100 * points;
        int64_t most = (SS_SCORE_MAX - SS_SCORE_MIN - 30) * 100;
        own = own < 0 ? 0 : own > most ? most : own;
        push((struct event){.at = now + (at_once ? chance(2000) : 0),
                            .action = CHANGE,
                            .user = u,
                            .own_centi = own,
                            .wave = i});
        if (!at_once)
            run(100000000);
    }
    run(100000000);
    assert_as_computed_from_scratch();
    printf("%d changes of up to %d points, %s:\n", count, points,
           at_once ? "all at once" : "one after the other");
    report("messages per change", wave_messages, count);
    report("users who tell per change", wave_tellings, count);
}

static void play(uint64_t with_seed, int changes)
{
    begin(with_seed);
    waves(1);
    for (int e = 0; e < edge_count; e++)
        push((struct event){
            .at = chance(20000), .action = ADD, .user = edges[e].from, .other = edges[e].to});
    int64_t events = run(100000000);
    assert_as_computed_from_scratch();
    int tellings = 0;
    for (int u = 0; u < people_count; u++)
        tellings += people[u].tellings;
    printf("%d users, %d friendships: %d messages for all to meet, %d told again, %ld steps\n",
           people_count, edge_count / 2, wave_messages[0], tellings, (long)events);
    change(5, changes, false);
    change(50, changes, false);
    change(200, changes, false);
    change(50, changes, true);
    change(200, 10 * changes, true);
    end();
}

Test(friends_graph, waves_die_out_among_friends_of_chance)
{
    seed = 1;
    for (int a = 1; a < 600; a++)
        for (int i = 0; i < 8; i++) { /* mostly friends of those who came first */
            int b = (int)chance(1 + chance(a));
            bool known = false;
            for (int e = 0; e < edge_count; e++)
                known |= edges[e].from == a && edges[e].to == b;
            if (!known && a != b)
                befriend(a, b);
        }
    play(2, 1000);
}

Test(friends_graph, waves_die_out_on_ego_facebook)
{
    const char *directory = getenv("SESAME_DATA");
    char path[4096], command[4200];
    snprintf(path, sizeof path, "%s/ego_facebook.txt.gz", directory ? directory : "../shared/data");
    FILE *there = fopen(path, "r");
    if (!there)
        cr_skip_test("%s is not there; SESAME_DATA names another directory with the data", path);
    fclose(there);
    snprintf(command, sizeof command, "gzip -dc '%s'", path);
    FILE *pipe = popen(command, "r");
    cr_assert(pipe);
    for (int a, b; fscanf(pipe, "%d %d", &a, &b) == 2;)
        befriend(a, b);
    cr_assert_eq(pclose(pipe), 0);
    cr_assert_eq(edge_count, 2 * 88234);
    play(3, 2000);
}
