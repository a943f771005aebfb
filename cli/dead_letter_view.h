/* dead_letter_view.h - a dead letter as `sesame dead-letters` reads and shows it
 * (consumer/dead_letter.h says how one is written).
 *
 * What is shown goes to an operator's terminal and was written by strangers: every text is escaped
 * like a JSON string.
 */
#ifndef SS_CLI_DEAD_LETTER_VIEW_H
#define SS_CLI_DEAD_LETTER_VIEW_H

#include "consumer/kafka_reader.h"
#include "schemas/registry.h"

struct ss_letter {
    struct ss_kafka_record record; /* borrowed from the reader */
    char reason[48], detail[200];  /* reason "" : not written by this engine */
    char topic[256], version[48], sha256[72], replayed[48];
    int32_t partition;            /* where it came from; -1: not said */
    int64_t offset, timestamp_ms; /* -1: not said */
    int64_t size;                 /* of the value as it was */
    bool by_hash;                 /* the value was too large to be kept */
};

/* Where decoded values come from; the registry may be NULL. */
struct ss_letter_view {
    struct ss_registry *registry;
    bool registry_away; /* it did not answer: not asked again */
    struct ss_buffer text;
};

void ss_letter_read(const struct ss_kafka_record *record, struct ss_letter *letter);
/* Whether a header is one that the engine added. */
bool ss_letter_own_header(const char *name);

void ss_letter_view_init(struct ss_letter_view *view, struct ss_registry *registry);
void ss_letter_view_reset(struct ss_letter_view *view);

/* Makes view->text a few lines for people, or one line of JSON. false: out of memory, or too large.
 */
SS_MUST_USE bool ss_letter_show(struct ss_letter_view *view, const struct ss_letter *letter);
SS_MUST_USE bool ss_letter_show_json(struct ss_letter_view *view, const struct ss_letter *letter);
/* Makes view->text "payments [0] 345, key "u1", 131 bytes". */
SS_MUST_USE bool ss_letter_show_origin(struct ss_letter_view *view, const struct ss_letter *letter);

#endif
