/* subscribers.h - the list `subscribers` of sesame.yaml. Private to config/. */
#ifndef SS_CONFIG_SUBSCRIBERS_H
#define SS_CONFIG_SUBSCRIBERS_H

#include "config/config.h"
#include "config/yaml_tree.h"

/* Replaces ${…}; appends the text and a zero byte. */
typedef enum ss_status ss_subscribers_expand(void *arg, int line, const char *name,
                                             const char *text, struct ss_buffer *out);

/* Takes the list; `path` names the file in errors. */
SS_MUST_USE enum ss_status ss_subscribers_load(struct ss_config *config,
                                               const struct ss_yaml_node *node, const char *path,
                                               ss_subscribers_expand *expand, void *arg,
                                               struct ss_error *err);
/* No name, no hash of one and no topic twice, nor a topic of the engine's own. */
SS_MUST_USE enum ss_status ss_subscribers_check(const struct ss_config *config,
                                                struct ss_error *err);
void ss_subscribers_reset(struct ss_config *config);

#endif
