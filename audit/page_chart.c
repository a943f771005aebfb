/* page_chart.c - pictures of numbers over bins: bars, levels. And what all pictures share. */
#include "audit/page_internal.h"

#include <math.h>
#include <stdio.h>

enum { WIDTH = 760, LEFT = 56, RIGHT = 16, TOP = 26, PLOT = 220, BOTTOM = 50 };

void ss_page_picture(struct ss_page *page, const struct ss_page_picture *picture, int width,
                     int height)
{
    int id = ++page->pictures;
    ss_page_raw(page, "<figure>\n<figcaption>");
    ss_page_text(page, picture->title);
    ss_page_raw(page,
                "</figcaption>\n<div class=\"wide\"><svg viewBox=\"0 0 %d %d\" role=\"img\" "
                "aria-labelledby=\"t%d d%d\">\n<title id=\"t%d\">",
                width, height, id, id, id);
    ss_page_text(page, picture->title);
    ss_page_raw(page, "</title>\n<desc id=\"d%d\">", id);
    ss_page_text(page, picture->description);
    ss_page_raw(page, "</desc>\n");
}

void ss_page_picture_end(struct ss_page *page)
{
    ss_page_raw(page, "</svg></div>\n</figure>\n");
}

double ss_page_round_step(double span, int want)
{
    if (!(span > 0) || want < 1)
        return 1;
    double power = pow(10, floor(log10(span / want))), part = span / want / power;
    return power * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 2.5 ? 2.5 : part <= 5 ? 5 : 10);
}

/* ---- bars ---- */

static void legend(struct ss_page *page, const struct ss_page_bars *bars)
{
    int x = LEFT;
    for (int s = 0; s < 2 && bars->series[s]; s++) {
        ss_page_raw(page,
                    "<rect x=\"%d\" y=\"4\" width=\"12\" height=\"12\" class=\"%s\"/>"
                    "<text x=\"%d\" y=\"14\">",
                    x, s ? "h1" : "f0", x + 18);
        ss_page_text(page, bars->series[s]);
        ss_page_raw(page, "</text>\n");
        x += 40 + 7 * (int)strlen(bars->series[s]);
    }
}

static void bars_axes(struct ss_page *page, const struct ss_page_bars *bars, double top,
                      double step)
{
    for (double value = 0; value <= top * 1.0001; value += step) {
        double y = TOP + PLOT - PLOT * value / top;
        ss_page_raw(page, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>", LEFT, y, WIDTH - RIGHT);
        ss_page_raw(page, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.10g</text>\n", LEFT - 6,
                    y + 4, value);
    }
    ss_page_raw(page, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", (LEFT + WIDTH - RIGHT) / 2,
                TOP + PLOT + BOTTOM - 8);
    ss_page_text(page, bars->label);
    ss_page_raw(page, "</text>\n");
    if (!bars->series[1]) {
        ss_page_raw(page, "<text x=\"%d\" y=\"14\">", LEFT);
        ss_page_text(page, bars->value_label);
        ss_page_raw(page, "</text>\n");
    }
}

static void bars_table(struct ss_page *page, const struct ss_page_bars *bars)
{
    struct ss_page_column columns[3] = {
        {bars->label, false}, {bars->series[0], true}, {bars->series[1], true}};
    ss_page_fold(page, "The same as a table");
    ss_page_table(page, bars->value_label, columns, bars->series[1] ? 3 : 2);
    for (int i = 0; i < bars->count; i++) {
        ss_page_cell(page, "%s", bars->bins[i]);
        for (int s = 0; s < 2 && bars->series[s]; s++)
            ss_page_cell(page, "%.*f", bars->decimals, bars->values[s][i]);
    }
    ss_page_table_end(page);
    ss_page_fold_end(page);
}

void ss_page_bars(struct ss_page *page, const struct ss_page_bars *bars)
{
    int series = bars->series[1] ? 2 : 1;
    double most = 0, wide = (double)(WIDTH - LEFT - RIGHT) / (bars->count ? bars->count : 1);
    for (int s = 0; s < series; s++)
        for (int i = 0; i < bars->count; i++)
            most = bars->values[s][i] > most ? bars->values[s][i] : most;
    double step = ss_page_round_step(most, 5), top = most > 0 ? ceil(most / step) * step : 1;
    ss_page_picture(page, &bars->picture, WIDTH, TOP + PLOT + BOTTOM);
    bars_axes(page, bars, top, step);
    if (series == 2)
        legend(page, bars);
    int each = bars->count > 16 ? (bars->count + 15) / 16 : 1; /* names that fit */
    for (int i = 0; i < bars->count; i++) {
        double left = LEFT + wide * i + wide * 0.08, bar = wide * 0.84 / series;
        for (int s = 0; s < series; s++) {
            double height = PLOT * bars->values[s][i] / top;
            ss_page_raw(page,
                        "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                        "height=\"%.1f\"><title>",
                        s ? "h1" : "f0", left + bar * s, TOP + PLOT - height, bar, height);
            ss_page_text(page, bars->bins[i]);
            ss_page_raw(page, ": %.*f</title></rect>\n", bars->decimals, bars->values[s][i]);
        }
        if (i % each == 0) {
            ss_page_raw(page, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">",
                        LEFT + wide * i + wide / 2, TOP + PLOT + 16);
            ss_page_text(page, bars->bins[i]);
            ss_page_raw(page, "</text>\n");
        }
    }
    ss_page_raw(page, "<path class=\"axis\" d=\"M%d %dH%d\"/>\n", LEFT, TOP + PLOT, WIDTH - RIGHT);
    ss_page_picture_end(page);
    if (bars->picture.table)
        bars_table(page, bars);
}

/* ---- levels ---- */

static void levels_table(struct ss_page *page, const struct ss_page_picture *picture,
                         const struct ss_page_level *levels, int count)
{
    static const struct ss_page_column columns[] = {{"", false}, {"value", true}};
    ss_page_fold(page, "The same as a table");
    ss_page_table(page, picture->title, columns, 2);
    for (int i = 0; i < count; i++) {
        ss_page_cell(page, "%s", levels[i].name);
        ss_page_cell(page, "%s", levels[i].text);
    }
    ss_page_table_end(page);
    ss_page_fold_end(page);
}

void ss_page_levels(struct ss_page *page, const struct ss_page_picture *picture,
                    const struct ss_page_level *levels, int count)
{
    enum { ROW = 34, NAME = 200, TEXT = 130 };
    double widest = 0;
    for (int i = 0; i < count; i++)
        widest = levels[i].full > widest ? levels[i].full : widest;
    double scale = widest > 0 ? (WIDTH - NAME - TEXT) / widest : 0;
    ss_page_picture(page, picture, WIDTH, count * ROW + 4);
    for (int i = 0; i < count; i++) {
        double part = levels[i].value < 0 ? 0 : levels[i].value;
        int y = i * ROW + 4;
        ss_page_raw(page, "<text class=\"strong\" x=\"0\" y=\"%d\">", y + 17);
        ss_page_text(page, levels[i].name);
        ss_page_raw(page,
                    "</text>\n<rect class=\"back\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"24\" "
                    "rx=\"3\"/><rect class=\"f0\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"24\" "
                    "rx=\"3\"/>\n<text x=\"%.1f\" y=\"%d\">",
                    NAME, y, scale * levels[i].full, NAME, y, scale * part,
                    NAME + scale * levels[i].full + 10, y + 17);
        ss_page_text(page, levels[i].text);
        ss_page_raw(page, "</text>\n");
    }
    ss_page_picture_end(page);
    if (picture->table)
        levels_table(page, picture, levels, count);
}
