/* key_file.h - the keys of `encryption.key_file`: read, extended, never shown.
 *
 * Text. A line is a key or, empty or beginning with #, a comment. A key's line has four words:
 *
 *   ID  CREATED  ACTIVE-FROM  KEY
 *   1   2026-03-01T09:00:00Z  2026-03-01T09:00:00Z  (base64 of 32 bytes)
 *
 * ID is 1 to 268435455, once in the file; times are UTC in whole seconds. All keys open. The one
 * that seals is, of those whose ACTIVE-FROM has come, the one with the latest (of equals the
 * highest id); before any has come, the one with the earliest. A new key can so be in every
 * process's file before the first of them seals with it.
 *
 * A file that its group or others may read or write, or of another user than root or ours, is
 * refused, as anything but a regular file. Keys are in memory that is locked, left out of core
 * dumps and wiped at the end; no error or log ever holds a word of a key's line but its id.
 *
 * A handle belongs to one thread at a time.
 */
#ifndef SS_STATE_KEY_FILE_H
#define SS_STATE_KEY_FILE_H

#include "state/seal.h"

struct ss_key_file;

struct ss_key_entry {
    uint32_t id;
    int64_t created_ms, active_from_ms;
};

/* Which file was read: rises or differs with whatever replaces or changes it. */
struct ss_key_file_identity {
    uint64_t device, inode;
    int64_t modified_ns, changed_ns, size;
};

/* SS_STOP: cannot be read, is open to others, or is no key file (says the line and what is wrong).
 */
SS_MUST_USE enum ss_status ss_key_file_open(const char *path, struct ss_key_file **out,
                                            struct ss_error *err);
void ss_key_file_close(struct ss_key_file *file); /* NULL is fine */

/* In the order of the file; at least one. */
size_t ss_key_file_count(const struct ss_key_file *file);
const struct ss_key_entry *ss_key_file_entry(const struct ss_key_file *file, size_t i);
/* The index of the key that seals at this time. */
size_t ss_key_file_current(const struct ss_key_file *file, int64_t now_ms);
/* When another one will; INT64_MAX: never, as the file is. */
int64_t ss_key_file_next_change_ms(const struct ss_key_file *file, int64_t now_ms);
const struct ss_key_file_identity *ss_key_file_identity(const struct ss_key_file *file);

/* What the file at this path is now; false if there is none to see. */
bool ss_key_file_look(const char *path, struct ss_key_file_identity *out);

SS_MUST_USE enum ss_status ss_key_file_sealer(const struct ss_key_file *file, int64_t now_ms,
                                              enum ss_plain_states plain, struct ss_sealer **out,
                                              struct ss_error *err);

/* Adds a new random key, or makes the file (0600) with one. Whoever reads meanwhile sees the old
 * file or the new one. Comments, other keys, owner and mode stay. The id is the highest one plus
 * one; a file's first key is active at once, whatever was asked. *added tells both. SS_STOP: what
 * was there is not a key file, or the folder cannot be written. */
SS_MUST_USE enum ss_status ss_key_file_add(const char *path, int64_t now_ms, int64_t active_from_ms,
                                           struct ss_key_entry *added, struct ss_error *err);

/* "2026-03-01T09:00:00Z". Returns out. */
enum { SS_KEY_TIME_SIZE = 32 };
char *ss_key_time_text(int64_t time_ms, char out[SS_KEY_TIME_SIZE]);

#endif
