#include "bench/memory_friends.h"

static struct ss_text text_of(char (*user_ids)[LIFE_ID_SIZE], int user)
{
    return (struct ss_text){user_ids[user], LIFE_ID_SIZE};
}

size_t memory_friends_pack(char (*user_ids)[LIFE_ID_SIZE], int users, int user, int mean, int less,
                           uint8_t *out)
{
    static struct ss_friends list;
    struct ss_friends_step step;
    struct ss_friends_sum sum = {0};
    struct ss_text self = text_of(user_ids, user);
    int count = user % (2 * mean + 1) - less;
    list.count = 0;
    ss_friends_open(&sum, 600);
    for (int i = 0; i < count; i++) {
        struct ss_text other =
            text_of(user_ids, (int)((user + 1 + (int64_t)i * 10007) % users)); /* nobody twice */
        struct ss_neighbour_message told = {.to = self,
                                            .from = other,
                                            .kind = SS_NEIGHBOUR_BAND,
                                            .band = (uint8_t)(i % SS_BAND_COUNT)};
        ss_friends_add(&list, &sum, self, other, SS_FRIENDS_MAX, &step);
        ss_friends_receive(&list, &sum, &told, &step);
    }
    return ss_friends_pack(&list, out);
}
