"""Hostile and multilingual texts, and tokenizer.json documents of the families
that src/io reads.  Used by make_bpe_golden.py and bench/peers/.

A document is made around any byte-level or SentencePiece-like vocabulary, so
that the pipelines of models whose vocabularies are not at hand can be tried.
"""
import random

GPT2 = (r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+"
        r"|\s+(?!\S)|\s+")
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
QWEN35 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+"
          r"|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")

# Written for this test.
PHRASES = """\
The customer wants a refund for the lamp; it arrived broken on 12/03/2024.
I've told you: they're NOT coming, we'LL see, it'S fine, y'all'd've known.
Größenmaße für Bücher, Straße 7, süß & weiß, naïve café, l'été à Noël.
¿Dónde está el pedido nº 4567? Aún no llegó, ¡qué lástima!
Где мой заказ номер 335? Он ещё не пришёл, хотя прошло уже десять дней.
Πού είναι η παραγγελία μου; Θα ήθελα τα χρήματά μου πίσω.
我的订单在哪里？已经等了三十五天，请退款一千二百元。
注文番号は二〇二四です。まだ届いていません。カタカナ、ひらがな、漢字。
제 주문은 어디에 있나요? 벌써 십일이 지났습니다.
أين طلبي رقم ٤٥٦؟ لقد مرت عشرة أيام ولم يصل بعد، أريد استرداد المال.
איפה ההזמנה שלי? עברו כבר עשרה ימים, אני רוצה החזר כספי.
मेरा ऑर्डर नंबर १२३४ कहाँ है? कृपया पैसे वापस करें।
ฉันสั่งซื้อสินค้าไปเมื่อสิบวันก่อน ยังไม่ได้รับเลย
អតិថិជន​ចង់បាន​ប្រាក់​វិញ​ភ្លាមៗ
Đơn hàng của tôi ở đâu? Tôi muốn được hoàn tiền ngay lập tức.
Siparişim nerede? İstanbul'a on gün önce gönderildi, ığüşöç.
def total(items):\\n\\treturn sum(x.price * 1.19 for x in items if x)  # VAT
<div class="row">&nbsp;</div><!-- https://example.org/a?b=c&d=%20 -->
""".replace("\\n", "\n").replace("\\t", "\t").split("\n")

EMOJI = ["🙂", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "😶‍🌫️", "1️⃣", "✅", "🦙", "👨🏿‍💻"]
MARKS = [chr(c) for c in (0x300, 0x301, 0x308, 0x30a, 0x323, 0x327, 0x345,
                          0x5b0, 0x5bc, 0x64b, 0x651, 0x93c, 0x9be, 0xe38,
                          0x302e, 0x1d165, 0x1d16e, 0x20d0, 0xfe20)]
NEWER = [chr(c) for c in (0x897, 0x8ca, 0x1ac1, 0x10f46, 0x11938, 0x11930,
                          0x11935, 0x16ff1, 0x1e4ec, 0x31350, 0x1e030, 0x1ccf0,
                          0x11de0, 0x16d63, 0xa7cb, 0x1fac6)]
SPACES = [chr(c) for c in (9, 10, 11, 12, 13, 0x20, 0x85, 0xa0, 0x1680, 0x2000,
                           0x2009, 0x200a, 0x2028, 0x2029, 0x202f, 0x205f,
                           0x3000)]
INVISIBLE = [chr(c) for c in (0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2060,
                              0xfeff, 0xad, 0x61c, 0x180e, 0xe0001, 0xe0020,
                              0xfe0f)]
NUMBERS = "0123456789" + "".join(chr(c) for c in (
    0x966, 0x967, 0x96f, 0x660, 0x665, 0x6f3, 0xb2, 0xb3, 0xb9, 0xbc, 0xbd,
    0x2160, 0x216b, 0x2460, 0x24ea, 0x3007, 0x4e09, 0x5341, 0x842c, 0x3021,
    0xff11, 0x1d7ce, 0x1f100, 0xbf0, 0x1372, 0x10107, 0x19da))
COMPOSED = "áÀéÇñöüßåÅÅÅ가각힣ギが｡ﬁﬂſK\u0958\u09dc\u0344\u1e9b\u0390\u0dda"
QUOTES = ["'s", "'S", "'ſ", "'ll", "'LL", "'lL", "'re", "'Ve", "'d", "’s",
          "''s", " 't", "'\u212a", "'m'm"]


def pick(rng, items, low, high):
    return "".join(rng.choice(items) for _ in range(rng.randint(low, high)))


def any_character(rng):
    while True:
        plane = rng.choice([0, 0, 0, 0, 1, 1, 2, 3, 14, 15, 16])
        code = plane << 16 | rng.randrange(0x10000)
        if 0 < code and not 0xd800 <= code < 0xe000:
            return chr(code)


def words(rng):
    phrase = rng.choice(PHRASES)
    a = rng.randrange(len(phrase) + 1)
    b = min(len(phrase), a + rng.randint(1, 30))
    return phrase[a:b] if rng.random() < 0.7 else phrase


def long_word(rng):
    return rng.choice(["a", "ab", "the", "é", "字", "=", "🙂", "\u0301", "xy9",
                       "▁", "-", "0"]) * rng.randint(20, 120)


def special(rng, tokens):
    token = rng.choice(tokens)
    shape = rng.random()
    if shape < 0.15:
        return token[:rng.randrange(len(token))]
    if shape < 0.3:
        return rng.choice(" \t\n") * rng.randint(0, 3) + token + " " * 2
    if shape < 0.4:
        return token[:-1] + token
    return token


def texts(seed, n, tokens):
    """n texts, the first ones short and known to be hard."""
    rng = random.Random(seed)
    out = ["", " ", "  ", "\n", "\r\n", "\t", "a", " a", "a ", "  a", "a  b",
           "▁", "▁▁", " ▁a", "a▁b", "é", "e\u0301", "\u0301", "\x01",
           "\u1100\u1161\u11a8", "<0x0A>", "<unk>", "</s>", "\ufffd"]
    out += list(tokens) + PHRASES + EMOJI + QUOTES + NEWER
    parts = [
        lambda: words(rng), lambda: words(rng), lambda: words(rng),
        lambda: pick(rng, EMOJI, 1, 3), lambda: pick(rng, MARKS, 1, 5),
        lambda: pick(rng, "aeioucnAdD가", 1, 1) + pick(rng, MARKS, 1, 6),
        lambda: pick(rng, SPACES, 1, 8), lambda: " " * rng.randint(1, 40),
        lambda: "\n" * rng.randint(1, 5), lambda: "\r\n" * rng.randint(1, 3),
        lambda: pick(rng, INVISIBLE, 1, 4), lambda: pick(rng, NUMBERS, 1, 9),
        lambda: pick(rng, COMPOSED, 1, 6), lambda: pick(rng, QUOTES, 1, 2),
        lambda: pick(rng, [chr(c) for c in range(1, 32)] + ["\x7f"], 1, 4),
        lambda: "".join(any_character(rng) for _ in range(rng.randint(1, 6))),
        lambda: pick(rng, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", 1, 8),
        lambda: pick(rng, NEWER, 1, 4), lambda: special(rng, tokens),
        lambda: special(rng, tokens), lambda: pick(rng, "▁ ", 1, 6),
    ]
    while len(out) < n:
        text = "".join(rng.choice(parts)() for _ in range(rng.randint(1, 7)))
        if len(out) % 40 == 0:
            text += long_word(rng)
        out.append(text)
    return out[:n]


# ---- documents ---------------------------------------------------------------

def added(content, number, special_=True, **flags):
    token = {"id": number, "content": content, "single_word": False,
             "lstrip": False, "rstrip": False, "normalized": False,
             "special": special_}
    token.update(flags)
    return token


def document(vocab, merges, tokens, pre, decoder, normalizer=None, post=None,
             **options):
    model = {"type": "BPE", "dropout": None, "unk_token": None,
             "continuing_subword_prefix": None, "end_of_word_suffix": None,
             "fuse_unk": False, "byte_fallback": False}
    model.update(options)
    model.update(vocab=vocab, merges=merges)
    return {"version": "1.0", "truncation": None, "padding": None,
            "added_tokens": tokens, "normalizer": normalizer,
            "pre_tokenizer": pre, "post_processor": post, "decoder": decoder,
            "model": model}


def byte_level(prefix=False, regex=True):
    return {"type": "ByteLevel", "add_prefix_space": prefix,
            "trim_offsets": True, "use_regex": regex}


def sequence(key, *steps):
    return {"type": "Sequence", key: list(steps)}


def split(regex):
    return sequence("pretokenizers",
                    {"type": "Split", "pattern": {"Regex": regex},
                     "behavior": "Isolated", "invert": False},
                    byte_level(regex=False))


def template(token, number):
    return {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": token, "type_id": 0}},
                       {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}},
                     {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {token: {"id": token, "ids": [number],
                                       "tokens": [token]}}}


SPACE = "\u2581"
TO_SPACE = {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}
BYTES_DECODER = {"type": "ByteFallback"}
FUSE = {"type": "Fuse"}
STRIP = {"type": "Strip", "content": " ", "start": 1, "stop": 0}


def byte_level_families(vocab, merges):
    """{name: document} around a byte-level vocabulary; merges are pairs."""
    n = max(vocab.values()) + 1
    spaced = [" ".join(pair) for pair in merges]
    pairs = [list(pair) for pair in merges]
    chat = [added("<|im_start|>", n), added("<|im_end|>", n + 1),
            added("<think>", n + 2, False), added("</think>", n + 3, False)]
    gpt2 = [added("<|endoftext|>", n)]
    roberta = [added("<s>", n), added("<mask>", n + 1, lstrip=True),
               added("new é", n + 2, False, normalized=True, rstrip=True)]
    llama3 = [added("<|begin_of_text|>", n), added("<|eot_id|>", n + 1)]
    # A vocabulary need not have every byte: SmolLM2's has not.  Its control
    # tokens are the model's first.
    gone = set("Ãò÷øù")
    kept = [m for m in spaced if not set(m) & gone]
    smollm2 = {t: i for i, t in enumerate(
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] +
        [t for t in vocab if not set(t) & gone])}
    d = byte_level(True)
    return {
        "gpt2": document(vocab, spaced, gpt2, byte_level(), byte_level(),
                         post=byte_level(), unk_token="<|endoftext|>"),
        "roberta": document(vocab, pairs, roberta, byte_level(True), d,
                            normalizer={"type": "NFC"}, post=byte_level()),
        "llama3": document(vocab, spaced, llama3, split(LLAMA3), d,
                           post=sequence("processors", byte_level(),
                                         template("<|begin_of_text|>", n)),
                           ignore_merges=True),
        "qwen2": document(vocab, pairs, chat, split(QWEN2), d,
                          normalizer={"type": "NFC"}, post=byte_level(),
                          continuing_subword_prefix="",
                          end_of_word_suffix=""),
        "qwen35": document(vocab, pairs, chat, split(QWEN35), d,
                           normalizer={"type": "NFC"}),
        "smollm2": document(
            smollm2, kept, [added(t, i) for t, i in list(smollm2.items())[:3]],
            sequence(
                "pretokenizers", {"type": "Digits", "individual_digits": True},
                byte_level()), d),
    }


def sentencepiece_families(vocab, merges):
    """{name: document} around a vocabulary with <unk>, <s>, </s> and bytes."""
    spaced = [" ".join(pair) for pair in merges]
    pairs = [list(pair) for pair in merges]
    three = [added(t, vocab[t]) for t in ("<unk>", "<s>", "</s>")]
    n = max(vocab.values()) + 1
    phi3 = three[:2] + [
        added("</s>", vocab["</s>"], False, rstrip=True),
        added("<|end|>", n, rstrip=True), added("<|user|>", n + 1, rstrip=True),
        added("lamp é", n + 2, False, normalized=True)]
    prepend = sequence(
        "normalizers", {"type": "Prepend", "prepend": SPACE},
        {"type": "Replace", "pattern": {"String": " "}, "content": SPACE})
    decoder = sequence("decoders", TO_SPACE, BYTES_DECODER, FUSE, STRIP)
    meta = {"type": "Metaspace", "replacement": SPACE}
    plain = {t: i for t, i in vocab.items() if not t.startswith("<0x")}
    options = {"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True}
    return {
        "llama2": document(vocab, spaced, three, None, decoder,
                           normalizer=prepend, post=template("<s>", 1),
                           **options),
        "phi3": document(vocab, pairs, phi3, None, decoder, normalizer=prepend,
                         **options),
        "metaspace": document(
            vocab, pairs, three, dict(meta, prepend_scheme="first",
                                      split=False), decoder, **options),
        "metaspace_split": document(
            vocab, pairs, three, dict(meta, prepend_scheme="always",
                                      split=True),
            sequence("decoders", BYTES_DECODER,
                     dict(meta, prepend_scheme="always", split=True)),
            **options),
        "unknown": document(
            plain, spaced, three, dict(meta, prepend_scheme="never",
                                       split=True),
            dict(meta, prepend_scheme="never", split=True),
            unk_token="<unk>"),
        "unknown_fused": document(plain, pairs, three, None, None,
                                  unk_token="<unk>", fuse_unk=True),
    }
