#include "consumer/dead_letter.h"

#include "base/version.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>

enum { OWN_HEADERS = 9, OWN_TEXTS = 5 };

struct headers {
    struct ss_header list[SS_HEADERS_MAX + OWN_HEADERS];
    size_t count;
    char text[OWN_TEXTS][72]; /* of numbers and the hash */
    size_t texts;
};

static void add(struct headers *headers, const char *name, struct ss_bytes value)
{
    assert(headers->count < SS_HEADERS_MAX + OWN_HEADERS);
    headers->list[headers->count++] = (struct ss_header){name, value};
}

static void add_text(struct headers *headers, const char *name, const char *text)
{
    add(headers, name, (struct ss_bytes){text, strlen(text)});
}

static void add_number(struct headers *headers, const char *name, int64_t number)
{
    assert(headers->texts < OWN_TEXTS);
    char *text = headers->text[headers->texts++];
    snprintf(text, sizeof headers->text[0], "%lld", (long long)number);
    add_text(headers, name, text);
}

static void add_own(struct headers *headers, const struct ss_worker_config *config,
                    const struct ss_record *record, const struct ss_dead_letter *letter)
{
    add_text(headers, SS_DEAD_LETTER_PREFIX "reason", letter->reason);
    add_text(headers, SS_DEAD_LETTER_PREFIX "detail", letter->detail);
    add_text(headers, SS_DEAD_LETTER_PREFIX "topic", config->topics[record->input]);
    add_number(headers, SS_DEAD_LETTER_PREFIX "partition", record->partition);
    add_number(headers, SS_DEAD_LETTER_PREFIX "offset", record->offset);
    add_number(headers, SS_DEAD_LETTER_PREFIX "timestamp", record->timestamp_ms);
    add_text(headers, SS_DEAD_LETTER_PREFIX "version", SS_VERSION);
}

/* The names that this engine gives, the one that tells a loop excepted. */
static bool is_own(const char *name)
{
    return strncmp(name, SS_DEAD_LETTER_PREFIX, sizeof SS_DEAD_LETTER_PREFIX - 1) == 0 &&
           strcmp(name, SS_DEAD_LETTER_REPLAYED) != 0;
}

/* false: too many, or too large together with the key. */
static bool add_originals(struct headers *headers, struct ss_bus *bus,
                          const struct ss_record *record)
{
    struct ss_header original;
    size_t bytes = record->key.size;
    for (size_t i = 0; bus->ops->header(bus, record, i, &original); i++) {
        if (is_own(original.name))
            continue;
        bytes += strlen(original.name) + original.value.size;
        if (headers->count == SS_HEADERS_MAX || bytes > SS_DEAD_LETTER_KEY_AND_HEADERS_MAX)
            return false;
        add(headers, original.name, original.value);
    }
    return bytes <= SS_DEAD_LETTER_KEY_AND_HEADERS_MAX;
}

static enum ss_status send_coordinates(const struct ss_worker_config *config,
                                       const struct ss_record *record,
                                       const struct ss_dead_letter *letter, struct ss_error *err)
{
    struct headers headers = {.count = 0};
    unsigned char hash[crypto_hash_sha256_BYTES];
    struct ss_bytes key = record->key;

    static_assert(sizeof headers.text[0] > 2 * sizeof hash, "a hash in hex must fit");
    add_own(&headers, config, record, letter);
    add_number(&headers, SS_DEAD_LETTER_PREFIX "size", (int64_t)record->value.size);
    char *hex = headers.text[headers.texts++];
    crypto_hash_sha256(hash, record->value.data, record->value.size);
    sodium_bin2hex(hex, sizeof headers.text[0], hash, sizeof hash);
    add_text(&headers, SS_DEAD_LETTER_PREFIX "sha256", hex);
    if (key.size > SS_DEAD_LETTER_SHORT_KEY_MAX)
        key = (struct ss_bytes){NULL, 0};
    return config->bus->ops->produce(config->bus, SS_TO_DEAD_LETTERS, record->partition, key,
                                     (struct ss_bytes){"", 0}, headers.list, headers.count, false,
                                     err);
}

enum ss_status ss_dead_letter_send(const struct ss_worker_config *config,
                                   const struct ss_record *record,
                                   const struct ss_dead_letter *letter, struct ss_error *err)
{
    struct headers headers = {.count = 0};
    if (record->value.size <= config->limits.dead_letter_bytes_max &&
        add_originals(&headers, config->bus, record)) {
        add_own(&headers, config, record, letter);
        enum ss_status status = config->bus->ops->produce(
            config->bus, SS_TO_DEAD_LETTERS, record->partition, record->key, record->value,
            headers.list, headers.count, false, err);
        if (status != SS_DROP)
            return status;
    }
    return send_coordinates(config, record, letter, err);
}
