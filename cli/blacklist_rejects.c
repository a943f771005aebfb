#include "cli/blacklist_rejects.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct ss_blacklist_rejects {
    FILE *file;
    char path[512];
};

static enum ss_status cannot(const struct ss_blacklist_rejects *rejects, struct ss_error *err)
{
    return ss_fail(err, SS_STOP, "cannot write %.300s: %s", rejects->path, strerror(errno));
}

enum ss_status ss_blacklist_rejects_open(const char *path, struct ss_text header, int64_t keep,
                                         struct ss_blacklist_rejects **out, struct ss_error *err)
{
    struct ss_blacklist_rejects *rejects = calloc(1, sizeof *rejects);
    enum ss_status status = SS_OK;
    if (!rejects)
        return ss_fail(err, SS_STOP, "out of memory");
    snprintf(rejects->path, sizeof rejects->path, "%s", path);
    rejects->file = fopen(path, keep > 0 ? "r+e" : "we");
    if (!rejects->file || fseeko(rejects->file, 0, SEEK_END) != 0)
        status = cannot(rejects, err);
    else if (keep > ftello(rejects->file))
        status = ss_fail(err, SS_STOP,
                         "%.300s lacks rejected rows that the earlier run had written to it", path);
    else if (ftruncate(fileno(rejects->file), keep) != 0 ||
             fseeko(rejects->file, keep, SEEK_SET) != 0)
        status = cannot(rejects, err);
    if (status != SS_OK) {
        ss_blacklist_rejects_close(rejects);
        return status;
    }
    if (keep == 0)
        fprintf(rejects->file, "rejected_line,rejected_because,%.*s\n", (int)header.size,
                header.data);
    *out = rejects;
    return SS_OK;
}

static void put_quoted(FILE *file, struct ss_text text)
{
    putc('"', file);
    for (uint32_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"')
            putc('"', file);
        putc(text.data[i], file);
    }
    putc('"', file);
}

void ss_blacklist_rejects_add(struct ss_blacklist_rejects *rejects,
                              const struct ss_csv_record *record, const char *reason)
{
    fprintf(rejects->file, "%" PRId64 ",\"%s\",", record->line, reason);
    if (record->fault)
        put_quoted(rejects->file, record->raw);
    else
        fwrite(record->raw.data, 1, record->raw.size, rejects->file);
    putc('\n', rejects->file);
}

enum ss_status ss_blacklist_rejects_sync(struct ss_blacklist_rejects *rejects, int64_t *size,
                                         struct ss_error *err)
{
    if (fflush(rejects->file) != 0 || ferror(rejects->file) || fsync(fileno(rejects->file)) != 0)
        return cannot(rejects, err);
    *size = ftello(rejects->file);
    return SS_OK;
}

void ss_blacklist_rejects_close(struct ss_blacklist_rejects *rejects)
{
    if (!rejects)
        return;
    if (rejects->file)
        fclose(rejects->file);
    free(rejects);
}
