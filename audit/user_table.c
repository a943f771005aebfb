#include "audit/user_table.h"

#include <endian.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    UNIT = SS_USER_UNIT,
    UNITS_MAX = 512,
    SLOTS_FIRST = 1 << 12,
    CHUNK_BITS = 17, /* units of a chunk of the arena: 2 MiB, a page of the larger kind */
    CHUNK_UNITS = 1 << CHUNK_BITS,
    CHUNK_BYTES = CHUNK_UNITS * UNIT,
    CHUNKS_MAX = 1 << (32 - CHUNK_BITS),
    LINE = 64,
    PREFETCHED = 8 * LINE, /* of a block: most states */
};

struct slot {
    uint32_t tag;   /* of the hash, the half that does not choose the slot */
    uint32_t block; /* its first unit; 0: free */
};

struct ss_user_table {
    struct slot *slots; /* linear probing; at most two thirds taken */
    size_t mask, count;
    size_t first;     /* bytes of a user's first state */
    uint8_t **chunks; /* the arena, which grows without moving anybody */
    uint32_t chunk_count;
    uint32_t used;                  /* units; the first of a chunk holds the chunk's number */
    uint32_t vacant[UNITS_MAX + 1]; /* by size: the first of the blocks to be used again */
};

struct words {
    uint64_t first, second;
};

/* Multiplies both halves of 16 bytes at a time into each other. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t word_at(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return le64toh(word);
}

/* Of 16 bytes that begin at p, of which only `left` are the id's: the others are 0. */
static struct words words_at(const char *p, size_t size, size_t left)
{
    struct words words = {0, 0};
    if (size < 8) {
        while (left-- > 0)
            words.first = words.first << 8 | (uint8_t)p[left];
    } else if (left <= 8) { /* what lies before p is shifted out */
        words.first = word_at(p + left - 8) >> (64 - 8 * left);
    } else {
        words.first = word_at(p);
        words.second = word_at(p + left - 8) >> (128 - 8 * left);
    }
    return words;
}

static uint64_t fold_words(struct words words, uint64_t hash)
{
    return fold(words.first ^ UINT64_C(0xd6e8feb86659fd93),
                words.second ^ hash ^ UINT64_C(0xa0761d6478bd642f));
}

uint64_t ss_user_hash(struct ss_text id)
{
    const char *p = id.data;
    size_t left = id.size;
    uint64_t hash = UINT64_C(0x9e3779b97f4a7c15) ^ id.size;
    for (; left > 16; p += 16, left -= 16)
        hash = fold_words((struct words){word_at(p), word_at(p + 8)}, hash);
    hash = fold_words(left ? words_at(p, id.size, left) : (struct words){0, 0}, hash);
    return fold(hash ^ UINT64_C(0xe7037ed1a0b428db), UINT64_C(0x8ebc6af09c88c6e3));
}

/* States are read and written at random, so that with small pages a lookup would wait for where its
 * page is as long as for what is in it; a table of few users may have those. */
static bool add_chunk(struct ss_user_table *table)
{
    uint8_t **chunks = realloc(table->chunks, (table->chunk_count + 1) * sizeof *table->chunks);
    if (!chunks)
        return false;
    table->chunks = chunks;
    uint8_t *chunk = aligned_alloc(CHUNK_BYTES, CHUNK_BYTES);
    if (!chunk)
        return false;
    if (table->chunk_count > 0)
        (void)madvise(chunk, CHUNK_BYTES,
                      MADV_HUGEPAGE); /* where there are none, it is as it was */
    memcpy(chunk, &table->chunk_count, sizeof table->chunk_count);
    table->used = (table->chunk_count << CHUNK_BITS) + 1;
    chunks[table->chunk_count++] = chunk;
    return true;
}

struct ss_user_table *ss_user_table_open(size_t first)
{
    struct ss_user_table *table = calloc(1, sizeof *table);
    if (!table)
        return NULL;
    table->mask = SLOTS_FIRST - 1;
    table->first = first;
    table->slots = calloc(SLOTS_FIRST, sizeof *table->slots);
    if (table->slots && add_chunk(table))
        return table;
    ss_user_table_close(table);
    return NULL;
}

void ss_user_table_close(struct ss_user_table *table)
{
    if (!table)
        return;
    for (uint32_t i = 0; i < table->chunk_count; i++)
        free(table->chunks[i]);
    free(table->chunks);
    free(table->slots);
    free(table);
}

struct ss_user *ss_user_table_at(const struct ss_user_table *table, uint32_t block)
{
    uint8_t *chunk = table->chunks[block >> CHUNK_BITS];
    return (struct ss_user *)(void *)(chunk + (size_t)(block & (CHUNK_UNITS - 1)) * UNIT);
}

uint32_t ss_user_block(const struct ss_user *user)
{
    const uintptr_t place = (uintptr_t)user, within = place & (CHUNK_BYTES - 1);
    uint32_t chunk;
    memcpy(&chunk, (const uint8_t *)user - within, sizeof chunk);
    return (chunk << CHUNK_BITS) + (uint32_t)(within / UNIT);
}

void ss_user_prefetch(const struct ss_user *user)
{
    const uint8_t *block = (const uint8_t *)user;
    for (size_t line = 0; line < PREFETCHED; line += LINE)
        __builtin_prefetch(block + line);
}

void ss_user_table_prefetch(const struct ss_user_table *table, uint64_t hash)
{
    __builtin_prefetch(&table->slots[hash & table->mask]);
}

void ss_user_table_prefetch_block(const struct ss_user_table *table, uint64_t hash)
{
    for (size_t i = hash & table->mask; table->slots[i].block; i = (i + 1) & table->mask)
        if (table->slots[i].tag == (uint32_t)(hash >> 32)) {
            ss_user_prefetch(ss_user_table_at(table, table->slots[i].block));
            return;
        }
}

/* The user's slot, or the free one where it belongs. */
static struct slot *slot_of(const struct ss_user_table *table, uint64_t hash, struct ss_text id)
{
    size_t i = hash & table->mask;
    for (;; i = (i + 1) & table->mask) {
        struct slot *slot = &table->slots[i];
        if (!slot->block)
            return slot;
        if (slot->tag != (uint32_t)(hash >> 32))
            continue;
        const struct ss_user *user = ss_user_table_at(table, slot->block);
        if (user->hash == hash && user->id_size == id.size &&
            ss_same_short(user->bytes, id.data, id.size))
            return slot;
    }
}

struct ss_user *ss_user_table_find(const struct ss_user_table *table, uint64_t hash,
                                   struct ss_text id)
{
    const struct slot *slot = slot_of(table, hash, id);
    return slot->block ? ss_user_table_at(table, slot->block) : NULL;
}

static bool widen(struct ss_user_table *table)
{
    size_t mask = table->mask * 2 + 1;
    struct slot *slots = calloc(mask + 1, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i <= table->mask; i++) {
        if (!table->slots[i].block)
            continue;
        size_t to = ss_user_table_at(table, table->slots[i].block)->hash & mask;
        while (slots[to].block)
            to = (to + 1) & mask;
        slots[to] = table->slots[i];
    }
    free(table->slots);
    table->slots = slots;
    table->mask = mask;
    return true;
}

/* 0: out of memory. */
static uint32_t take_block(struct ss_user_table *table, uint32_t units)
{
    uint32_t block = table->vacant[units];
    if (block) {
        memcpy(&table->vacant[units], ss_user_table_at(table, block), sizeof block);
        return block;
    }
    const uint32_t end = table->chunk_count << CHUNK_BITS; /* 0 behind the very last */
    if (end - table->used < units && (table->chunk_count == CHUNKS_MAX || !add_chunk(table)))
        return 0;
    block = table->used;
    table->used += units;
    return block;
}

static uint32_t units_for(size_t bytes)
{
    return (uint32_t)((offsetof(struct ss_user, bytes) + bytes + UNIT - 1) / UNIT);
}

struct ss_user *ss_user_table_add(struct ss_user_table *table, uint64_t hash, struct ss_text id)
{
    struct slot *slot = slot_of(table, hash, id);
    if (slot->block)
        return ss_user_table_at(table, slot->block);
    if (table->count * 3 >= table->mask * 2) {
        if (!widen(table))
            return NULL;
        slot = slot_of(table, hash, id);
    }
    uint32_t units = units_for(id.size);
    uint32_t block = take_block(table, units);
    if (!block)
        return NULL;
    slot->tag = (uint32_t)(hash >> 32);
    slot->block = block;
    table->count++;
    struct ss_user *user = ss_user_table_at(table, block);
    memset(user, 0, sizeof *user);
    user->hash = hash;
    user->id_size = (uint8_t)id.size;
    user->units = (uint16_t)units;
    memcpy(user->bytes, id.data, id.size);
    return user;
}

struct ss_user *ss_user_table_put(struct ss_user_table *table, struct ss_user *user,
                                  struct ss_bytes packed)
{
    uint32_t units = units_for(user->id_size + packed.size);
    if (units > user->units) {
        struct slot *slot = slot_of(table, user->hash, ss_user_id(user));
        uint32_t from = slot->block, to;
        const uint32_t first = user->packed_size ? 0 : units_for(user->id_size + table->first);
        units += units / 4; /* room for the next few events */
        units = units < first ? first : units;
        if (units > UNITS_MAX || !(to = take_block(table, units)))
            return NULL;
        struct ss_user *old = ss_user_table_at(table, from);
        user = ss_user_table_at(table, to);
        memcpy(user, old, offsetof(struct ss_user, bytes) + old->id_size);
        user->units = (uint16_t)units;
        slot->block = to;
        uint32_t old_units = old->units;
        memcpy(old, &table->vacant[old_units], sizeof from);
        table->vacant[old_units] = from;
    }
    user->packed_size = (uint16_t)packed.size;
    if (packed.size)
        memcpy(user->bytes + user->id_size, packed.data, packed.size);
    return user;
}

size_t ss_user_table_count(const struct ss_user_table *table)
{
    return table->count;
}

size_t ss_user_table_bytes(const struct ss_user_table *table)
{
    return (size_t)table->used * UNIT + (table->mask + 1) * sizeof *table->slots;
}

struct ss_user *ss_user_table_next(const struct ss_user_table *table, size_t *i)
{
    while (*i <= table->mask) {
        uint32_t block = table->slots[(*i)++].block;
        if (block)
            return ss_user_table_at(table, block);
    }
    return NULL;
}
