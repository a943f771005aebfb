/* pack_histogram.h - the packed form of a histogram of scores, in the mark of a partition.
 *
 *   histogram = token*, for the scores from the least to the greatest
 *   token     = varint: 2n: n scores that nobody has; 2n + 1: one that n users have; n > 0
 *
 * Tokens cover all scores exactly, and no two runs follow each other: equal histograms have equal
 * bytes, and nothing but the one form is accepted. Internal to state/.
 */
#ifndef SS_STATE_PACK_HISTOGRAM_H
#define SS_STATE_PACK_HISTOGRAM_H

#include "scoring/rank.h"
#include "state/wire.h"

/* No packed histogram is larger: 33 bits in five bytes each. */
enum { SS_HISTOGRAM_PACKED_MAX = SS_SCORE_COUNT * 5 };

/* Returns the end of what was written, at most SS_HISTOGRAM_PACKED_MAX bytes. */
uint8_t *ss_histogram_pack(const struct ss_histogram *histogram, uint8_t *at);
/* The reader is bad where there is none. */
void ss_histogram_unpack(struct ss_reader *in, struct ss_histogram *histogram);

#endif
