/* oracle_letters.c - dead letters: each refused record once, in the transaction that passed it. */
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>

static struct ss_bytes header_of(const struct sim_record *record, const char *name)
{
    for (size_t i = 0; i < record->header_count; i++)
        if (strcmp(record->headers[i].name, name) == 0)
            return record->headers[i].value;
    return (struct ss_bytes){0};
}

static bool is_text(struct ss_bytes value, const char *text)
{
    return value.data && value.size == strlen(text) && memcmp(value.data, text, value.size) == 0;
}

static bool is_number(struct ss_bytes value, int64_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)number);
    return is_text(value, text);
}

void oracle_read_letters(struct oracle *oracle)
{
    struct sim_world *world = oracle->world;
    const struct sim_log *log = &world->targets[SS_TO_DEAD_LETTERS][oracle->partition];
    oracle->letters = sim_alloc(world->arena, ((size_t)log->end + 1) * sizeof *oracle->letters);
    int64_t at = 0;
    const struct sim_record *record;
    while ((record = sim_log_next(log, &at, log->end, true)))
        oracle->letters[oracle->letter_count++] = (struct oracle_letter){record, at - 1, false};
}

static bool is_whole(const struct sim_record *letter, const struct sim_record *record)
{
    if (!ss_bytes_equal(letter->key, record->key) ||
        !ss_bytes_equal(letter->value, record->value) || !letter->key.data != !record->key.data ||
        !letter->value.data != !record->value.data)
        return false;
    for (const struct ss_header *h = record->headers; h && h->name; h++)
        if (!ss_bytes_equal(header_of(letter, h->name), h->value))
            return false;
    return true;
}

void oracle_letter(struct oracle *oracle, const struct sim_record *record, enum ss_input input,
                   int64_t offset, const char *reason)
{
    int found = 0;
    for (size_t i = 0; i < oracle->letter_count; i++) {
        struct oracle_letter *letter = &oracle->letters[i];
        const struct sim_record *sent = letter->record;
        if (letter->used || !is_number(header_of(sent, "sesame.offset"), offset) ||
            !is_text(header_of(sent, "sesame.topic"), ss_input_name(input)) ||
            !is_number(header_of(sent, "sesame.partition"), oracle->partition))
            continue;
        found++;
        letter->used = true;
        bool large = record->value.size > SIM_LETTER_BYTES_MAX;
        if (sent->txn != oracle->txn)
            sim_differ(oracle->world, "%s [%d] %lld: its dead letter is in txn %d, not in %d",
                       ss_input_name(input), oracle->partition, (long long)offset,
                       sent->txn->number, oracle->txn->number);
        else if (!is_text(header_of(sent, "sesame.reason"), reason))
            sim_differ(oracle->world, "%s [%d] %lld: dead-lettered as %.*s, not as %s",
                       ss_input_name(input), oracle->partition, (long long)offset,
                       (int)header_of(sent, "sesame.reason").size,
                       (const char *)header_of(sent, "sesame.reason").data, reason);
        else if (large ? !is_number(header_of(sent, "sesame.size"), (int64_t)record->value.size)
                       : !is_whole(sent, record))
            sim_differ(oracle->world, "%s [%d] %lld: its dead letter is not what it was",
                       ss_input_name(input), oracle->partition, (long long)offset);
    }
    if (found != 1)
        sim_differ(oracle->world, "%s [%d] %lld: %d dead letters (%s)", ss_input_name(input),
                   oracle->partition, (long long)offset, found, reason);
}

void oracle_no_letter_left(struct oracle *oracle)
{
    for (size_t i = 0; i < oracle->letter_count; i++)
        if (!oracle->letters[i].used)
            sim_differ(oracle->world, "dead letter %d:%lld is of no refused record",
                       oracle->partition, (long long)oracle->letters[i].offset);
}
