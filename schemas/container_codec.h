/* container_codec.h - compression of a container file's blocks. Internal to schemas/. */
#ifndef SS_SCHEMAS_CONTAINER_CODEC_H
#define SS_SCHEMAS_CONTAINER_CODEC_H

#include "base/bytes.h"
#include "base/status.h"

enum { SS_CONTAINER_BLOCK_MAX = 64 * 1024 * 1024 }; /* bytes, compressed or not */

/* "null" and "deflate"; "snappy" and "zstandard" for reading, where they were built in. */
enum ss_container_codec { SS_CODEC_NULL, SS_CODEC_DEFLATE, SS_CODEC_SNAPPY, SS_CODEC_ZSTANDARD };

/* SS_STOP: none of the above; the text names those that are. */
SS_MUST_USE enum ss_status
ss_container_codec_find(struct ss_bytes name, enum ss_container_codec *codec, struct ss_error *err);

/* The working memory of a reader or a writer, made when it is first needed; all zero at first. */
struct ss_container_works {
    struct libdeflate_compressor *deflates;
    struct libdeflate_decompressor *inflates;
};
void ss_container_works_reset(struct ss_container_works *works);

/* Replaces what *out holds. SS_STOP: damaged, over *out's maximum, or out of memory. */
SS_MUST_USE enum ss_status ss_container_unpack(struct ss_container_works *works,
                                               enum ss_container_codec codec, struct ss_bytes in,
                                               struct ss_buffer *out, struct ss_error *err);
/* For writing: null and deflate only. */
SS_MUST_USE enum ss_status ss_container_pack(struct ss_container_works *works,
                                             enum ss_container_codec codec, struct ss_bytes in,
                                             struct ss_buffer *out, struct ss_error *err);

#endif
