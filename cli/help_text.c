#include "cli/help_text.h"

#include <stdbool.h>
#include <string.h>

enum { USAGE_INDENT = 11 };

struct layout {
    FILE *out;
    int column, indent;
    bool begun; /* there is a word on the line */
};

static int columns(const char *text, size_t size)
{
    int count = 0;
    for (size_t i = 0; i < size; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80; /* UTF-8, each of one column */
    return count;
}

static void end_line(struct layout *layout)
{
    fputc('\n', layout->out);
    layout->column = 0;
    layout->begun = false;
}

static void put(struct layout *layout, const char *text, size_t size)
{
    fwrite(text, 1, size, layout->out);
    layout->column += columns(text, size);
}

static void put_word(struct layout *layout, const char *word, size_t size)
{
    if (layout->begun && layout->column + 1 + columns(word, size) > SS_HELP_COLUMNS)
        end_line(layout);
    if (layout->begun)
        put(layout, " ", 1);
    if (layout->column == 0)
        while (layout->column < layout->indent)
            put(layout, " ", 1);
    put(layout, word, size);
    layout->begun = true;
}

static void put_words(struct layout *layout, const char *text, size_t size, bool brackets_whole)
{
    for (size_t i = 0; i < size;) {
        size_t from = i;
        int depth = 0;
        for (; i < size && (text[i] != ' ' || depth > 0); i++)
            if (brackets_whole)
                depth += text[i] == '[' ? 1 : text[i] == ']' ? -1 : 0;
        if (i > from)
            put_word(layout, text + from, i - from);
        i += i < size;
    }
}

/* Where two spaces in a row are behind the option's name, and what is said of it behind them. */
static size_t find_gap(const char *line, size_t size, size_t from)
{
    for (size_t i = from; i + 2 < size; i++)
        if (line[i] == ' ' && line[i + 1] == ' ')
            return i + 2 + strspn(line + i + 2, " ");
    return 0;
}

static void begin_option(struct layout *layout, const char *line, size_t size, size_t dash)
{
    const char *next = line + size + (line[size] == '\n');
    const size_t next_indent = strspn(next, " ");
    const size_t gap = find_gap(line, size, dash);
    const bool goes_on = next_indent > 0 && next[next_indent] != '-';
    layout->indent = goes_on ? (int)next_indent : (int)gap;
    if (gap == 0 && !goes_on)
        layout->indent = (int)dash + 4;
    put(layout, line, gap ? gap : size);
    if (gap)
        put_words(layout, line + gap, size - gap, false);
    else if (goes_on)
        end_line(layout);
    else
        layout->begun = true;
}

void ss_help_text(FILE *out, const char *text)
{
    struct layout layout = {.out = out};
    for (const char *line = text; *line;) {
        const size_t size = strcspn(line, "\n");
        const size_t indent = strspn(line, " ");
        const bool option = indent > 0 && line[indent] == '-';
        if ((size == 0 || option || (indent == 0 && layout.indent > 0)) && layout.column > 0)
            end_line(&layout);
        if (size == 0)
            end_line(&layout);
        if (indent == 0)
            layout.indent = 0;
        if (option)
            begin_option(&layout, line, size, indent);
        else
            put_words(&layout, line + indent, size - indent, false);
        line += size + (line[size] == '\n');
    }
    if (layout.column > 0)
        end_line(&layout);
}

void ss_help_usage(FILE *out, const char *name, const char *usage)
{
    struct layout layout = {.out = out, .indent = USAGE_INDENT, .begun = true};
    layout.column = fprintf(out, "usage: sesame %s", name);
    for (const char *line = usage; *line;) {
        const size_t size = strcspn(line, "\n");
        const size_t indent = strspn(line, " ");
        if (line > usage && indent < USAGE_INDENT) { /* another form */
            end_line(&layout);
            put(&layout, line, indent);
        }
        put_words(&layout, line + indent, size - indent, true);
        line += size + (line[size] == '\n');
    }
    end_line(&layout);
}
