/* checkpoint.h - which committed state of a partition a store holds (promise 2): kept beside the
 * data and written atomically with it. */
#ifndef SS_STATE_CHECKPOINT_H
#define SS_STATE_CHECKPOINT_H

#include "base/bytes.h"

enum {
    SS_INCARNATION_SIZE = 16,
    SS_WRITER_SIZE = 8,
    SS_CLUSTER_ID_MAX = 64,
    SS_CHECKPOINT_PACKED_MAX = 160
};

struct ss_checkpoint {
    char cluster_id[SS_CLUSTER_ID_MAX];       /* of the Kafka cluster */
    uint8_t incarnation[SS_INCARNATION_SIZE]; /* of the changelog, as in its marks; all-zero while a
                                                 restore has met none */
    /* Drawn by whoever writes, each time that it takes the partition over. So nobody who looked
     * before that takes a checkpoint of the same offset for the one that it saw (promise 3). */
    uint8_t writer[SS_WRITER_SIZE];
    int32_t partition_count;
    int64_t offset; /* of the newest mark whose transaction the store holds, or of the record
                       that a restore has come to; -1: none yet */
    int64_t broker_time_ms; /* the broker's time of that record */
};

/* Byte-equal packing: checkpoints are compared as bytes. Returns the size. */
size_t ss_checkpoint_pack(const struct ss_checkpoint *checkpoint, uint8_t *out);
SS_MUST_USE enum ss_status ss_checkpoint_unpack(struct ss_bytes packed,
                                                struct ss_checkpoint *checkpoint,
                                                struct ss_error *err);
bool ss_checkpoint_equal(const struct ss_checkpoint *a, const struct ss_checkpoint *b);

#endif
