#include "helper_text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *helper_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    cr_assert(file, "cannot read %s", path);
    enum { ROOM = 1 << 20 };
    char *text = malloc(ROOM);
    cr_assert(text);
    size_t size = fread(text, 1, ROOM - 1, file);
    text[size] = '\0';
    fclose(file);
    return text;
}

char *helper_replace(const char *text, const char *from, const char *to, int *line)
{
    const char *at = strstr(text, from);
    cr_assert(at, "'%s' is not in the text", from);
    size_t before = (size_t)(at - text);
    char *changed = malloc(strlen(text) - strlen(from) + strlen(to) + 1);
    cr_assert(changed);
    memcpy(changed, text, before);
    strcpy(changed + before, to);
    strcat(changed, at + strlen(from));
    if (line) {
        *line = 1;
        for (size_t i = 0; i < before; i++)
            *line += text[i] == '\n';
    }
    return changed;
}
