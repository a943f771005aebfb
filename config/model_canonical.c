/* model_canonical.c - the canonical form and the versions; docs/model-canonical.md is its contract.
 * A change to any line here changes every model's version: raise RULES then, and also where the
 * rules of scoring give the same numbers another meaning. STRUCTURAL is raised where states folded
 * before do not serve any more, and only then: it rebuilds them. */
#include "config/model_file.h"
#include "config/print.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

enum { RULES = 3, STRUCTURAL = 3, DIGEST_HEX = 16 };

static void print_curve(struct ss_printer *out, const struct ss_curve *curve)
{
    for (int i = 0; i < curve->count; i++)
        ss_print(out, " %" PRId64 ":%" PRId32, curve->x[i], curve->y[i]);
    ss_print(out, "\n");
}

static void print_scoring(struct ss_printer *out, const struct ss_model *model)
{
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        ss_print(out, "factor.%s.weight %" PRId32 "\n", ss_factor_name((enum ss_factor)f),
                 model->weights[f]);
    for (int v = 0; v < SS_VAR_COUNT; v++) {
        const char *name = ss_variable_name((enum ss_variable)v);
        const struct ss_component *component = &model->components[v];
        ss_print(out, "component.%s.weight %" PRId32 "\n", name, component->weight);
        ss_print(out, "component.%s.neutral %" PRId32 "\n", name, component->neutral);
        ss_print(out, "component.%s.curve", name);
        print_curve(out, &component->curve);
    }
    ss_print(out, "late_severity");
    for (int i = 0; i < SS_LATE_BUCKETS; i++)
        ss_print(out, " %" PRId32, model->late_severity[i]);
    ss_print(out, "\noverdue_severity");
    print_curve(out, &model->overdue_severity);
    ss_print(out, "refund_share %" PRId32 "\n", model->refund_share);
    ss_print(out, "cancelled_share %" PRId32 "\n", model->cancelled_share);
    ss_print(out, "booking_prior %" PRId32 "\n", model->booking_prior);
    ss_print(out, "fact_points.phone %" PRId32 "\n", model->fact_points[SS_FACT_PHONE]);
    ss_print(out, "fact_points.address %" PRId32 "\n", model->fact_points[SS_FACT_ADDRESS]);
    ss_print(out, "fact_points.identity %" PRId32 "\n", model->fact_points[SS_FACT_IDENTITY]);
    ss_print(out, "fact_points.degree %" PRId32 "\n", model->fact_points[SS_FACT_DEGREE]);
    ss_print(out, "aged_days %" PRId32 "\n", model->aged_days);
    ss_print(out, "aged_overdue_days %" PRId32 "\n", model->aged_overdue_days);
    ss_print(out, "listed_cap %" PRId32 "\n", model->listed_cap);
    ss_print(out, "revoke_margin %" PRId32 "\n", model->revoke_margin);
    for (int i = 0; i < model->tier_count; i++)
        ss_print(out, "tier.%s %" PRId32 "\n", model->tiers[i].name, model->tiers[i].from);
    for (int i = 0; i < model->benefit_count; i++)
        ss_print(out, "benefit.%s %" PRId32 "\n", model->benefits[i].id,
                 model->benefits[i].threshold);
}

static void print_structural(struct ss_printer *out, const struct ss_model *model,
                             int32_t friends_max)
{
    ss_print(out, "half_life_days.payments %" PRId32 "\n", model->payments_decay.half_life_days);
    ss_print(out, "half_life_days.bills %" PRId32 "\n", model->bills_decay.half_life_days);
    ss_print(out, "half_life_days.defaults %" PRId32 "\n", model->defaults_decay.half_life_days);
    ss_print(out, "half_life_days.bookings %" PRId32 "\n", model->bookings_decay.half_life_days);
    ss_print(out, "recent_window %" PRId32 "\n", model->recent_window);
    ss_print(out, "recent_days %" PRId32 "\n", model->recent_days);
    ss_print(out, "friends_max %" PRId32 "\n", friends_max);
    ss_print(out, "base_currency %s\n", model->base_currency);
    for (int i = 0; i < model->currency_count; i++)
        ss_print(out, "currency.%s %" PRId64 "/%" PRId64 "\n", model->currencies[i].code,
                 model->currencies[i].numerator, model->currencies[i].denominator);
}

enum ss_status ss_model_canonical(const struct ss_model *model, struct ss_buffer *out,
                                  struct ss_error *err)
{
    struct ss_printer printer = {.out = out};
    ss_print(&printer, "sesame-model %d\n", RULES);
    print_scoring(&printer, model);
    print_structural(&printer, model, model->friends_max);
    if (printer.failed)
        return ss_fail(err, SS_STOP, "out of memory for the model's canonical form");
    return SS_OK;
}

/* The first DIGEST_HEX hex digits of SHA-256, and a closing zero. */
static enum ss_status digest(const struct ss_buffer *text, char out[DIGEST_HEX + 1],
                             struct ss_error *err)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    if (sodium_init() < 0)
        return ss_fail(err, SS_STOP, "libsodium does not start");
    crypto_hash_sha256(hash, text->data, text->size);
    sodium_bin2hex(out, DIGEST_HEX + 1, hash, DIGEST_HEX / 2);
    return SS_OK;
}

enum ss_status ss_model_version(const struct ss_model *model, char out[SS_NAME_MAX],
                                struct ss_error *err)
{
    struct ss_buffer text;
    char hex[DIGEST_HEX + 1] = "";
    ss_buffer_init(&text, SS_MODEL_CANONICAL_MAX);
    enum ss_status status = ss_model_canonical(model, &text, err);
    if (status == SS_OK)
        status = digest(&text, hex, err);
    ss_buffer_reset(&text);
    snprintf(out, SS_NAME_MAX, "%.*s-%s", SS_MODEL_NAME_MAX, model->name, hex);
    return status;
}

enum ss_status ss_model_structural_version(const struct ss_model *model, char out[SS_NAME_MAX],
                                           struct ss_error *err)
{
    struct ss_buffer text;
    char hex[DIGEST_HEX + 1] = "";
    ss_buffer_init(&text, SS_MODEL_CANONICAL_MAX);
    struct ss_printer printer = {.out = &text};
    ss_print(&printer, "sesame-model-structural %d\n", STRUCTURAL);
    /* where friends cannot matter none are kept */
    print_structural(&printer, model, ss_friends_matter(model) ? model->friends_max : 0);
    enum ss_status status =
        printer.failed ? ss_fail(err, SS_STOP, "out of memory for the model's structural version")
                       : digest(&text, hex, err);
    ss_buffer_reset(&text);
    snprintf(out, SS_NAME_MAX, "%s", hex);
    return status;
}
