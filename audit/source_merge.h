/* source_merge.h - the inputs of a partition in the order of their events' times: how an audit
 * folds a history that it was not told the interleaving of.
 *
 * Each input is kept in its own order; ties go in the order consents, blacklist, then the rest as
 * enum ss_input lists them. The same logs give the same sequence. One thread.
 */
#ifndef SS_AUDIT_SOURCE_MERGE_H
#define SS_AUDIT_SOURCE_MERGE_H

#include "audit/source.h"

struct ss_merge_config {
    struct ss_source *source;
    struct ss_puller_config puller;
    int64_t until_ms; /* events that occurred later are left out; INT64_MAX: none are */
    /* Ends each input at its first event that occurred later, so that what was read is a cut
     * through the logs from which reading can go on; else what follows it and is earlier still
     * comes. */
    bool cut;
    /* An event that is beyond its record's time by more than this is refused by whoever applies it,
     * and comes right away, so that it holds nobody back. Only where records have times; 0: none.
     */
    int64_t future_tolerance_ms;
    /* Users without any record in `consents` are taken to have granted SCORING just before their
     * first event, and SOCIAL just before their first friend: for studies. Reads the consents once
     * more, at opening. */
    bool assume_consent;
};

struct ss_merge;

/* Statuses of ss_puller_open and ss_puller_next. */
SS_MUST_USE enum ss_status ss_merge_open(const struct ss_merge_config *config,
                                         struct ss_merge **merge, struct ss_error *err);
/* The next event, a rejected one among them; NULL: that is all. It lives until the next call. An
 * assumed grant has the event id "assumed" and takes an offset of its own in `consents`.
 * SS_RETRY: call again. */
SS_MUST_USE enum ss_status
ss_merge_next(struct ss_merge *merge, const struct ss_source_event **event, struct ss_error *err);
/* How many events of the same input lie in a row from the one that was given last, it included:
 * what comes of that input next. */
size_t ss_merge_row(const struct ss_merge *merge);
const struct ss_puller *ss_merge_puller(const struct ss_merge *merge); /* for reports */
void ss_merge_close(struct ss_merge *merge);                           /* NULL is fine */

#endif
