/* helper_blacklist.h - a court's list in a folder of its own, with what an import leaves beside it.
 */
#ifndef SS_TESTS_CLI_HELPER_BLACKLIST_H
#define SS_TESTS_CLI_HELPER_BLACKLIST_H

#include "scoring/event.h"

/* Paths in the folder. */
struct list_files {
    char list[64], rejects[64], progress[64];
};
extern struct list_files files; /* of the test at hand */

#define COLUMNS "user_id,case_id,authority,amount_owed,currency,listed_at"

/* For the suite: make the folder; remove it, which fails if something else is in it. */
void list_open(void);
void list_close(void);

/* The list is this from now on. */
void list_write(const char *string);

struct ss_text list_text(const char *string);

#endif
