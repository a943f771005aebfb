/* Key files: what is read, what is refused and how it is said, and how a key is added. */
#include "state/key_file.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_A "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
#define KEY_B "IAEfAh4DHQQcBRsGGgcZCBgJFwoWCxUMFA0TDhIPERA="
#define OLD   "2026-01-01T00:00:00Z"
#define NEW   "2026-02-01T00:00:00Z"

static const int64_t old_ms = INT64_C(1767225600000), new_ms = INT64_C(1769904000000);

static char folder[64], path[96];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/sesame-keys-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/keys", folder);
}

static void remove_folder(void)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(folder);
}

TestSuite(key_file, .init = make_folder, .fini = remove_folder);

static void write_file(const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    cr_assert_eq(fchmod(fd, mode), 0);
    close(fd);
}

static struct ss_key_file *must_open(void)
{
    struct ss_key_file *file;
    struct ss_error err = {0};
    cr_assert_eq(ss_key_file_open(path, &file, &err), SS_OK, "%s", err.detail);
    return file;
}

static void assert_refused(const char *expected)
{
    struct ss_key_file *file;
    struct ss_error err = {0};
    cr_assert_eq(ss_key_file_open(path, &file, &err), SS_STOP, "expected: %s", expected);
    cr_assert_null(file);
    cr_assert_not_null(strstr(err.detail, path), "names the file: %s", err.detail);
    cr_assert_not_null(strstr(err.detail, expected), "expected: %s; got: %s", expected, err.detail);
    cr_assert_null(strstr(err.detail, "AQIDBAUG"), "no key in errors: %s", err.detail);
}

static void assert_text_refused(const char *text, const char *expected)
{
    write_file(text, 0600);
    assert_refused(expected);
}

Test(key_file, keys_and_comments_are_read)
{
    write_file("# keys\n\n  1 " OLD " " OLD " " KEY_A "\r\n\t# more\n7\t" OLD "  " NEW " " KEY_B,
               0400);
    struct ss_key_file *file = must_open();
    cr_assert_eq(ss_key_file_count(file), 2);
    cr_assert_eq(ss_key_file_entry(file, 0)->id, 1);
    cr_assert_eq(ss_key_file_entry(file, 1)->id, 7);
    cr_assert_eq(ss_key_file_entry(file, 1)->created_ms, old_ms);
    cr_assert_eq(ss_key_file_entry(file, 1)->active_from_ms, new_ms);
    ss_key_file_close(file);
}

Test(key_file, the_newest_key_whose_time_has_come_seals)
{
    write_file("2 " OLD " " NEW " " KEY_B "\n1 " OLD " " OLD " " KEY_A "\n", 0600);
    struct ss_key_file *file = must_open();
    cr_assert_eq(ss_key_file_current(file, old_ms - 1), 1, "before any: the earliest");
    cr_assert_eq(ss_key_file_next_change_ms(file, old_ms - 1), old_ms);
    cr_assert_eq(ss_key_file_current(file, new_ms - 1), 1);
    cr_assert_eq(ss_key_file_next_change_ms(file, new_ms - 1), new_ms);
    cr_assert_eq(ss_key_file_current(file, new_ms), 0);
    cr_assert_eq(ss_key_file_next_change_ms(file, new_ms), INT64_MAX);
    ss_key_file_close(file);
    write_file("2 " OLD " " OLD " " KEY_B "\n1 " OLD " " OLD " " KEY_A "\n", 0600);
    file = must_open();
    cr_assert_eq(ss_key_file_current(file, new_ms), 0, "of equals the highest id");
    ss_key_file_close(file);
}

Test(key_file, its_keys_seal)
{
    write_file("1 " OLD " " OLD " " KEY_A "\n2 " OLD " " NEW " " KEY_B "\n", 0600);
    struct ss_key_file *file = must_open();
    struct ss_sealer *before, *after;
    uint8_t sealed[SS_SEALED_MAX], out[SS_PACKED_MAX];
    struct ss_bytes user = {"anna", 4}, packed = {"\x01state", 6}, opened;
    cr_assert_eq(ss_key_file_sealer(file, old_ms, SS_PLAIN_ACCEPT, &before, NULL), SS_OK);
    cr_assert_eq(ss_key_file_sealer(file, new_ms, SS_PLAIN_ACCEPT, &after, NULL), SS_OK);
    ss_key_file_close(file);
    struct ss_bytes stored = ss_seal(before, user, packed, sealed);
    cr_assert_eq(ss_seal_key_id(stored), 1);
    cr_assert_eq(ss_unseal(after, user, stored, out, &opened, NULL), SS_OK);
    /* Who does not use the new key yet opens what others have sealed with it. */
    stored = ss_seal(after, user, packed, sealed);
    cr_assert_eq(ss_seal_key_id(stored), 2);
    cr_assert_eq(ss_unseal(before, user, stored, out, &opened, NULL), SS_OK);
    cr_assert(ss_bytes_equal(opened, packed));
    ss_sealer_close(before);
    ss_sealer_close(after);
}

Test(key_file, open_to_others_is_refused)
{
    static const mode_t modes[] = {0640, 0620, 0610, 0604, 0602, 0601, 0644, 0660};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        write_file("1 " OLD " " OLD " " KEY_A "\n", modes[i]);
        assert_refused("chmod 600");
    }
}

Test(key_file, what_is_no_file_is_refused)
{
    assert_refused("No such file");
    cr_assert_eq(mkdir(path, 0700), 0);
    assert_refused("not a regular file");
    cr_assert_eq(rmdir(path), 0);
    cr_assert_eq(mkfifo(path, 0600), 0);
    assert_refused("not a regular file");
}

Test(key_file, another_users_is_refused)
{
    if (geteuid() != 0)
        cr_skip_test("needs root to give a file away");
    write_file("1 " OLD " " OLD " " KEY_A "\n", 0600);
    cr_assert_eq(chown(path, 65534, (gid_t)-1), 0);
    assert_refused("belongs to user 65534");
}

Test(key_file, bad_lines_are_named_and_never_shown)
{
    assert_text_refused("", "has no key");
    assert_text_refused("# nothing\n", "has no key");
    assert_text_refused("# a\n" KEY_A "\n", "line 2: a key's line has four words");
    assert_text_refused("1 " OLD " " KEY_A "\n", "line 1: a key's line has four words");
    assert_text_refused("1 " OLD " " OLD " " KEY_A " x\n", "line 1: a key's line has four words");
    assert_text_refused("1 " OLD " " OLD " " KEY_A " # current\n", "four words");
    assert_text_refused(KEY_A " " OLD " " OLD " 1\n", "line 1: the id must be a number");
    assert_text_refused("0 " OLD " " OLD " " KEY_A "\n", "the id must be a number");
    assert_text_refused("01 " OLD " " OLD " " KEY_A "\n", "the id must be a number");
    assert_text_refused("-1 " OLD " " OLD " " KEY_A "\n", "the id must be a number");
    assert_text_refused("268435456 " OLD " " OLD " " KEY_A "\n", "the id must be a number");
    assert_text_refused("99999999999999999999 " OLD " " OLD " " KEY_A "\n", "the id must be");
    assert_text_refused("1 " KEY_A " " OLD " " OLD "\n", "line 1: the time of creation");
    assert_text_refused("1 2026-01-01 " OLD " " KEY_A "\n", "the time of creation");
    assert_text_refused("1 2026-02-30T00:00:00Z " OLD " " KEY_A "\n", "the time of creation");
    assert_text_refused("1 " OLD " soon " KEY_A "\n", "line 1: the time from which");
    assert_text_refused("1 " OLD " 2026-01-01T24:00:00Z " KEY_A "\n", "the time from which");
    assert_text_refused("1 " OLD " " OLD " AQIDBAUG\n", "line 1: the key must be 32 bytes");
    assert_text_refused("1 " OLD " " OLD " *QIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n",
                        "the key must be 32 bytes");
    assert_text_refused("1 " OLD " " OLD " " KEY_A KEY_A "\n", "the key must be 32 bytes");
    assert_text_refused("1 " OLD " " OLD " " KEY_A "\n\n1 " OLD " " NEW " " KEY_B "\n",
                        "line 3: another key has this id");
    assert_text_refused("1 " OLD " " OLD " " KEY_A "\n2 " OLD " " NEW " " KEY_A "\n",
                        "line 2: another id has this very key");
}

Test(key_file, a_zero_byte_is_no_end)
{
    static const char text[] = "1 " OLD " " OLD " " KEY_A "\0x\n";
    write_file("", 0600);
    int fd = open(path, O_WRONLY);
    cr_assert_eq(write(fd, text, sizeof text - 1), (ssize_t)sizeof text - 1);
    close(fd);
    assert_refused("the key must be 32 bytes");
}

Test(key_file, too_large_or_too_many_is_refused)
{
    char *text = malloc(70001);
    memset(text, '#', 70000);
    text[70000] = '\0';
    assert_text_refused(text, "larger than");
    free(text);
    struct ss_key_entry added;
    struct ss_error err = {0};
    cr_assert_eq(unlink(path), 0);
    for (int i = 0; i < SS_SEAL_KEYS_MAX; i++)
        cr_assert_eq(ss_key_file_add(path, old_ms, old_ms, &added, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(ss_key_file_add(path, old_ms, old_ms, &added, &err), SS_STOP);
    cr_assert_not_null(strstr(err.detail, "retire"), "%s", err.detail);
    struct ss_key_file *file = must_open();
    cr_assert_eq(ss_key_file_count(file), (size_t)SS_SEAL_KEYS_MAX);
    ss_key_file_close(file);
}

Test(key_file, a_first_key_makes_the_file)
{
    struct ss_key_entry added;
    struct ss_error err = {0};
    struct stat found;
    umask(0);
    cr_assert_eq(ss_key_file_add(path, old_ms + 789, new_ms, &added, &err), SS_OK, "%s",
                 err.detail);
    cr_assert_eq(added.id, 1);
    cr_assert_eq(stat(path, &found), 0);
    cr_assert_eq(found.st_mode & 07777, 0600);
    struct ss_key_file *file = must_open();
    cr_assert_eq(ss_key_file_count(file), 1);
    cr_assert_eq(ss_key_file_entry(file, 0)->created_ms, old_ms, "whole seconds");
    cr_assert_eq(ss_key_file_entry(file, 0)->active_from_ms, old_ms, "a first key is, at once");
    cr_assert_eq(added.active_from_ms, old_ms);
    ss_key_file_close(file);
}

static void read_file(char *text, size_t size)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, size - 1);
    cr_assert_geq(n, 0);
    text[n] = '\0';
    close(fd);
}

Test(key_file, a_further_key_leaves_the_rest_as_it_is)
{
    static const char before[] = "# mine\n5 " OLD " " OLD " " KEY_A "\n# no line break here";
    char after[4096];
    struct ss_key_entry added;
    struct ss_error err = {0};
    write_file(before, 0400);
    cr_assert_eq(ss_key_file_add(path, new_ms, new_ms + 1000, &added, &err), SS_OK, "%s",
                 err.detail);
    cr_assert_eq(added.id, 6);
    read_file(after, sizeof after);
    cr_assert_eq(strncmp(after, before, sizeof before - 1), 0, "%s", after);
    struct stat found;
    cr_assert_eq(stat(path, &found), 0);
    cr_assert_eq(found.st_mode & 07777, 0400);
    struct ss_key_file *file = must_open();
    cr_assert_eq(ss_key_file_count(file), 2);
    cr_assert_eq(ss_key_file_current(file, new_ms), 0);
    cr_assert_eq(ss_key_file_current(file, new_ms + 1000), 1);
    ss_key_file_close(file);
}

Test(key_file, through_a_link_its_target_is_replaced)
{
    char target[128];
    struct ss_key_entry added;
    struct ss_error err = {0};
    struct stat found;
    snprintf(target, sizeof target, "%s/target", folder);
    write_file("1 " OLD " " OLD " " KEY_A "\n", 0600);
    cr_assert_eq(rename(path, target), 0);
    cr_assert_eq(symlink("target", path), 0);
    cr_assert_eq(ss_key_file_add(path, new_ms, new_ms, &added, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(lstat(path, &found), 0);
    cr_assert(S_ISLNK(found.st_mode));
    struct ss_key_file *file = must_open();
    cr_assert_eq(ss_key_file_count(file), 2);
    ss_key_file_close(file);
}

Test(key_file, a_bad_file_is_not_extended)
{
    static const char bad[] = "1 " OLD " " OLD " " KEY_A "\nnonsense\n";
    char after[4096], beside[128];
    struct ss_key_entry added;
    struct ss_error err = {0};
    write_file(bad, 0600);
    cr_assert_eq(ss_key_file_add(path, new_ms, new_ms, &added, &err), SS_STOP);
    cr_assert_not_null(strstr(err.detail, "line 2"), "%s", err.detail);
    read_file(after, sizeof after);
    cr_assert_str_eq(after, bad);
    snprintf(beside, sizeof beside, "%s.new", path);
    cr_assert_neq(access(beside, F_OK), 0, "nothing is left beside it");
}

Test(key_file, two_at_once_do_not_lose_a_key)
{
    char beside[128];
    struct ss_key_entry added;
    struct ss_error err = {0};
    snprintf(beside, sizeof beside, "%s.new", path);
    int fd = open(beside, O_WRONLY | O_CREAT, 0600);
    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_eq(ss_key_file_add(path, new_ms, new_ms, &added, &err), SS_STOP);
    cr_assert_not_null(strstr(err.detail, "another `sesame keys new`"), "%s", err.detail);
    cr_assert_eq(access(beside, F_OK), 0, "it is the other one's");
}
