/*
 * arch.h - THE table of architectures: what tells one decoder from another,
 * in arithmetic and in files.  A row is an architecture; nothing else in the
 * code knows one by name (docs/architectures.md).
 */
#ifndef PLUMB_MODEL_ARCH_H
#define PLUMB_MODEL_ARCH_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The tensors a model may have; model/params.h has their shapes.  The numbers
 * also name the random streams of initial weights, so a new one goes to the
 * end.
 */
enum param {
    PARAM_EMBED,    // [V,C]
    PARAM_NORM1,    // [C]    per layer, before attention
    PARAM_Q,        // [H*D,C]
    PARAM_K,        // [G*D,C]
    PARAM_V,        // [G*D,C]
    PARAM_O,        // [C,H*D]
    PARAM_NORM2,    // [C]    per layer, before the feed-forward
    PARAM_GATE,     // [F,C]  only SwiGLU
    PARAM_UP,       // [F,C]
    PARAM_DOWN,     // [C,F]
    PARAM_NORM,     // [C]    after the last layer
    PARAM_HEAD,     // [V,C]  only HEAD_LM and not tied
    PARAM_SCORE,    // [1,C]  only HEAD_SCORE
    PARAM_POSITION, // [T_max,C]  only learned positions
    PARAM_NORM1_BIAS,
    PARAM_Q_BIAS,
    PARAM_K_BIAS,
    PARAM_V_BIAS,
    PARAM_O_BIAS,
    PARAM_NORM2_BIAS,
    PARAM_UP_BIAS,
    PARAM_DOWN_BIAS,
    PARAM_NORM_BIAS,
    PARAM_Q_NORM, // [D]  of each query head
    PARAM_K_NORM, // [D]  of each key head
    PARAM_KINDS
};

/* The numbers of a shape that config.json holds; legend in nn/tensor.h. */
enum arch_dim {
    DIM_V,
    DIM_C,
    DIM_L,
    DIM_H,
    DIM_G,
    DIM_D,
    DIM_F,
    DIM_T,
    ARCH_DIMS
};

/* A key of config.json that changes the arithmetic.  Only the value that means
 * what this code computes is read; it is also the one written. */
struct arch_rule {
    const char *key;  // NULL ends a list
    const char *text; // the only text allowed, or NULL
    double number;    // the only number (booleans count as 0 and 1)
    bool is_written;
};

/* How a family of architectures spells things in files. */
struct arch_files {
    const char *dim[ARCH_DIMS]; // config.json; NULL: follows from the others
    const char *eps;
    const struct arch_rule *rule;
    const char *trunk; // before a tensor's name, but for the two heads'
    const char *layer; // then, per layer, with the number printed in
    const char *hf[PARAM_KINDS];     // tensors in safetensors files
    const char *gguf[PARAM_KINDS];   // and in GGUF files
    const char *module[PARAM_KINDS]; // projections, as PEFT's targets
    bool is_conv1d;   // safetensors hold projections as [columns,rows]
    bool is_fused;    // q, k and v are one tensor, and their biases
    bool has_f_of_4c; // F may be left out: 4 C
    const char *gguf_eps;
};

/* What a config says of sliding windows, which only "off" is supported of. */
enum arch_window {
    WINDOW_ABSENT,   // off unless there is a sliding_window
    WINDOW_SWITCHED, // off unless use_sliding_window
    WINDOW_NULL,     // off only when sliding_window is there and null
};

struct arch {
    const char *model_type; // of config.json
    const char *lm_class, *score_class;
    const char *gguf; // general.architecture, and the prefix of its keys
    const struct arch_files *files;

    bool is_layernorm;  // LayerNorm with bias, else RMSNorm
    bool is_learned;    // learned positions, else rotary
    bool is_gelu;       // GELU between up and down, else SwiGLU
    bool has_qkv_bias;  // always
    bool has_out_bias;  // o, up and down, always
    bool may_bias;      // attention_bias puts biases on q, k, v and o
    bool has_head_norm; // RMSNorm of q's and k's heads before they turn

    bool is_tied;          // lm_head is the embedding unless said otherwise
    bool is_g_optional;    // num_key_value_heads may be left out
    bool is_gguf_permuted; // GGUF interleaves the halves of q's and k's heads
    enum arch_window window;
    size_t D; // head size unless said otherwise; 0: C / H
};

/* The key of config.json that a dimension comes from, and that of GGUF's
 * metadata, after the architecture's prefix. */
const char *arch_key(const struct arch *a, enum arch_dim d);
const char *arch_gguf_key(enum arch_dim d);

/* Rows of the table, and the i-th; the first is llama. */
size_t arch_count(void);
const struct arch *arch_get(size_t i);

/* The row whose model_type or whose general.architecture this is, or
 * arch_count(). */
size_t arch_find(const char *model_type);
size_t arch_find_gguf(const char *name);

#endif
