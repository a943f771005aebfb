/* key_file_add.c - a new key into a key file: written whole beside it, then renamed over it. */
#include "state/key_file.h"
#include "state/key_file_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 160 };

static const char head[] =
    "# Keys of sesame's per-user state. Whoever has this file can read the states: keep it as you\n"
    "# keep passwords, and keep a copy, for without it they are lost. docs/encryption.md tells "
    "more.\n"
    "# id  created  active-from  key\n";

static bool append(struct ss_key_text *text, const char *data, size_t size)
{
    if (size > SS_KEY_FILE_BYTES_MAX - text->size)
        return false;
    memcpy(text->data + text->size, data, size);
    text->size += size;
    return true;
}

static bool append_key(struct ss_key_text *text, const struct ss_key_entry *entry)
{
    char created[SS_KEY_TIME_SIZE], active_from[SS_KEY_TIME_SIZE];
    uint8_t key[SS_SEAL_KEY_SIZE];
    char encoded[sodium_base64_ENCODED_LEN(SS_SEAL_KEY_SIZE, sodium_base64_VARIANT_ORIGINAL)];
    char line[LINE_MAX_BYTES];
    randombytes_buf(key, sizeof key);
    sodium_bin2base64(encoded, sizeof encoded, key, sizeof key, sodium_base64_VARIANT_ORIGINAL);
    int size = snprintf(line, sizeof line, "%u %s %s %s\n", entry->id,
                        ss_key_time_text(entry->created_ms, created),
                        ss_key_time_text(entry->active_from_ms, active_from), encoded);
    bool fits = size > 0 && (size_t)size < sizeof line && append(text, line, (size_t)size);
    sodium_memzero(key, sizeof key);
    sodium_memzero(encoded, sizeof encoded);
    sodium_memzero(line, sizeof line);
    return fits;
}

static bool write_all(int fd, const struct ss_key_text *text)
{
    for (size_t at = 0; at < text->size;) {
        ssize_t n = write(fd, text->data + at, text->size - at);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0)
            at += (size_t)n;
    }
    return fsync(fd) == 0;
}

static bool sync_folder(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return synced;
}

/* The file of that name is new, and ours alone: nobody else adds a key meanwhile. */
static enum ss_status write_new(const char *temporary, const char *path,
                                const struct ss_key_text *text, bool existed, int fd,
                                struct ss_error *err)
{
    bool written = write_all(fd, text);
    if (written && existed)
        written = fchown(fd, text->stat.st_uid, text->stat.st_gid) == 0 &&
                  fchmod(fd, text->stat.st_mode & 0700) == 0;
    if (written)
        written = rename(temporary, path) == 0 && sync_folder(path);
    return written
               ? SS_OK
               : ss_fail(err, SS_STOP, "cannot write key file %.200s: %s", path, strerror(errno));
}

/* The text of the file as it is, or a new one's, and the id to give. */
static enum ss_status read_old(const char *path, struct ss_key_text *text, bool *existed,
                               uint32_t *id, struct ss_error *err)
{
    bool absent;
    enum ss_status status = ss_key_text_read(path, text, &absent, err);
    *id = 1;
    *existed = !absent;
    if (absent) {
        text->data = sodium_malloc(SS_KEY_FILE_BYTES_MAX);
        if (!text->data)
            return ss_fail(err, SS_STOP, "out of memory for keys");
        (void)append(text, head, sizeof head - 1);
        return SS_OK;
    }
    struct ss_key_file *file = NULL;
    if (status == SS_OK)
        status = ss_key_file_parse(path, text, &file, err);
    if (status != SS_OK)
        return status;
    size_t count = ss_key_file_count(file);
    for (size_t i = 0; i < count; i++)
        if (ss_key_file_entry(file, i)->id >= *id)
            *id = ss_key_file_entry(file, i)->id + 1;
    ss_key_file_close(file);
    if (count == SS_SEAL_KEYS_MAX)
        return ss_fail(err, SS_STOP, "key file %.200s has %d keys already; retire old ones", path,
                       SS_SEAL_KEYS_MAX);
    if (*id > SS_SEAL_KEY_ID_MAX)
        return ss_fail(err, SS_STOP, "key file %.200s has used up all ids", path);
    if (text->size > 0 && text->data[text->size - 1] != '\n' && !append(text, "\n", 1))
        return ss_fail(err, SS_STOP, "key file %.200s has no room for another key", path);
    return SS_OK;
}

enum ss_status ss_key_file_add(const char *path, int64_t now_ms, int64_t active_from_ms,
                               struct ss_key_entry *added, struct ss_error *err)
{
    struct ss_key_text text = {0};
    char target[PATH_MAX], temporary[PATH_MAX + 8];
    bool existed;
    /* Through a link, so that what it points to is replaced and not the link. */
    if (!realpath(path, target) &&
        (errno != ENOENT || (size_t)snprintf(target, sizeof target, "%s", path) >= sizeof target))
        return ss_fail(err, SS_STOP, "key file %.200s: %s", path, strerror(errno));
    snprintf(temporary, sizeof temporary, "%s.new", target);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return ss_fail(err, SS_STOP,
                       "%.200s is there: another `sesame keys new` is at work, or was killed; in "
                       "that case remove it",
                       temporary);
    if (fd < 0)
        return ss_fail(err, SS_STOP, "cannot make %.200s: %s", temporary, strerror(errno));
    *added = (struct ss_key_entry){.created_ms = now_ms / 1000 * 1000,
                                   .active_from_ms = active_from_ms / 1000 * 1000};
    enum ss_status status = read_old(target, &text, &existed, &added->id, err);
    /* A first key seals whatever its time is. One ahead would take over again from a second key. */
    if (!existed)
        added->active_from_ms = added->created_ms;
    if (status == SS_OK && !append_key(&text, added))
        status = ss_fail(err, SS_STOP, "key file %.200s has no room for another key", path);
    if (status == SS_OK)
        status = write_new(temporary, target, &text, existed, fd, err);
    close(fd);
    if (status != SS_OK)
        unlink(temporary); /* gone already where only the last sync failed */
    ss_key_text_reset(&text);
    return status;
}
