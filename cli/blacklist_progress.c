#include "cli/blacklist_progress.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#define FIRST_LINE "sesame blacklist import: progress, version 1"

static bool read_text(FILE *file, const char *name, char *out, size_t size)
{
    char line[4200];
    size_t length = strlen(name);
    if (!fgets(line, sizeof line, file) || strncmp(line, name, length) != 0 || line[length] != ' ')
        return false;
    char *value = line + length + 1, *end = strchr(value, '\n');
    if (!end || (size_t)(end - value) >= size)
        return false;
    memcpy(out, value, (size_t)(end - value));
    out[end - value] = '\0';
    return true;
}

static bool read_number(FILE *file, const char *name, int64_t *out)
{
    char text[32];
    int used = 0;
    return read_text(file, name, text, sizeof text) &&
           sscanf(text, "%" SCNd64 "%n", out, &used) == 1 && text[used] == '\0' && *out >= 0;
}

static bool read_all(FILE *file, struct ss_blacklist_progress *p)
{
    char first[80], hex[2 * SS_CSV_DIGEST_SIZE + 1];
    size_t size;
    return fgets(first, sizeof first, file) && strcmp(first, FIRST_LINE "\n") == 0 &&
           read_text(file, "cluster", p->cluster, sizeof p->cluster) &&
           read_text(file, "topic", p->topic, sizeof p->topic) &&
           read_number(file, "size", &p->size) && read_number(file, "offset", &p->offset) &&
           read_number(file, "line", &p->line) && read_text(file, "digest", hex, sizeof hex) &&
           sodium_hex2bin(p->digest, sizeof p->digest, hex, strlen(hex), NULL, &size, NULL) == 0 &&
           size == sizeof p->digest && read_number(file, "rows", &p->rows) &&
           read_number(file, "published", &p->published) &&
           read_number(file, "rejected", &p->rejected) &&
           read_text(file, "rejects", p->rejects, sizeof p->rejects) &&
           read_number(file, "rejects_bytes", &p->rejects_bytes);
}

enum ss_status ss_blacklist_progress_load(const char *path, struct ss_blacklist_progress *progress,
                                          bool *found, struct ss_error *err)
{
    FILE *file = fopen(path, "re");
    *found = false;
    if (!file)
        return errno == ENOENT
                   ? SS_OK
                   : ss_fail(err, SS_STOP, "cannot read %.300s: %s", path, strerror(errno));
    *found = read_all(file, progress);
    fclose(file);
    return *found
               ? SS_OK
               : ss_fail(err, SS_STOP,
                         "%.300s holds no progress that this version could go on from; --restart "
                         "imports from the beginning and replaces it",
                         path);
}

static bool write_all(FILE *file, const struct ss_blacklist_progress *p)
{
    char hex[2 * SS_CSV_DIGEST_SIZE + 1];
    sodium_bin2hex(hex, sizeof hex, p->digest, sizeof p->digest);
    fprintf(file, FIRST_LINE "\ncluster %s\ntopic %s\n", p->cluster, p->topic);
    fprintf(file, "size %" PRId64 "\noffset %" PRId64 "\nline %" PRId64 "\ndigest %s\n", p->size,
            p->offset, p->line, hex);
    fprintf(file, "rows %" PRId64 "\npublished %" PRId64 "\nrejected %" PRId64 "\n", p->rows,
            p->published, p->rejected);
    fprintf(file, "rejects %s\nrejects_bytes %" PRId64 "\n", p->rejects, p->rejects_bytes);
    return fflush(file) == 0 && !ferror(file) && fsync(fileno(file)) == 0;
}

enum ss_status ss_blacklist_progress_save(const char *path,
                                          const struct ss_blacklist_progress *progress,
                                          struct ss_error *err)
{
    char draft[PATH_MAX];
    if (snprintf(draft, sizeof draft, "%s.new", path) >= (int)sizeof draft)
        return ss_fail(err, SS_STOP, "the name of the progress file is too long");
    FILE *file = fopen(draft, "we");
    bool written = file && write_all(file, progress);
    int trouble = errno;
    if (file && fclose(file) != 0 && written) {
        written = false;
        trouble = errno;
    }
    if (written && rename(draft, path) != 0) {
        written = false;
        trouble = errno;
    }
    if (written)
        return SS_OK;
    if (file)
        unlink(draft);
    return ss_fail(err, SS_STOP, "cannot write %.300s (--progress FILE puts it elsewhere): %s",
                   path, strerror(trouble));
}
