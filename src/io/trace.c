#include "io/trace.h"

#include <string.h>
#include <zstd.h>

#include "base/file.h"
#include "base/json.h"
#include "io/stream.h"

#define LEVEL 3

static void put_floats(struct json_writer *w, const char *key, const float *x,
                       size_t n)
{
    if (x != NULL)
        json_field_floats(w, key, x, n);
}

/* What rows without tokens have. */
static void put_length(struct json_writer *w, const struct trace_row *row)
{
    if (row->len_unit != NULL) {
        json_field_int(w, "n_tokens", row->n_tokens);
        json_field_text(w, "len_unit", row->len_unit);
    }
    if (row->kl_sequence != NULL)
        json_field_number(w, "kl_sequence", *row->kl_sequence);
}

void trace_write_row(struct buf *out, const struct trace_row *row)
{
    struct json_writer w;
    json_writer_init(&w, out, false);
    json_open(&w, '{');
    json_field_text(&w, "run", row->run);
    json_field_int(&w, "step", row->step);
    json_field_text(&w, "prompt_id", row->prompt_id);
    if (row->sample >= 0)
        json_field_int(&w, "sample", row->sample);
    json_field_text(&w, "prompt", row->prompt);
    json_field_text(&w, "response", row->response);
    if (row->token != NULL)
        json_field_ints(&w, "tokens", row->token, row->len);
    if (row->tags != NULL) {
        json_put_key(&w, "tags");
        json_put_raw(&w, row->tags, strlen(row->tags));
    }
    if (!row->finish_unknown)
        json_field_text(&w, "finish", row->is_eos ? "eos" : "length");
    put_length(&w, row);
    json_field_number(&w, "score_raw", row->score_raw);
    if (row->score_sd != NULL)
        json_field_number(&w, "score_sd", *row->score_sd);
    json_field_number(&w, "score", row->score);
    json_field_number(&w, "beta", row->beta);
    json_field_number(&w, "temperature", row->temperature);
    json_field_text(&w, "template_hash", row->template_hash);
    put_floats(&w, "logp_sample", row->logp_sample, row->len);
    put_floats(&w, "logp", row->logp, row->len);
    put_floats(&w, "logp_ref", row->logp_ref, row->len);
    put_floats(&w, "kl", row->kl, row->len);
    put_floats(&w, "entropy", row->entropy, row->len);
    put_floats(&w, "p_eos", row->p_eos, row->len);
    put_floats(&w, "p_eos_ref", row->p_eos_ref, row->len);
    put_floats(&w, "value", row->value, row->len);
    put_floats(&w, "reward", row->reward, row->len);
    put_floats(&w, "reward_kl", row->reward_kl, row->len);
    put_floats(&w, "advantage", row->advantage, row->len);
    put_floats(&w, "advantage_white", row->advantage_white, row->len);
    if (row->extra != NULL && row->extra[0] != '\0') {
        buf_putc(out, ',');
        buf_puts(out, row->extra);
    }
    json_close(&w, '}');
    buf_putc(out, '\n');
}

enum status trace_pack(struct buf *out, const struct buf *text, struct err *err)
{
    TRY(buf_status(text, err));
    size_t before = out->len, room = ZSTD_compressBound(text->len);
    enum status status = OK;
    ZSTD_CCtx *z = ZSTD_createCCtx();
    void *packed = buf_extend(out, room);
    if (z == NULL || packed == NULL) {
        status = err_set(err, ERR_MEMORY, "out of memory compressing rollouts");
    } else {
        /* The checksum makes a damaged file an error, not other numbers. */
        ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, LEVEL);
        ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
        size_t len = ZSTD_compress2(z, packed, room, buf_text(text), text->len);
        if (ZSTD_isError(len))
            status = err_set(err, ERR_MEMORY, "compressing rollouts: %s",
                             ZSTD_getErrorName(len));
        else
            out->len = before + len;
    }
    ZSTD_freeCCtx(z);
    return status;
}

enum status trace_write_file(const char *path, const struct buf *text,
                             struct err *err)
{
    struct buf packed;
    buf_init(&packed, SIZE_MAX / 2);
    enum status status = trace_pack(&packed, text, err);
    if (status == OK)
        status = file_write(path, packed.data, packed.len, err);
    else
        (void)err_context(err, "%s", path);
    buf_free(&packed);
    return status;
}

enum status trace_read_file(struct buf *out, const char *path, struct err *err)
{
    enum status status = OK;
    struct stream *s;
    const char *piece;
    size_t len = 0;
    TRY(stream_open(&s, path, err));
    do {
        status = stream_next(s, &piece, &len, err);
        if (status != OK)
            break;
        buf_append(out, piece, len);
        status = buf_status(out, err);
        if (status != OK)
            (void)err_context(err, "%s", path);
    } while (status == OK && len > 0);
    stream_close(s);
    return status;
}
