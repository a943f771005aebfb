/* state_image.h - a user's state as it lies in memory, less the room that its lists do not use.
 *
 * For a table of one process that reads and writes a state for every event: an image is twice the
 * size of the packed form (state/pack.h) and takes a tenth of its time. It means something to this
 * build only, and goes nowhere else. Pure; any thread.
 */
#ifndef SS_AUDIT_STATE_IMAGE_H
#define SS_AUDIT_STATE_IMAGE_H

#include "base/bytes.h"
#include "scoring/user_state.h"

/* No image is larger. */
enum { SS_IMAGE_MAX = sizeof(struct ss_user_state) };

/* Writes at most SS_IMAGE_MAX bytes and returns their count; 0 for an empty state
 * (ss_user_state_empty), of which nothing is kept. */
size_t ss_image_write(const struct ss_user_state *state, uint8_t *out);

/* Reads what ss_image_write wrote; size 0 gives the all-zero state. What lies beyond the counts of
 * its lists is left as it was: *state has been initialised before, by whatever. */
void ss_image_read(struct ss_bytes image, struct ss_user_state *state);

#endif
