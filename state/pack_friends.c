#include "state/pack_friends.h"

#include "scoring/hash.h"
#include "state/wire.h"

#include <assert.h>

enum { FORMAT = 1 };

static_assert(SS_FRIENDS_MAX < 1 << 14, "the count must fit two bytes of varint");

size_t ss_friends_pack(const struct ss_friends *list, uint8_t *out)
{
    if (list->count == 0)
        return 0;
    assert(list->count <= SS_FRIENDS_MAX);
    uint8_t *at = out;
    *at++ = FORMAT;
    at = ss_put_varint(at, list->count);
    for (uint16_t i = 0; i < list->count; i++) {
        const struct ss_friend *link = &list->links[i];
        assert(i == 0 || link[-1].hash < link->hash);
        assert(link->id_size <= SS_USER_ID_MAX);
        *at++ = link->id_size;
        if (link->id_size == 0) {
            at = ss_put_u64(at, link->hash);
            continue;
        }
        assert(link->band < SS_BAND_COUNT);
        memcpy(at, link->id, link->id_size);
        at += link->id_size;
        *at++ = link->band;
    }
    return (size_t)(at - out);
}

static void get_link(struct ss_reader *in, struct ss_friend *link)
{
    memset(link, 0, sizeof *link);
    uint8_t size = ss_get_u8(in);
    if (size == 0) {
        link->hash = ss_get_u64(in);
        return;
    }
    const uint8_t *id = size <= SS_USER_ID_MAX ? ss_get_bytes(in, size) : NULL;
    if (!id) {
        ss_reader_fail(in);
        return;
    }
    memcpy(link->id, id, size);
    link->id_size = size;
    link->hash = ss_hash64((struct ss_text){link->id, size});
    link->band = ss_get_u8(in);
    if (link->band >= SS_BAND_COUNT)
        ss_reader_fail(in);
}

enum ss_status ss_friends_unpack(struct ss_bytes packed, struct ss_friends *list,
                                 struct ss_error *err)
{
    list->count = 0;
    if (packed.size == 0)
        return SS_OK;
    struct ss_reader in = ss_reader_of(packed);
    uint8_t format = ss_get_u8(&in);
    if (format != FORMAT)
        return ss_fail(err, SS_GIVE_UP,
                       "a packed friends record is of format %u, this version reads format %u",
                       format, (unsigned)FORMAT);
    uint64_t count = ss_get_bounded(&in, SS_FRIENDS_MAX);
    if (count == 0)
        ss_reader_fail(&in);
    for (uint64_t i = 0; i < count && !in.bad; i++) {
        get_link(&in, &list->links[i]);
        if (i > 0 && list->links[i].hash <= list->links[i - 1].hash)
            ss_reader_fail(&in);
    }
    if (!in.bad && in.at == in.end) {
        list->count = (uint16_t)count;
        return SS_OK;
    }
    return ss_fail(err, SS_GIVE_UP, "a packed friends record of %zu bytes %s", packed.size,
                   in.bad ? "is damaged" : "has bytes behind its end");
}
