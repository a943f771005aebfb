#include "config/model_file.h"
#include "config/model_reader.h"
#include "scoring/decay.h"
#include "scoring/model_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const char ss_default_model_yaml[];
extern const size_t ss_default_model_yaml_size;

enum { DECIMALS_MAX = 4 };

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* --- factors and their components --- */

static enum ss_status read_component(const struct ss_model_reader *reader,
                                     const struct ss_yaml_node *node, const char *where,
                                     struct ss_component *component)
{
    static const char *const keys[] = {"weight", "neutral", "curve"};
    enum ss_status status = ss_model_read_map(reader, node, where, keys, COUNT(keys));
    if (status != SS_OK)
        return status;
    status = ss_model_read_int32(reader, ss_yaml_find(node, "weight"),
                                 ss_model_place(where, "weight").text, 0, SS_WEIGHT_MAX,
                                 &component->weight);
    if (status != SS_OK)
        return status;
    status = ss_model_read_int32(reader, ss_yaml_find(node, "neutral"),
                                 ss_model_place(where, "neutral").text, 0, SS_VALUE_MAX,
                                 &component->neutral);
    if (status != SS_OK)
        return status;
    return ss_model_read_curve(reader, ss_yaml_find(node, "curve"),
                               ss_model_place(where, "curve").text, SS_VALUE_MAX,
                               &component->curve);
}

/* A component that belongs to another factor gets a better hint than "unknown". */
static enum ss_status check_home(const struct ss_model_reader *reader,
                                 const struct ss_yaml_node *node, const char *where,
                                 enum ss_factor factor)
{
    for (const struct ss_yaml_node *child = node->first; child; child = child->next)
        for (int v = 0; v < SS_VAR_COUNT; v++) {
            enum ss_factor home = ss_variable_factor((enum ss_variable)v);
            if (home != factor && strcmp(child->key, ss_variable_name((enum ss_variable)v)) == 0)
                return ss_model_fail(reader, child->line, where,
                                     "'%s' belongs to the factor '%s'; move it there", child->key,
                                     ss_factor_name(home));
        }
    return SS_OK;
}

static enum ss_status read_components(const struct ss_model_reader *reader,
                                      const struct ss_yaml_node *node, const char *where,
                                      enum ss_factor factor, struct ss_model *model)
{
    const char *keys[SS_VAR_COUNT];
    int key_count = 0;
    for (int v = 0; v < SS_VAR_COUNT; v++)
        if (ss_variable_factor((enum ss_variable)v) == factor)
            keys[key_count++] = ss_variable_name((enum ss_variable)v);
    enum ss_status status = SS_OK;
    if (node->kind == SS_YAML_MAP)
        status = check_home(reader, node, where, factor);
    if (status == SS_OK)
        status = ss_model_read_map(reader, node, where, keys, key_count);
    int64_t weight_sum = 0;
    for (int v = 0; v < SS_VAR_COUNT && status == SS_OK; v++) {
        if (ss_variable_factor((enum ss_variable)v) != factor)
            continue;
        const char *name = ss_variable_name((enum ss_variable)v);
        status = read_component(reader, ss_yaml_find(node, name), ss_model_place(where, name).text,
                                &model->components[v]);
        weight_sum += model->components[v].weight;
    }
    if (status == SS_OK && weight_sum == 0)
        status = ss_model_fail(reader, node->line, where,
                               "all weights are 0; give one component a weight, or the factor "
                               "weight 0 to switch it off");
    return status;
}

static enum ss_status read_factors(const struct ss_model_reader *reader,
                                   const struct ss_yaml_node *node, struct ss_model *model)
{
    static const char *const keys[] = {"weight", "components"};
    const char *names[SS_FACTOR_COUNT];
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        names[f] = ss_factor_name((enum ss_factor)f);
    enum ss_status status = ss_model_read_map(reader, node, "factors", names, SS_FACTOR_COUNT);
    int64_t weight_sum = 0;
    for (int f = 0; f < SS_FACTOR_COUNT && status == SS_OK; f++) {
        const struct ss_yaml_node *factor = ss_yaml_find(node, names[f]);
        const struct ss_place where = ss_model_place("factors", names[f]);
        status = ss_model_read_map(reader, factor, where.text, keys, COUNT(keys));
        if (status != SS_OK)
            return status;
        status = ss_model_read_int32(reader, ss_yaml_find(factor, "weight"),
                                     ss_model_place(where.text, "weight").text, 0, SS_WEIGHT_MAX,
                                     &model->weights[f]);
        if (status != SS_OK)
            return status;
        weight_sum += model->weights[f];
        status = read_components(reader, ss_yaml_find(factor, "components"),
                                 ss_model_place(where.text, "components").text, (enum ss_factor)f,
                                 model);
    }
    if (status == SS_OK && weight_sum == 0)
        status = ss_model_fail(reader, node->line, "factors",
                               "all weights are 0; give at least one factor a weight");
    return status;
}

/* --- the numbers beside the factors --- */

static enum ss_status read_late_severity(const struct ss_model_reader *reader,
                                         const struct ss_yaml_node *node, struct ss_model *model)
{
    enum ss_status status =
        ss_model_read_list(reader, node, "late_severity", SS_LATE_BUCKETS, SS_LATE_BUCKETS);
    if (status != SS_OK)
        return status;
    int i = 0;
    for (const struct ss_yaml_node *item = node->first; item && status == SS_OK; item = item->next)
        status = ss_model_read_int32(reader, item, "late_severity", 0, SS_MILLI_MAX,
                                     &model->late_severity[i++]);
    return status;
}

static enum ss_status read_fact_points(const struct ss_model_reader *reader,
                                       const struct ss_yaml_node *node, struct ss_model *model)
{
    static const char *const keys[] = {"phone", "address", "identity", "degree"};
    static const enum ss_profile_fact facts[] = {SS_FACT_PHONE, SS_FACT_ADDRESS, SS_FACT_IDENTITY,
                                                 SS_FACT_DEGREE};
    enum ss_status status = ss_model_read_map(reader, node, "fact_points", keys, COUNT(keys));
    model->fact_points[SS_FACT_NONE] = 0;
    for (int i = 0; i < COUNT(keys) && status == SS_OK; i++) {
        status = ss_model_read_int32(reader, ss_yaml_find(node, keys[i]),
                                     ss_model_place("fact_points", keys[i]).text, 0, SS_VALUE_MAX,
                                     &model->fact_points[facts[i]]);
    }
    return status;
}

static enum ss_status read_tiers(const struct ss_model_reader *reader,
                                 const struct ss_yaml_node *node, struct ss_model *model)
{
    static const char *const keys[] = {"name", "from"};
    enum ss_status status = ss_model_read_list(reader, node, "tiers", 1, SS_TIERS_MAX);
    if (status != SS_OK)
        return status;
    model->tier_count = 0;
    for (const struct ss_yaml_node *item = node->first; item; item = item->next) {
        struct ss_tier *tier = &model->tiers[model->tier_count];
        status = ss_model_read_map(reader, item, "tiers", keys, COUNT(keys));
        if (status == SS_OK)
            status = ss_model_read_name(reader, ss_yaml_find(item, "name"), "tiers.name",
                                        SS_NAME_MAX - 1, tier->name);
        if (status == SS_OK)
            status = ss_model_read_int32(reader, ss_yaml_find(item, "from"), "tiers.from",
                                         SS_SCORE_MIN, SS_SCORE_MAX, &tier->from);
        if (status != SS_OK)
            return status;
        if (model->tier_count == 0 && tier->from != SS_SCORE_MIN)
            return ss_model_fail(reader, item->line, "tiers",
                                 "the first tier starts at %d; it must start at %d, the least "
                                 "score",
                                 tier->from, SS_SCORE_MIN);
        for (int i = 0; i < model->tier_count; i++)
            if (strcmp(model->tiers[i].name, tier->name) == 0)
                return ss_model_fail(reader, item->line, "tiers",
                                     "'%s' is here twice; rename or remove one", tier->name);
        if (model->tier_count > 0 && tier->from <= tier[-1].from)
            return ss_model_fail(reader, item->line, "tiers",
                                 "tiers must ascend, but %d comes after %d", tier->from,
                                 tier[-1].from);
        model->tier_count++;
    }
    return SS_OK;
}

static enum ss_status read_benefits(const struct ss_model_reader *reader,
                                    const struct ss_yaml_node *node, struct ss_model *model)
{
    static const char *const keys[] = {"id", "threshold", "title"};
    enum ss_status status = ss_model_read_list(reader, node, "benefits", 0, SS_BENEFITS_MAX);
    if (status != SS_OK)
        return status;
    model->benefit_count = 0;
    for (const struct ss_yaml_node *item = node->first; item; item = item->next) {
        struct ss_benefit *benefit = &model->benefits[model->benefit_count];
        status = ss_model_read_map(reader, item, "benefits", keys, COUNT(keys));
        if (status == SS_OK)
            status = ss_model_read_name(reader, ss_yaml_find(item, "id"), "benefits.id",
                                        SS_NAME_MAX - 1, benefit->id);
        if (status == SS_OK)
            status =
                ss_model_read_int32(reader, ss_yaml_find(item, "threshold"), "benefits.threshold",
                                    SS_SCORE_MIN, SS_SCORE_MAX, &benefit->threshold);
        if (status != SS_OK)
            return status;
        const struct ss_yaml_node *title = ss_yaml_find(item, "title");
        if (title->kind != SS_YAML_SCALAR || strlen(title->text) >= sizeof benefit->title)
            return ss_model_fail(reader, title->line, "benefits.title",
                                 "must be a text of at most %zu bytes", sizeof benefit->title - 1);
        memcpy(benefit->title, title->text, strlen(title->text) + 1);
        for (int i = 0; i < model->benefit_count; i++)
            if (strcmp(model->benefits[i].id, benefit->id) == 0)
                return ss_model_fail(reader, item->line, "benefits",
                                     "'%s' is here twice; rename or remove one", benefit->id);
        model->benefit_count++;
    }
    return SS_OK;
}

/* --- structural --- */

static enum ss_status read_half_lives(const struct ss_model_reader *reader,
                                      const struct ss_yaml_node *node, struct ss_model *model)
{
    static const char *const keys[] = {"payments", "bills", "defaults", "bookings"};
    struct ss_decay *const decays[] = {&model->payments_decay, &model->bills_decay,
                                       &model->defaults_decay, &model->bookings_decay};
    enum ss_status status =
        ss_model_read_map(reader, node, "structural.half_life_days", keys, COUNT(keys));
    for (int i = 0; i < COUNT(keys) && status == SS_OK; i++) {
        int32_t days = 0;
        status = ss_model_read_int32(reader, ss_yaml_find(node, keys[i]),
                                     ss_model_place("structural.half_life_days", keys[i]).text, 1,
                                     SS_DECAY_DAYS_MAX, &days);
        if (status == SS_OK)
            ss_decay_init(decays[i], days);
    }
    return status;
}

static enum ss_status read_code(const struct ss_model_reader *reader, int line, const char *where,
                                const char *text, char out[4])
{
    if (!text || strlen(text) != 3 || strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3)
        return ss_model_fail(reader, line, where,
                             "'%.20s' is not a currency; use its ISO code of three capitals",
                             text ? text : "");
    memcpy(out, text, 4);
    return SS_OK;
}

static int compare_codes(const void *a, const void *b)
{
    return strcmp(((const struct ss_currency *)a)->code, ((const struct ss_currency *)b)->code);
}

static enum ss_status read_decimals(const struct ss_model_reader *reader,
                                    const struct ss_yaml_node *node, const char *where, int *out)
{
    static const char *const keys[] = {"rate", "decimals"};
    int32_t value = 0;
    enum ss_status status = ss_model_read_map(reader, node, where, keys, COUNT(keys));
    if (status == SS_OK)
        status = ss_model_read_int32(reader, ss_yaml_find(node, "decimals"), where, 0, DECIMALS_MAX,
                                     &value);
    *out = value;
    return status;
}

static enum ss_status read_currencies(const struct ss_model_reader *reader,
                                      const struct ss_yaml_node *node, struct ss_model *model)
{
    const char *const place = "structural.currencies";
    if (node->kind != SS_YAML_MAP || node->count > SS_CURRENCIES_MAX)
        return ss_model_fail(reader, node->line, place,
                             "must be a map of 1 to %d currencies, as in "
                             "`USD: {rate: 7.10, decimals: 2}`",
                             SS_CURRENCIES_MAX);
    const struct ss_yaml_node *base = ss_yaml_find(node, model->base_currency);
    if (!base)
        return ss_model_fail(reader, node->line, place,
                             "the base currency '%s' is missing; add `%s: {rate: 1, decimals: …}`",
                             model->base_currency, model->base_currency);
    int base_decimals = 0;
    enum ss_status status =
        read_decimals(reader, base, ss_model_place(place, base->key).text, &base_decimals);
    if (status != SS_OK)
        return status;
    model->currency_count = 0;
    for (const struct ss_yaml_node *item = node->first; item; item = item->next) {
        struct ss_currency *currency = &model->currencies[model->currency_count++];
        int decimals = 0;
        const struct ss_place where = ss_model_place(place, item->key);
        status = read_code(reader, item->line, where.text, item->key, currency->code);
        if (status == SS_OK)
            status = read_decimals(reader, item, where.text, &decimals);
        if (status != SS_OK)
            return status;
        const struct ss_yaml_node *rate = ss_yaml_find(item, "rate");
        if (rate->kind != SS_YAML_SCALAR ||
            !ss_model_rate(rate->text, decimals, base_decimals, &currency->numerator,
                           &currency->denominator))
            return ss_model_fail(
                reader, rate->line, where.text,
                "rate '%.20s' must be a decimal above 0, such as 7.10, whose exact "
                "fraction of minor units has terms of at most %d; use fewer "
                "digits",
                rate->kind == SS_YAML_SCALAR ? rate->text : "", SS_RATE_TERM_MAX);
        if (item == base && (currency->numerator != 1 || currency->denominator != 1))
            return ss_model_fail(reader, rate->line, where.text,
                                 "the base currency's rate is '%.20s'; it must be 1", rate->text);
    }
    qsort(model->currencies, (size_t)model->currency_count, sizeof *model->currencies,
          compare_codes);
    return SS_OK;
}

static enum ss_status read_structural(const struct ss_model_reader *reader,
                                      const struct ss_yaml_node *node, struct ss_model *model)
{
    static const char *const keys[] = {"half_life_days", "recent_window", "recent_days",
                                       "friends_max",    "base_currency", "currencies"};
    enum ss_status status = ss_model_read_map(reader, node, "structural", keys, COUNT(keys));
    if (status == SS_OK)
        status = read_half_lives(reader, ss_yaml_find(node, "half_life_days"), model);
    if (status == SS_OK)
        status = ss_model_read_int32(reader, ss_yaml_find(node, "recent_window"),
                                     "structural.recent_window", 0, SS_RECENT_MAX,
                                     &model->recent_window);
    if (status == SS_OK)
        status =
            ss_model_read_int32(reader, ss_yaml_find(node, "recent_days"), "structural.recent_days",
                                1, SS_DECAY_DAYS_MAX, &model->recent_days);
    if (status == SS_OK)
        status =
            ss_model_read_int32(reader, ss_yaml_find(node, "friends_max"), "structural.friends_max",
                                0, SS_FRIENDS_MAX, &model->friends_max);
    if (status != SS_OK)
        return status;
    const struct ss_yaml_node *base = ss_yaml_find(node, "base_currency");
    status =
        read_code(reader, base->line, "structural.base_currency", base->text, model->base_currency);
    if (status == SS_OK)
        status = read_currencies(reader, ss_yaml_find(node, "currencies"), model);
    return status;
}

/* --- the whole --- */

static enum ss_status read_model(const struct ss_model_reader *reader,
                                 const struct ss_yaml_node *root, struct ss_model *model)
{
    static const char *const keys[] = {
        "name",         "factors",           "late_severity", "overdue_severity",
        "refund_share", "cancelled_share",   "booking_prior", "fact_points",
        "aged_days",    "aged_overdue_days", "listed_cap",    "revoke_margin",
        "tiers",        "benefits",          "structural"};
    const struct {
        const char *key;
        int32_t min, max;
        int32_t *out;
    } numbers[] = {
        {"refund_share", 0, SS_VALUE_MAX, &model->refund_share},
        {"cancelled_share", 0, SS_VALUE_MAX, &model->cancelled_share},
        {"booking_prior", 0, SS_MILLI_MAX, &model->booking_prior},
        {"aged_days", 1, SS_DECAY_DAYS_MAX, &model->aged_days},
        {"aged_overdue_days", 1, SS_DECAY_DAYS_MAX, &model->aged_overdue_days},
        {"listed_cap", SS_SCORE_MIN, SS_SCORE_MAX, &model->listed_cap},
        {"revoke_margin", 0, SS_SCORE_MAX - SS_SCORE_MIN, &model->revoke_margin},
    };
    enum ss_status status = ss_model_read_map(reader, root, "", keys, COUNT(keys));
    if (status == SS_OK)
        status = ss_model_read_name(reader, ss_yaml_find(root, "name"), "name", SS_MODEL_NAME_MAX,
                                    model->name);
    if (status == SS_OK)
        status = read_factors(reader, ss_yaml_find(root, "factors"), model);
    if (status == SS_OK)
        status = read_late_severity(reader, ss_yaml_find(root, "late_severity"), model);
    if (status == SS_OK)
        status = ss_model_read_curve(reader, ss_yaml_find(root, "overdue_severity"),
                                     "overdue_severity", SS_MILLI_MAX, &model->overdue_severity);
    for (int i = 0; i < COUNT(numbers) && status == SS_OK; i++)
        status = ss_model_read_int32(reader, ss_yaml_find(root, numbers[i].key), numbers[i].key,
                                     numbers[i].min, numbers[i].max, numbers[i].out);
    if (status == SS_OK)
        status = read_fact_points(reader, ss_yaml_find(root, "fact_points"), model);
    if (status == SS_OK)
        status = read_tiers(reader, ss_yaml_find(root, "tiers"), model);
    if (status == SS_OK)
        status = read_benefits(reader, ss_yaml_find(root, "benefits"), model);
    if (status == SS_OK)
        status = read_structural(reader, ss_yaml_find(root, "structural"), model);
    return status;
}

enum ss_status ss_model_parse(const char *text, size_t size, const char *source,
                              struct ss_model *model, struct ss_error *err)
{
    struct ss_yaml *document = NULL;
    enum ss_status status = ss_yaml_parse(text, size, source, &document, err);
    if (status != SS_OK)
        return status;
    memset(model, 0, sizeof *model);
    const struct ss_model_reader reader = {.source = source, .err = err};
    status = read_model(&reader, ss_yaml_root(document), model);
    ss_yaml_close(document);
    if (status == SS_OK)
        status = ss_model_version(model, model->version, err);
    if (status == SS_OK)
        ss_model_prepare(model);
    return status;
}

enum ss_status ss_model_load(const char *path, struct ss_model *model, struct ss_error *err)
{
    if (!path)
        return ss_model_default(model, err);
    char *text = NULL;
    size_t size = 0;
    enum ss_status status = ss_yaml_read_file(path, &text, &size, err);
    if (status == SS_OK)
        status = ss_model_parse(text, size, path, model, err);
    free(text);
    return status;
}

struct ss_bytes ss_model_default_text(void)
{
    return (struct ss_bytes){.data = ss_default_model_yaml, .size = ss_default_model_yaml_size};
}

enum ss_status ss_model_default(struct ss_model *model, struct ss_error *err)
{
    return ss_model_parse(ss_default_model_yaml, ss_default_model_yaml_size, "built-in model.yaml",
                          model, err);
}
