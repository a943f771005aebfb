/* What a court's list is read as: the CSV itself, its values, and the command without a broker. */
#include "cli/blacklist_csv.h"
#include "cli/blacklist_progress.h"
#include "cli/blacklist_row.h"
#include "cli/command.h"
#include "config/model_file.h"

#include <criterion/criterion.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/sesame-blacklist-XXXXXX";
static char path[64], rejects[64], progress[64];

static void make_folder(void)
{
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/list.csv", folder);
    snprintf(rejects, sizeof rejects, "%s/rejects.csv", folder);
    snprintf(progress, sizeof progress, "%s/list.csv.progress", folder);
}

static void remove_folder(void)
{
    unlink(path);
    unlink(rejects);
    unlink(progress);
    cr_assert_eq(rmdir(folder), 0, "a file was left behind");
}

TestSuite(blacklist, .init = make_folder, .fini = remove_folder, .timeout = 60);

static struct ss_text text(const char *string)
{
    return (struct ss_text){string, (uint32_t)strlen(string)};
}

static void write_file(const char *bytes, size_t size)
{
    FILE *file = fopen(path, "w");
    cr_assert(file && fwrite(bytes, 1, size, file) == size);
    fclose(file);
}

static void slurp(FILE *file, char *out, size_t size)
{
    rewind(file);
    out[fread(out, 1, size - 1, file)] = '\0';
    fclose(file);
}

/* --- CSV --- */

/* Every record as "line:[field][field]" or "line:!fault", a line each. */
static char *read_all(int field_count, bool multiline)
{
    static char out[8192];
    struct ss_csv_record record;
    struct ss_csv *csv;
    struct ss_error err;
    bool more;
    size_t used = 0;
    cr_assert_eq(ss_csv_open(path, &csv, &err), SS_OK, "%s", err.detail);
    ss_csv_expect(csv, field_count, multiline);
    out[0] = '\0';
    for (;;) {
        cr_assert_eq(ss_csv_next(csv, &record, &more, &err), SS_OK);
        if (!more)
            break;
        used += (size_t)snprintf(out + used, sizeof out - used, "%d:", (int)record.line);
        if (record.fault)
            used += (size_t)snprintf(out + used, sizeof out - used, "!%s", record.fault);
        for (int i = 0; i < record.field_count && !record.fault; i++)
            used += (size_t)snprintf(out + used, sizeof out - used, "[%.*s]",
                                     (int)record.fields[i].size, record.fields[i].data);
        used += (size_t)snprintf(out + used, sizeof out - used, "\n");
    }
    cr_assert_eq(ss_csv_offset(csv), ss_csv_size(csv));
    ss_csv_close(csv);
    return out;
}

static void check_csv(const char *in, int field_count, bool multiline, const char *expected)
{
    write_file(in, strlen(in));
    cr_assert_str_eq(read_all(field_count, multiline), expected, "of: %s", in);
}

Test(blacklist, csv_is_read_as_the_rfc_says)
{
    check_csv("a,b\r\nc,d\r\n", 2, false, "1:[a][b]\n2:[c][d]\n");
    check_csv("a,b\nc,d", 2, false, "1:[a][b]\n2:[c][d]\n");
    check_csv("\xef\xbb\xbf"
              "a,b\n",
              2, false, "1:[a][b]\n");
    check_csv("\"a,\"\"x\"\"\",\"\"\n,\n\n\r\n\"\"\"\",z\n", 2, false,
              "1:[a,\"x\"][]\n2:[][]\n5:[\"][z]\n");
    check_csv("", 0, false, "");
    check_csv("\n\n", 0, false, "");
}

Test(blacklist, a_broken_line_costs_itself_alone)
{
    check_csv("a,\"b\nc,d\n", 2, false, "1:!a quote is not closed\n2:[c][d]\n");
    check_csv("a,\"b\"x\nc,d\n", 2, false, "1:!text behind a closing quote\n2:[c][d]\n");
    check_csv("a,b\"x\nc,d\n", 2, false,
              "1:!a quote within a field that is not in quotes\n2:[c][d]\n");
    check_csv(
        "a\nc,d\ne,f,g\n", 2, false,
        "1:!fewer fields than the header has\n2:[c][d]\n3:!more fields than the header has\n");
    /* also where quotes may hold line breaks, and a later quote seems to close the stray one */
    check_csv("a,\"b\nc,d\ne,\"f\"\ng,h\n", 2, true,
              "1:!text behind a closing quote\n2:[c][d]\n3:[e][f]\n4:[g][h]\n");
    check_csv("a,\"b\nc,d\n", 2, true, "1:!a quote is not closed\n2:[c][d]\n");
}

Test(blacklist, quotes_hold_line_breaks_where_allowed)
{
    check_csv("a,\"b\nc\r\nd\"\ne,f\n", 2, true, "1:[a][b\nc\r\nd]\n4:[e][f]\n");
}

/* A stray quote with more behind it than a record may have. */
Test(blacklist, a_stray_quote_swallows_nothing_of_a_long_file)
{
    struct ss_csv_record record;
    struct ss_csv *csv;
    struct ss_error err;
    bool more;
    FILE *file = fopen(path, "w");
    fprintf(file, "a,\"b\n");
    for (int i = 0; i < 20000; i++)
        fprintf(file, "%d,c\n", i);
    fclose(file);
    for (int multiline = 0; multiline < 2; multiline++) {
        cr_assert_eq(ss_csv_open(path, &csv, &err), SS_OK);
        ss_csv_expect(csv, 2, multiline);
        for (int i = -1; i < 20000; i++) {
            cr_assert_eq(ss_csv_next(csv, &record, &more, &err), SS_OK);
            cr_assert(more && record.line == i + 2, "line %d", (int)record.line);
            if (i < 0)
                cr_assert_str_eq(record.fault, "a quote is not closed");
            else
                cr_assert_null(record.fault);
        }
        cr_assert_eq(ss_csv_next(csv, &record, &more, &err), SS_OK);
        cr_assert_not(more);
        ss_csv_close(csv);
    }
}

/* Records of every length over many buffers, and lines that are longer than any may be. */
Test(blacklist, long_files_are_read_whole)
{
    struct ss_csv_record record;
    struct ss_csv *csv, *again;
    struct ss_error err;
    uint8_t digest[SS_CSV_DIGEST_SIZE], digest_again[SS_CSV_DIGEST_SIZE];
    static char filler[200000];
    bool more;
    int64_t offset = 0, line = 0;
    memset(filler, 'x', sizeof filler);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 3000; i++)
        fprintf(file, "%d,%.*s,\n", i,
                i % 500 == 7    ? (int)sizeof filler
                : i % 1000 == 8 ? 65000
                                : i % 997,
                filler);
    fclose(file);
    cr_assert_eq(ss_csv_open(path, &csv, &err), SS_OK);
    ss_csv_expect(csv, 3, true);
    for (int i = 0; i < 3000; i++) {
        cr_assert_eq(ss_csv_next(csv, &record, &more, &err), SS_OK);
        cr_assert(more && record.line == i + 1);
        if (i % 500 == 7) {
            cr_assert_str_eq(record.fault, "longer than 65536 bytes");
            continue;
        }
        cr_assert_null(record.fault, "%d: %s", i, record.fault);
        cr_assert_eq(strtol(record.fields[0].data, NULL, 10), i);
        cr_assert_eq(record.fields[1].size, i % 1000 == 8 ? 65000u : (uint32_t)(i % 997));
        if (i == 2100) {
            offset = ss_csv_offset(csv);
            line = ss_csv_line(csv);
            ss_csv_digest(csv, digest);
        }
    }
    /* another reader that goes on there stands where this one stood */
    cr_assert_eq(ss_csv_open(path, &again, &err), SS_OK);
    cr_assert_eq(ss_csv_skip(again, offset, line, &err), SS_OK);
    ss_csv_digest(again, digest_again);
    cr_assert_arr_eq(digest, digest_again, sizeof digest);
    cr_assert_eq(ss_csv_next(again, &record, &more, &err), SS_OK);
    cr_assert_eq(strtol(record.fields[0].data, NULL, 10), 2101);
    cr_assert_eq(record.line, 2102);
    cr_assert_eq(ss_csv_skip(again, ss_csv_size(again) + 1, 1, &err), SS_STOP);
    ss_csv_close(csv);
    ss_csv_close(again);
}

/* --- values --- */

static int64_t amount(const char *string, const char *currency)
{
    int64_t minor;
    return ss_blacklist_amount(text(string), ss_blacklist_decimals(text(currency)), &minor) ? minor
                                                                                            : -1;
}

Test(blacklist, amounts_are_exact)
{
    cr_assert_eq(amount("1234.56", "CNY"), 123456);
    cr_assert_eq(amount("1234.5", "CNY"), 123450);
    cr_assert_eq(amount("1234", "CNY"), 123400);
    cr_assert_eq(amount("0.07", "CNY"), 7);
    cr_assert_eq(amount("1234.5600", "CNY"), 123456);
    cr_assert_eq(amount("1234.567", "CNY"), -1);
    cr_assert_eq(amount("12", "JPY"), 12);
    cr_assert_eq(amount("12.00", "JPY"), 12);
    cr_assert_eq(amount("12.5", "JPY"), -1);
    cr_assert_eq(amount("1.234", "KWD"), 1234);
    cr_assert_eq(amount("10000000000.00", "CNY"), SS_AMOUNT_MAX);
    cr_assert_eq(amount("10000000000.01", "CNY"), -1);
    cr_assert_eq(amount("99999999999999999999999", "JPY"), -1);
    const char *const wrong[] = {"", ".5", "5.", "-1", "+1", "1,5", "1 ", "1e3", "1.2.3", "."};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_eq(amount(wrong[i], "CNY"), -1, "%s", wrong[i]);
}

Test(blacklist, currencies_have_their_digits)
{
    const struct {
        const char *code;
        int decimals;
    } some[] = {{"AED", 2}, {"CNY", 2},  {"JPY", 0},  {"KRW", 0}, {"BHD", 3}, {"CLF", 4},
                {"ZWG", 2}, {"XYZ", -1}, {"cny", -1}, {"", -1},   {"CN", -1}, {"CNYX", -1}};
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++)
        cr_assert_eq(ss_blacklist_decimals(text(some[i].code)), some[i].decimals, "%s",
                     some[i].code);
    /* what the default model can convert is what a list can name */
    struct ss_model *model = calloc(1, sizeof *model);
    struct ss_error err;
    cr_assert_eq(ss_model_default(model, &err), SS_OK);
    for (int i = 0; i < model->currency_count; i++)
        cr_assert_geq(ss_blacklist_decimals(text(model->currencies[i].code)), 0, "%s",
                      model->currencies[i].code);
    free(model);
}

Test(blacklist, times_are_iso_8601)
{
    const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"2024-05-01", 1714521600000},
        {"2024-05-01T08:30:00Z", 1714552200000},
        {"2024-05-01T08:30:00", 1714552200000},
        {"2024-05-01 08:30", 1714552200000},
        {"2024-05-01T08:30:00+08:00", 1714523400000},
        {"2024-05-01T08:30:00-0130", 1714557600000},
        {"2024-05-01T08:30:00.5Z", 1714552200500},
        {"2024-05-01T08:30:00.123456Z", 1714552200123},
        {"2000-02-29", 951782400000},
        {"2024-12-31T23:59:59.999Z", 1735689599999},
    };
    const char *const wrong[] = {"",
                                 "2024-5-1",
                                 "2024-02-30",
                                 "2023-02-29",
                                 "2100-02-29",
                                 "01.05.2024",
                                 "2024-05-01T",
                                 "2024-13-01",
                                 "2024-05-00",
                                 "2024-05-01T24:00:00",
                                 "2024-05-01T08:30:60",
                                 "2024-05-01T08:30:00+8",
                                 "2024-05-01 ",
                                 "1714521600000",
                                 "2024-05-01T08:30:00.Z",
                                 "2024-05-01Z"};
    int64_t ms;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        cr_assert(ss_blacklist_time(text(good[i].text), &ms), "%s", good[i].text);
        cr_assert_eq(ms, good[i].ms, "%s: %lld", good[i].text, (long long)ms);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_not(ss_blacklist_time(text(wrong[i]), &ms), "%s", wrong[i]);
}

/* --- the command --- */

static char out[16384], err_text[16384];

static int run(const char *option, const char *value)
{
    const char *argv[16] = {"blacklist", "import", path, "--dry-run", option, value};
    int argc = option ? value ? 6 : 5 : 4;
    fflush(stdout);
    fflush(stderr);
    FILE *files[2] = {tmpfile(), tmpfile()};
    int old[2] = {dup(STDOUT_FILENO), dup(STDERR_FILENO)};
    dup2(fileno(files[0]), STDOUT_FILENO);
    dup2(fileno(files[1]), STDERR_FILENO);
    optind = 0;
    int code = ss_command_blacklist.run(argc, (char **)argv);
    fflush(stdout);
    fflush(stderr);
    dup2(old[0], STDOUT_FILENO);
    dup2(old[1], STDERR_FILENO);
    close(old[0]);
    close(old[1]);
    slurp(files[0], out, sizeof out);
    slurp(files[1], err_text, sizeof err_text);
    return code;
}

#define COLUMNS "user_id,case_id,authority,amount_owed,currency,listed_at"

static void put(const char *string)
{
    write_file(string, strlen(string));
}

static void check_says(const char *what)
{
    cr_assert(strstr(out, what) || strstr(err_text, what), "no '%s' in:\n%s%s", what, out,
              err_text);
}

Test(blacklist, a_good_list_is_fine)
{
    put("\xef\xbb\xbf"
        "listed_at,action,case_id,currency,amount_owed,authority,user_id\r\n"
        "2024-05-01,,\"(2024) \xe4\xba\xac 0105 \xe6\x89\xa7 1\",CNY,1234.56,"
        "\"\xe5\x8c\x97\xe4\xba\xac, \xe6\xb3\x95\xe9\x99\xa2\",u1\r\n"
        "2024-05-02,DELISTED,c2,,,,u2\r\n");
    cr_assert_eq(run(NULL, NULL), SS_EXIT_DONE, "%s", err_text);
    check_says("2 rows, 2 fit to be published, 0 rejected");
}

Test(blacklist, bad_rows_are_rejected_by_line)
{
    put(COLUMNS ",action\n"
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
    put("note," COLUMNS "\n"
        "fine,u1,c1,,,,2024-05-01\n"
        "\"a, b\",u2,c2,,,,2024-05-99\n"
        "stray \" quote,u3,c3,,,,2024-05-01\n");
    cr_assert_eq(run("--ignore-columns", NULL), SS_EXIT_FAILED);
    check_says("3 rows, 1 fit to be published, 2 rejected");
    cr_assert_eq(run("--rejects", rejects), SS_EXIT_FAILED);
    check_says("unknown column 'note'");
    const char *argv[] = {"blacklist", "import",          path, "--dry-run", "--rejects",
                          rejects,     "--ignore-columns"};
    optind = 0;
    cr_assert_eq(ss_command_blacklist.run(7, (char **)argv), SS_EXIT_FAILED);
    slurp(fopen(rejects, "r"), kept, sizeof kept);
    cr_assert(strstr(kept, "rejected_line,rejected_because,note," COLUMNS "\n3,\"listed_at"));
    cr_assert(strstr(kept, ",\"a, b\",u2,c2,,,,2024-05-99\n"));
    cr_assert(strstr(kept, ",\"stray \"\" quote,u3,c3,,,,2024-05-01\"\n"));
    memcpy(strstr(kept, "-99"), "-09", 3);
    *strstr(kept, "4,\"a quote") = '\0';
    put(kept);
    cr_assert_eq(run("--ignore-columns", NULL), SS_EXIT_DONE, "%s", err_text);
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
        put(cases[i].file);
        cr_assert_eq(run(NULL, NULL), SS_EXIT_FAILED);
        check_says(cases[i].said);
    }
    unlink(path);
    cr_assert_eq(run(NULL, NULL), SS_EXIT_FAILED);
    check_says("cannot read");
}

Test(blacklist, wrong_calls_are_told_apart)
{
    put(COLUMNS "\n");
    cr_assert_eq(run("--no-such-option", NULL), SS_EXIT_USAGE);
    cr_assert_eq(run("another.csv", NULL), SS_EXIT_USAGE);
    cr_assert_eq(run("--rejects-max", "-1"), SS_EXIT_USAGE);
    cr_assert_eq(run(NULL, NULL), SS_EXIT_DONE);
}

/* --- an event's name --- */

static void read_row(struct ss_blacklist_row *row, const char *line)
{
    static struct ss_csv_record record;
    struct ss_blacklist_columns columns;
    struct ss_csv *csv;
    struct ss_error err;
    struct ss_model *model = calloc(1, sizeof *model);
    char file[512];
    bool more;
    snprintf(file, sizeof file, COLUMNS ",action\n%s\n", line);
    put(file);
    cr_assert_eq(ss_model_default(model, &err), SS_OK);
    cr_assert_eq(ss_csv_open(path, &csv, &err), SS_OK);
    cr_assert_eq(ss_csv_next(csv, &record, &more, &err), SS_OK);
    cr_assert_eq(ss_blacklist_columns_read(&columns, &record, false, &err), SS_OK);
    cr_assert_eq(ss_csv_next(csv, &record, &more, &err), SS_OK);
    cr_assert_null(ss_blacklist_row_read(row, &columns, &record, model, 1767225600000, 0));
    ss_csv_close(csv);
    free(model);
}

Test(blacklist, the_same_case_is_the_same_event)
{
    struct ss_blacklist_row row, other;
    read_row(&row, "u1,c1,Court,1.00,CNY,2024-05-01,LISTED");
    /* printf 'u1\0c1\0LISTED\0' and the milliseconds, through sha256sum | cut -c 1-32 */
    cr_assert_str_eq(row.event_id, "96f1901848b3a301d8606229c50b4ac3");
    read_row(&other, "u1,c1,The Court,2.00,EUR,2024-05-01T00:00:00Z,");
    cr_assert_str_eq(other.event_id, row.event_id);
    const char *const others[] = {"u2,c1,,,,2024-05-01,", "u1,c2,,,,2024-05-01,",
                                  "u1,c1,,,,2024-05-02,", "u1,c1,,,,2024-05-01,DELISTED",
                                  "u1c,1,,,,2024-05-01,"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        read_row(&other, others[i]);
        cr_assert_str_neq(other.event_id, row.event_id, "%s", others[i]);
    }
}

/* --- progress --- */

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
    cr_assert_eq(ss_blacklist_progress_load(progress, &loaded, &found, &err), SS_OK);
    cr_assert_not(found);
    for (int round = 0; round < 2; round++) {
        memset(&loaded, 0, sizeof loaded);
        cr_assert_eq(ss_blacklist_progress_save(progress, &saved, &err), SS_OK, "%s", err.detail);
        cr_assert_eq(ss_blacklist_progress_load(progress, &loaded, &found, &err), SS_OK);
        cr_assert(found && memcmp(&saved, &loaded, sizeof saved) == 0);
        saved.rejects[0] = '\0';
        memset(saved.rejects, 0, sizeof saved.rejects);
    }
    cr_assert_eq(truncate(progress, 100), 0);
    cr_assert_eq(ss_blacklist_progress_load(progress, &loaded, &found, &err), SS_STOP);
    cr_assert(strstr(err.detail, "--restart"));
    cr_assert_eq(ss_blacklist_progress_save("/nowhere/at/all", &saved, &err), SS_STOP);
    cr_assert(strstr(err.detail, "--progress"));
}
