#include "model/arch.h"

#include <assert.h>
#include <string.h>

static const struct arch_rule llama_rules[] = {
    {"hidden_act", "silu", 0, true},
    {"mlp_bias", NULL, 0, true},
    {"pretraining_tp", NULL, 1, false},
    {"partial_rotary_factor", NULL, 1, false},
    {"rope_interleaved", NULL, 0, false},
    {"quantization_config", NULL, 0, false},
    {NULL, NULL, 0, false},
};

/* Llama's files, which nearly everyone took over. */
static const struct arch_files llama_files = {
    .dim =
        {
            [DIM_V] = "vocab_size",
            [DIM_C] = "hidden_size",
            [DIM_L] = "num_hidden_layers",
            [DIM_H] = "num_attention_heads",
            [DIM_G] = "num_key_value_heads",
            [DIM_D] = "head_dim",
            [DIM_F] = "intermediate_size",
            [DIM_T] = "max_position_embeddings",
        },
    .eps = "rms_norm_eps",
    .rule = llama_rules,
    .trunk = "model.",
    .layer = "layers",
    .hf =
        {
            [PARAM_EMBED] = "embed_tokens.weight",
            [PARAM_NORM1] = "input_layernorm.weight",
            [PARAM_Q] = "self_attn.q_proj.weight",
            [PARAM_K] = "self_attn.k_proj.weight",
            [PARAM_V] = "self_attn.v_proj.weight",
            [PARAM_Q_BIAS] = "self_attn.q_proj.bias",
            [PARAM_K_BIAS] = "self_attn.k_proj.bias",
            [PARAM_V_BIAS] = "self_attn.v_proj.bias",
            [PARAM_Q_NORM] = "self_attn.q_norm.weight",
            [PARAM_K_NORM] = "self_attn.k_norm.weight",
            [PARAM_O] = "self_attn.o_proj.weight",
            [PARAM_O_BIAS] = "self_attn.o_proj.bias",
            [PARAM_NORM2] = "post_attention_layernorm.weight",
            [PARAM_GATE] = "mlp.gate_proj.weight",
            [PARAM_UP] = "mlp.up_proj.weight",
            [PARAM_DOWN] = "mlp.down_proj.weight",
            [PARAM_NORM] = "norm.weight",
            [PARAM_HEAD] = "lm_head.weight",
            [PARAM_SCORE] = "score.weight",
        },
    .gguf =
        {
            [PARAM_EMBED] = "token_embd.weight",
            [PARAM_NORM1] = "attn_norm.weight",
            [PARAM_Q] = "attn_q.weight",
            [PARAM_K] = "attn_k.weight",
            [PARAM_V] = "attn_v.weight",
            [PARAM_Q_BIAS] = "attn_q.bias",
            [PARAM_K_BIAS] = "attn_k.bias",
            [PARAM_V_BIAS] = "attn_v.bias",
            [PARAM_Q_NORM] = "attn_q_norm.weight",
            [PARAM_K_NORM] = "attn_k_norm.weight",
            [PARAM_O] = "attn_output.weight",
            [PARAM_O_BIAS] = "attn_output.bias",
            [PARAM_NORM2] = "ffn_norm.weight",
            [PARAM_GATE] = "ffn_gate.weight",
            [PARAM_UP] = "ffn_up.weight",
            [PARAM_DOWN] = "ffn_down.weight",
            [PARAM_NORM] = "output_norm.weight",
            [PARAM_HEAD] = "output.weight",
        },
    .module =
        {
            [PARAM_Q] = "q_proj",
            [PARAM_K] = "k_proj",
            [PARAM_V] = "v_proj",
            [PARAM_O] = "o_proj",
            [PARAM_GATE] = "gate_proj",
            [PARAM_UP] = "up_proj",
            [PARAM_DOWN] = "down_proj",
        },
    .gguf_eps = "attention.layer_norm_rms_epsilon",
};

static const struct arch_rule gpt2_rules[] = {
    {"activation_function", "gelu_new", 0, true},
    {"scale_attn_weights", NULL, 1, true},
    {"scale_attn_by_inverse_layer_idx", NULL, 0, true},
    {"add_cross_attention", NULL, 0, false},
    {"quantization_config", NULL, 0, false},
    {NULL, NULL, 0, false},
};

static const struct arch_files gpt2_files = {
    .dim =
        {
            [DIM_V] = "vocab_size",
            [DIM_C] = "n_embd",
            [DIM_L] = "n_layer",
            [DIM_H] = "n_head",
            [DIM_F] = "n_inner",
            [DIM_T] = "n_positions",
        },
    .eps = "layer_norm_epsilon",
    .rule = gpt2_rules,
    .trunk = "transformer.",
    .layer = "h",
    .hf =
        {
            [PARAM_EMBED] = "wte.weight",
            [PARAM_POSITION] = "wpe.weight",
            [PARAM_NORM1] = "ln_1.weight",
            [PARAM_NORM1_BIAS] = "ln_1.bias",
            [PARAM_Q] = "attn.c_attn.weight",
            [PARAM_K] = "attn.c_attn.weight",
            [PARAM_V] = "attn.c_attn.weight",
            [PARAM_Q_BIAS] = "attn.c_attn.bias",
            [PARAM_K_BIAS] = "attn.c_attn.bias",
            [PARAM_V_BIAS] = "attn.c_attn.bias",
            [PARAM_O] = "attn.c_proj.weight",
            [PARAM_O_BIAS] = "attn.c_proj.bias",
            [PARAM_NORM2] = "ln_2.weight",
            [PARAM_NORM2_BIAS] = "ln_2.bias",
            [PARAM_UP] = "mlp.c_fc.weight",
            [PARAM_UP_BIAS] = "mlp.c_fc.bias",
            [PARAM_DOWN] = "mlp.c_proj.weight",
            [PARAM_DOWN_BIAS] = "mlp.c_proj.bias",
            [PARAM_NORM] = "ln_f.weight",
            [PARAM_NORM_BIAS] = "ln_f.bias",
            [PARAM_HEAD] = "lm_head.weight",
            [PARAM_SCORE] = "score.weight",
        },
    .gguf =
        {
            [PARAM_EMBED] = "token_embd.weight",
            [PARAM_POSITION] = "position_embd.weight",
            [PARAM_NORM1] = "attn_norm.weight",
            [PARAM_NORM1_BIAS] = "attn_norm.bias",
            [PARAM_Q] = "attn_qkv.weight",
            [PARAM_K] = "attn_qkv.weight",
            [PARAM_V] = "attn_qkv.weight",
            [PARAM_Q_BIAS] = "attn_qkv.bias",
            [PARAM_K_BIAS] = "attn_qkv.bias",
            [PARAM_V_BIAS] = "attn_qkv.bias",
            [PARAM_O] = "attn_output.weight",
            [PARAM_O_BIAS] = "attn_output.bias",
            [PARAM_NORM2] = "ffn_norm.weight",
            [PARAM_NORM2_BIAS] = "ffn_norm.bias",
            [PARAM_UP] = "ffn_up.weight",
            [PARAM_UP_BIAS] = "ffn_up.bias",
            [PARAM_DOWN] = "ffn_down.weight",
            [PARAM_DOWN_BIAS] = "ffn_down.bias",
            [PARAM_NORM] = "output_norm.weight",
            [PARAM_NORM_BIAS] = "output_norm.bias",
            [PARAM_HEAD] = "output.weight",
        },
    .module =
        {
            [PARAM_Q] = "c_attn",
            [PARAM_O] = "c_proj",
            [PARAM_UP] = "c_fc",
            [PARAM_DOWN] = "c_proj",
        },
    .is_conv1d = true,
    .is_fused = true,
    .has_f_of_4c = true,
    .gguf_eps = "attention.layer_norm_epsilon",
};

static const struct arch table[] = {
    {
        .model_type = "llama",
        .lm_class = "LlamaForCausalLM",
        .score_class = "LlamaForSequenceClassification",
        .gguf = "llama",
        .may_bias = true,
        .is_g_optional = true,
        .is_gguf_permuted = true,
        .files = &llama_files,
    },
    {
        .model_type = "mistral",
        .lm_class = "MistralForCausalLM",
        .score_class = "MistralForSequenceClassification",
        .gguf = "llama", // found by llama's row, which computes the same
        .window = WINDOW_NULL,
        .is_gguf_permuted = true,
        .files = &llama_files,
    },
    {
        .model_type = "qwen2",
        .lm_class = "Qwen2ForCausalLM",
        .score_class = "Qwen2ForSequenceClassification",
        .gguf = "qwen2",
        .has_qkv_bias = true,
        .window = WINDOW_SWITCHED,
        .files = &llama_files,
    },
    {
        .model_type = "qwen3",
        .lm_class = "Qwen3ForCausalLM",
        .score_class = "Qwen3ForSequenceClassification",
        .gguf = "qwen3",
        .may_bias = true,
        .has_head_norm = true,
        .D = 128,
        .window = WINDOW_SWITCHED,
        .files = &llama_files,
    },
    {
        .model_type = "gpt2",
        .lm_class = "GPT2LMHeadModel",
        .score_class = "GPT2ForSequenceClassification",
        .gguf = "gpt2",
        .is_layernorm = true,
        .is_learned = true,
        .is_gelu = true,
        .has_qkv_bias = true,
        .has_out_bias = true,
        .is_tied = true,
        .files = &gpt2_files,
    },
};
#define ARCH_COUNT (sizeof table / sizeof table[0])

const char *arch_key(const struct arch *a, enum arch_dim d)
{
    if (a->files->dim[d] != NULL)
        return a->files->dim[d];
    return a->files->dim[d == DIM_G ? DIM_H : DIM_C];
}

const char *arch_gguf_key(enum arch_dim d)
{
    static const char *const key[ARCH_DIMS] = {
        [DIM_V] = "vocab_size",
        [DIM_C] = "embedding_length",
        [DIM_L] = "block_count",
        [DIM_H] = "attention.head_count",
        [DIM_G] = "attention.head_count_kv",
        [DIM_D] = "attention.key_length",
        [DIM_F] = "feed_forward_length",
        [DIM_T] = "context_length",
    };

    return key[d];
}

size_t arch_count(void)
{
    return ARCH_COUNT;
}

const struct arch *arch_get(size_t i)
{
    assert(i < ARCH_COUNT);
    return &table[i];
}

size_t arch_find(const char *model_type)
{
    size_t i = 0;

    while (i < ARCH_COUNT && strcmp(table[i].model_type, model_type) != 0)
        i++;
    return i;
}

size_t arch_find_gguf(const char *name)
{
    size_t i = 0;

    while (i < ARCH_COUNT && strcmp(table[i].gguf, name) != 0)
        i++;
    return i;
}
