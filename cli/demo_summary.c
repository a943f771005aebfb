#include "cli/demo_summary.h"

#include "cli/demo_screen.h"
#include "cli/explain.h"
#include "scoring/apply.h"

#include <inttypes.h>
#include <stdio.h>

static bool same(const char *what, int64_t a, int64_t b)
{
    if (a != b)
        fprintf(stderr, "sesame demo: %s: %" PRId64 " is not %" PRId64 "\n", what, a, b);
    return a == b;
}

static void print_row(const char *name, int64_t produced, const struct ss_counts *counts)
{
    printf("%-10s %10s %10s %10s %10s %13s %13s\n", name, ss_demo_number(produced).text,
           ss_demo_number(counts->consumed).text, ss_demo_number(counts->outcomes[SS_COUNTED]).text,
           ss_demo_number(counts->outcomes[SS_DUPLICATE]).text,
           ss_demo_number(counts->outcomes[SS_NOT_CONSENTED]).text,
           ss_demo_number(counts->outcomes[SS_REFUSED]).text);
}

static bool account_for_events(const struct ss_demo_books *books)
{
    struct ss_counts sum = {0};
    int64_t produced = 0;
    bool fine = true;

    printf("%-10s %10s %10s %10s %10s %13s %13s\n", "topic", "produced", "consumed", "counted",
           "duplicate", "not-consented", "dead-lettered");
    for (int input = 0; input < SS_INPUT_COUNT; input++) {
        const struct ss_counts *counts = &books->engine->counts[input];
        const char *name = ss_input_name((enum ss_input)input);
        int64_t outcomes = 0;
        int64_t sent = input == SS_NEIGHBOURS ? books->engine->neighbour_records
                                              : books->produced->sent[input];
        print_row(name, sent, counts);
        produced += sent;
        sum.consumed += counts->consumed;
        for (int outcome = 0; outcome < SS_OUTCOME_COUNT; outcome++) {
            sum.outcomes[outcome] += counts->outcomes[outcome];
            outcomes += counts->outcomes[outcome];
        }
        /* What friends told each other last may be unread when the engine stops. */
        if (input != SS_NEIGHBOURS || counts->consumed > sent)
            fine &= same(name, sent, counts->consumed);
        fine &= same(name, counts->consumed, outcomes);
    }
    print_row("all", produced, &sum);

    const struct ss_demo_watch *watch = books->watch;
    fine &= same("bad events produced, and dead-lettered", books->produced->bad,
                 sum.outcomes[SS_REFUSED]);
    fine &= same("dead letters counted, and read", sum.outcomes[SS_REFUSED], watch->dead_letters);
    printf("\ndead letters: %s, as many as bad events were produced;",
           ss_demo_number(watch->dead_letters).text);
    for (int i = 0; i < watch->reason_count; i++)
        printf(" %s %s%s", watch->reasons[i].name, ss_demo_number(watch->reasons[i].count).text,
               i + 1 < watch->reason_count ? "," : "\n");
    if (!watch->reason_count)
        printf(" none\n");
    return fine;
}

static bool account_for_outputs(const struct ss_demo_books *books)
{
    const struct ss_demo_watch *watch = books->watch;
    int64_t held = ss_demo_watch_held(watch);
    bool fine = same("score records published, and received", books->engine->score_records,
                     ss_demo_watch_received(watch));
    fine &= same("grants and revocations published, and received", books->engine->entitlements,
                 watch->entitlements);
    fine &=
        same("grants - revocations, and privileges held", watch->granted - watch->revoked, held);
    fine &= same("records out of sequence", watch->wrong, 0);

    printf("scores: %s records, all received, each user's in sequence: %s updates, %s opt-ins, %s "
           "opt-outs, %s blacklist drops, %s restores\n",
           ss_demo_number(ss_demo_watch_received(watch)).text,
           ss_demo_number(watch->kinds[SS_KIND_UPDATE]).text,
           ss_demo_number(watch->kinds[SS_KIND_OPT_IN]).text,
           ss_demo_number(watch->kinds[SS_KIND_OPT_OUT]).text,
           ss_demo_number(watch->kinds[SS_KIND_BLACKLIST_DROP]).text,
           ss_demo_number(watch->kinds[SS_KIND_BLACKLIST_RESTORE]).text);
    printf("privileges: granted %s - revoked %s = held %s, counted user by user\n",
           ss_demo_number(watch->granted).text, ss_demo_number(watch->revoked).text,
           ss_demo_number(held).text);
    return fine;
}

static void print_highlights(const struct ss_demo_watch *watch)
{
    const struct ss_demo_news *drop = &watch->telling[SS_DEMO_DROP];
    const struct ss_demo_news *revoked = &watch->telling[SS_DEMO_REVOKED];
    if (watch->news_total[SS_DEMO_DROP]) {
        printf("a blacklist drop: u-%06u %s", drop->user, drop->text);
        if (drop->lost)
            printf(", and %d privilege%s with it", drop->lost, drop->lost > 1 ? "s" : "");
        putchar('\n');
    }
    if (watch->news_total[SS_DEMO_REVOKED])
        printf("a privilege revoked: u-%06u %s\n", revoked->user, revoked->text);
}

static bool explain(const struct ss_demo_sample *sample)
{
    struct ss_bytes body = {sample->body, sample->body_size};
    struct ss_score_view view;
    struct ss_error err;
    if (!sample->used || !sample->body_size || ss_score_view_decode(body, &view, &err) != SS_OK ||
        !view.has_factors)
        return false;
    printf("\none user explained, from the last record in `scores`:\n");
    ss_explain_score(stdout, &view);
    return true;
}

bool ss_demo_summarise(const struct ss_demo_books *books)
{
    const struct ss_demo_watch *watch = books->watch;
    putchar('\n');
    bool fine = account_for_events(books);
    fine &= account_for_outputs(books);
    print_highlights(watch);
    bool explained = explain(&watch->revoked_user);
    for (int i = 0; !explained && i < SS_DEMO_SAMPLES; i++)
        explained = explain(&watch->samples[i]);
    return fine;
}
