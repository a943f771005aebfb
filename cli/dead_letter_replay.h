/* dead_letter_replay.h - sends dead letters back to where they came from: the original key, value
 * and headers, and a header sesame.replayed that names the dead letter. */
#ifndef SS_CLI_DEAD_LETTER_REPLAY_H
#define SS_CLI_DEAD_LETTER_REPLAY_H

#include "cli/dead_letter_view.h"
#include "config/config.h"

struct ss_letter_replay; /* opaque */

struct ss_letter_replay_config {
    const struct ss_config *config;
    const struct ss_kafka_access *access;
    const char *to; /* NULL: each to its own topic, which must be an input of the config */
    bool dry_run, verbose;
};

struct ss_letter_replayed {
    int64_t sent, not_replayable, failed;
};

SS_MUST_USE enum ss_status ss_letter_replay_open(const struct ss_letter_replay_config *config,
                                                 struct ss_letter_replay **replay,
                                                 struct ss_error *err);
/* Anything but SS_OK: going on makes no sense. What happens to a single one is counted, and said on
 * standard error if it is bad. */
SS_MUST_USE enum ss_status ss_letter_replay_send(struct ss_letter_replay *replay,
                                                 const struct ss_letter *letter,
                                                 struct ss_error *err);
/* Waits for the acknowledgements; *counts are final. */
void ss_letter_replay_finish(struct ss_letter_replay *replay, struct ss_letter_replayed *counts);
void ss_letter_replay_close(struct ss_letter_replay *replay); /* NULL is fine */

#endif
