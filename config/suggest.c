#include "config/suggest.h"

#include <string.h>

enum { LENGTH_MAX = 63, FAR = 1000 };

static int least(int a, int b)
{
    return a < b ? a : b;
}

int ss_suggest_distance(const char *a, const char *b)
{
    size_t m = strlen(a);
    size_t n = strlen(b);
    if (m > LENGTH_MAX || n > LENGTH_MAX)
        return FAR;
    int rows[3][LENGTH_MAX + 1]; /* of the distances between prefixes: two back, one back, now */
    int *before = rows[0];
    int *last = rows[1];
    int *now = rows[2];
    for (size_t j = 0; j <= n; j++) {
        before[j] = 0;
        last[j] = (int)j;
    }
    for (size_t i = 1; i <= m; i++) {
        now[0] = (int)i;
        for (size_t j = 1; j <= n; j++) {
            int changed = last[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = least(changed, least(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
        int *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[n];
}

const char *ss_suggest(const char *given, const char *const *names, size_t count)
{
    int length = (int)strlen(given);
    int allowed = length < 4 ? 1 : length < 8 ? 2 : 3;
    const char *best = NULL;
    for (size_t i = 0; i < count; i++) {
        int distance = ss_suggest_distance(given, names[i]);
        if (distance <= allowed) {
            allowed = distance - 1;
            best = names[i];
        }
    }
    return best;
}
