/* seal.c - what encryption costs per state: sealing and opening, beside the packing that is done in
 * any case. A table; the median of ROUNDS rounds, in which with and without take turns.
 *
 * One thread, CPU time, no I/O. Two sizes: somebody ordinary, and somebody with much open.
 */
#include "state/seal.h"
#include "bench/spent.h"

#include <stdio.h>

enum { ROUNDS = 31, STATES = 1000, PASSES = 20, SIZES = 2 };

static const size_t sizes[SIZES] = {100, 250};

static uint8_t plain[STATES][SS_PACKED_MAX], stored[STATES][SS_SEALED_MAX];
static char user_ids[STATES][17]; /* 16 bytes, as in the memory budget */
static volatile uint64_t sink;

static struct ss_bytes user(size_t i)
{
    return (struct ss_bytes){user_ids[i], 16};
}

/* Nanoseconds of one seal, which without a sealer is what the call costs; the copy to where it is
 * kept is in both. */
static double seal_all(const struct ss_sealer *sealer, size_t size, size_t *kept)
{
    uint8_t out[SS_SEALED_MAX];
    double begun = thread_ns();
    for (int pass = 0; pass < PASSES; pass++)
        for (size_t i = 0; i < STATES; i++) {
            struct ss_bytes bytes =
                ss_seal(sealer, user(i), (struct ss_bytes){plain[i], size}, out);
            memcpy(stored[i], bytes.data, bytes.size);
            *kept = bytes.size;
        }
    return (thread_ns() - begun) / (PASSES * STATES);
}

static double unseal_all(const struct ss_sealer *sealer, size_t kept)
{
    uint8_t out[SS_PACKED_MAX];
    struct ss_bytes packed;
    struct ss_error err;
    double begun = thread_ns();
    for (int pass = 0; pass < PASSES; pass++)
        for (size_t i = 0; i < STATES; i++) {
            must(ss_unseal(sealer, user(i), (struct ss_bytes){stored[i], kept}, out, &packed, &err),
                 &err);
            sink += ((const uint8_t *)packed.data)[packed.size - 1];
        }
    return (thread_ns() - begun) / (PASSES * STATES);
}

static void fill(void)
{
    uint64_t seed = 7;
    for (size_t i = 0; i < STATES; i++) {
        snprintf(user_ids[i], sizeof user_ids[i], "user-%011zu", i);
        for (size_t at = 0; at < SS_PACKED_MAX; at++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            plain[i][at] = (uint8_t)(seed >> 56);
        }
        plain[i][0] = 1; /* the format of a packed state */
    }
}

int main(void)
{
    static const uint8_t bytes[SS_SEAL_KEY_SIZE] = {1};
    struct ss_seal_key key = {1, bytes};
    struct ss_sealer *sealer;
    struct ss_error err;
    must(ss_sealer_open(&key, 1, 0, SS_PLAIN_ACCEPT, &sealer, &err), &err);
    fill();
    printf("%13s  %12s  %9s  %9s  %9s  %9s  %s\n", "packed bytes", "sealed bytes", "write ns",
           "+ sealed", "read ns", "+ sealed", "both, s per million states");
    for (int s = 0; s < SIZES; s++) {
        double write[2][ROUNDS], read[2][ROUNDS];
        size_t kept = 0;
        for (int round = 0; round < ROUNDS; round++)
            for (int with = 0; with < 2; with++) {
                const struct ss_sealer *used = with ? sealer : NULL;
                write[with][round] = seal_all(used, sizes[s], &kept);
                read[with][round] = unseal_all(used, kept);
            }
        double w0 = median(write[0], ROUNDS), w1 = median(write[1], ROUNDS);
        double r0 = median(read[0], ROUNDS), r1 = median(read[1], ROUNDS);
        printf("%13zu  %12zu  %9.0f  %9.0f  %9.0f  %9.0f  %.2f\n", sizes[s], kept, w0, w1 - w0, r0,
               r1 - r0, (w1 - w0 + r1 - r0) / 1000);
    }
    ss_sealer_close(sealer);
    return 0;
}
