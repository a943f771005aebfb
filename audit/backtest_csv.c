/* backtest_csv.c - everybody's scores as a table, for whoever wants to look on with other tools. */
#include "audit/backtest_report.h"

#include "audit/backtest_people.h"

#include <errno.h>
#include <inttypes.h>

static const char *const side_names[SS_SIDE_COUNT] = {"champion", "challenger"};

/* A field in quotes where it needs them, as RFC 4180 has it. */
static void field(FILE *file, struct ss_text text)
{
    if (!memchr(text.data, ',', text.size) && !memchr(text.data, '"', text.size)) {
        fwrite(text.data, 1, text.size, file);
        return;
    }
    fputc('"', file);
    for (uint32_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"')
            fputc('"', file);
        fputc(text.data[i], file);
    }
    fputc('"', file);
}

static void head(const struct ss_backtest_result *result, bool labels, FILE *file)
{
    fputs(labels ? "user_id,time,outcome" : "user_id", file);
    for (int s = 0; s <= result->has_challenger; s++) {
        fprintf(file, ",%s_score,%s_tier", side_names[s], side_names[s]);
        for (int f = 0; f < SS_FACTOR_COUNT; f++)
            fprintf(file, ",%s_%s", side_names[s], ss_factor_name((enum ss_factor)f));
    }
    fputc('\n', file);
}

enum ss_status ss_backtest_csv(const struct ss_backtest_result *result, bool labels,
                               const char *path, struct ss_error *err)
{
    const struct ss_backtest_rows *rows = labels ? &result->at_labels : &result->at_end;
    char words[SS_BACKTEST_WORDS_MAX];
    FILE *file = fopen(path, "w");
    if (!file)
        return ss_fail(err, SS_STOP, "cannot write %s: %s", path, strerror(errno));
    head(result, labels, file);
    for (size_t i = 0; i < rows->count; i++) {
        const struct ss_backtest_row *row = &rows->rows[i];
        field(file, ss_backtest_user(result, row->person));
        if (labels)
            fprintf(file, ",%s,%d", ss_backtest_time_words(words, row->time_ms), row->bad);
        for (int s = 0; s <= result->has_challenger; s++) {
            const struct ss_backtest_score *of = &row->of[s];
            fprintf(file, ",%d,%s", of->score, result->sides[s].tiers[of->tier].name);
            for (int f = 0; f < SS_FACTOR_COUNT; f++)
                fprintf(file, ",%d", of->values[f]);
        }
        fputc('\n', file);
    }
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed)
        return ss_fail(err, SS_STOP, "cannot write all of %s: %s", path, strerror(errno));
    return SS_OK;
}
