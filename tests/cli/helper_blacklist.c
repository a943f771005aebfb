#include "helper_blacklist.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct list_files files;
static char folder[] = "/tmp/sesame-blacklist-XXXXXX";

void list_open(void)
{
    cr_assert(mkdtemp(folder));
    snprintf(files.list, sizeof files.list, "%s/list.csv", folder);
    snprintf(files.rejects, sizeof files.rejects, "%s/rejects.csv", folder);
    snprintf(files.progress, sizeof files.progress, "%s/list.csv.progress", folder);
}

void list_close(void)
{
    unlink(files.list);
    unlink(files.rejects);
    unlink(files.progress);
    cr_assert_eq(rmdir(folder), 0, "a file was left behind");
}

void list_write(const char *string)
{
    const size_t size = strlen(string);
    FILE *file = fopen(files.list, "w");
    cr_assert(file && fwrite(string, 1, size, file) == size);
    fclose(file);
}

struct ss_text list_text(const char *string)
{
    return (struct ss_text){string, (uint32_t)strlen(string)};
}
