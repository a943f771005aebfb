#include "cli/dead_letter_view.h"

#include "cli/time_text.h"
#include "consumer/dead_letter.h"
#include "schemas/wire_json.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TEXT_MAX = 256 << 20,
    DECODED_MAX = 64 << 10, /* of a value shown to people */
    HEX_BYTES = 48,
};

/* --- reading --- */

static void copy_text(struct ss_bytes value, char *out, size_t size)
{
    size_t used = value.size < size - 1 ? value.size : size - 1;
    if (used)
        memcpy(out, value.data, used);
    out[used] = '\0';
}

static int64_t number_of(struct ss_bytes value)
{
    char text[24], *end;
    copy_text(value, text, sizeof text);
    long long number = strtoll(text, &end, 10);
    return end == text || *end ? -1 : number;
}

bool ss_letter_own_header(const char *name)
{
    return strncmp(name, SS_DEAD_LETTER_PREFIX, sizeof SS_DEAD_LETTER_PREFIX - 1) == 0;
}

void ss_letter_read(const struct ss_kafka_record *record, struct ss_letter *letter)
{
    struct ss_header header;
    *letter = (struct ss_letter){.record = *record,
                                 .partition = -1,
                                 .offset = -1,
                                 .timestamp_ms = -1,
                                 .size = (int64_t)record->value.size};
    for (size_t i = 0; ss_kafka_reader_header(record, i, &header); i++) {
        if (!ss_letter_own_header(header.name))
            continue;
        const char *name = header.name + sizeof SS_DEAD_LETTER_PREFIX - 1;
        struct ss_bytes value = header.value;
        if (strcmp(name, "reason") == 0)
            copy_text(value, letter->reason, sizeof letter->reason);
        else if (strcmp(name, "detail") == 0)
            copy_text(value, letter->detail, sizeof letter->detail);
        else if (strcmp(name, "topic") == 0)
            copy_text(value, letter->topic, sizeof letter->topic);
        else if (strcmp(name, "version") == 0)
            copy_text(value, letter->version, sizeof letter->version);
        else if (strcmp(name, "replayed") == 0)
            copy_text(value, letter->replayed, sizeof letter->replayed);
        else if (strcmp(name, "sha256") == 0)
            copy_text(value, letter->sha256, sizeof letter->sha256);
        else if (strcmp(name, "partition") == 0)
            letter->partition = (int32_t)number_of(value);
        else if (strcmp(name, "offset") == 0)
            letter->offset = number_of(value);
        else if (strcmp(name, "timestamp") == 0)
            letter->timestamp_ms = number_of(value);
        else if (strcmp(name, "size") == 0)
            letter->size = number_of(value);
    }
    letter->by_hash = letter->sha256[0] != '\0';
}

/* --- showing --- */

void ss_letter_view_init(struct ss_letter_view *view, struct ss_registry *registry)
{
    *view = (struct ss_letter_view){.registry = registry};
    ss_buffer_init(&view->text, TEXT_MAX);
}

void ss_letter_view_reset(struct ss_letter_view *view)
{
    ss_buffer_reset(&view->text);
}

static bool put(struct ss_letter_view *view, const char *text)
{
    return ss_buffer_append(&view->text, text, strlen(text));
}

static bool put_f(struct ss_letter_view *view, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool put_f(struct ss_letter_view *view, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    return put(view, line);
}

static bool put_text(struct ss_letter_view *view, const char *text)
{
    return ss_json_append_text(&view->text, (struct ss_bytes){text, strlen(text)});
}

/* As put_text, but without the quotes. */
static bool put_bare(struct ss_letter_view *view, const char *text)
{
    size_t before = view->text.size;
    if (!put_text(view, text))
        return false;
    view->text.size -= 2;
    memmove(view->text.data + before, view->text.data + before + 1, view->text.size - before);
    return true;
}

static bool is_text(struct ss_bytes bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        if (((const uint8_t *)bytes.data)[i] < 0x20 || ((const uint8_t *)bytes.data)[i] > 0x7e)
            return false;
    return true;
}

/* Appends the value as JSON; false: it cannot be, and *err says why. */
static bool decode(struct ss_letter_view *view, const struct ss_letter *letter, size_t size_max,
                   struct ss_error *err)
{
    const char *none = letter->by_hash              ? "the value was not kept"
                       : !letter->record.value.data ? "no value"
                       : !view->registry            ? "registry.url is not set"
                       : view->registry_away        ? "the registry does not answer"
                                                    : NULL;
    if (none) {
        (void)ss_fail(err, SS_DROP, "%s", none);
        return false;
    }
    size_t whole_max = view->text.size_max;
    if (size_max < whole_max - view->text.size)
        view->text.size_max = view->text.size + size_max;
    enum ss_status status = ss_wire_to_json(view->registry, letter->record.value, &view->text, err);
    view->text.size_max = whole_max;
    view->registry_away = status == SS_RETRY;
    return status == SS_OK;
}

static bool put_hex(struct ss_letter_view *view, struct ss_bytes bytes)
{
    bool fits = true;
    for (size_t i = 0; fits && i < bytes.size && i < HEX_BYTES; i++)
        fits = put_f(view, "%02x%s", ((const uint8_t *)bytes.data)[i], i % 4 == 3 ? " " : "");
    return fits && (bytes.size <= HEX_BYTES || put(view, "…"));
}

static bool put_key(struct ss_letter_view *view, struct ss_bytes key)
{
    if (!key.data)
        return put(view, "no key");
    return put(view, "key ") && ss_json_append_text(&view->text, key);
}

bool ss_letter_show_origin(struct ss_letter_view *view, const struct ss_letter *letter)
{
    view->text.size = 0;
    return put_bare(view, letter->topic[0] ? letter->topic : "(origin unknown)") &&
           put_f(view, " [%" PRId32 "] %" PRId64 ", ", letter->partition, letter->offset) &&
           put_key(view, letter->record.key) && put_f(view, ", %" PRId64 " bytes", letter->size);
}

static bool put_value(struct ss_letter_view *view, const struct ss_letter *letter)
{
    struct ss_error why;
    if (letter->by_hash)
        return put(view, "    too large to be kept; sha256 ") && put_bare(view, letter->sha256) &&
               put(view, "\n");
    if (!letter->record.value.data)
        return put(view, "    no value\n");
    if (!put(view, "    "))
        return false;
    if (decode(view, letter, DECODED_MAX, &why))
        return put(view, "\n");
    return put_hex(view, letter->record.value) && put(view, "\n    (") &&
           put_bare(view, why.detail) && put(view, ")\n");
}

bool ss_letter_show(struct ss_letter_view *view, const struct ss_letter *letter)
{
    char when[40];
    if (!ss_letter_show_origin(view, letter))
        return false;
    char *origin = strndup((const char *)view->text.data, view->text.size);
    if (!origin)
        return false;
    view->text.size = 0;
    bool fits = put_f(view, "[%" PRId32 "] %" PRId64 "  %s  ", letter->record.partition,
                      letter->record.offset,
                      ss_time_format(letter->record.timestamp_ms, when, sizeof when)) &&
                put_bare(view, letter->reason[0] ? letter->reason : "(no reason)") &&
                put(view, letter->detail[0] ? ": " : "") && put_bare(view, letter->detail) &&
                put(view, "\n    from ") && put(view, origin);
    free(origin);
    if (fits && letter->replayed[0])
        fits = put(view, ", was replayed from dead letter ") && put_bare(view, letter->replayed);
    return fits && put(view, "\n") && put_value(view, letter);
}

/* --- JSON --- */

/* ,"name":"text" if the bytes are plain text, else ,"name_base64":"…"; null if there are none. */
static bool put_bytes(struct ss_letter_view *view, const char *name, struct ss_bytes bytes,
                      bool text_allowed)
{
    if (!bytes.data)
        return put_f(view, ",\"%s\":null", name);
    if (text_allowed && is_text(bytes))
        return put_f(view, ",\"%s\":", name) && ss_json_append_text(&view->text, bytes);
    size_t size = sodium_base64_encoded_len(bytes.size, sodium_base64_VARIANT_ORIGINAL);
    if (!put_f(view, ",\"%s_base64\":\"", name) || !ss_buffer_reserve(&view->text, size))
        return false;
    sodium_bin2base64((char *)view->text.data + view->text.size, size, bytes.data, bytes.size,
                      sodium_base64_VARIANT_ORIGINAL);
    view->text.size += size - 1; /* its closing zero */
    return put(view, "\"");
}

static bool put_member(struct ss_letter_view *view, const char *name, const char *text)
{
    return put_f(view, ",\"%s\":", name) && (text[0] ? put_text(view, text) : put(view, "null"));
}

static bool put_headers(struct ss_letter_view *view, const struct ss_letter *letter)
{
    struct ss_header header;
    bool fits = put(view, ",\"headers\":[");
    for (size_t i = 0; fits && ss_kafka_reader_header(&letter->record, i, &header); i++)
        fits = put(view, i ? ",{\"name\":" : "{\"name\":") && put_text(view, header.name) &&
               put_bytes(view, "value", header.value, true) && put(view, "}");
    return fits && put(view, "]");
}

bool ss_letter_show_json(struct ss_letter_view *view, const struct ss_letter *letter)
{
    struct ss_error why;
    view->text.size = 0;
    bool fits =
        put_f(view, "{\"partition\":%" PRId32 ",\"offset\":%" PRId64 ",\"timestamp_ms\":%" PRId64,
              letter->record.partition, letter->record.offset, letter->record.timestamp_ms) &&
        put_member(view, "reason", letter->reason) && put_member(view, "detail", letter->detail) &&
        put_f(view,
              ",\"origin\":{\"partition\":%" PRId32 ",\"offset\":%" PRId64
              ",\"timestamp_ms\":%" PRId64,
              letter->partition, letter->offset, letter->timestamp_ms) &&
        put_member(view, "topic", letter->topic) && put(view, "}") &&
        put_member(view, "version", letter->version) &&
        put_member(view, "replayed", letter->replayed) &&
        put_f(view, ",\"size\":%" PRId64, letter->size) &&
        put_member(view, "sha256", letter->sha256) &&
        put_bytes(view, "key", letter->record.key, true);
    if (fits && !letter->by_hash)
        fits = put_bytes(view, "value", letter->record.value, false);
    if (!fits || !put_headers(view, letter))
        return false;
    size_t before = view->text.size;
    if (!put(view, ",\"decoded\":"))
        return false;
    if (!decode(view, letter, TEXT_MAX, &why)) {
        view->text.size = before;
        if (!put_member(view, "not_decoded", why.detail))
            return false;
    }
    return put(view, "}\n");
}
