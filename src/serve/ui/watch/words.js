/**
 * words.js - numbers as people read them, and what metrics are called.
 */

/** @param {number|null|undefined} x */
export function figure(x) {
    if (x === null || x === undefined || !Number.isFinite(x)) return "–";
    const a = Math.abs(x);
    if (a !== 0 && (a < 0.001 || a >= 1e6)) return x.toExponential(2);
    return String(Number(x.toPrecision(a >= 1000 ? 5 : 4)));
}

/** @param {number|null|undefined} s */
export function time(s) {
    if (s === null || s === undefined || !Number.isFinite(s)) return "–";
    const n = Math.round(s);
    if (n >= 3600) return `${Math.floor(n / 3600)} h ${Math.floor(n / 60) % 60} min`;
    if (n >= 60) return `${Math.floor(n / 60)} min ${n % 60} s`;
    return `${n} s`;
}

/**
 * @typedef {object} Chart
 * @property {string} title
 * @property {string} unit
 * @property {string[]} metrics the first one that a run has is drawn
 * @property {string} [held] held-out points of this member
 * @property {boolean} [log] a log axis makes sense
 * @property {boolean} [share] of 1, even at the half
 * @property {string[]} [together] all of these, as lines of their own
 */

/** @type {Chart[]} */
export const CHARTS = [
    { title: "Reward", unit: "reward model's score",
        metrics: ["objective/scores"], held: "score" },
    { title: "Gold", unit: "gold judgement", metrics: ["world/gold"],
        held: "gold" },
    { title: "KL of a response", unit: "nats, policy to reference",
        metrics: ["kl/sequence", "objective/kl"], held: "kl_sequence",
        log: true },
    { title: "Response length", unit: "tokens", metrics: ["response/length",
        "completions/mean_length"], held: "len", log: true },
    { title: "KL of a token", unit: "nats", metrics: ["kl/per_token"],
        log: true },
    { title: "KL of a step", unit: "nats in this iteration",
        metrics: ["kl/step"], log: true },
    { title: "Entropy", unit: "nats a token", metrics: ["policy/entropy_avg",
        "objective/entropy"], log: true },
    { title: "Clipped", unit: "share of tokens", metrics: [], together: [
        "clip/positive_above", "clip/positive_below", "clip/negative_above",
        "clip/negative_below"] },
    { title: "Value quality", unit: "explained variance",
        metrics: ["value/explained_variance"] },
    { title: "Loss", unit: "", metrics: ["loss", "loss/policy_avg"],
        log: true },
    { title: "Accuracy", unit: "of pairs", metrics: ["accuracy"] },
    { title: "Speed", unit: "sequences a second", metrics: ["timing/eps"] },
];

/** The cells of the clipped chart, in words.
 * @type {Record<string, string>} */
export const CELLS = {
    "clip/positive_above": "advantage +, ratio above",
    "clip/positive_below": "advantage +, ratio below",
    "clip/negative_above": "advantage −, ratio above",
    "clip/negative_below": "advantage −, ratio below",
};

/** @type {Record<string, string>} */
export const ALARMS = {
    paradox: "The reward goes up, the answers may not",
    nan: "Numbers",
    kl: "KL",
    entropy: "Entropy",
    length: "Length",
    value: "Value model",
};

/** @type {Record<string, string>} */
export const STATES = {
    open: "open: nobody has looked",
    undecided: "open: people have looked and not decided",
    asked: "people are asked",
    confirmed: "confirmed by people",
    cleared: "cleared by people",
    quiet: "quiet",
    unknown: "cannot be told",
};
