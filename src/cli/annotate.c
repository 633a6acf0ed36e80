#include "cli/annotate.h"

#include <string.h>

#include "base/json.h"
#include "world/judge.h"

static enum status judge_ticket(const struct json *ticket,
                                const struct record *prompt,
                                const char *response, bool is_eos,
                                struct buf *extra, double *gold,
                                struct err *err)
{
    struct ticket t;
    struct judgement j;
    struct json_writer w;
    TRY(ticket_read(&t, ticket, prompt->id, err));
    TRY(judge_reply(&j, &t, response, is_eos, err));
    buf_puts(extra, "\"gold\":");
    json_writer_init(&w, extra, false);
    json_put_number(&w, j.gold);
    buf_puts(extra, ",\"help\":");
    json_writer_init(&w, extra, false);
    json_put_number(&w, j.help);
    *gold = j.gold;
    return buf_status(extra, err);
}

static enum status annotate(void *ctx, const struct record *prompt,
                            const char *response, bool is_eos,
                            struct buf *extra, double *gold, struct err *err)
{
    (void)ctx;
    struct json *json;
    if (!prompt->extra)
        return OK;
    TRY(json_parse(&json, prompt->extra, strlen(prompt->extra), prompt->id,
                   err));
    const struct json *ticket = json_get(json, "ticket");
    enum status status = OK;
    if (ticket)
        status =
            judge_ticket(ticket, prompt, response, is_eos, extra, gold, err);
    json_free(json);
    return status;
}

struct ppo_annotator annotate_gold(void)
{
    return (struct ppo_annotator){.annotate = annotate};
}
