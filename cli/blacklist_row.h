/* blacklist_row.h - one row of a court's list as an event of the blacklist topic.
 *
 * The header says which column is which; the names are those of enum ss_blacklist_column. A row is
 * held to what the engine would hold its event to (ss_event_check), and to more where that can only
 * be a mistake, so that what is published is not dead-lettered. Pure but for SHA-256; one thread.
 */
#ifndef SS_CLI_BLACKLIST_ROW_H
#define SS_CLI_BLACKLIST_ROW_H

#include "cli/blacklist_csv.h"
#include "scoring/apply.h"

enum ss_blacklist_column {
    SS_COLUMN_USER_ID,
    SS_COLUMN_CASE_ID,
    SS_COLUMN_AUTHORITY,
    SS_COLUMN_AMOUNT_OWED, /* in major units: 1234.56 */
    SS_COLUMN_CURRENCY,
    SS_COLUMN_LISTED_AT,
    SS_COLUMN_ACTION, /* may be missing: LISTED */
    SS_COLUMN_COUNT
};

enum { SS_BLACKLIST_AUTHORITY_MAX = 512 }; /* bytes */

struct ss_blacklist_columns {
    int at[SS_COLUMN_COUNT]; /* which field; -1: not there */
};

/* An event and the room that it points into, beside the row's own. */
struct ss_blacklist_row {
    struct ss_event event;
    char event_id[40];
};

/* SS_STOP: a column is missing, unknown (unless `ignore`), or there twice. */
SS_MUST_USE enum ss_status ss_blacklist_columns_read(struct ss_blacklist_columns *columns,
                                                     const struct ss_csv_record *header,
                                                     bool ignore, struct ss_error *err);

/* NULL, or why the row is rejected: static text without anything of the row's. now_ms and
 * tolerance_ms: how far into the future a listing may lie. */
const char *ss_blacklist_row_read(struct ss_blacklist_row *row,
                                  const struct ss_blacklist_columns *columns,
                                  const struct ss_csv_record *record, const struct ss_model *model,
                                  int64_t now_ms, int64_t tolerance_ms);

/* Whole minor units of a decimal such as "1234.5", exactly; false: not one, or over
 * SS_AMOUNT_MAX. */
bool ss_blacklist_amount(struct ss_text text, int decimals, int64_t *minor);
/* How many digits ISO 4217 gives a currency's minor unit; -1: no such currency. */
int ss_blacklist_decimals(struct ss_text currency);
/* 2024-05-01, or with a time: T08:30, :00, .123 and Z or +08:00; without a zone it is UTC. */
bool ss_blacklist_time(struct ss_text text, int64_t *time_ms);

#endif
