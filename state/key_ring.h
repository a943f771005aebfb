/* key_ring.h - the keys of a running process: follows its key file, so that a rotation needs no
 * restart.
 *
 *   worker, at each batch and before each restore:
 *       sealer = ss_key_ring_renew(ring, sealer, now_ms);
 *
 * The file is looked at every second, read again when it was replaced or changed, and the current
 * key moves when its time has come. A file that cannot be read by then is warned of, once, and the
 * keys stay as they were: no slip of the pen stops a running process.
 *
 * Threads: any, all at once.
 */
#ifndef SS_STATE_KEY_RING_H
#define SS_STATE_KEY_RING_H

#include "state/key_file.h"

struct ss_key_ring;

/* SS_STOP as ss_key_file_open. Logs which key seals. */
SS_MUST_USE enum ss_status ss_key_ring_open(const char *path, enum ss_plain_states plain,
                                            int64_t now_ms, struct ss_key_ring **out,
                                            struct ss_error *err);
/* Sealers that were given out stay good until their holders close them. NULL is fine. */
void ss_key_ring_close(struct ss_key_ring *ring);

/* The sealer of now, in exchange for the one held before (NULL at first); the caller closes the
 * last one (ss_sealer_close). A NULL ring gives NULL, encryption off. One atomic load and compare
 * when nothing has changed. */
const struct ss_sealer *ss_key_ring_renew(struct ss_key_ring *ring, const struct ss_sealer *held,
                                          int64_t now_ms);
/* The same, but looks at the file now, as of the time of the last look: for who has met a key that
 * it does not know. */
const struct ss_sealer *ss_key_ring_look(struct ss_key_ring *ring, const struct ss_sealer *held);

#endif
