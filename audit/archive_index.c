#include "audit/archive_index.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 32, PARTITION_MAX = 1000000 };

static const char suffix[] = ".avro";

struct scan {
    struct ss_archive_index *index;
    const char *const *topics;
    size_t topic_count;
    struct ss_error *err;
};

/* A number and then the character `end`; -1: something else. */
static int64_t number_until(const char **text, char end)
{
    int64_t number = 0;
    const char *p = *text;
    if (!isdigit((unsigned char)*p))
        return -1;
    for (; isdigit((unsigned char)*p); p++) {
        if (number > (INT64_MAX - 9) / 10)
            return -1;
        number = number * 10 + (*p - '0');
    }
    if (*p != end)
        return -1;
    *text = p;
    return number;
}

/* Behind the topic's name: "+7+42.avro", "+7+42+99.snappy.avro", or ".avro". */
static bool parse_rest(const char *rest, struct ss_archive_file *file)
{
    *file = (struct ss_archive_file){.partition = -1};
    if (strcmp(rest, suffix) == 0)
        return true;
    if (*rest++ != '+')
        return false;
    int64_t partition = number_until(&rest, '+');
    if (partition < 0 || partition >= PARTITION_MAX)
        return false;
    rest++;
    const char *more = rest;
    int64_t offset = number_until(&rest, '.');
    if (offset < 0) {
        rest = more;
        offset = number_until(&rest, '+');
        if (offset < 0)
            return false;
        rest++;
        if (number_until(&rest, '.') < offset)
            return false;
    }
    file->partition = (int32_t)partition;
    file->offset = offset;
    return true;
}

static bool parse_name(const struct scan *scan, const char *name, struct ss_archive_file *file)
{
    size_t size = strlen(name), longest = 0;
    bool found = false;
    if (size < sizeof suffix || strcmp(name + size - (sizeof suffix - 1), suffix) != 0)
        return false;
    for (size_t t = 0; t < scan->topic_count; t++) {
        size_t length = scan->topics[t] ? strlen(scan->topics[t]) : 0;
        struct ss_archive_file parsed;
        if (length <= longest || strncmp(name, scan->topics[t], length) != 0 ||
            !parse_rest(name + length, &parsed))
            continue;
        longest = length;
        *file = parsed;
        file->topic = t;
        found = true;
    }
    return found;
}

static enum ss_status add(struct scan *scan, const char *path, struct ss_archive_file file)
{
    struct ss_archive_index *index = scan->index;
    if (index->count == index->capacity) {
        size_t capacity = index->capacity ? index->capacity * 2 : 64;
        struct ss_archive_file *files = realloc(index->files, capacity * sizeof *files);
        if (!files)
            return ss_fail(scan->err, SS_STOP, "out of memory for a list of files");
        index->files = files;
        index->capacity = capacity;
    }
    file.path = strdup(path);
    if (!file.path)
        return ss_fail(scan->err, SS_STOP, "out of memory for a list of files");
    index->files[index->count++] = file;
    if (file.partition >= index->partition_count)
        index->partition_count = file.partition + 1;
    return SS_OK;
}

static enum ss_status look_through(struct scan *scan, const char *directory, int depth);

static enum ss_status look_at(struct scan *scan, const char *directory, const char *name, int depth)
{
    struct ss_archive_file file;
    struct stat info;
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/%s", directory, name);
    if (length < 0 || (size_t)length >= sizeof path)
        return ss_fail(scan->err, SS_STOP, "a name below %.200s is too long", directory);
    if (stat(path, &info) != 0)
        return ss_fail(scan->err, SS_STOP, "cannot read %.200s: %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode))
        return look_through(scan, path, depth + 1);
    if (!parse_name(scan, name, &file))
        return SS_OK;
    file.bytes = info.st_size;
    return add(scan, path, file);
}

static enum ss_status look_through(struct scan *scan, const char *directory, int depth)
{
    enum ss_status status = SS_OK;
    DIR *dir = depth < DEPTH_MAX ? opendir(directory) : NULL;
    if (!dir)
        return ss_fail(scan->err, SS_STOP, "cannot read the directory %.200s: %s", directory,
                       depth < DEPTH_MAX ? strerror(errno) : "it is nested too deeply");
    for (const struct dirent *entry; status == SS_OK && (entry = readdir(dir));)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "+tmp") != 0)
            status = look_at(scan, directory, entry->d_name, depth);
    closedir(dir);
    return status;
}

static int compare(size_t topic, int32_t partition, const struct ss_archive_file *b)
{
    if (topic != b->topic)
        return topic < b->topic ? -1 : 1;
    return partition < b->partition ? -1 : partition > b->partition;
}

static int in_order(const void *left, const void *right)
{
    const struct ss_archive_file *a = left, *b = right;
    int order = compare(a->topic, a->partition, b);
    if (order == 0 && a->offset != b->offset)
        order = a->offset < b->offset ? -1 : 1;
    return order != 0 ? order : strcmp(a->path, b->path);
}

enum ss_status ss_archive_index_open(const char *directory, const char *const *topics,
                                     size_t topic_count, struct ss_archive_index **out,
                                     struct ss_error *err)
{
    struct ss_archive_index *index = calloc(1, sizeof *index);
    *out = NULL;
    if (!index)
        return ss_fail(err, SS_STOP, "out of memory");
    struct scan scan = {index, topics, topic_count, err};
    enum ss_status status = look_through(&scan, directory, 0);
    if (status != SS_OK) {
        ss_archive_index_close(index);
        return status;
    }
    if (index->count)
        qsort(index->files, index->count, sizeof *index->files, in_order);
    *out = index;
    return SS_OK;
}

void ss_archive_index_close(struct ss_archive_index *index)
{
    if (!index)
        return;
    for (size_t i = 0; i < index->count; i++)
        free(index->files[i].path);
    free(index->files);
    free(index);
}

const struct ss_archive_file *ss_archive_index_find(const struct ss_archive_index *index,
                                                    size_t topic, int32_t partition, size_t *count)
{
    size_t low = 0, high = index->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(topic, partition, &index->files[middle]) > 0)
            low = middle + 1;
        else
            high = middle;
    }
    *count = 0;
    while (low + *count < index->count &&
           compare(topic, partition, &index->files[low + *count]) == 0)
        ++*count;
    return index->files + low;
}
