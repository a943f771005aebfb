/* The import of a court's list as a command without a broker, and how far it says it has come. */
#include "cli/blacklist_progress.h"
#include "helper_blacklist.h"
#include "helper_command.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

TestSuite(blacklist, .init = list_open, .fini = list_close, .timeout = 60);

static const struct command_output *said; /* by the last run */

static int run(const char *option, const char *value)
{
    const char *argv[] = {"blacklist", "import", files.list, "--dry-run", option, value};
    said = command_run(&ss_command_blacklist, option ? value ? 6 : 5 : 4, argv);
    return said->code;
}

static void check_says(const char *what)
{
    cr_assert(strstr(said->out, what) || strstr(said->err, what), "no '%s' in:\n%s%s", what,
              said->out, said->err);
}

Test(blacklist, a_good_list_is_fine)
{
    list_write("\xef\xbb\xbf"
               "listed_at,action,case_id,currency,amount_owed,authority,user_id\r\n"
               "2024-05-01,,\"(2024) \xe4\xba\xac 0105 \xe6\x89\xa7 1\",CNY,1234.56,"
               "\"\xe5\x8c\x97\xe4\xba\xac, \xe6\xb3\x95\xe9\x99\xa2\",u1\r\n"
               "2024-05-02,DELISTED,c2,,,,u2\r\n");
    cr_assert_eq(run(NULL, NULL), SS_EXIT_DONE, "%s", said->err);
    check_says("2 rows, 2 fit to be published, 0 rejected");
}

Test(blacklist, bad_rows_are_rejected_by_line)
{
    list_write(COLUMNS ",action\n"
                       "u1,c1,Court,1.00,CNY,2024-05-01,LISTED\n"
                       "u1,c1,Court,1.00,CNY,2024-05-01,listed\n"
                       ",c1,Court,1.00,CNY,2024-05-01,\n"
                       "u\x01,c1,Court,1.00,CNY,2024-05-01,\n"
                       "u1,,Court,1.00,CNY,2024-05-01,\n"
                       "u1,c1,Court,1.00,CNY,1999-12-31,\n"
                       "u1,c1,Court,1.00,CNY,2199-12-31,\n"
                       "u1,c1,Court,1.00,CNY,yesterday,\n"
                       "u1,c1,Court,1.00,YUAN,2024-05-01,\n"
                       "u1,c1,Court,1.00,,2024-05-01,\n"
                       "u1,c1,Court,-1,CNY,2024-05-01,\n"
                       "u1,c1,Co\xff,1,CNY,2024-05-01,\n"
                       "u1,c1,Court\n");
    cr_assert_eq(run(NULL, NULL), SS_EXIT_FAILED);
    check_says("13 rows, 1 fit to be published, 12 rejected");
    const char *const reasons[] = {
        "line 3: action is neither",    "line 4: user_id must",    "line 5: user_id must",
        "line 6: case_id must",         "line 7: listed_at lies",  "line 8: listed_at lies",
        "line 9: listed_at is no date", "line 10: currency is no", "line 11: amount_owed without",
        "line 12: amount_owed is no",   "line 13: authority must", "line 14: fewer fields"};
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        check_says(reasons[i]);
    cr_assert_eq(run("--rejects-max", "11"), SS_EXIT_FAILED);
    check_says("more than 11 rows are rejected");
}

/* The rows that are rejected, once mended, are a list again. */
Test(blacklist, rejects_can_be_mended_and_imported)
{
    char kept[4096];
    list_write("note," COLUMNS "\n"
               "fine,u1,c1,,,,2024-05-01\n"
               "\"a, b\",u2,c2,,,,2024-05-99\n"
               "stray \" quote,u3,c3,,,,2024-05-01\n");
    cr_assert_eq(run("--ignore-columns", NULL), SS_EXIT_FAILED);
    check_says("3 rows, 1 fit to be published, 2 rejected");
    cr_assert_eq(run("--rejects", files.rejects), SS_EXIT_FAILED);
    check_says("unknown column 'note'");
    const char *argv[] = {"blacklist", "import",      files.list,        "--dry-run",
                          "--rejects", files.rejects, "--ignore-columns"};
    cr_assert_eq(command_run(&ss_command_blacklist, 7, argv)->code, SS_EXIT_FAILED);
    FILE *file = fopen(files.rejects, "r");
    cr_assert_not_null(file);
    kept[fread(kept, 1, sizeof kept - 1, file)] = '\0';
    fclose(file);
    cr_assert(strstr(kept, "rejected_line,rejected_because,note," COLUMNS "\n3,\"listed_at"));
    cr_assert(strstr(kept, ",\"a, b\",u2,c2,,,,2024-05-99\n"));
    cr_assert(strstr(kept, ",\"stray \"\" quote,u3,c3,,,,2024-05-01\"\n"));
    memcpy(strstr(kept, "-99"), "-09", 3);
    *strstr(kept, "4,\"a quote") = '\0';
    list_write(kept);
    cr_assert_eq(run("--ignore-columns", NULL), SS_EXIT_DONE, "%s", said->err);
    check_says("1 rows, 1 fit");
}

Test(blacklist, a_wrong_header_is_named)
{
    const struct {
        const char *file, *said;
    } cases[] = {
        {"", "is empty"},
        {"\n\n", "is empty"},
        {"user_id;case_id\n", "unknown column 'user_id;case_id'"},
        {"user_id,case_id,authority,amount_owed,currency\n", "lacks the column listed_at"},
        {COLUMNS ",user_id\n", "the column user_id twice"},
        {COLUMNS ",\x1b[2J\n", "unknown column '?[2J'"},
        {"\"user_id\n", "the header (line 1): a quote is not closed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        list_write(cases[i].file);
        cr_assert_eq(run(NULL, NULL), SS_EXIT_FAILED);
        check_says(cases[i].said);
    }
    unlink(files.list);
    cr_assert_eq(run(NULL, NULL), SS_EXIT_FAILED);
    check_says("cannot read");
}

Test(blacklist, wrong_calls_are_told_apart)
{
    list_write(COLUMNS "\n");
    cr_assert_eq(run("--no-such-option", NULL), SS_EXIT_USAGE);
    cr_assert_eq(run("another.csv", NULL), SS_EXIT_USAGE);
    cr_assert_eq(run("--rejects-max", "-1"), SS_EXIT_USAGE);
    cr_assert_eq(run(NULL, NULL), SS_EXIT_DONE);
}

Test(blacklist, progress_comes_back_or_is_refused)
{
    struct ss_blacklist_progress saved = {.cluster = "cluster one",
                                          .topic = "blacklist",
                                          .size = 1000,
                                          .offset = 500,
                                          .line = 11,
                                          .rows = 10,
                                          .published = 9,
                                          .rejected = 1,
                                          .rejects = "a file.csv",
                                          .rejects_bytes = 77};
    struct ss_blacklist_progress loaded;
    struct ss_error err;
    bool found;
    memset(saved.digest, 0xa5, sizeof saved.digest);
    cr_assert_eq(ss_blacklist_progress_load(files.progress, &loaded, &found, &err), SS_OK);
    cr_assert_not(found);
    for (int round = 0; round < 2; round++) {
        memset(&loaded, 0, sizeof loaded);
        cr_assert_eq(ss_blacklist_progress_save(files.progress, &saved, &err), SS_OK, "%s",
                     err.detail);
        cr_assert_eq(ss_blacklist_progress_load(files.progress, &loaded, &found, &err), SS_OK);
        cr_assert(found && memcmp(&saved, &loaded, sizeof saved) == 0);
        saved.rejects[0] = '\0';
        memset(saved.rejects, 0, sizeof saved.rejects);
    }
    cr_assert_eq(truncate(files.progress, 100), 0);
    cr_assert_eq(ss_blacklist_progress_load(files.progress, &loaded, &found, &err), SS_STOP);
    cr_assert(strstr(err.detail, "--restart"));
    cr_assert_eq(ss_blacklist_progress_save("/nowhere/at/all", &saved, &err), SS_STOP);
    cr_assert(strstr(err.detail, "--progress"));
}
