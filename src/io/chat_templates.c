#include "io/chat_templates.h"

#include <string.h>

#include "base/file.h"

#define CHATML_LOOP                                                            \
    "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + "       \
    "'<|im_end|>' + '\\n'}}{% endfor %}"                                       \
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"           \
    "{% endif %}"

/* ChatML where the first message is put when it is not the system's. */
#define CHATML_SYSTEM(text)                                                    \
    "{% for message in messages %}"                                            \
    "{% if loop.first and messages[0]['role'] != 'system' %}"                  \
    "{{ '<|im_start|>system\\n" text                                           \
    "<|im_end|>\\n' }}{% endif %}" CHATML_LOOP

#define SMOLLM2                                                                \
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
#define QWEN2 "You are a helpful assistant."
#define QWEN25                                                                 \
    "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."

#define LLAMA3_TURN                                                            \
    "{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' + "      \
    "m['content'] | trim + '<|eot_id|>' }}"
#define LLAMA3_END                                                             \
    "{% if add_generation_prompt %}"                                           \
    "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"

const struct chat_row chat_templates_table[CHAT_TEMPLATES] = {
    [CHAT_NONE] = {"none", "", NULL, NULL},
    [CHAT_SUPPORT] = {"support",
                      "{% for m in messages %}"
                      "{% if m['role'] == 'user' %}<cust>{{ m['content'] }}"
                      "{% else %}<agent>{{ m['content'] }}<eos>{% endif %}"
                      "{% endfor %}"
                      "{% if add_generation_prompt %}<agent>{% endif %}",
                      NULL, NULL},
    [CHAT_CHATML] = {"chatml", "{% for message in messages %}" CHATML_LOOP,
                     NULL, "<|im_end|>"},
    [CHAT_SMOLLM2] = {"smollm2", CHATML_SYSTEM(SMOLLM2), SMOLLM2, "<|im_end|>"},
    [CHAT_QWEN2] = {"qwen2", CHATML_SYSTEM(QWEN2), QWEN2, "<|im_end|>"},
    [CHAT_QWEN25] = {"qwen2.5", CHATML_SYSTEM(QWEN25), QWEN25, "<|im_end|>"},
    [CHAT_QWEN3] = {"qwen3",
                    "{% for m in messages %}{% set text = m['content'] %}"
                    "{% if m['role'] == 'assistant' %}"
                    "{% if '</think>' in text %}"
                    "{% set text = text.split('</think>')[-1].lstrip('\\n') %}"
                    "{% endif %}"
                    "{% if loop.last and not add_generation_prompt %}"
                    "{% set text = '<think>\\n\\n</think>\\n\\n' + text %}"
                    "{% endif %}{% endif %}"
                    "{{ '<|im_start|>' + m['role'] + '\\n' + text + "
                    "'<|im_end|>' + '\\n' }}{% endfor %}"
                    "{% if add_generation_prompt %}"
                    "{{ '<|im_start|>assistant\\n<think>\\n\\n</think>\\n\\n' "
                    "}}{% endif %}",
                    NULL, "<|im_end|>"},
    [CHAT_LLAMA3] = {"llama3",
                     "{% for m in messages %}{% if loop.first %}"
                     "{{ bos_token }}{% endif %}" LLAMA3_TURN
                     "{% endfor %}" LLAMA3_END,
                     NULL, "<|eot_id|>"},
    [CHAT_LLAMA31] = {"llama3.1",
                      "{{ bos_token }}"
                      "{% if date_string is not defined %}"
                      "{% set date_string = '" CHAT_DATE "' %}{% endif %}"
                      "{% if messages[0]['role'] == 'system' %}"
                      "{% set system = messages[0]['content'] | trim %}"
                      "{% set messages = messages[1:] %}"
                      "{% else %}{% set system = '' %}{% endif %}"
                      "{{ '<|start_header_id|>system<|end_header_id|>\\n\\n"
                      "Cutting Knowledge Date: December 2023\\nToday Date: ' + "
                      "date_string + '\\n\\n' + system + '<|eot_id|>' }}"
                      "{% for m in messages %}" LLAMA3_TURN
                      "{% endfor %}" LLAMA3_END,
                      NULL, "<|eot_id|>"},
    [CHAT_ZEPHYR] = {"zephyr",
                     "{% for m in messages %}"
                     "{{ '<|' + m['role'] + '|>\\n' + m['content'] + "
                     "eos_token + '\\n' }}{% endfor %}"
                     "{% if add_generation_prompt %}"
                     "{{ '<|assistant|>\\n' }}{% endif %}",
                     NULL, "</s>"},
    [CHAT_HH] = {"hh",
                 "{% for m in messages %}"
                 "{% if m['role'] == 'user' %}"
                 "{{ '\\n\\nHuman: ' + m['content'] }}"
                 "{% elif m['role'] == 'assistant' %}"
                 "{{ '\\n\\nAssistant: ' + m['content'] }}"
                 "{% if loop.last %}{{ eos_token }}{% endif %}"
                 "{% else %}{{ m['content'] }}{% endif %}{% endfor %}"
                 "{% if add_generation_prompt %}{{ '\\n\\nAssistant:' }}"
                 "{% endif %}",
                 NULL, NULL},
};

/*
 * First half of the SHA-256 of texts that were published with models, without
 * the blanks at their end; "escaped" ones have line ends in Jinja's quotes
 * written as \n.  tools/make_chat_golden.py renders them beside ours and prints
 * these.
 */
static const struct {
    enum chat_template template;
    const char *hash;
} published[] = {
    {CHAT_CHATML, "153280e3ff55d19da1398bdb3914ee2a"},  // TRL, many
    {CHAT_SMOLLM2, "872be49dbb638044ad01b60388f48d46"}, // SmolLM2-Instruct
    {CHAT_QWEN2, "793202280c0910ab26bc6eb57c8212c2"},   // Qwen2-Instruct
    {CHAT_QWEN25, "55b2f4a26ac9ee719330a61a0c39d9e5"},  // Qwen2.5-Instruct
    {CHAT_QWEN25, "4e9918361c284a93880606d182d64da6"},  // its GGUF files
    {CHAT_QWEN3, "87a2728cb8dc9fe424d624542f6060ec"},   // Qwen3
    {CHAT_LLAMA3,
     "b48c47f6443892716176eb200bf4ef10"}, // Llama-3-Instruct, first
    {CHAT_LLAMA3, "ba03a121d097859c7b5b9cd03af99aaf"}, // the same, later
    {CHAT_LLAMA3, "b75e17085cfc511ead6d4fab84b86ab3"}, // the first, escaped
    {CHAT_LLAMA3, "4f46ecd43418f216df8c26936c60e5d0"}, // the later, escaped
    {CHAT_LLAMA31,
     "93c0e9aa3629bbd77e68dbc0f5621f6e"}, // Llama-3.1, 3.3-Instruct
    {CHAT_LLAMA31, "d82792f95932f1c9cef5c4bd992f1712"}, // Llama-3.2-Instruct
    {CHAT_ZEPHYR, "66291cf0045c2425a3a667cf3cbb7af2"},  // zephyr-7b-beta
    {CHAT_ZEPHYR, "4f39e3a4b9e3d369b42fd00d93a78f17"},  // the same, escaped
};

static void fingerprint(char out[65], const char *source)
{
    size_t len = strlen(source);
    while (len > 0 && strchr(" \t\r\n", source[len - 1]) != NULL)
        len--;
    file_hash_bytes(out, source, len);
}

enum chat_template chat_templates_recognise(const char *source)
{
    char hash[65], own[65];
    fingerprint(hash, source);
    for (int i = CHAT_NONE + 1; i < CHAT_TEMPLATES; i++) {
        fingerprint(own, chat_templates_table[i].source);
        if (strcmp(hash, own) == 0)
            return (enum chat_template)i;
    }
    for (size_t i = 0; i < sizeof published / sizeof *published; i++)
        if (strncmp(hash, published[i].hash, 32) == 0)
            return published[i].template;
    return CHAT_TEMPLATES;
}
