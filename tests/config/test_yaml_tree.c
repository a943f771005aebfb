#include "config/yaml_tree.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum ss_status parse(const char *text, struct ss_yaml **document, struct ss_error *err)
{
    return ss_yaml_parse(text, strlen(text), "t.yaml", document, err);
}

Test(yaml_tree, nodes_know_kind_order_and_line)
{
    struct ss_error err;
    struct ss_yaml *document;
    cr_assert_eq(
        parse("# c\na: 1\nb:\n  - x\n  - [y, 'z']\nc: {d: no}\ne:\nf: ''\n", &document, &err),
        SS_OK);
    const struct ss_yaml_node *root = ss_yaml_root(document);
    cr_assert_eq(root->kind, SS_YAML_MAP);
    cr_assert_eq(root->count, 5);
    const struct ss_yaml_node *a = root->first;
    cr_assert_str_eq(a->key, "a");
    cr_assert_str_eq(a->text, "1");
    cr_assert_eq(a->line, 2);
    const struct ss_yaml_node *b = a->next;
    cr_assert_eq(b->kind, SS_YAML_LIST);
    cr_assert_eq(b->line, 3);
    cr_assert_eq(b->count, 2);
    cr_assert_eq(b->first->next->line, 5);
    cr_assert_str_eq(b->first->next->first->next->text, "z");
    const struct ss_yaml_node *d = ss_yaml_find(ss_yaml_find(root, "c"), "d");
    cr_assert_str_eq(d->text, "no", "scalars stay text");
    cr_assert_eq(ss_yaml_find(root, "e")->kind, SS_YAML_NOTHING);
    cr_assert_eq(ss_yaml_find(root, "f")->kind, SS_YAML_SCALAR, "a quoted empty text is a value");
    cr_assert_null(ss_yaml_find(root, "g"));
    ss_yaml_close(document);
}

Test(yaml_tree, an_empty_file_is_an_empty_document)
{
    struct ss_yaml *document;
    cr_assert_eq(parse("# nothing\n", &document, NULL), SS_OK);
    cr_assert_eq(ss_yaml_root(document)->kind, SS_YAML_NOTHING);
    ss_yaml_close(document);
}

Test(yaml_tree, what_is_lax_in_yaml_is_an_error_with_its_line)
{
    static const struct {
        const char *text, *expect;
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n", "t.yaml:3: 'a' is here twice, first on line 1"},
        {"a: {b: 1,\n b: 2}\n", "t.yaml:2: 'b' is here twice"},
        {"a: &x 1\n", "t.yaml:1: anchors"},
        {"a: &x [1]\n", "t.yaml:1: anchors"},
        {"a: 1\nb: *x\n", "t.yaml:2: aliases"},
        {"a: !!int 1\n", "t.yaml:1: tags"},
        {"a: !!map {b: 1}\n", "t.yaml:1: tags"},
        {"a: 1\n---\nb: 2\n", "t.yaml:2: a second document"},
        {"[a]: 1\n", "t.yaml:1: a key must be a plain name"},
        {"? {a: 1}\n: 2\n", "t.yaml:1: a key must be a plain name"},
        {"'': 1\n", "t.yaml:1: a key must be a plain name"},
        {"a: \"x\\0y\"\n", "t.yaml:1: a zero byte"},
        {"a: 1\n b: 2\n", "t.yaml:2: not YAML"},
        {"a: [1, 2\n", "t.yaml:2: not YAML"},
        {"a: \xff\xfe\n", "t.yaml: not YAML at byte 3"},
        {"a: [[[[[[[[[[[[[[1]]]]]]]]]]]]]]\n", "t.yaml:1: nested too deeply"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ss_error err = {0};
        struct ss_yaml *document;
        cr_expect_eq(parse(cases[i].text, &document, &err), SS_STOP, "%s", cases[i].text);
        cr_expect(strstr(err.detail, cases[i].expect), "%s\nsays '%s', not '%s'", cases[i].text,
                  err.detail, cases[i].expect);
        cr_expect_null(document);
    }
}

Test(yaml_tree, size_and_number_of_nodes_are_bounded)
{
    struct ss_error err;
    struct ss_yaml *document;
    enum { SIZE = SS_YAML_SIZE_MAX + 1 };
    char *text = malloc(SIZE);
    memset(text, '#', SIZE);
    cr_assert_eq(ss_yaml_parse(text, SIZE, "t.yaml", &document, &err), SS_STOP);
    cr_assert(strstr(err.detail, "larger than"), "%s", err.detail);
    memset(text, ',', SIZE);
    for (size_t i = 0; i + 1 < SIZE; i += 2)
        text[i] = 'x';
    text[0] = '[';
    text[1] = ' ';
    cr_assert_eq(ss_yaml_parse(text, SS_YAML_SIZE_MAX, "t.yaml", &document, &err), SS_STOP);
    cr_assert(strstr(err.detail, "too many values"), "%s", err.detail);
    free(text);
}

Test(yaml_tree, a_missing_file_is_named)
{
    struct ss_error err;
    char *text;
    size_t size;
    cr_assert_eq(ss_yaml_read_file("no/such/file.yaml", &text, &size, &err), SS_STOP);
    cr_assert(strstr(err.detail, "no/such/file.yaml: No such file"), "%s", err.detail);
}
