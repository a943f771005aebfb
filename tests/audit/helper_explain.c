#include "helper_explain.h"

#include "config/models.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum { PARTITION = 3, FIRST_OFFSET = 100, STEP = 10 };

static struct ss_text text(const char *s)
{
    return (struct ss_text){s, (uint32_t)strlen(s)};
}

void life_begin(struct life *life, const char *user_id)
{
    struct ss_error err = {.detail = ""};
    memset(life, 0, sizeof *life);
    cr_assert_eq(ss_models_load(NULL, NULL, &life->models, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(ss_history_init(&life->history, user_id, &err), SS_OK, "%s", err.detail);
    life->history.partition = PARTITION;
    life->history.published = true;
}

void life_end(struct life *life)
{
    ss_history_reset(&life->history);
    ss_models_free(&life->models);
}

static void keep(struct life *life, const struct ss_effects *effects)
{
    struct ss_score_record record = effects->record;
    struct ss_error err = {.detail = ""};
    struct ss_buffer bytes;
    if (!effects->has_record)
        return;
    record.has_rank = life->ranked;
    record.percentile = life->percentile;
    ss_buffer_init(&bytes, 1 << 16);
    cr_assert_eq(ss_encode_score(1, &record, &bytes, &err), SS_OK, "%s", err.detail);
    struct ss_bytes body = {bytes.data + SS_WIRE_HEADER_SIZE, bytes.size - SS_WIRE_HEADER_SIZE};
    cr_assert_eq(ss_history_add_record(&life->history, life->scores++, body, &err), SS_OK, "%s",
                 err.detail);
    ss_buffer_reset(&bytes);
}

static void happen(struct life *life, int64_t occurred_at_ms, struct ss_event *event, bool logged)
{
    struct ss_context context = {
        .partition = PARTITION, .record_time_ms = occurred_at_ms, .friends = &life->friends};
    struct ss_error err = {.detail = ""};
    struct ss_effects effects;
    enum ss_refusal refusal;
    char event_id[32];

    memcpy(context.positions, life->positions, sizeof context.positions);
    for (int64_t at; (at = ss_wake_at(&life->models, &life->state)) < occurred_at_ms;) {
        context.clock_ms = at;
        cr_assert(
            ss_wake(&life->models, &life->state, text(life->history.user_id), &context, &effects));
        keep(life, &effects);
    }
    int64_t *position = &life->positions[event->input];
    context.clock_ms = occurred_at_ms - 1;
    context.offset = *position ? *position - 1 + STEP : FIRST_OFFSET;
    *position = life->last_offset = context.offset;
    ++*position;
    memcpy(context.positions, life->positions, sizeof context.positions);
    snprintf(event_id, sizeof event_id, "%s-%d", ss_input_name(event->input), (int)context.offset);
    event->event_id = text(event_id);
    event->user_id = text(life->history.user_id);
    event->occurred_at_ms = occurred_at_ms;
    cr_assert_eq(ss_apply(&life->models, &life->state, event, &context, &effects, &refusal),
                 SS_COUNTED, "%s: %s", event_id, ss_refusal_name(refusal));
    if (logged)
        cr_assert_eq(
            ss_history_add_event(&life->history, context.offset, occurred_at_ms, event, &err),
            SS_OK, "%s", err.detail);
    keep(life, &effects);
}

void live(struct life *life, int64_t occurred_at_ms, struct ss_event event)
{
    happen(life, occurred_at_ms, &event, true);
}

void live_unlogged(struct life *life, int64_t occurred_at_ms, struct ss_event event)
{
    happen(life, occurred_at_ms, &event, false);
}

void befriend(struct life *life, int64_t occurred_at_ms, const char *friend_id, uint8_t band)
{
    live(life, occurred_at_ms,
         (struct ss_event){.input = SS_SOCIAL,
                           .social = {.action = SS_FRIEND_ADDED, .friend_id = text(friend_id)}});
    live_unlogged(
        life, occurred_at_ms + 1000,
        (struct ss_event){
            .input = SS_NEIGHBOURS,
            .neighbour = {.action = SS_NEIGHBOUR_TELLS, .from = text(friend_id), .band = band}});
}

struct ss_event granted_for(enum ss_consent_purpose purpose)
{
    return (struct ss_event){.input = SS_CONSENTS,
                             .consent = {.action = SS_CONSENT_GRANTED, .purpose = purpose}};
}

struct ss_event granted(void)
{
    return granted_for(SS_PURPOSE_SCORING);
}

struct ss_event withdrawn(void)
{
    return (struct ss_event){
        .input = SS_CONSENTS,
        .consent = {.action = SS_CONSENT_WITHDRAWN, .purpose = SS_PURPOSE_SCORING}};
}

struct ss_event paid(int64_t amount_minor, enum ss_payment_category category)
{
    return (struct ss_event){.input = SS_PAYMENTS,
                             .payment = {.status = SS_PAYMENT_SETTLED,
                                         .category = category,
                                         .amount_minor = amount_minor,
                                         .currency = text("CNY")}};
}

struct ss_event bill(enum ss_bill_status status, const char *id, int64_t amount_minor,
                     int64_t due_at_ms)
{
    return (struct ss_event){.input = SS_BILLS,
                             .bill = {.status = status,
                                      .kind = SS_BILL_UTILITY,
                                      .bill_id = text(id),
                                      .amount_minor = amount_minor,
                                      .currency = text("CNY"),
                                      .due_at_ms = due_at_ms}};
}

struct ss_event verified(enum ss_profile_fact fact)
{
    return (struct ss_event){
        .input = SS_PROFILES,
        .profile = {.action = SS_PROFILE_VERIFIED, .fact = fact, .opened_at_ms = SS_TIME_UNKNOWN}};
}

struct ss_event listing(enum ss_listing_action action, const char *case_id)
{
    return (struct ss_event){.input = SS_BLACKLIST,
                             .listing = {.action = action,
                                         .case_id = text(case_id),
                                         .authority = text("District Court"),
                                         .amount_owed_minor = 500000,
                                         .currency = text("CNY")}};
}

void live_hundred_days(struct life *life)
{
    live(life, BEGIN, granted());
    live(life, BEGIN + DAY, verified(SS_FACT_PHONE));
    /* a bill that has ended: without one, being overdue shows late (docs/model.md 5.1) */
    live(life, BEGIN + DAY + 3600000, bill(SS_BILL_ISSUED, "b-first", 5000, BEGIN + 20 * DAY));
    live(life, BEGIN + DAY + 7200000, bill(SS_BILL_PAID, "b-first", 5000, SS_TIME_UNKNOWN));
    for (int i = 2; i < 30; i += 3)
        live(life, BEGIN + i * DAY, paid(3500, SS_CATEGORY_GROCERIES));
    live(life, BEGIN + 30 * DAY, bill(SS_BILL_ISSUED, "b-late", 12000, BEGIN + 40 * DAY));
    live(life, BEGIN + 45 * DAY + 3600000, bill(SS_BILL_PAID, "b-late", 12000, SS_TIME_UNKNOWN));
    live(life, BEGIN + 50 * DAY, bill(SS_BILL_ISSUED, "b-open", 8000, BEGIN + 60 * DAY));
    live(life, BEGIN + 100 * DAY, paid(4200, SS_CATEGORY_TRANSPORT));
}

struct ss_explain_request ask(const struct life *life)
{
    struct ss_explain_request request = {
        .models = life->models, .at_ms = INT64_MAX, .score_offset = -1};
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        request.read_to[i] = -1;
    return request;
}

static const struct ss_explain_issuer nobody;

char *explained_text(const struct ss_explanation *e)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ss_explain_text(out, e, &nobody);
    fclose(out);
    return text;
}

char *explained_json(const struct ss_explanation *e)
{
    struct ss_error err = {.detail = ""};
    struct ss_buffer out;
    ss_buffer_init(&out, 1 << 24);
    cr_assert_eq(ss_explain_json(e, &nobody, &out, &err), SS_OK, "%s", err.detail);
    char *text = strndup((const char *)out.data, out.size);
    ss_buffer_reset(&out);
    return text;
}

char *explained_html(const struct ss_explanation *e)
{
    struct ss_error err = {.detail = ""};
    struct ss_page page;
    cr_assert_eq(ss_explain_html(e, &nobody, &page, &err), SS_OK, "%s", err.detail);
    char *text = strndup((const char *)page.html.data, page.html.size);
    ss_page_reset(&page);
    return text;
}
