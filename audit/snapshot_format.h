/* snapshot_format.h - the records of a snapshot as bytes. Internal to audit/snapshot*.c. */
#ifndef SS_AUDIT_SNAPSHOT_FORMAT_H
#define SS_AUDIT_SNAPSHOT_FORMAT_H

#include "audit/snapshot.h"

extern const char ss_snapshot_schema[];

enum ss_snapshot_kind {
    SS_SNAPSHOT_HEAD,
    SS_SNAPSHOT_PARTITION,
    SS_SNAPSHOT_STATES,
    SS_SNAPSHOT_END
};

struct ss_snapshot_end {
    int32_t partitions;
    int64_t states;
    int64_t bytes; /* of the file up to this record's block */
    uint32_t crc;  /* of them */
};

/* Appending. false: out of memory. A record begins with its branch, and ends with
 * ss_snapshot_put_crc over all of it. */
SS_MUST_USE bool ss_snapshot_put_number(struct ss_buffer *out, int64_t number);
SS_MUST_USE bool ss_snapshot_put_text(struct ss_buffer *out, const void *data, size_t size);
SS_MUST_USE bool ss_snapshot_put_crc(struct ss_buffer *out);
SS_MUST_USE bool ss_snapshot_put_head(struct ss_buffer *out, const struct ss_snapshot_head *head);
SS_MUST_USE bool ss_snapshot_put_part(struct ss_buffer *out, const struct ss_snapshot_part *part);
SS_MUST_USE bool ss_snapshot_put_end(struct ss_buffer *out, const struct ss_snapshot_end *end);

/* Reading. Every take returns false on what is not there; *p is behind it otherwise. */
struct ss_snapshot_cursor {
    const uint8_t *p, *end;
};
SS_MUST_USE bool ss_snapshot_take_number(struct ss_snapshot_cursor *cursor, int64_t *number);
SS_MUST_USE bool ss_snapshot_take_bytes(struct ss_snapshot_cursor *cursor, struct ss_bytes *bytes);

/* Which record it is, its checksum being right and cut off: cursor holds what is between. */
SS_MUST_USE enum ss_status ss_snapshot_open_record(struct ss_bytes body,
                                                   enum ss_snapshot_kind *kind,
                                                   struct ss_snapshot_cursor *cursor,
                                                   struct ss_error *err);
/* SS_STOP: another format, which is named. *epochs is for the caller to free, whatever comes of it;
 * the head points there. */
SS_MUST_USE enum ss_status ss_snapshot_take_head(struct ss_snapshot_cursor *cursor,
                                                 struct ss_snapshot_head *head,
                                                 struct ss_snapshot_epoch **epochs,
                                                 struct ss_error *err);
SS_MUST_USE bool ss_snapshot_take_part(struct ss_snapshot_cursor *cursor,
                                       struct ss_snapshot_part *part);
SS_MUST_USE bool ss_snapshot_take_end(struct ss_snapshot_cursor *cursor,
                                      struct ss_snapshot_end *end);

#endif
