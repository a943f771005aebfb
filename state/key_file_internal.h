/* key_file_internal.h - the raw text of a key file, which key_file.c reads and key_file_add.c
 * writes. Internal to state/. */
#ifndef SS_STATE_KEY_FILE_INTERNAL_H
#define SS_STATE_KEY_FILE_INTERNAL_H

#include "state/key_file.h"

#include <sys/stat.h>

enum { SS_KEY_FILE_BYTES_MAX = 65536 };

/* In memory of sodium_malloc; data has room for SS_KEY_FILE_BYTES_MAX. */
struct ss_key_text {
    char *data;
    size_t size;
    struct stat stat;
};

/* *absent (may be NULL) tells a missing file from others that cannot be read. */
SS_MUST_USE enum ss_status ss_key_text_read(const char *path, struct ss_key_text *text,
                                            bool *absent, struct ss_error *err);
void ss_key_text_reset(struct ss_key_text *text);

SS_MUST_USE enum ss_status ss_key_file_parse(const char *path, const struct ss_key_text *text,
                                             struct ss_key_file **out, struct ss_error *err);

#endif
