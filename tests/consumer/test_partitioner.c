#include "consumer/partitioner.h"
#include "helper_text.h"

#include <criterion/criterion.h>

/* The vectors of Kafka's own UtilsTest. */
Test(partitioner, hashes_as_javas_client_does)
{
    static const struct {
        const char *key;
        int32_t hash;
    } vectors[] = {
        {"21", -973932308},
        {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        {"abc", 479470107},
        {"", 275646681},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        cr_assert_eq(ss_partition_hash(text(vectors[i].key)), vectors[i].hash, "%s gives %d",
                     vectors[i].key, ss_partition_hash(text(vectors[i].key)));
}

Test(partitioner, takes_the_hash_without_its_sign)
{
    cr_assert_eq(ss_partition_of(text("foobar"), 7), (-790332482 & 0x7fffffff) % 7);
    cr_assert_eq(ss_partition_of(text("abc"), 4), 479470107 % 4);
    cr_assert_eq(ss_partition_of(text("anything"), 1), 0);
}

Test(partitioner, hashes_bytes_above_127)
{
    const uint8_t bytes[] = {0xff, 0x80, 0x00, 0xfe, 0x81};
    int32_t partition = ss_partition_of((struct ss_bytes){bytes, sizeof bytes}, 1000);
    cr_assert(partition >= 0 && partition < 1000);
    /* A signed char would change it. */
    cr_assert_neq(ss_partition_hash((struct ss_bytes){bytes, 5}),
                  ss_partition_hash((struct ss_bytes){bytes, 4}));
}
