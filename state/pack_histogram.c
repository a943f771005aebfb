#include "state/pack_histogram.h"

uint8_t *ss_histogram_pack(const struct ss_histogram *histogram, uint8_t *at)
{
    uint64_t run = 0;
    for (int i = 0; i < SS_SCORE_COUNT; i++) {
        uint64_t users = histogram->users[i];
        if (users == 0) {
            run++;
            continue;
        }
        if (run)
            at = ss_put_varint(at, run << 1);
        run = 0;
        at = ss_put_varint(at, users << 1 | 1);
    }
    return run ? ss_put_varint(at, run << 1) : at;
}

void ss_histogram_unpack(struct ss_reader *in, struct ss_histogram *histogram)
{
    bool after_run = false;
    memset(histogram, 0, sizeof *histogram);
    for (uint64_t i = 0; i < SS_SCORE_COUNT && !in->bad;) {
        uint64_t token = ss_get_varint(in), n = token >> 1;
        bool run = !(token & 1);
        if (n == 0 || (run ? after_run || n > SS_SCORE_COUNT - i : n > UINT32_MAX)) {
            ss_reader_fail(in);
            return;
        }
        if (!run)
            histogram->users[i] = (uint32_t)n;
        i += run ? n : 1;
        after_run = run;
    }
}
