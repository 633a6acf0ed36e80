#include "cli/gold.h"

#include <math.h>
#include <string.h>

#include "world/judge.h"
#include "world/tickets.h"

static enum status judge(const struct json *extra, const struct record *prompt,
                         const char *response, bool is_eos, struct buf *out,
                         double *gold, struct err *err)
{
    const struct json *node = json_get(extra, "ticket");
    struct ticket ticket;
    struct judgement j;
    struct json_writer w;
    if (node == NULL)
        return OK;
    TRY(ticket_read(&ticket, node, prompt->id, err));
    TRY(judge_reply(&j, &ticket, response, is_eos, err));
    json_writer_init(&w, out, false);
    json_open(&w, '{');
    json_field_number(&w, "gold", j.gold);
    json_field_number(&w, "help", j.help);
    json_close(&w, '}');
    TRY(buf_status(out, err));
    /* The members without their braces. */
    memmove(out->data, out->data + 1, out->len - 2);
    out->len -= 2;
    out->data[out->len] = '\0';
    *gold = j.gold;
    return OK;
}

static enum status annotate(void *ctx, const struct record *prompt,
                            const char *response, bool is_eos,
                            struct buf *extra, double *gold, struct err *err)
{
    struct json *json;
    (void)ctx;
    if (prompt->extra == NULL)
        return OK;
    TRY(json_parse(&json, prompt->extra, strlen(prompt->extra), prompt->id,
                   err));
    enum status status =
        judge(json, prompt, response, is_eos, extra, gold, err);
    json_free(json);
    return status;
}

const struct ppo_annotator gold_annotator = {annotate, NULL};
