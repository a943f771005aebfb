#include "audit/score_table.h"

#include "scoring/apply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct row {
    size_t user_id, line, line_size; /* offsets into text */
    size_t user_id_size;
};

struct ss_score_table {
    const struct ss_models *models;
    int64_t as_of_ms;
    bool count_only;
    struct ss_buffer text;
    struct row *rows;
    size_t count, capacity;
};

/* A row where its text lies. */
struct line {
    const uint8_t *text;
    const struct row *row;
};

enum ss_status ss_score_table_open(const struct ss_models *models, int64_t as_of_ms,
                                   bool count_only, struct ss_score_table **out,
                                   struct ss_error *err)
{
    struct ss_score_table *table = calloc(1, sizeof *table);
    *out = table;
    if (!table)
        return ss_fail(err, SS_STOP, "out of memory for the scores");
    table->models = models;
    table->as_of_ms = as_of_ms;
    table->count_only = count_only;
    ss_buffer_init(&table->text, SIZE_MAX / 2);
    return SS_OK;
}

void ss_score_table_close(struct ss_score_table *table)
{
    if (!table)
        return;
    ss_buffer_reset(&table->text);
    free(table->rows);
    free(table);
}

int64_t ss_score_table_count(const struct ss_score_table *table)
{
    return (int64_t)table->count;
}

/* A field in quotes where it needs them, as RFC 4180 has it. */
static bool append_field(struct ss_buffer *text, struct ss_bytes field)
{
    const char *bytes = field.data;
    bool quote = false;
    for (size_t i = 0; i < field.size; i++)
        quote = quote || bytes[i] == ',' || bytes[i] == '"';
    if (!quote)
        return ss_buffer_append(text, bytes, field.size);
    bool fine = ss_buffer_append(text, "\"", 1);
    for (size_t i = 0; fine && i < field.size; i++)
        fine = (bytes[i] != '"' || ss_buffer_append(text, "\"", 1)) &&
               ss_buffer_append(text, &bytes[i], 1);
    return fine && ss_buffer_append(text, "\"", 1);
}

static bool append_line(struct ss_score_table *table, struct ss_bytes user_id,
                        const struct ss_user_state *state, const struct ss_score *score,
                        int64_t as_of_ms)
{
    static const char *const standings[] = {"NONE", "SCORED", "LISTED", "OPTED_OUT"};
    const struct ss_model *model = ss_model_of(table->models, state);
    char numbers[512];
    size_t used = (size_t)snprintf(numbers, sizeof numbers, ",%d,%s,%s,%lld", score->score,
                                   model->tiers[score->tier].name,
                                   standings[state->published.standing], (long long)as_of_ms);
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        used += (size_t)snprintf(numbers + used, sizeof numbers - used, ",%d,%d.%02d",
                                 score->factors[f].value, score->factors[f].points_centi / 100,
                                 score->factors[f].points_centi % 100);
    return append_field(&table->text, user_id) && ss_buffer_append(&table->text, numbers, used) &&
           ss_buffer_append(&table->text, "\n", 1);
}

static bool grow(struct ss_score_table *table)
{
    if (table->count < table->capacity)
        return true;
    size_t capacity = table->capacity ? table->capacity * 2 : 1024;
    struct row *rows = realloc(table->rows, capacity * sizeof *rows);
    if (!rows)
        return false;
    table->rows = rows;
    table->capacity = capacity;
    return true;
}

enum ss_status ss_score_table_add(struct ss_score_table *table, struct ss_bytes user_id,
                                  const struct ss_user_state *state, struct ss_error *err)
{
    struct ss_score score;
    if (!state->consents.scoring)
        return SS_OK;
    if (table->count_only) {
        table->count++;
        return SS_OK;
    }
    if (!grow(table))
        return ss_fail(err, SS_STOP, "out of memory for the scores");
    int64_t as_of_ms = table->as_of_ms == INT64_MAX ? state->published.as_of_ms : table->as_of_ms;
    struct row *row = &table->rows[table->count++];
    *row = (struct row){.user_id = table->text.size, .user_id_size = user_id.size};
    int64_t clock_ms = table->as_of_ms == INT64_MAX ? state->published.horizon_ms : as_of_ms;
    ss_score_compute(ss_model_of(table->models, state), state, as_of_ms, clock_ms, &score);
    bool fine = ss_buffer_append(&table->text, user_id.data, user_id.size);
    row->line = table->text.size;
    if (!fine || !append_line(table, user_id, state, &score, as_of_ms))
        return ss_fail(err, SS_STOP, "out of memory for the scores");
    row->line_size = table->text.size - row->line;
    return SS_OK;
}

static int by_user_id(const void *a, const void *b)
{
    const struct line *left = a, *right = b;
    const struct row *x = left->row, *y = right->row;
    size_t size = x->user_id_size < y->user_id_size ? x->user_id_size : y->user_id_size;
    int order = memcmp(left->text + x->user_id, right->text + y->user_id, size);
    if (order != 0)
        return order;
    return x->user_id_size < y->user_id_size ? -1 : x->user_id_size > y->user_id_size;
}

static enum ss_status write_lines(const struct line *lines, size_t count, const char *path,
                                  struct ss_error *err)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return ss_fail(err, SS_STOP, "cannot write %s: %s", path, strerror(errno));
    fprintf(file, "user_id,score,tier,standing,as_of");
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        fprintf(file, ",%s_value,%s_points", ss_factor_name((enum ss_factor)f),
                ss_factor_name((enum ss_factor)f));
    fputc('\n', file);
    for (size_t i = 0; i < count; i++)
        fwrite(lines[i].text + lines[i].row->line, 1, lines[i].row->line_size, file);
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed)
        return ss_fail(err, SS_STOP, "cannot write all of %s: %s", path, strerror(errno));
    return SS_OK;
}

enum ss_status ss_score_table_write(struct ss_score_table *const *tables, size_t count,
                                    const char *path, struct ss_error *err)
{
    size_t total = 0, used = 0;
    for (size_t t = 0; t < count; t++)
        total += tables[t] ? tables[t]->count : 0;
    struct line *lines = calloc(total + 1, sizeof *lines);
    if (!lines)
        return ss_fail(err, SS_STOP, "out of memory for the scores");
    for (size_t t = 0; t < count; t++)
        for (size_t i = 0; tables[t] && i < tables[t]->count; i++)
            lines[used++] = (struct line){tables[t]->text.data, &tables[t]->rows[i]};
    qsort(lines, total, sizeof *lines, by_user_id);
    enum ss_status status = write_lines(lines, total, path, err);
    free(lines);
    return status;
}
