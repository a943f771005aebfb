#include "state/key_file.h"

#include "state/key_file_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { BASE64_SIZE = 44 }; /* of 32 bytes, with padding */

struct ss_key_file {
    struct ss_key_file_identity identity;
    size_t count;
    struct ss_key_entry entries[SS_SEAL_KEYS_MAX];
    uint8_t (*keys)[SS_SEAL_KEY_SIZE]; /* of sodium_malloc */
};

/* --- times --- */

char *ss_key_time_text(int64_t time_ms, char out[SS_KEY_TIME_SIZE])
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(out, SS_KEY_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return out;
}

/* Exactly what ss_key_time_text writes. */
static bool parse_time(const char *text, size_t size, int64_t *time_ms)
{
    char word[SS_KEY_TIME_SIZE], again[SS_KEY_TIME_SIZE];
    struct tm utc = {0};
    if (size >= sizeof word)
        return false;
    memcpy(word, text, size);
    word[size] = '\0';
    const char *end = strptime(word, "%Y-%m-%dT%H:%M:%SZ", &utc);
    if (!end || *end)
        return false;
    *time_ms = (int64_t)timegm(&utc) * 1000;
    return *time_ms >= 0 && strcmp(ss_key_time_text(*time_ms, again), word) == 0;
}

/* --- the text --- */

void ss_key_text_reset(struct ss_key_text *text)
{
    sodium_free(text->data); /* wipes */
    *text = (struct ss_key_text){0};
}

static enum ss_status check_stat(const char *path, const struct stat *stat, struct ss_error *err)
{
    if (!S_ISREG(stat->st_mode))
        return ss_fail(err, SS_STOP, "key file %.200s is not a regular file", path);
    if (stat->st_mode & (S_IRWXG | S_IRWXO))
        return ss_fail(err, SS_STOP,
                       "key file %.200s has mode %04o, which lets others than its owner in: "
                       "chmod 600 it",
                       path, (unsigned)(stat->st_mode & 07777));
    if (stat->st_uid != geteuid() && stat->st_uid != 0)
        return ss_fail(err, SS_STOP,
                       "key file %.200s belongs to user %u: it must be of the user who runs this "
                       "(%u), or of root",
                       path, (unsigned)stat->st_uid, (unsigned)geteuid());
    if (stat->st_size > SS_KEY_FILE_BYTES_MAX)
        return ss_fail(err, SS_STOP, "key file %.200s is larger than %d bytes", path,
                       SS_KEY_FILE_BYTES_MAX);
    return SS_OK;
}

/* By read(2): a stream would leave keys in its buffer. */
static enum ss_status read_all(int fd, const char *path, struct ss_key_text *text,
                               struct ss_error *err)
{
    while (text->size < SS_KEY_FILE_BYTES_MAX) {
        ssize_t n = read(fd, text->data + text->size, SS_KEY_FILE_BYTES_MAX - text->size);
        if (n == 0)
            return SS_OK;
        if (n > 0)
            text->size += (size_t)n;
        else if (errno != EINTR)
            return ss_fail(err, SS_STOP, "cannot read key file %.200s: %s", path, strerror(errno));
    }
    return SS_OK;
}

enum ss_status ss_key_text_read(const char *path, struct ss_key_text *text, bool *absent,
                                struct ss_error *err)
{
    *text = (struct ss_key_text){0};
    if (sodium_init() < 0)
        return ss_fail(err, SS_STOP, "libsodium does not start");
    /* O_NONBLOCK: a pipe of that name must be refused, not waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (absent)
        *absent = fd < 0 && errno == ENOENT;
    if (fd < 0)
        return ss_fail(err, SS_STOP, "cannot open key file %.200s: %s", path, strerror(errno));
    enum ss_status status =
        fstat(fd, &text->stat) == 0
            ? check_stat(path, &text->stat, err)
            : ss_fail(err, SS_STOP, "key file %.200s: %s", path, strerror(errno));
    if (status == SS_OK && !(text->data = sodium_malloc(SS_KEY_FILE_BYTES_MAX)))
        status = ss_fail(err, SS_STOP, "out of memory for keys");
    if (status == SS_OK)
        status = read_all(fd, path, text, err);
    close(fd);
    if (status != SS_OK)
        ss_key_text_reset(text);
    return status;
}

/* --- parsing --- */

struct word {
    const char *text;
    size_t size;
};

enum { WORDS = 4 };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The words of a line; WORDS + 1 where there are more. */
static int split(const char *at, const char *end, struct word words[WORDS])
{
    for (int count = 0;; count++) {
        while (at < end && is_blank(*at))
            at++;
        if (at == end)
            return count;
        if (count == WORDS)
            return WORDS + 1;
        words[count].text = at;
        while (at < end && !is_blank(*at))
            at++;
        words[count].size = (size_t)(at - words[count].text);
    }
}

static bool parse_id(struct word word, uint32_t *id)
{
    uint64_t value = 0;
    if (word.size > 9 || word.text[0] == '0')
        return false;
    for (size_t i = 0; i < word.size; i++) {
        if (word.text[i] < '0' || word.text[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(word.text[i] - '0');
    }
    *id = (uint32_t)value;
    return value <= SS_SEAL_KEY_ID_MAX;
}

static bool parse_key(struct word word, uint8_t key[SS_SEAL_KEY_SIZE])
{
    const char *end;
    size_t size;
    return word.size == BASE64_SIZE &&
           sodium_base642bin(key, SS_SEAL_KEY_SIZE, word.text, word.size, NULL, &size, &end,
                             sodium_base64_VARIANT_ORIGINAL) == 0 &&
           size == SS_SEAL_KEY_SIZE && end == word.text + word.size;
}

/* What is wrong with a key's line; NULL: nothing, and the key is added. Static text: whatever
 * stands in the line could be a key at the wrong place. */
static const char *parse_line(struct ss_key_file *file, const char *at, const char *end)
{
    struct word words[WORDS];
    struct ss_key_entry entry;
    if (split(at, end, words) != WORDS)
        return "a key's line has four words: ID CREATED ACTIVE-FROM KEY; a comment begins with #";
    if (!parse_id(words[0], &entry.id))
        return "the id must be a number from 1 to 268435455";
    if (!parse_time(words[1].text, words[1].size, &entry.created_ms))
        return "the time of creation must look like 2026-03-01T09:00:00Z";
    if (!parse_time(words[2].text, words[2].size, &entry.active_from_ms))
        return "the time from which the key seals must look like 2026-03-01T09:00:00Z";
    for (size_t i = 0; i < file->count; i++)
        if (file->entries[i].id == entry.id)
            return "another key has this id already";
    if (file->count == SS_SEAL_KEYS_MAX)
        return "there are more than 64 keys; retire old ones";
    if (!parse_key(words[3], file->keys[file->count]))
        return "the key must be 32 bytes in base64 (44 characters)";
    for (size_t i = 0; i < file->count; i++)
        if (sodium_memcmp(file->keys[i], file->keys[file->count], SS_SEAL_KEY_SIZE) == 0)
            return "another id has this very key";
    file->entries[file->count++] = entry;
    return NULL;
}

static struct ss_key_file_identity identity_of(const struct stat *stat)
{
    return (struct ss_key_file_identity){
        .device = (uint64_t)stat->st_dev,
        .inode = (uint64_t)stat->st_ino,
        .modified_ns = (int64_t)stat->st_mtim.tv_sec * 1000000000 + stat->st_mtim.tv_nsec,
        .changed_ns = (int64_t)stat->st_ctim.tv_sec * 1000000000 + stat->st_ctim.tv_nsec,
        .size = (int64_t)stat->st_size,
    };
}

static enum ss_status parse_lines(const char *path, const struct ss_key_text *text,
                                  struct ss_key_file *file, struct ss_error *err)
{
    const char *at = text->data, *end = text->data + text->size;
    for (int line = 1; at < end; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop)
            stop = end;
        const char *first = at;
        while (first < stop && is_blank(*first))
            first++;
        const char *wrong = first == stop || *first == '#' ? NULL : parse_line(file, first, stop);
        if (wrong)
            return ss_fail(err, SS_STOP, "key file %.200s, line %d: %s", path, line, wrong);
        at = stop < end ? stop + 1 : end;
    }
    if (file->count == 0)
        return ss_fail(err, SS_STOP, "key file %.200s has no key; `sesame keys new` makes one",
                       path);
    return SS_OK;
}

enum ss_status ss_key_file_parse(const char *path, const struct ss_key_text *text,
                                 struct ss_key_file **out, struct ss_error *err)
{
    *out = NULL;
    struct ss_key_file *file = calloc(1, sizeof *file);
    if (file)
        file->keys = sodium_allocarray(SS_SEAL_KEYS_MAX, SS_SEAL_KEY_SIZE);
    if (!file || !file->keys) {
        ss_key_file_close(file);
        return ss_fail(err, SS_STOP, "out of memory for keys");
    }
    file->identity = identity_of(&text->stat);
    enum ss_status status = parse_lines(path, text, file, err);
    if (status != SS_OK)
        ss_key_file_close(file);
    else
        *out = file;
    return status;
}

/* --- the handle --- */

enum ss_status ss_key_file_open(const char *path, struct ss_key_file **out, struct ss_error *err)
{
    struct ss_key_text text;
    *out = NULL;
    enum ss_status status = ss_key_text_read(path, &text, NULL, err);
    if (status == SS_OK)
        status = ss_key_file_parse(path, &text, out, err);
    ss_key_text_reset(&text);
    return status;
}

void ss_key_file_close(struct ss_key_file *file)
{
    if (!file)
        return;
    sodium_free(file->keys); /* wipes */
    free(file);
}

size_t ss_key_file_count(const struct ss_key_file *file)
{
    return file->count;
}

const struct ss_key_entry *ss_key_file_entry(const struct ss_key_file *file, size_t i)
{
    assert(i < file->count);
    return &file->entries[i];
}

const struct ss_key_file_identity *ss_key_file_identity(const struct ss_key_file *file)
{
    return &file->identity;
}

/* Whether a is to seal rather than b, at a time. */
static bool preferred(const struct ss_key_entry *a, const struct ss_key_entry *b, int64_t now_ms)
{
    bool a_active = a->active_from_ms <= now_ms, b_active = b->active_from_ms <= now_ms;
    if (a_active != b_active)
        return a_active;
    if (a->active_from_ms != b->active_from_ms)
        return a_active ? a->active_from_ms > b->active_from_ms
                        : a->active_from_ms < b->active_from_ms;
    return a->id > b->id;
}

size_t ss_key_file_current(const struct ss_key_file *file, int64_t now_ms)
{
    size_t current = 0;
    for (size_t i = 1; i < file->count; i++)
        if (preferred(&file->entries[i], &file->entries[current], now_ms))
            current = i;
    return current;
}

int64_t ss_key_file_next_change_ms(const struct ss_key_file *file, int64_t now_ms)
{
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < file->count; i++) {
        int64_t from_ms = file->entries[i].active_from_ms;
        if (from_ms > now_ms && from_ms < next_ms)
            next_ms = from_ms;
    }
    return next_ms;
}

bool ss_key_file_look(const char *path, struct ss_key_file_identity *out)
{
    struct stat found;
    if (stat(path, &found) != 0)
        return false;
    *out = identity_of(&found);
    return true;
}

enum ss_status ss_key_file_sealer(const struct ss_key_file *file, int64_t now_ms,
                                  enum ss_plain_states plain, struct ss_sealer **out,
                                  struct ss_error *err)
{
    struct ss_seal_key keys[SS_SEAL_KEYS_MAX];
    for (size_t i = 0; i < file->count; i++)
        keys[i] = (struct ss_seal_key){file->entries[i].id, file->keys[i]};
    return ss_sealer_open(keys, file->count, ss_key_file_current(file, now_ms), plain, out, err);
}
