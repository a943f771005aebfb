/* page.h - writes one self-contained HTML page: text, tables, and pictures as inline SVG.
 *
 * 1. Everything is in the page: style inline, no script, no font, image or link from elsewhere, and
 *    a Content-Security-Policy that would refuse one.
 * 2. Texts are UTF-8 and escaped here; control characters and what is not UTF-8 show as U+FFFD.
 * 3. It reads in light and dark, on paper, in grey, and by ear: every picture has a title and a
 *    description, is never told by colour alone, and its numbers stand in a table too.
 * 4. A call that fails (out of memory, or past the page's bound) marks the page, and later ones do
 *    nothing: check once, with ss_page_end. The bytes depend on the arguments alone.
 *
 * One thread. Texts are borrowed during the call.
 */
#ifndef SS_AUDIT_PAGE_H
#define SS_AUDIT_PAGE_H

#include "base/bytes.h"

struct ss_page {
    struct ss_buffer html;
    bool failed;
    bool in_section, numbered;
    int pictures, columns, column;
    const struct ss_page_column *head;
};

/* ---- the frame ---- */

/* `lead`: a line below the title, or NULL. The page grows to size_max bytes at most. */
void ss_page_begin(struct ss_page *page, size_t size_max, const char *title, const char *lead);
/* `foot`: a last line, or NULL. SS_STOP: the page is incomplete. */
SS_MUST_USE enum ss_status ss_page_end(struct ss_page *page, const char *foot,
                                       struct ss_error *err);
/* To a file, whole or not at all ("-": standard output). The second: of bytes that are no page. */
SS_MUST_USE enum ss_status ss_page_save(const struct ss_page *page, const char *path,
                                        struct ss_error *err);
SS_MUST_USE enum ss_status ss_page_save_bytes(struct ss_bytes bytes, const char *path,
                                              struct ss_error *err);
void ss_page_reset(struct ss_page *page);

/* ---- text ---- */

/* Ends the section before. `lead`: a sentence below the heading, or NULL. */
void ss_page_section(struct ss_page *page, const char *heading, const char *lead);
void ss_page_heading(struct ss_page *page, const char *heading); /* a smaller one */
void ss_page_paragraph(struct ss_page *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A paragraph in smaller print. */
void ss_page_note(struct ss_page *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A box that catches the eye: for what matters most, or a warning. */
void ss_page_notice(struct ss_page *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "What is is called" in small above "the value" in large; several in a row stand side by side. */
struct ss_page_figure {
    const char *label, *value, *note; /* note may be NULL */
};
void ss_page_figures(struct ss_page *page, const struct ss_page_figure *figures, int count);
void ss_page_list_begin(struct ss_page *page, bool numbered);
void ss_page_item(struct ss_page *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void ss_page_list_end(struct ss_page *page);
/* What follows can be folded away, up to ss_page_fold_end; open on paper. */
void ss_page_fold(struct ss_page *page, const char *summary);
void ss_page_fold_end(struct ss_page *page);

/* ---- tables ---- */

struct ss_page_column {
    const char *head;
    bool number; /* aligned to the right */
};

/* `caption` may be NULL. `columns` is borrowed until the table's end. Cells are added one after
 * the other, row by row, by themselves; the first of a row is its header. */
void ss_page_table(struct ss_page *page, const char *caption, const struct ss_page_column *columns,
                   int count);
void ss_page_cell(struct ss_page *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void ss_page_table_end(struct ss_page *page);

/* ---- pictures (page_chart.c) ---- */

/* Every picture has a title, and a description that says in words what can be seen. With `table`
 * its numbers follow as a table that can be unfolded; without, the caller shows them nearby. */
struct ss_page_picture {
    const char *title, *description;
    bool table;
};

struct ss_page_band { /* "good, from 600": a level drawn across */
    const char *name;
    double from;
};

struct ss_page_step {
    int64_t time_ms;
    double value;     /* from here on */
    bool none;        /* no value from here on: a gap */
    const char *text; /* shown on pointing at it; or NULL */
};

/* A value that holds until the next step, over time. Steps ascend in time. until_ms: how far the
 * last value is drawn, at least its own time. */
struct ss_page_course {
    struct ss_page_picture picture;
    const char *value_label;
    double low, high; /* of the axis */
    const struct ss_page_band *bands;
    int band_count;
    const struct ss_page_step *steps;
    int step_count;
    int64_t until_ms;
};
void ss_page_course(struct ss_page *page, const struct ss_page_course *course);

/* Bars side by side, for one or two series: a distribution, champion against challenger. */
struct ss_page_bars {
    struct ss_page_picture picture;
    const char *label, *value_label; /* of the bins, and of the bars */
    const char *const *bins;         /* names, count of them */
    const char *series[2];           /* names; the second NULL: one series */
    const double *values[2];         /* count of each, not negative */
    int count;
    int decimals; /* of a value, as text */
};
void ss_page_bars(struct ss_page *page, const struct ss_page_bars *bars);

/* Bars to the right, each with its name and value, out of its own full length: points per factor.
 */
struct ss_page_level {
    const char *name, *text; /* text: "171.50 of 210" */
    double value, full;
};
void ss_page_levels(struct ss_page *page, const struct ss_page_picture *picture,
                    const struct ss_page_level *levels, int count);

/* What was said beside what came true, both from 0 to 1, with intervals; the diagonal is perfect.
 */
struct ss_page_reliability_point {
    double predicted, observed, low, high; /* low = high: no interval */
    int64_t count;
};
void ss_page_reliability(struct ss_page *page, const struct ss_page_picture *picture,
                         const char *predicted_label, const char *observed_label,
                         const struct ss_page_reliability_point *points, int count);

/* Up to SS_PAGE_CURVES curves from (0,0) to (1,1), such as ROC; the diagonal is chance. A curve of
 * many points is thinned out. */
enum { SS_PAGE_CURVES = 6 };
struct ss_page_curve {
    const char *name; /* "champion, AUC 0.771" */
    const double *x, *y;
    int count;
};
void ss_page_roc(struct ss_page *page, const struct ss_page_picture *picture, const char *x_label,
                 const char *y_label, const struct ss_page_curve *curves, int count);

/* ---- for those who need more ---- */

/* Markup as it is: the caller's own, never data. */
void ss_page_raw(struct ss_page *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Data, escaped, anywhere in text or in a quoted attribute. */
void ss_page_text(struct ss_page *page, const char *text);
void ss_page_text_of(struct ss_page *page, struct ss_bytes text);

#endif
