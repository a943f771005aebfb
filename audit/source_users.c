#include "audit/source_users.h"

#include "scoring/hash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct entry { /* size 0: free */
    uint64_t hash;
    uint8_t size;
    char id[SS_USER_ID_MAX];
};

struct ss_source_users {
    struct entry *entries; /* open addressing; capacity is a power of two */
    size_t count, capacity;
};

struct ss_source_users *ss_source_users_open(void)
{
    return calloc(1, sizeof(struct ss_source_users));
}

void ss_source_users_close(struct ss_source_users *users)
{
    if (!users)
        return;
    free(users->entries);
    free(users);
}

static struct entry *slot_of(const struct ss_source_users *users, uint64_t hash, const void *id,
                             size_t size)
{
    size_t i = (size_t)hash & (users->capacity - 1);
    for (;; i = (i + 1) & (users->capacity - 1)) {
        struct entry *entry = &users->entries[i];
        if (entry->size == 0 ||
            (entry->hash == hash && entry->size == size && memcmp(entry->id, id, size) == 0))
            return entry;
    }
}

static bool grow(struct ss_source_users *users)
{
    struct ss_source_users more = {.capacity = users->capacity ? users->capacity * 2 : 16};
    more.entries = calloc(more.capacity, sizeof *more.entries);
    if (!more.entries)
        return false;
    for (size_t i = 0; i < users->capacity; i++) {
        const struct entry *entry = &users->entries[i];
        if (entry->size)
            *slot_of(&more, entry->hash, entry->id, entry->size) = *entry;
    }
    free(users->entries);
    users->entries = more.entries;
    users->capacity = more.capacity;
    return true;
}

static uint64_t hash_of(const void *id, size_t size)
{
    return ss_hash64((struct ss_text){id, (uint32_t)size});
}

enum ss_status ss_source_users_add(struct ss_source_users *users, struct ss_bytes id,
                                   struct ss_error *err)
{
    if (id.size == 0 || id.size > SS_USER_ID_MAX)
        return ss_fail(err, SS_DROP, "a user id has 1 to %d bytes, this one %zu", SS_USER_ID_MAX,
                       id.size);
    if (users->count >= users->capacity / 2 && !grow(users))
        return ss_fail(err, SS_STOP, "out of memory for the list of users");
    uint64_t hash = hash_of(id.data, id.size);
    struct entry *entry = slot_of(users, hash, id.data, id.size);
    if (entry->size == 0) {
        entry->hash = hash;
        entry->size = (uint8_t)id.size;
        memcpy(entry->id, id.data, id.size);
        users->count++;
    }
    return SS_OK;
}

enum ss_status ss_source_users_read(struct ss_source_users *users, const char *path,
                                    struct ss_error *err)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    enum ss_status status = SS_OK;
    struct ss_error why;
    if (!file)
        return ss_fail(err, SS_STOP, "cannot read %.200s: %s", path, strerror(errno));
    for (long number = 1; status == SS_OK; number++) {
        ssize_t size = getline(&line, &room, file);
        if (size < 0)
            break;
        while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r'))
            size--;
        if (size == 0)
            continue;
        status = ss_source_users_add(users, (struct ss_bytes){line, (size_t)size}, &why);
        if (status != SS_OK)
            status = ss_fail(err, SS_STOP, "%.200s, line %ld: %.200s", path, number, why.detail);
    }
    if (status == SS_OK && ferror(file))
        status = ss_fail(err, SS_STOP, "cannot read %.200s: %s", path, strerror(errno));
    free(line);
    fclose(file);
    return status;
}

size_t ss_source_users_count(const struct ss_source_users *users)
{
    return users->count;
}

uint64_t ss_source_users_digest(const struct ss_source_users *users)
{
    uint64_t digest = users->count;
    for (size_t i = 0; i < users->capacity; i++) {
        uint64_t hash = users->entries[i].size ? users->entries[i].hash : 0;
        digest += hash * UINT64_C(0x9e3779b97f4a7c15) ^ hash >> 29;
    }
    return digest;
}

bool ss_source_users_have(const struct ss_source_users *users, const void *id, size_t size)
{
    return users->count > 0 && size > 0 && size <= SS_USER_ID_MAX &&
           slot_of(users, hash_of(id, size), id, size)->size != 0;
}
