#include "audit/page.h"

#include "audit/page_internal.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Light first; dark turns the variables over; paper is always light. Series differ in lightness as
 * well as in hue, and the second one is hatched or dashed besides. */
static const char style[] =
    ":root{color-scheme:light dark;--ink:#1a2129;--dim:#56616d;--rule:#d3dae1;--paper:#fff;"
    "--box:#f4f6f8;--one:#1c5d99;--two:#b4570d;--three:#3d7a3d;--four:#7a4b94;--soft:#dbe7f2;"
    "--warn:#fff4d6;--warnrule:#c99700}"
    "@media (prefers-color-scheme:dark){:root{--ink:#e4e9ee;--dim:#9fabb7;--rule:#38424d;"
    "--paper:#12171c;--box:#1b2229;--one:#6fb1ea;--two:#f0a05a;--three:#86c786;--four:#c79be0;"
    "--soft:#223547;--warn:#3a3010;--warnrule:#d3a82f}}"
    "*{box-sizing:border-box}"
    "body{margin:0 auto;padding:2rem 1.25rem 3rem;max-width:54rem;background:var(--paper);"
    "color:var(--ink);font:16px/1.55 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\","
    "\"DejaVu Sans\",sans-serif;overflow-wrap:break-word}"
    "h1{font-size:1.75rem;line-height:1.2;margin:0 0 .35rem}"
    "h2{font-size:1.25rem;line-height:1.3;margin:2.4rem 0 .5rem;padding-top:1rem;"
    "border-top:1px solid var(--rule)}"
    "h3{font-size:1rem;margin:1.5rem 0 .4rem}"
    "p,ol,ul{margin:.5rem 0}li{margin:.35rem 0}"
    ".lead,.note,footer{color:var(--dim)}.note,footer{font-size:.875rem}"
    "footer{margin-top:2.5rem;padding-top:1rem;border-top:1px solid var(--rule)}"
    ".notice{background:var(--warn);border-left:4px solid var(--warnrule);padding:.6rem .9rem;"
    "margin:1rem 0}"
    ".figures{display:flex;flex-wrap:wrap;gap:.75rem;margin:1.25rem 0;padding:0}"
    ".figures>div{flex:1 1 9rem;background:var(--box);border-radius:.5rem;padding:.75rem 1rem}"
    ".figures dt{font-size:.8125rem;color:var(--dim)}"
    ".figures dd{margin:0;font-size:1.35rem;line-height:1.3;font-weight:600;"
    "font-variant-numeric:tabular-nums}"
    ".figures dd+dd{font-size:.8125rem;font-weight:400;color:var(--dim)}"
    ".wide{overflow-x:auto;margin:.75rem 0}"
    "table{border-collapse:collapse;width:100%;font-size:.9rem}"
    "caption{text-align:left;color:var(--dim);padding-bottom:.35rem}"
    "th,td{text-align:left;vertical-align:top;padding:.4rem .75rem .4rem 0;"
    "border-bottom:1px solid var(--rule);font-weight:400}"
    "thead th{font-weight:600;white-space:nowrap}th:last-child,td:last-child{padding-right:0}"
    ".n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    "details{margin:.5rem 0}summary{cursor:pointer;color:var(--one)}"
    "summary:focus-visible{outline:2px solid var(--one);outline-offset:2px}"
    "figure{margin:1rem 0}figcaption{font-weight:600;font-size:.95rem;margin-bottom:.25rem}"
    "svg{display:block;width:100%;min-width:34rem;height:auto;"
    "font:12px system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",\"DejaVu "
    "Sans\",sans-serif}"
    "svg text{fill:var(--dim)}svg text.strong{fill:var(--ink);font-weight:600}"
    ".grid{stroke:var(--rule);stroke-width:1;fill:none}"
    ".axis{stroke:var(--dim);stroke-width:1;fill:none}"
    ".line{fill:none;stroke-width:2;stroke-linejoin:round}"
    ".s0{stroke:var(--one)}.s1{stroke:var(--two);stroke-dasharray:7 4}"
    ".s2{stroke:var(--three);stroke-dasharray:2 3}"
    ".s3{stroke:var(--four);stroke-dasharray:10 3 2 3}.s4{stroke:var(--ink);stroke-dasharray:4 4}"
    ".s5{stroke:var(--dim);stroke-dasharray:12 3}"
    ".f0{fill:var(--one)}.f1{fill:var(--two)}.back{fill:var(--soft)}"
    ".h1{fill:var(--paper);stroke:var(--two);stroke-width:1.5}"
    ".chance{stroke:var(--dim);stroke-dasharray:3 4;fill:none}"
    ".dot{fill:var(--paper);stroke:var(--one);stroke-width:2}"
    "@media print{:root{color-scheme:light;--ink:#000;--dim:#444;--rule:#bbb;--paper:#fff;"
    "--box:#f4f4f4;--one:#1c5d99;--two:#b4570d;--three:#3d7a3d;--four:#7a4b94;--soft:#dbe7f2;"
    "--warn:#fff;--warnrule:#000}body{max-width:none;padding:0;font-size:10.5pt}"
    "h2,h3{break-after:avoid}figure,tr,li,.figures,.notice{break-inside:avoid}"
    "svg{min-width:0}.wide{overflow:visible}"
    "details>summary{display:none}details::details-content{content-visibility:visible;"
    "display:block}}";

/* ---- writing ---- */

void ss_page_put(struct ss_page *page, const void *data, size_t size)
{
    if (!page->failed && !ss_buffer_append(&page->html, data, size))
        page->failed = true;
}

static void put(struct ss_page *page, const char *text)
{
    ss_page_put(page, text, strlen(text));
}

/* Controls, and what turns the direction of the text around it. */
static bool is_unseen(uint32_t code)
{
    return (code < 0x20 && code != '\n') || (code >= 0x7f && code < 0xa0) ||
           (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
           (code & 0xfffe) == 0xfffe;
}

void ss_page_text_of(struct ss_page *page, struct ss_bytes text)
{
    const uint8_t *p = text.data, *end = p ? p + text.size : p;
    while (p != end) {
        uint32_t code = 0;
        size_t size = ss_utf8_next(p, end, &code);
        if (size == 0 || is_unseen(code))
            put(page, "\xef\xbf\xbd");
        else if (code == '&')
            put(page, "&amp;");
        else if (code == '<')
            put(page, "&lt;");
        else if (code == '>')
            put(page, "&gt;");
        else if (code == '"')
            put(page, "&quot;");
        else if (code == '\'')
            put(page, "&#39;");
        else
            ss_page_put(page, p, size);
        p += size ? size : 1;
    }
}

void ss_page_text(struct ss_page *page, const char *text)
{
    ss_page_text_of(page, (struct ss_bytes){text, strlen(text)});
}

/* Formats into memory of its own; NULL marks the page. */
static char *format_text(struct ss_page *page, const char *format, va_list args)
{
    char *text = NULL;
    if (page->failed || vasprintf(&text, format, args) < 0) {
        page->failed = true;
        return NULL;
    }
    return text;
}

static void element(struct ss_page *page, const char *open, const char *close, const char *format,
                    va_list args)
{
    char *text = format_text(page, format, args);
    if (!text)
        return;
    put(page, open);
    ss_page_text(page, text);
    put(page, close);
    free(text);
}

void ss_page_raw(struct ss_page *page, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = format_text(page, format, args);
    va_end(args);
    if (text)
        put(page, text);
    free(text);
}

/* ---- the frame ---- */

void ss_page_begin(struct ss_page *page, size_t size_max, const char *title, const char *lead)
{
    memset(page, 0, sizeof *page);
    ss_buffer_init(&page->html, size_max);
    put(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
              "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
              "style-src 'unsafe-inline'; img-src data:\">\n"
              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
              "<meta name=\"referrer\" content=\"no-referrer\">\n"
              "<meta name=\"robots\" content=\"noindex\">\n"
              "<link rel=\"icon\" href=\"data:,\">\n<title>"); /* else browsers would ask for one */
    ss_page_text(page, title);
    put(page, "</title>\n<style>");
    put(page, style);
    put(page, "</style>\n</head>\n<body>\n<header>\n<h1>");
    ss_page_text(page, title);
    put(page, "</h1>\n");
    if (lead) {
        put(page, "<p class=\"lead\">");
        ss_page_text(page, lead);
        put(page, "</p>\n");
    }
    put(page, "</header>\n<main>\n");
}

static void end_section(struct ss_page *page)
{
    if (page->in_section)
        put(page, "</section>\n");
    page->in_section = false;
}

enum ss_status ss_page_end(struct ss_page *page, const char *foot, struct ss_error *err)
{
    end_section(page);
    put(page, "</main>\n");
    if (foot) {
        put(page, "<footer>");
        ss_page_text(page, foot);
        put(page, "</footer>\n");
    }
    put(page, "</body>\n</html>\n");
    if (page->failed)
        return ss_fail(err, SS_STOP, "the page does not fit into %zu bytes, or out of memory",
                       page->html.size_max);
    return SS_OK;
}

void ss_page_reset(struct ss_page *page)
{
    ss_buffer_reset(&page->html);
}

/* ---- text ---- */

void ss_page_section(struct ss_page *page, const char *heading, const char *lead)
{
    end_section(page);
    put(page, "<section>\n<h2>");
    ss_page_text(page, heading);
    put(page, "</h2>\n");
    page->in_section = true;
    if (lead) {
        put(page, "<p>");
        ss_page_text(page, lead);
        put(page, "</p>\n");
    }
}

void ss_page_heading(struct ss_page *page, const char *heading)
{
    put(page, "<h3>");
    ss_page_text(page, heading);
    put(page, "</h3>\n");
}

#define SS_PAGE_ELEMENT(name, open, close)                   \
    void name(struct ss_page *page, const char *format, ...) \
    {                                                        \
        va_list args;                                        \
        va_start(args, format);                              \
        element(page, open, close, format, args);            \
        va_end(args);                                        \
    }
SS_PAGE_ELEMENT(ss_page_paragraph, "<p>", "</p>\n")
SS_PAGE_ELEMENT(ss_page_note, "<p class=\"note\">", "</p>\n")
SS_PAGE_ELEMENT(ss_page_notice, "<p class=\"notice\">", "</p>\n")
SS_PAGE_ELEMENT(ss_page_item, "<li>", "</li>\n")

void ss_page_figures(struct ss_page *page, const struct ss_page_figure *figures, int count)
{
    put(page, "<dl class=\"figures\">\n");
    for (int i = 0; i < count; i++) {
        put(page, "<div><dt>");
        ss_page_text(page, figures[i].label);
        put(page, "</dt><dd>");
        ss_page_text(page, figures[i].value);
        put(page, "</dd>");
        if (figures[i].note) {
            put(page, "<dd>");
            ss_page_text(page, figures[i].note);
            put(page, "</dd>");
        }
        put(page, "</div>\n");
    }
    put(page, "</dl>\n");
}

void ss_page_list_begin(struct ss_page *page, bool numbered)
{
    put(page, numbered ? "<ol>\n" : "<ul>\n");
    page->numbered = numbered;
}

void ss_page_list_end(struct ss_page *page)
{
    put(page, page->numbered ? "</ol>\n" : "</ul>\n");
}

void ss_page_fold(struct ss_page *page, const char *summary)
{
    put(page, "<details>\n<summary>");
    ss_page_text(page, summary);
    put(page, "</summary>\n");
}

void ss_page_fold_end(struct ss_page *page)
{
    put(page, "</details>\n");
}

/* ---- tables ---- */

void ss_page_table(struct ss_page *page, const char *caption, const struct ss_page_column *columns,
                   int count)
{
    page->head = columns;
    page->columns = count;
    page->column = 0;
    put(page, "<div class=\"wide\"><table>\n");
    if (caption) {
        put(page, "<caption>");
        ss_page_text(page, caption);
        put(page, "</caption>\n");
    }
    put(page, "<thead><tr>");
    for (int i = 0; i < count; i++) {
        put(page, columns[i].number ? "<th scope=\"col\" class=\"n\">" : "<th scope=\"col\">");
        ss_page_text(page, columns[i].head);
        put(page, "</th>");
    }
    put(page, "</tr></thead>\n<tbody>\n");
}

void ss_page_cell(struct ss_page *page, const char *format, ...)
{
    bool first = page->column == 0, number = page->head[page->column].number;
    const char *open =
        first    ? number ? "<tr><th scope=\"row\" class=\"n\">" : "<tr><th scope=\"row\">"
        : number ? "<td class=\"n\">"
                 : "<td>";
    va_list args;
    va_start(args, format);
    element(page, open, first ? "</th>" : "</td>", format, args);
    va_end(args);
    if (++page->column == page->columns) {
        put(page, "</tr>\n");
        page->column = 0;
    }
}

void ss_page_table_end(struct ss_page *page)
{
    put(page, "</tbody>\n</table></div>\n");
}

/* ---- to a file ---- */

static enum ss_status save_failed(const char *path, struct ss_error *err)
{
    return ss_fail(err, SS_STOP, "cannot write %.200s: %s", path, strerror(errno));
}

enum ss_status ss_page_save(const struct ss_page *page, const char *path, struct ss_error *err)
{
    return ss_page_save_bytes((struct ss_bytes){page->html.data, page->html.size}, path, err);
}

enum ss_status ss_page_save_bytes(struct ss_bytes bytes, const char *path, struct ss_error *err)
{
    if (strcmp(path, "-") == 0) {
        if (fwrite(bytes.data, 1, bytes.size, stdout) != bytes.size || fflush(stdout) != 0)
            return save_failed("standard output", err);
        return SS_OK;
    }
    char *beside = NULL;
    if (asprintf(&beside, "%s.%ld.part", path, (long)getpid()) < 0)
        return ss_fail(err, SS_STOP, "out of memory");
    FILE *file = fopen(beside, "wx");
    bool fine = file && fwrite(bytes.data, 1, bytes.size, file) == bytes.size;
    if (file && fclose(file) != 0)
        fine = false;
    fine = fine && rename(beside, path) == 0;
    enum ss_status status = fine ? SS_OK : save_failed(path, err);
    if (!fine && file)
        unlink(beside);
    free(beside);
    return status;
}
