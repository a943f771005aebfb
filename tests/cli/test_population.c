/* The generator: the same events everywhere, in time order, exactly as many as asked for, all
 * kinds. */
#include "cli/population.h"

#include "config/model_file.h"
#include "schemas/codec.h"
#include "scoring/apply.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define END_MS INT64_C(1767225600000)

static struct ss_population_options usual(int64_t users, int64_t events)
{
    return (struct ss_population_options){
        .seed = 7,
        .users = users,
        .events = events,
        .end_ms = END_MS,
        .start_ms = END_MS - SS_POPULATION_SPAN_DAYS * SS_DAY_MS,
        .duplicates_permille = 2,
    };
}

static struct ss_population *open_population(const struct ss_population_options *options)
{
    struct ss_population *population;
    struct ss_error err;
    cr_assert_eq(ss_population_open(options, &population, &err), SS_OK, "%s", err.detail);
    return population;
}

/* FNV-1a over what goes onto the wire, and over what is meant to be wrong with it. */
static uint64_t hash_events(const struct ss_population_options *options, int64_t count)
{
    struct ss_population *population = open_population(options);
    struct ss_population_event event;
    struct ss_buffer buffer;
    struct ss_error err;
    uint64_t hash = UINT64_C(14695981039346656037);

    ss_buffer_init(&buffer, 4096);
    for (int64_t i = 0; i < count; i++) {
        cr_assert(ss_population_next(population, &event));
        buffer.size = 0;
        cr_assert_eq(ss_encode_event((uint32_t)event.event.input, &event.event, &buffer, &err),
                     SS_OK);
        for (size_t at = 0; at < buffer.size; at++)
            hash = (hash ^ buffer.data[at]) * UINT64_C(1099511628211);
        hash = (hash ^ (uint64_t)event.flaw) * UINT64_C(1099511628211);
    }
    ss_buffer_reset(&buffer);
    ss_population_close(population);
    return hash;
}

/* If this fails on purpose, because the population was changed, put the new number here. */
Test(population, is_the_same_on_every_machine)
{
    struct ss_population_options options = usual(2000, 100000);
    options.bad_permille = 5;
    options.wire_flaws = true;
    cr_assert_eq(hash_events(&options, 100000), UINT64_C(0xeb0427e245f6dcb4), "it is 0x%llx",
                 (unsigned long long)hash_events(&options, 100000));
}

Test(population, another_seed_is_another_population)
{
    struct ss_population_options options = usual(2000, 100000), other = options;
    other.seed = 8;
    cr_assert_eq(hash_events(&options, 1000), hash_events(&options, 1000));
    cr_assert_neq(hash_events(&options, 1000), hash_events(&other, 1000));
}

struct census {
    int64_t total, duplicates, flaws[SS_FLAW_COUNT];
    int64_t inputs[SS_INPUT_COUNT];
    int64_t kinds[SS_INPUT_COUNT][5];
    int64_t last_ms;
};

static int kind_of(const struct ss_event *event)
{
    switch (event->input) {
    case SS_PAYMENTS:
        return (int)event->payment.status;
    case SS_BILLS:
        return (int)event->bill.status;
    case SS_BOOKINGS:
        return (int)event->booking.status;
    case SS_SOCIAL:
        return (int)event->social.action;
    case SS_PROFILES:
        return (int)event->profile.action;
    case SS_CONSENTS: /* SOCIAL is not withdrawn */
        return event->consent.action == SS_CONSENT_GRANTED  ? (int)event->consent.purpose
               : event->consent.purpose == SS_PURPOSE_SHARE ? 4
                                                            : 3;
    case SS_BLACKLIST:
        return (int)event->listing.action;
    case SS_NEIGHBOURS:
    case SS_INPUT_COUNT:
        break;
    }
    return 0;
}

/* Checks each event on the way. */
static struct census take_census(const struct ss_population_options *options)
{
    struct ss_population *population = open_population(options);
    struct ss_population_event event;
    struct ss_model *model = malloc(sizeof *model);
    struct ss_error err;
    struct census census = {.last_ms = options->start_ms};
    struct ss_context context = {.record_time_ms = options->end_ms};
    char last_id[SS_EVENT_ID_MAX] = "";

    cr_assert(model && ss_model_default(model, &err) == SS_OK);
    while (ss_population_next(population, &event)) {
        const struct ss_event *e = &event.event;
        census.total++;
        census.inputs[e->input]++;
        census.flaws[event.flaw]++;
        census.duplicates += event.duplicate;
        bool same_id = memcmp(last_id, e->event_id.data, e->event_id.size) == 0;
        cr_assert_eq(same_id, event.duplicate);
        memcpy(last_id, e->event_id.data, e->event_id.size);
        bool bad_within = event.flaw > SS_FLAW_NONE && event.flaw < SS_FLAW_WIRE_FIRST;
        enum ss_refusal refusal = ss_event_check(model, e, &context);
        cr_assert_eq(refusal != SS_REFUSAL_NONE, bad_within, "event %lld, %s: %s",
                     (long long)census.total, ss_flaw_name(event.flaw), ss_refusal_name(refusal));
        if (bad_within)
            continue;
        census.kinds[e->input][kind_of(e)]++;
        cr_assert_geq(e->occurred_at_ms, census.last_ms);
        cr_assert_lt(e->occurred_at_ms, options->end_ms);
        census.last_ms = e->occurred_at_ms;
    }
    free(model);
    ss_population_close(population);
    return census;
}

Test(population, fills_the_span_with_events_of_all_kinds)
{
    static const int kinds[SS_INPUT_COUNT] = {
        [SS_PAYMENTS] = 3, [SS_BILLS] = 4,    [SS_BOOKINGS] = 4,  [SS_SOCIAL] = 2,
        [SS_PROFILES] = 4, [SS_CONSENTS] = 5, [SS_BLACKLIST] = 2,
    };
    struct ss_population_options options = usual(10000, 200000);
    struct census census = take_census(&options);
    cr_assert_eq(census.total, options.events);
    cr_assert_gt(census.last_ms, options.end_ms - 2 * SS_DAY_MS);
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        for (int kind = 0; kind < kinds[input]; kind++)
            cr_assert_gt(census.kinds[input][kind], 0, "%s, kind %d",
                         ss_input_name((enum ss_input)input), kind);
    cr_assert(census.duplicates > 300 && census.duplicates < 500);
    /* some three in a hundred never consent */
    int64_t grants = census.kinds[SS_CONSENTS][SS_PURPOSE_SCORING];
    cr_assert(grants > 9600 && grants < 9900, "%lld grants", (long long)grants);
}

Test(population, bad_events_are_bad_in_every_way_and_no_other_is)
{
    struct ss_population_options options = usual(1000, 50000);
    options.bad_permille = 20;
    options.wire_flaws = true;
    struct census census = take_census(&options);
    int64_t bad = options.events - census.flaws[SS_FLAW_NONE];
    cr_assert(bad > 900 && bad < 1100, "%lld bad events", (long long)bad);
    for (int flaw = 1; flaw < SS_FLAW_COUNT; flaw++)
        cr_assert_gt(census.flaws[flaw], 0, "%s", ss_flaw_name((enum ss_flaw)flaw));

    options.wire_flaws = false;
    census = take_census(&options);
    for (int flaw = SS_FLAW_WIRE_FIRST; flaw < SS_FLAW_COUNT; flaw++)
        cr_assert_eq(census.flaws[flaw], 0, "%s", ss_flaw_name((enum ss_flaw)flaw));
}

Test(population, makes_exactly_as_many_as_asked_for)
{
    static const struct {
        int64_t users, events;
    } cases[] = {{1, 1}, {1, 5000}, {3, 1000}, {1000, 0}, {1000, 17}, {500, 5000}, {50, 100000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ss_population_options options = usual(cases[i].users, cases[i].events);
        cr_assert_eq(take_census(&options).total, cases[i].events, "case %zu", i);
    }
}

Test(population, refuses_options_out_of_bounds)
{
    const struct ss_population_options fine = usual(10, 10);
    struct ss_population_options wrong[5] = {fine, fine, fine, fine, fine};
    struct ss_population *population;
    struct ss_error err;
    wrong[0].users = 0;
    wrong[1].events = -1;
    wrong[2].start_ms = wrong[2].end_ms;
    wrong[3].end_ms = INT64_MAX;
    wrong[4].bad_permille = 1000;
    for (int i = 0; i < 5; i++)
        cr_assert_eq(ss_population_open(&wrong[i], &population, &err), SS_STOP, "case %d", i);
}
