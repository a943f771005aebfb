/* option_values.c - one value of one option: checked and stored. */
#include "config/number.h"
#include "config/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char name_letters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

/* "a b c" as "a, b, c". */
static void list_choices(const char *choices, char *out, size_t size)
{
    size_t used = 0;
    for (const char *c = choices; *c && used + 3 < size; c++) {
        if (*c == ' ')
            out[used++] = ',';
        out[used++] = *c;
    }
    out[used] = '\0';
}

void ss_option_allowed(const struct ss_option *option, char *out, size_t size)
{
    char choices[128];
    switch (option->type) {
    case SS_OPTION_NAME:
    case SS_OPTION_TOPIC:
        snprintf(out, size, "1 to %" PRId64 " of A-Z a-z 0-9 . _ -", option->max);
        break;
    case SS_OPTION_URL:
        list_choices(option->choices, choices, sizeof choices);
        snprintf(out, size, "begins with one of %s", choices);
        break;
    case SS_OPTION_PATH:
        snprintf(out, size, "a path");
        break;
    case SS_OPTION_SECRET:
        snprintf(out, size, "user:password");
        break;
    case SS_OPTION_INTEGER:
        snprintf(out, size, "%" PRId64 " to %" PRId64, option->min, option->max);
        break;
    case SS_OPTION_CHOICE:
        list_choices(option->choices, choices, sizeof choices);
        snprintf(out, size, "one of %s", choices);
        break;
    }
}

/* Index of value among choices, -1 if it is none. */
static int choice_index(const char *choices, const char *value)
{
    size_t length = strlen(value);
    int index = 0;
    for (const char *c = choices; length > 0; index++) {
        size_t size = strcspn(c, " ");
        if (size == length && memcmp(c, value, size) == 0)
            return index;
        if (!c[size])
            break;
        c += size + 1;
    }
    return -1;
}

static bool begins_with_choice(const char *choices, const char *value)
{
    for (const char *c = choices;;) {
        size_t size = strcspn(c, " ");
        /* A scheme alone leads nowhere, but "embedded:" is whole. */
        if (strncmp(value, c, size) == 0 && (c[size - 1] == ':') == (value[size] == '\0'))
            return true;
        if (!c[size])
            return false;
        c += size + 1;
    }
}

static bool text_fits(const struct ss_option *option, const char *value)
{
    size_t size = strlen(value);
    switch (option->type) {
    case SS_OPTION_TOPIC:
        if (strcmp(value, ".") == 0 || strcmp(value, "..") == 0)
            return false;
        return size >= 1 && size <= (size_t)option->max && strspn(value, name_letters) == size;
    case SS_OPTION_NAME:
        return size >= 1 && size <= (size_t)option->max && strspn(value, name_letters) == size;
    case SS_OPTION_URL:
        return begins_with_choice(option->choices, value);
    case SS_OPTION_SECRET:
        return strchr(value, ':') != NULL;
    default:
        return true;
    }
}

static bool store_number(struct ss_config *config, const struct ss_option *option,
                         const char *value, char *problem, size_t problem_size)
{
    char allowed[160];
    ss_option_allowed(option, allowed, sizeof allowed);
    int64_t *field = ss_option_number(config, option);
    if (option->type == SS_OPTION_CHOICE) {
        int index = choice_index(option->choices, value);
        if (index < 0) {
            snprintf(problem, problem_size, "'%.60s' is not allowed; %s", value, allowed);
            return false;
        }
        *field = index;
        return true;
    }
    switch (ss_number_parse(value, option->min, option->max, field)) {
    case SS_NUMBER_OK:
        return true;
    case SS_NUMBER_OUT_OF_RANGE:
        snprintf(problem, problem_size, "%.60s is out of range; allowed are %s", value, allowed);
        return false;
    default:
        snprintf(problem, problem_size, "'%.60s' is not a whole number; allowed are %s", value,
                 allowed);
        return false;
    }
}

/* A copy of value, below folder if it is a relative path. */
static char *copy_text(const struct ss_option *option, const char *value, const char *folder)
{
    char *copy = NULL;
    if (option->type != SS_OPTION_PATH || *value == '/' || !folder || strcmp(folder, ".") == 0)
        return strdup(value);
    if (asprintf(&copy, "%s/%s", folder, value) < 0)
        return NULL;
    return copy;
}

bool ss_option_store(struct ss_config *config, const struct ss_option *option, const char *value,
                     const char *folder, char *problem, size_t problem_size)
{
    if (ss_option_is_number(option))
        return store_number(config, option, value, problem, problem_size);

    char **field = ss_option_text(config, option);
    bool optional = option->type == SS_OPTION_URL || option->type == SS_OPTION_PATH ||
                    option->type == SS_OPTION_SECRET;
    if (optional && *value == '\0') {
        free(*field);
        *field = NULL;
        return true;
    }
    if (!text_fits(option, value)) {
        char allowed[160];
        char shown[64];
        ss_option_allowed(option, allowed, sizeof allowed);
        ss_mask_url(option->type == SS_OPTION_SECRET ? "****" : value, shown, sizeof shown);
        snprintf(problem, problem_size, "'%s' is not allowed; must be: %s", shown, allowed);
        return false;
    }
    char *copy = copy_text(option, value, folder);
    if (!copy) {
        snprintf(problem, problem_size, "out of memory");
        return false;
    }
    free(*field);
    *field = copy;
    return true;
}
