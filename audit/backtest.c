#include "audit/backtest_internal.h"

#include "audit/source_merge.h"
#include "config/model_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PROGRESS_EVENTS = 1 << 14, AWAY_SECONDS_MAX = 60 };

struct run {
    const struct ss_backtest_options *options;
    struct ss_backtest_result *result;
    int64_t newest_ms;
};

const char *ss_backtest_measure_name(int measure)
{
    return measure == SS_BACKTEST_SCORE ? "score" : ss_factor_name((enum ss_factor)measure);
}

struct ss_text ss_backtest_user(const struct ss_backtest_result *result, uint32_t person)
{
    return ss_people_id(result->who, person);
}

/* ---- the models ---- */

static int by_from(const void *a, const void *b)
{
    const struct ss_tier *x = a, *y = b;
    return x->from != y->from ? (x->from > y->from) - (x->from < y->from)
                              : strcmp(x->name, y->name);
}

int ss_backtest_tier(const struct ss_backtest_side_facts *side, const struct ss_tier *tier)
{
    for (int i = 0; i < side->tier_count; i++)
        if (by_from(&side->tiers[i], tier) == 0)
            return i;
    return 0;
}

static void add_tiers(struct ss_backtest_side_facts *side, const struct ss_model *model)
{
    for (int t = 0; t < model->tier_count; t++) {
        bool there = false;
        for (int i = 0; i < side->tier_count; i++)
            there = there || by_from(&side->tiers[i], &model->tiers[t]) == 0;
        if (!there)
            side->tiers[side->tier_count++] = model->tiers[t];
    }
}

static void describe_side(struct ss_backtest_side_facts *side, const struct ss_models *models)
{
    snprintf(side->name, sizeof side->name, "%s", models->person->name);
    snprintf(side->version, sizeof side->version, "%s", models->person->version);
    add_tiers(side, models->person);
    if (models->business) {
        snprintf(side->business_version, sizeof side->business_version, "%s",
                 models->business->version);
        add_tiers(side, models->business);
    }
    qsort(side->tiers, (size_t)side->tier_count, sizeof side->tiers[0], by_from);
}

static void look_for_friends(struct run *run)
{
    const struct ss_backtest_options *options = run->options;
    bool matter = false;
    for (int side = 0; side <= run->result->has_challenger; side++)
        matter = matter || ss_friends_matter(options->models[side].person);
    if (!matter || !ss_source_has(options->source, SS_SOCIAL))
        return;
    run->result->friends_followed = ss_source_kind(options->source) != SS_SOURCE_PLAIN &&
                                    ss_source_has(options->source, SS_NEIGHBOURS);
    run->result->friends_left_out = !run->result->friends_followed;
}

static enum ss_status open_people(struct run *run, struct ss_error *err)
{
    const struct ss_backtest_options *options = run->options;
    struct ss_backtest_result *result = run->result;
    const struct ss_models *folds[SS_SIDE_COUNT] = {&options->models[SS_CHAMPION],
                                                    &options->models[SS_CHALLENGER]};
    char structural[SS_SIDE_COUNT][SS_NAME_MAX];
    result->has_challenger = options->models[SS_CHALLENGER].person != NULL;
    enum ss_status status = SS_OK;
    look_for_friends(run);
    for (int side = 0; status == SS_OK && side <= result->has_challenger; side++) {
        describe_side(&result->sides[side], folds[side]);
        status = ss_model_structural_version(folds[side]->person, structural[side], err);
    }
    if (status != SS_OK)
        return status;
    result->refolded = result->has_challenger && strcmp(structural[0], structural[1]) != 0;
    return ss_people_open(folds, result->refolded ? 2 : 1, options->future_tolerance_ms,
                          result->friends_followed, &result->who, err);
}

/* ---- the history ---- */

static enum ss_status count_event(struct run *run, const struct ss_source_event *event,
                                  int32_t partition, struct ss_error *err)
{
    struct ss_backtest_result *result = run->result;
    enum ss_outcome outcome = SS_REFUSED;
    if (event->event.input == SS_NEIGHBOURS) /* nobody's event, and not accounted as one */
        return event->reject ? SS_OK
                             : ss_people_apply(result->who, &event->event, partition, event->offset,
                                               event->timestamp_ms, &outcome, err);
    if (++result->events % PROGRESS_EVENTS == 0 && run->options->progress)
        run->options->progress(run->options->progress_arg, result->events);
    if (!event->reject) {
        enum ss_status status = ss_people_apply(result->who, &event->event, partition,
                                                event->offset, event->timestamp_ms, &outcome, err);
        if (status != SS_OK)
            return status;
    }
    result->outcomes[outcome]++;
    if (outcome == SS_REFUSED)
        return SS_OK;
    if (event->event.occurred_at_ms > run->newest_ms)
        run->newest_ms = event->event.occurred_at_ms;
    if (event->event.occurred_at_ms < result->first_ms)
        result->first_ms = event->event.occurred_at_ms;
    return SS_OK;
}

/* Kafka or the registry may be away for a while. */
static enum ss_status next_event(const struct run *run, struct ss_merge *merge,
                                 const struct ss_source_event **event, struct ss_error *err)
{
    enum ss_status status = SS_RETRY;
    for (int second = 0; status == SS_RETRY && second <= AWAY_SECONDS_MAX; second++) {
        if (second)
            nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
        if (atomic_load(run->options->stop))
            return ss_fail(err, SS_STOP, "interrupted");
        status = ss_merge_next(merge, event, err);
    }
    return status;
}

static enum ss_status read_partition(struct run *run, int32_t partition, struct ss_error *err)
{
    const struct ss_backtest_options *options = run->options;
    struct ss_merge_config config = {.source = options->source,
                                     .puller = {.partition = partition},
                                     .until_ms = options->until_ms,
                                     .assume_consent = options->assume_consent};
    const struct ss_source_event *event = NULL;
    struct ss_merge *merge = NULL;
    config.puller.inputs_skipped[SS_NEIGHBOURS] = !run->result->friends_followed;
    enum ss_status status = ss_merge_open(&config, &merge, err);
    while (status == SS_OK) {
        status = next_event(run, merge, &event, err);
        if (status != SS_OK || !event)
            break;
        status = count_event(run, event, partition, err);
    }
    if (status == SS_OK && run->result->friends_followed) {
        struct ss_source_report report;
        ss_puller_report(ss_merge_puller(merge), SS_NEIGHBOURS, &report);
        run->result->friends_cut |= report.out_of_time > 0;
    }
    ss_merge_close(merge);
    return status;
}

static enum ss_status read_history(struct run *run, struct ss_error *err)
{
    const struct ss_backtest_options *options = run->options;
    struct ss_backtest_result *result = run->result;
    enum ss_status status = SS_OK;
    for (size_t i = 0; status == SS_OK && i < options->label_count; i++) {
        const struct ss_backtest_label *label = &options->labels[i];
        status = ss_people_add_label(result->who, label->user_id, label->time_ms, label->bad, err);
    }
    result->source = ss_source_kind_name(ss_source_kind(options->source));
    result->first_ms = INT64_MAX;
    run->newest_ms = INT64_MIN;
    int32_t partitions = ss_source_partition_count(options->source);
    for (int32_t p = 0; status == SS_OK && p < partitions; p++)
        status = read_partition(run, p, err);
    if (status != SS_OK)
        return status;
    if (run->newest_ms == INT64_MIN)
        return ss_fail(err, SS_STOP, "the history holds no event%s that could be scored",
                       options->until_ms != INT64_MAX ? " up to --until" : "");
    result->as_of_ms = options->until_ms != INT64_MAX ? options->until_ms : run->newest_ms;
    return SS_OK;
}

/* ---- the scores ---- */

static enum ss_status add_row(struct ss_backtest_rows *rows, const struct ss_backtest_row *row,
                              struct ss_error *err)
{
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity ? rows->capacity * 2 : 1024;
        struct ss_backtest_row *moved = realloc(rows->rows, capacity * sizeof *moved);
        if (!moved)
            return ss_fail(err, SS_STOP, "out of memory for %zu scores", rows->count);
        rows->rows = moved;
        rows->capacity = capacity;
    }
    rows->rows[rows->count++] = *row;
    return SS_OK;
}

/* *scored false: there is no grant at that moment. */
static enum ss_status score_moment(const struct run *run, size_t moment, int64_t as_of_ms,
                                   struct ss_backtest_row *row, bool *scored, struct ss_error *err)
{
    const struct ss_backtest_result *result = run->result;
    struct ss_user_state state;
    struct ss_score score;
    for (int side = 0; side <= result->has_challenger; side++) {
        enum ss_status status =
            ss_people_state(result->who, moment, ss_backtest_fold(result, side), &state, err);
        if (status != SS_OK)
            return status;
        *scored = state.consents.scoring;
        if (!*scored)
            return SS_OK;
        const struct ss_model *model = ss_model_of(&run->options->models[side], &state);
        struct ss_backtest_score *of = &row->of[side];
        ss_score_compute(model, &state, as_of_ms, as_of_ms, &score);
        *of = (struct ss_backtest_score){
            .score = (int16_t)score.score,
            .tier = (uint8_t)ss_backtest_tier(&result->sides[side], &model->tiers[score.tier]),
            .listed = score.listed,
            .business = ss_is_business(&run->options->models[side], &state)};
        for (int f = 0; f < SS_FACTOR_COUNT; f++) {
            of->values[f] = (int16_t)score.factors[f].value;
            of->points_centi[f] = score.factors[f].points_centi;
        }
    }
    return SS_OK;
}

static enum ss_status score_all(struct run *run, struct ss_error *err)
{
    struct ss_backtest_result *result = run->result;
    struct ss_backtest_labelled *labelled = &result->labelled;
    size_t count = ss_people_moment_count(result->who);
    enum ss_status status = SS_OK;
    for (size_t i = 0; status == SS_OK && i < count; i++) {
        const struct ss_moment *moment = ss_people_moment(result->who, i);
        bool end = moment->time_ms == SS_MOMENT_END, scored;
        struct ss_backtest_row row = {.person = moment->person,
                                      .moment = (uint32_t)i,
                                      .time_ms = moment->time_ms,
                                      .bad = moment->bad};
        if ((i & 1023) == 0 && atomic_load(run->options->stop))
            return ss_fail(err, SS_STOP, "interrupted");
        status =
            score_moment(run, i, end ? result->as_of_ms : moment->time_ms - 1, &row, &scored, err);
        if (status != SS_OK)
            break;
        if (scored)
            status = add_row(end ? &result->at_end : &result->at_labels, &row, err);
        if (end)
            result->people += ss_people_met(result->who, moment->person);
        else if (!ss_people_met(result->who, moment->person))
            labelled->unknown++;
        else if (!scored)
            labelled->unscored++;
        if (end && scored) {
            result->scored++;
            result->listed += row.of[SS_CHAMPION].listed;
        }
    }
    return status;
}

static int by_user(const void *a, const void *b, void *arg)
{
    const struct ss_backtest_row *x = a, *y = b;
    struct ss_text i = ss_people_id(arg, x->person), j = ss_people_id(arg, y->person);
    int order = memcmp(i.data, j.data, i.size < j.size ? i.size : j.size);
    if (order == 0)
        order = (i.size > j.size) - (i.size < j.size);
    return order ? order : (x->time_ms > y->time_ms) - (x->time_ms < y->time_ms);
}

static void sort_rows(struct ss_backtest_result *result, struct ss_backtest_rows *rows)
{
    if (rows->count)
        qsort_r(rows->rows, rows->count, sizeof *rows->rows, by_user, result->who);
}

enum ss_status ss_backtest_run(const struct ss_backtest_options *options,
                               struct ss_backtest_result *result, struct ss_error *err)
{
    struct run run = {.options = options, .result = result};
    memset(result, 0, sizeof *result);
    result->has_labels = options->label_count > 0;
    result->labelled.labels = (int64_t)options->label_count;
    enum ss_status status = open_people(&run, err);
    if (status == SS_OK)
        status = read_history(&run, err);
    if (status == SS_OK)
        status = score_all(&run, err);
    if (status == SS_OK && result->scored == 0 && result->at_labels.count == 0)
        status = ss_fail(err, SS_STOP,
                         "of the %lld people in the history nobody has granted SCORING; "
                         "--assume-consent scores them for a study",
                         (long long)result->people);
    if (status != SS_OK)
        return status;
    sort_rows(result, &result->at_end);
    sort_rows(result, &result->at_labels);
    status = ss_backtest_describe(result, err);
    if (status == SS_OK && result->has_challenger)
        status = ss_backtest_compare(options, result, err);
    if (status == SS_OK && result->has_labels)
        status = ss_backtest_measure(result, err);
    return status;
}

void ss_backtest_reset(struct ss_backtest_result *result)
{
    ss_people_close(result->who);
    free(result->at_end.rows);
    free(result->at_labels.rows);
    memset(result, 0, sizeof *result);
}
