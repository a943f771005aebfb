/* page_square.c - pictures in the unit square: reliability, ROC. */
#include "audit/page_internal.h"

#include <math.h>
#include <stdio.h>

enum { SIDE = 400, LEFT = 60, TOP = 14, BOTTOM = 48, LEGEND = 300, POINTS_MAX = 400, ROWS = 20 };

static double x_of(double x)
{
    return LEFT + SIDE * x;
}

static double y_of(double y)
{
    return TOP + SIDE - SIDE * y;
}

/* `most`: what both axes reach to. */
static void axes(struct ss_page *page, const char *x_label, const char *y_label, double most)
{
    for (int i = 0; i <= 5; i++) {
        double at = i / 5.0;
        ss_page_raw(page, "<path class=\"grid\" d=\"M%.1f %dV%d M%d %.1fH%d\"/>\n", x_of(at), TOP,
                    TOP + SIDE, LEFT, y_of(at), LEFT + SIDE);
        ss_page_raw(page, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.3g</text>", x_of(at),
                    TOP + SIDE + 17, at * most);
        ss_page_raw(page, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.3g</text>\n", LEFT - 7,
                    y_of(at) + 4, at * most);
    }
    ss_page_raw(page, "<path class=\"chance\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", x_of(0), y_of(0),
                x_of(1), y_of(1));
    ss_page_raw(page, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">", x_of(0.5),
                TOP + SIDE + 38);
    ss_page_text(page, x_label);
    ss_page_raw(page,
                "</text>\n<text x=\"14\" y=\"%.1f\" text-anchor=\"middle\" "
                "transform=\"rotate(-90 14 %.1f)\">",
                y_of(0.5), y_of(0.5));
    ss_page_text(page, y_label);
    ss_page_raw(page, "</text>\n");
}

/* ---- reliability ---- */

static void reliability_table(struct ss_page *page, const char *predicted_label,
                              const char *observed_label,
                              const struct ss_page_reliability_point *points, int count)
{
    struct ss_page_column columns[] = {{predicted_label, true},
                                       {observed_label, true},
                                       {"from", true},
                                       {"to", true},
                                       {"of", true}};
    ss_page_fold(page, "The same as a table");
    ss_page_table(page, NULL, columns, 5);
    for (int i = 0; i < count; i++) {
        ss_page_cell(page, "%.4f", points[i].predicted);
        ss_page_cell(page, "%.4f", points[i].observed);
        ss_page_cell(page, "%.4f", points[i].low);
        ss_page_cell(page, "%.4f", points[i].high);
        ss_page_cell(page, "%lld", (long long)points[i].count);
    }
    ss_page_table_end(page);
    ss_page_fold_end(page);
}

static double most_of(const struct ss_page_reliability_point *points, int count)
{
    double most = 0;
    for (int i = 0; i < count; i++) {
        most = fmax(most, points[i].predicted);
        most = fmax(most, fmax(points[i].observed, points[i].high));
    }
    most = ceil(most * 10) / 10; /* small rates fill the picture too */
    return most < 0.1 ? 0.1 : most > 1 ? 1 : most;
}

void ss_page_reliability(struct ss_page *page, const struct ss_page_picture *picture,
                         const char *predicted_label, const char *observed_label,
                         const struct ss_page_reliability_point *points, int count)
{
    double most = most_of(points, count);
    ss_page_picture(page, picture, LEFT + SIDE + LEGEND, TOP + SIDE + BOTTOM);
    axes(page, predicted_label, observed_label, most);
    ss_page_raw(page, "<path class=\"line s0\" d=\"");
    for (int i = 0; i < count; i++)
        ss_page_raw(page, "%s%.1f %.1f", i ? "L" : "M", x_of(points[i].predicted / most),
                    y_of(points[i].observed / most));
    ss_page_raw(page, "\"/>\n");
    for (int i = 0; i < count; i++) {
        double x = x_of(points[i].predicted / most);
        if (points[i].high > points[i].low)
            ss_page_raw(page, "<path class=\"axis\" d=\"M%.1f %.1fV%.1f\"/>", x,
                        y_of(points[i].low / most), y_of(points[i].high / most));
        ss_page_raw(page,
                    "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>%.4f, %.4f; "
                    "%lld</title></circle>\n",
                    x, y_of(points[i].observed / most), points[i].predicted, points[i].observed,
                    (long long)points[i].count);
    }
    ss_page_raw(page,
                "<path class=\"chance\" d=\"M%d 30h34\"/><text x=\"%d\" y=\"34\">the same as "
                "predicted</text>\n",
                LEFT + SIDE + 24, LEFT + SIDE + 66);
    ss_page_picture_end(page);
    if (picture->table)
        reliability_table(page, predicted_label, observed_label, points, count);
}

/* ---- ROC ---- */

/* The curve at x, between its points. */
static double curve_at(const struct ss_page_curve *curve, double x)
{
    for (int i = 1; i < curve->count; i++)
        if (curve->x[i] >= x) {
            double run = curve->x[i] - curve->x[i - 1];
            return run > 0 ? curve->y[i - 1] +
                                 (curve->y[i] - curve->y[i - 1]) * (x - curve->x[i - 1]) / run
                           : curve->y[i];
        }
    return curve->count ? curve->y[curve->count - 1] : 0;
}

static void roc_table(struct ss_page *page, const char *x_label, const struct ss_page_curve *curves,
                      int count)
{
    struct ss_page_column columns[SS_PAGE_CURVES + 1] = {{x_label, true}};
    for (int c = 0; c < count; c++)
        columns[c + 1] = (struct ss_page_column){curves[c].name, true};
    ss_page_fold(page, "The same as a table");
    ss_page_table(page, NULL, columns, count + 1);
    for (int i = 0; i <= ROWS; i++) {
        double x = i / (double)ROWS;
        ss_page_cell(page, "%.2f", x);
        for (int c = 0; c < count; c++)
            ss_page_cell(page, "%.4f", curve_at(&curves[c], x));
    }
    ss_page_table_end(page);
    ss_page_fold_end(page);
}

void ss_page_roc(struct ss_page *page, const struct ss_page_picture *picture, const char *x_label,
                 const char *y_label, const struct ss_page_curve *curves, int count)
{
    if (count > SS_PAGE_CURVES)
        count = SS_PAGE_CURVES;
    ss_page_picture(page, picture, LEFT + SIDE + LEGEND, TOP + SIDE + BOTTOM);
    axes(page, x_label, y_label, 1);
    for (int c = 0; c < count; c++) {
        int each =
            curves[c].count > POINTS_MAX ? (curves[c].count + POINTS_MAX - 1) / POINTS_MAX : 1;
        ss_page_raw(page, "<path class=\"line s%d\" d=\"", c);
        for (int i = 0; i < curves[c].count; i++)
            if (i % each == 0 || i == curves[c].count - 1)
                ss_page_raw(page, "%s%.1f %.1f", i ? "L" : "M", x_of(curves[c].x[i]),
                            y_of(curves[c].y[i]));
        ss_page_raw(page,
                    "\"/>\n<path class=\"line s%d\" d=\"M%d %dh34\"/><text x=\"%d\" y=\"%d\">", c,
                    LEFT + SIDE + 24, 30 + 24 * c, LEFT + SIDE + 66, 34 + 24 * c);
        ss_page_text(page, curves[c].name);
        ss_page_raw(page, "</text>\n");
    }
    ss_page_raw(page,
                "<path class=\"chance\" d=\"M%d %dh34\"/><text x=\"%d\" y=\"%d\">chance</text>\n",
                LEFT + SIDE + 24, 30 + 24 * count, LEFT + SIDE + 66, 34 + 24 * count);
    ss_page_picture_end(page);
    if (picture->table)
        roc_table(page, x_label, curves, count);
}
