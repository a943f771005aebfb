/* page_course.c - a value that changes in steps, drawn over time. */
#include "audit/page_internal.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

enum {
    WIDTH = 760,
    LEFT = 46,
    RIGHT = 92, /* the bands' names */
    TOP = 26,
    PLOT = 250,
    BOTTOM = 34,
    TICKS = 8,
    DOTS_MAX = 150 /* more would hide the line */
};
#define DAY_MS INT64_C(86400000)

struct frame {
    int64_t from_ms, to_ms;
    double low, high;
};

static double x_of(const struct frame *frame, int64_t time_ms)
{
    return LEFT + (WIDTH - LEFT - RIGHT) * (double)(time_ms - frame->from_ms) /
                      (double)(frame->to_ms - frame->from_ms);
}

static double y_of(const struct frame *frame, double value)
{
    return TOP + PLOT - PLOT * (value - frame->low) / (frame->high - frame->low);
}

static void tick(struct ss_page *page, const struct frame *frame, int64_t time_ms,
                 const char *format)
{
    char text[32];
    struct tm utc;
    time_t seconds = (time_t)(time_ms / 1000);
    if (time_ms < frame->from_ms || time_ms > frame->to_ms || !gmtime_r(&seconds, &utc) ||
        strftime(text, sizeof text, format, &utc) == 0)
        return;
    double x = x_of(frame, time_ms);
    ss_page_raw(page,
                "<path class=\"axis\" d=\"M%.1f %dv5\"/><text x=\"%.1f\" y=\"%d\" "
                "text-anchor=\"middle\">%s</text>\n",
                x, TOP + PLOT,
                x < LEFT + 28    ? LEFT + 28
                : x > WIDTH - 34 ? WIDTH - 34
                                 : x,
                TOP + PLOT + 20, text);
}

static void month_ticks(struct ss_page *page, const struct frame *frame, int64_t span_days)
{
    static const int steps[] = {1, 2, 3, 6, 12, 24, 60, 120, 240};
    size_t step = 0;
    while (step + 1 < sizeof steps / sizeof steps[0] &&
           span_days / (30 * (int64_t)steps[step]) > TICKS)
        step++;
    struct tm utc;
    time_t seconds = (time_t)(frame->from_ms / 1000);
    if (!gmtime_r(&seconds, &utc))
        return;
    int months = (utc.tm_year * 12 + utc.tm_mon) / steps[step] * steps[step];
    for (int i = 0; i <= 3 * TICKS; i++, months += steps[step]) {
        struct tm first = {.tm_year = months / 12, .tm_mon = months % 12, .tm_mday = 1};
        tick(page, frame, (int64_t)timegm(&first) * 1000, steps[step] >= 12 ? "%Y" : "%b %Y");
    }
}

static void time_axis(struct ss_page *page, const struct frame *frame)
{
    static const int64_t steps[] = {3600000, 3 * 3600000, 6 * 3600000, 12 * 3600000,
                                    DAY_MS,  2 * DAY_MS,  7 * DAY_MS,  14 * DAY_MS};
    int64_t span = frame->to_ms - frame->from_ms;
    if (span > 90 * DAY_MS) {
        month_ticks(page, frame, span / DAY_MS);
        return;
    }
    size_t step = 0;
    while (step + 1 < sizeof steps / sizeof steps[0] && span / steps[step] > TICKS)
        step++;
    for (int64_t at = frame->from_ms / steps[step] * steps[step]; at <= frame->to_ms;
         at += steps[step])
        tick(page, frame, at, steps[step] < DAY_MS ? "%d %b %H:%M" : "%d %b %Y");
}

static void value_axis(struct ss_page *page, const struct ss_page_course *course,
                       const struct frame *frame)
{
    double step = ss_page_round_step(frame->high - frame->low, 6);
    for (double v = ceil(frame->low / step) * step; v <= frame->high * 1.000001; v += step) {
        double y = y_of(frame, v);
        ss_page_raw(page,
                    "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" "
                    "text-anchor=\"end\">%.10g</text>\n",
                    LEFT, y, WIDTH - RIGHT, LEFT - 6, y + 4, v);
    }
    for (int b = 0; b < course->band_count; b++) {
        const struct ss_page_band *band = &course->bands[b];
        double upper = b + 1 < course->band_count ? course->bands[b + 1].from : frame->high;
        if (upper <= frame->low || band->from >= frame->high)
            continue;
        double from = band->from < frame->low ? frame->low : band->from;
        upper = upper > frame->high ? frame->high : upper;
        double y = y_of(frame, upper), height = y_of(frame, from) - y;
        if (b % 2)
            ss_page_raw(page,
                        "<rect class=\"back\" opacity=\".35\" x=\"%d\" y=\"%.1f\" width=\"%d\" "
                        "height=\"%.1f\"/>\n",
                        LEFT, y, WIDTH - LEFT - RIGHT, height);
        if (height >= 14) {
            ss_page_raw(page, "<text x=\"%d\" y=\"%.1f\">", WIDTH - RIGHT + 8, y + height / 2 + 4);
            ss_page_text(page, band->name);
            ss_page_raw(page, "</text>\n");
        }
    }
    ss_page_raw(page, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", LEFT - 6, TOP - 12);
    ss_page_text(page, course->value_label);
    ss_page_raw(page, "</text>\n");
}

static void draw_line(struct ss_page *page, const struct ss_page_course *course,
                      const struct frame *frame)
{
    bool drawing = false;
    ss_page_raw(page, "<path class=\"line s0\" d=\"");
    for (int i = 0; i < course->step_count; i++) {
        const struct ss_page_step *step = &course->steps[i];
        double x = x_of(frame, step->time_ms);
        if (drawing)
            ss_page_raw(page, "H%.1f", x);
        if (!step->none && drawing)
            ss_page_raw(page, "V%.1f", y_of(frame, step->value));
        else if (!step->none)
            ss_page_raw(page, "M%.1f %.1f", x, y_of(frame, step->value));
        drawing = !step->none;
    }
    if (drawing)
        ss_page_raw(page, "H%.1f", x_of(frame, course->until_ms));
    ss_page_raw(page, "\"/>\n");
}

static void dots(struct ss_page *page, const struct ss_page_course *course,
                 const struct frame *frame)
{
    for (int i = 0; i < course->step_count; i++) {
        const struct ss_page_step *step = &course->steps[i];
        if (step->none || (course->step_count > DOTS_MAX && i != course->step_count - 1))
            continue;
        ss_page_raw(page, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\">",
                    x_of(frame, step->time_ms), y_of(frame, step->value),
                    course->step_count > 50 ? "2.5" : "4");
        if (step->text) {
            ss_page_raw(page, "<title>");
            ss_page_text(page, step->text);
            ss_page_raw(page, "</title>");
        }
        ss_page_raw(page, "</circle>\n");
    }
}

void ss_page_course(struct ss_page *page, const struct ss_page_course *course)
{
    static const struct ss_page_column columns[] = {{"from (UTC)", false}, {"value", true}};
    struct frame frame = {.from_ms = course->step_count ? course->steps[0].time_ms : 0,
                          .to_ms = course->until_ms,
                          .low = course->low,
                          .high = course->high};
    if (frame.to_ms - frame.from_ms < 60000) { /* a single moment: a day around it */
        frame.from_ms -= DAY_MS / 2;
        frame.to_ms += DAY_MS / 2;
    }
    ss_page_picture(page, &course->picture, WIDTH, TOP + PLOT + BOTTOM);
    value_axis(page, course, &frame);
    ss_page_raw(page, "<path class=\"axis\" d=\"M%d %dH%d\"/>\n", LEFT, TOP + PLOT, WIDTH - RIGHT);
    time_axis(page, &frame);
    draw_line(page, course, &frame);
    dots(page, course, &frame);
    ss_page_picture_end(page);
    if (!course->picture.table)
        return;
    ss_page_fold(page, "The same as a table");
    ss_page_table(page, NULL, columns, 2);
    for (int i = 0; i < course->step_count; i++) {
        char text[32];
        struct tm utc;
        time_t seconds = (time_t)(course->steps[i].time_ms / 1000);
        gmtime_r(&seconds, &utc);
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &utc);
        ss_page_cell(page, "%s", text);
        if (course->steps[i].none)
            ss_page_cell(page, "none");
        else
            ss_page_cell(page, "%.10g", course->steps[i].value);
    }
    ss_page_table_end(page);
    ss_page_fold_end(page);
}
