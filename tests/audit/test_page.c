/* The page writer: whole in one file, nothing from outside, nobody else's markup. */
#include "audit/page.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct ss_page_column columns[] = {{"Name", false}, {"Count", true}};

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;
    for (; (text = strstr(text, what)); text += strlen(what))
        count++;
    return count;
}

/* The finished page as text; the caller frees. */
static char *finish(struct ss_page *page)
{
    struct ss_error err = {.detail = ""};
    cr_assert_eq(ss_page_end(page, "foot", &err), SS_OK, "%s", err.detail);
    char *text = strndup((const char *)page->html.data, page->html.size);
    ss_page_reset(page);
    return text;
}

static void draw_everything(struct ss_page *page, const char *name)
{
    static const double first[] = {1, 5, 2}, second[] = {0, 4, 4}, axis[] = {0, 0.4, 1};
    const char *const bins[] = {name, "b", "c"};
    struct ss_page_picture picture = {name, name, true};
    struct ss_page_step steps[] = {{0, 600, false, name},
                                   {INT64_C(86400000) * 40, 0, true, NULL},
                                   {INT64_C(86400000) * 400, 640, false, name}};
    struct ss_page_band bands[] = {{name, 350}, {name, 600}};
    ss_page_course(page, &(struct ss_page_course){picture, name, 350, 950, bands, 2, steps, 3,
                                                  INT64_C(86400000) * 500});
    ss_page_bars(page, &(struct ss_page_bars){
                           picture, name, name, bins, {name, name}, {first, second}, 3, 0});
    ss_page_bars(page,
                 &(struct ss_page_bars){picture, name, name, bins, {name, NULL}, {first}, 3, 1});
    ss_page_levels(page, &picture, &(struct ss_page_level){name, name, 3, 5}, 1);
    ss_page_reliability(page, &picture, name, name,
                        &(struct ss_page_reliability_point){0.1, 0.2, 0.1, 0.3, 7}, 1);
    ss_page_roc(page, &picture, name, name, &(struct ss_page_curve){name, axis, axis, 3}, 1);
}

Test(page, closes_what_it_opens)
{
    static const char *const names[] = {"html", "head",    "body",  "main",    "section", "table",
                                        "tr",   "figure",  "svg",   "details", "title",   "desc",
                                        "text", "caption", "thead", "tbody",   "ul",      "dl"};
    struct ss_page page;
    ss_page_begin(&page, 1 << 20, "A page", "lead");
    ss_page_section(&page, "One", "first");
    ss_page_figures(&page, &(struct ss_page_figure){"score", "612", "good"}, 1);
    draw_everything(&page, "name");
    ss_page_section(&page, "Two", NULL);
    ss_page_list_begin(&page, false);
    ss_page_item(&page, "%d items", 1);
    ss_page_list_end(&page);
    char *text = finish(&page);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char open[32], open_with[32], close[32];
        snprintf(open, sizeof open, "<%s>", names[i]);
        snprintf(open_with, sizeof open_with, "<%s ", names[i]);
        snprintf(close, sizeof close, "</%s>", names[i]);
        cr_assert_eq(count_of(text, open) + count_of(text, open_with), count_of(text, close), "%s",
                     names[i]);
        cr_assert_gt(count_of(text, close), 0, "%s", names[i]);
    }
    free(text);
}

Test(page, takes_nothing_from_elsewhere)
{
    static const char *const outside[] = {
        "http:", "https:", "//", "src=", "url(", "@import", "<script", "xlink"};
    struct ss_page page;
    ss_page_begin(&page, 1 << 20, "A page", NULL);
    draw_everything(&page, "name");
    char *text = finish(&page);
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++)
        cr_assert_eq(count_of(text, outside[i]), 0, "%s", outside[i]);
    cr_assert(strstr(text, "default-src 'none'"));
    free(text);
}

Test(page, escapes_whatever_it_is_given)
{
    static const char evil[] = "</title><script>\"'&\x01\xff\xe2\x80\xae";
    struct ss_page page;
    ss_page_begin(&page, 1 << 20, evil, evil);
    ss_page_section(&page, evil, evil);
    ss_page_heading(&page, evil);
    ss_page_paragraph(&page, "%s", evil);
    ss_page_note(&page, "%s", evil);
    ss_page_notice(&page, "%s", evil);
    ss_page_figures(&page, &(struct ss_page_figure){evil, evil, evil}, 1);
    ss_page_fold(&page, evil);
    ss_page_table(&page, evil, columns, 2);
    ss_page_cell(&page, "%s", evil);
    ss_page_cell(&page, "%s", evil);
    ss_page_table_end(&page);
    ss_page_fold_end(&page);
    draw_everything(&page, evil);
    char *text = finish(&page);
    cr_assert_eq(count_of(text, "<script"), 0);
    cr_assert_eq(count_of(text, "\"'&"), 0);
    cr_assert_eq(count_of(text, "\x01"), 0);
    cr_assert_eq(count_of(text, "\xff"), 0);
    cr_assert_gt(
        count_of(text, "&lt;script&gt;&quot;&#39;&amp;\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"), 25);
    free(text);
}

Test(page, every_picture_has_a_title_a_description_and_its_numbers_as_a_table)
{
    struct ss_page page;
    ss_page_begin(&page, 1 << 20, "A page", NULL);
    draw_everything(&page, "name");
    char *text = finish(&page);
    cr_assert_eq(count_of(text, "<svg "), 6);
    cr_assert_eq(count_of(text, "role=\"img\" aria-labelledby="), 6);
    cr_assert_eq(count_of(text, "<desc id="), 6);
    cr_assert_eq(count_of(text, "<table>"), 6);
    for (int i = 1; i <= 6; i++) {
        char id[32];
        snprintf(id, sizeof id, "<title id=\"t%d\">", i);
        cr_assert_eq(count_of(text, id), 1);
    }
    free(text);
}

Test(page, draws_what_is_empty_or_a_single_moment)
{
    struct ss_page page;
    struct ss_page_picture picture = {"t", "d", true};
    struct ss_page_step step = {INT64_C(1577836800000), 600, false, NULL};
    double nothing[1] = {0};
    const char *bin = "a";
    ss_page_begin(&page, 1 << 20, "A page", NULL);
    ss_page_course(
        &page, &(struct ss_page_course){picture, "v", 350, 950, NULL, 0, &step, 1, step.time_ms});
    ss_page_course(&page, &(struct ss_page_course){picture, "v", 350, 950, NULL, 0, NULL, 0, 0});
    ss_page_bars(&page, &(struct ss_page_bars){picture, "l", "v", &bin, {"s"}, {nothing}, 1, 0});
    ss_page_bars(&page, &(struct ss_page_bars){picture, "l", "v", NULL, {"s"}, {nothing}, 0, 0});
    ss_page_levels(&page, &picture, NULL, 0);
    ss_page_reliability(&page, &picture, "p", "o", NULL, 0);
    ss_page_roc(&page, &picture, "x", "y", NULL, 0);
    char *text = finish(&page);
    cr_assert_eq(count_of(text, "nan") + count_of(text, "inf"), 0);
    cr_assert_eq(count_of(text, "<circle"), 1);
    free(text);
}

Test(page, one_that_does_not_fit_is_refused_whole)
{
    struct ss_page page;
    struct ss_error err;
    ss_page_begin(&page, 8192, "A page", NULL);
    for (int i = 0; i < 1000; i++)
        ss_page_paragraph(&page, "paragraph %d", i);
    cr_assert_eq(ss_page_end(&page, NULL, &err), SS_STOP);
    cr_assert_leq(page.html.size, 8192);
    ss_page_reset(&page);
}

Test(page, is_saved_whole_or_not_at_all)
{
    char path[] = "/tmp/test-page-XXXXXX", inside[64];
    struct ss_page page;
    struct ss_error err;
    cr_assert(mkdtemp(path));
    snprintf(inside, sizeof inside, "%s/page.html", path);
    ss_page_begin(&page, 1 << 20, "A page", NULL);
    cr_assert_eq(ss_page_end(&page, NULL, &err), SS_OK);
    cr_assert_eq(ss_page_save(&page, inside, &err), SS_OK, "%s", err.detail);
    FILE *file = fopen(inside, "r");
    fseek(file, 0, SEEK_END);
    cr_assert_eq((size_t)ftell(file), page.html.size);
    fclose(file);
    unlink(inside);
    cr_assert_eq(rmdir(path), 0, "nothing else is left behind");
    cr_assert_eq(ss_page_save(&page, inside, &err), SS_STOP);
    cr_assert(strstr(err.detail, inside));
    ss_page_reset(&page);
}
