#include "turned.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "io/run.h"
#include "model/checkpoint.h"

static struct err err;

static void must(enum status status)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), err.text);
}

/* Copy a document; inside "vocab", and for "id", a number is a token. */
static void copy(struct json_writer *w, const struct json *node, int64_t V,
                 bool is_token)
{
    if (json_is_object(node)) {
        json_open(w, '{');
        for (const void *it = json_first(node); it != NULL;
             it = json_next(node, it)) {
            json_put_key(w, json_key(it));
            copy(w, json_value(it), V,
                 is_token || strcmp(json_key(it), "vocab") == 0 ||
                     strcmp(json_key(it), "id") == 0);
        }
        json_close(w, '}');
    } else if (json_is_array(node)) {
        json_open(w, '[');
        for (size_t i = 0; i < json_size(node); i++)
            copy(w, json_at(node, i), V, is_token);
        json_close(w, ']');
    } else if (json_is_number(node) && is_token) {
        json_put_int(w, V - 1 - json_int(node, 0));
    } else {
        json_put_node(w, node);
    }
}

static void turn_tokenizer(struct tokenizer **out, const struct tokenizer *t,
                           const char *template)
{
    size_t len, len_config;
    const char *json = tokenizer_json(t, &len);
    const char *config = tokenizer_config_json(t, &len_config);
    struct json *root;
    struct json_writer w;
    struct buf text, other;
    buf_init(&text, 1 << 20);
    buf_init(&other, 1 << 20);
    must(json_parse(&root, json, len, "tokenizer.json", &err));
    json_writer_init(&w, &text, true);
    copy(&w, root, (int64_t)tokenizer_size(t), false);
    json_free(root);
    must(buf_status(&text, &err));
    json_writer_init(&w, &other, true);
    json_open(&w, '{');
    if (template != NULL && template[0] != '\0')
        json_field_text(&w, "chat_template", template);
    json_close(&w, '}');
    must(buf_status(&other, &err));
    if (template != NULL) {
        config = buf_text(&other);
        len_config = other.len;
    }
    must(tokenizer_parse(out, buf_text(&text), text.len, config, len_config,
                         "turned", &err));
    buf_free(&text);
    buf_free(&other);
}

static int32_t turn(int32_t id, size_t V)
{
    return id < 0 ? id : (int32_t)V - 1 - id;
}

static void turn_model(struct model *m)
{
    size_t V = m->config.V, C = m->config.C;
    float *embed = m->params + params_offset(&m->config, PARAM_EMBED, 0);
    for (size_t v = 0; v < V / 2; v++) {
        for (size_t c = 0; c < C; c++) {
            float swap = embed[v * C + c];
            embed[v * C + c] = embed[(V - 1 - v) * C + c];
            embed[(V - 1 - v) * C + c] = swap;
        }
    }
    m->config.bos = turn(m->config.bos, V);
    m->config.eos = turn(m->config.eos, V);
    m->config.pad = turn(m->config.pad, V);
    mem_free(m->banned); // a reward model samples nothing
    m->banned = NULL;
}

void turned_write(const struct desk *d, const char *from, const char *to,
                  const char *template)
{
    char path[FILE_PATH_MAX];
    struct model m;
    struct tokenizer *t;
    struct tokenizer *turned;
    must(run_find_model(path, desk_path(d, from), "reward", &err));
    must(checkpoint_read(&m, path, HEAD_SCORE, &err));
    must(tokenizer_open(&t, path, &err));
    turn_tokenizer(&turned, t, template);
    turn_model(&m);
    const struct checkpoint c = {.model = &m, .tokenizer = turned};
    must(checkpoint_write(desk_path(d, to), &c, &err));
    tokenizer_free(turned);
    tokenizer_free(t);
    model_free(&m);
}
