/* The CSV of a court's list, read line by line: what a broken one costs, and where a reader stands.
 */
#include "cli/blacklist_csv.h"
#include "helper_blacklist.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

TestSuite(blacklist_csv, .init = list_open, .fini = list_close, .timeout = 60);

/* Every record as "line:[field][field]" or "line:!fault", a line each. */
static char *read_all(int field_count, bool multiline)
{
    static char out[8192];
    struct ss_csv_record record;
    struct ss_csv *csv;
    struct ss_error err;
    bool more;
    size_t used = 0;
    cr_assert_eq(ss_csv_open(files.list, &csv, &err), SS_OK, "%s", err.detail);
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
    list_write(in);
    cr_assert_str_eq(read_all(field_count, multiline), expected, "of: %s", in);
}

Test(blacklist_csv, csv_is_read_as_the_rfc_says)
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

Test(blacklist_csv, a_broken_line_costs_itself_alone)
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

Test(blacklist_csv, quotes_hold_line_breaks_where_allowed)
{
    check_csv("a,\"b\nc\r\nd\"\ne,f\n", 2, true, "1:[a][b\nc\r\nd]\n4:[e][f]\n");
}

/* A stray quote with more behind it than a record may have. */
Test(blacklist_csv, a_stray_quote_swallows_nothing_of_a_long_file)
{
    struct ss_csv_record record;
    struct ss_csv *csv;
    struct ss_error err;
    bool more;
    FILE *file = fopen(files.list, "w");
    fprintf(file, "a,\"b\n");
    for (int i = 0; i < 20000; i++)
        fprintf(file, "%d,c\n", i);
    fclose(file);
    for (int multiline = 0; multiline < 2; multiline++) {
        cr_assert_eq(ss_csv_open(files.list, &csv, &err), SS_OK);
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
Test(blacklist_csv, long_files_are_read_whole)
{
    struct ss_csv_record record;
    struct ss_csv *csv, *again;
    struct ss_error err;
    uint8_t digest[SS_CSV_DIGEST_SIZE], digest_again[SS_CSV_DIGEST_SIZE];
    static char filler[200000];
    bool more;
    int64_t offset = 0, line = 0;
    memset(filler, 'x', sizeof filler);
    FILE *file = fopen(files.list, "w");
    for (int i = 0; i < 3000; i++)
        fprintf(file, "%d,%.*s,\n", i,
                i % 500 == 7    ? (int)sizeof filler
                : i % 1000 == 8 ? 65000
                                : i % 997,
                filler);
    fclose(file);
    cr_assert_eq(ss_csv_open(files.list, &csv, &err), SS_OK);
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
    cr_assert_eq(ss_csv_open(files.list, &again, &err), SS_OK);
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
