#include "cli/backtest_labels.h"

#include "cli/blacklist_csv.h"
#include "cli/time_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { USER, TIME, OUTCOME, COLUMNS };

struct reading {
    const char *path;
    struct ss_labels *labels;
    int column[COLUMNS];
};

static bool is_one_of(struct ss_text text, const char *const *names)
{
    for (; *names; names++)
        if (strlen(*names) == text.size && strncasecmp(text.data, *names, text.size) == 0)
            return true;
    return false;
}

/* Whether the first line is a heading; sets the columns. */
static bool find_columns(struct reading *reading, const struct ss_csv_record *record)
{
    static const char *const names[COLUMNS][4] = {
        {"user", "user_id"}, {"time", "at", "date"}, {"outcome", "label", "bad"}};
    int found = 0, column[COLUMNS];
    for (int c = 0; c < COLUMNS; c++) {
        column[c] = -1;
        for (int i = record->field_count - 1; i >= 0; i--)
            if (is_one_of(record->fields[i], names[c]))
                column[c] = i;
        found += column[c] >= 0;
    }
    if (found == COLUMNS)
        memcpy(reading->column, column, sizeof column);
    return found == COLUMNS;
}

static enum ss_status bad_line(const struct reading *reading, const struct ss_csv_record *record,
                               const char *what, struct ss_error *err)
{
    return ss_fail(err, SS_STOP,
                   "%s, line %" PRId64 ": %s; a line is user,time,outcome, such as "
                   "alice,2005-10-01,0",
                   reading->path, record->line, what);
}

static enum ss_status add(struct reading *reading, const struct ss_csv_record *record,
                          struct ss_error *err)
{
    static const char *const bads[] = {"1", "bad", "true", "yes", "default", "defaulted", NULL};
    static const char *const goods[] = {"0", "good", "false", "no", "paid", "ok", NULL};
    struct ss_labels *labels = reading->labels;
    struct ss_backtest_label label;
    char time[64];
    if (record->fault)
        return bad_line(reading, record, record->fault, err);
    for (int c = 0; c < COLUMNS; c++)
        if (reading->column[c] >= record->field_count)
            return bad_line(reading, record, "it has too few columns", err);
    struct ss_text user = record->fields[reading->column[USER]];
    struct ss_text when = record->fields[reading->column[TIME]];
    struct ss_text outcome = record->fields[reading->column[OUTCOME]];
    if (user.size == 0 || user.size > SS_USER_ID_MAX)
        return bad_line(reading, record, "the user id has not 1 to 64 bytes", err);
    snprintf(time, sizeof time, "%.*s", (int)when.size, when.data);
    if (when.size >= sizeof time || !ss_time_parse(time, &label.time_ms))
        return bad_line(reading, record, "its time is none", err);
    label.bad = is_one_of(outcome, bads);
    if (!label.bad && !is_one_of(outcome, goods))
        return bad_line(reading, record, "its outcome is neither 1 (bad) nor 0 (good)", err);
    if (labels->count == labels->capacity) {
        size_t capacity = labels->capacity ? labels->capacity * 2 : 1024;
        void *list = realloc(labels->list, capacity * sizeof *labels->list);
        if (!list)
            return ss_fail(err, SS_STOP, "out of memory for %zu labels", labels->count);
        labels->list = list;
        labels->capacity = capacity;
    }
    if (!ss_buffer_append(&labels->ids, user.data, user.size))
        return ss_fail(err, SS_STOP, "out of memory for %zu labels", labels->count);
    label.user_id = (struct ss_text){NULL, user.size}; /* the buffer may still move */
    labels->list[labels->count++] = label;
    return SS_OK;
}

enum ss_status ss_labels_read(const char *path, struct ss_labels *labels, struct ss_error *err)
{
    struct reading reading = {.path = path, .labels = labels, .column = {USER, TIME, OUTCOME}};
    struct ss_csv_record record;
    struct ss_csv *csv;
    bool more = true, first = true;
    *labels = (struct ss_labels){0};
    ss_buffer_init(&labels->ids, SIZE_MAX / 2);
    enum ss_status status = ss_csv_open(path, &csv, err);
    if (status != SS_OK)
        return status;
    ss_csv_expect(csv, 0, false);
    while ((status = ss_csv_next(csv, &record, &more, err)) == SS_OK && more) {
        if (!first || record.fault || !find_columns(&reading, &record))
            status = add(&reading, &record, err);
        first = false;
        if (status != SS_OK)
            break;
    }
    ss_csv_close(csv);
    if (status == SS_OK && labels->count == 0)
        status = ss_fail(err, SS_STOP, "%s has no labels in it", path);
    size_t at = 0;
    for (size_t i = 0; status == SS_OK && i < labels->count; i++) {
        labels->list[i].user_id.data = (const char *)labels->ids.data + at;
        at += labels->list[i].user_id.size;
    }
    return status;
}

void ss_labels_reset(struct ss_labels *labels)
{
    free(labels->list);
    ss_buffer_reset(&labels->ids);
    *labels = (struct ss_labels){0};
}
