/**
 * ranks.js - orders with ties, as a person makes them.
 *
 * `places` has a number for each answer as shown, smaller is better, equal is
 * tied, null is not said yet.  Only the order of the numbers counts.
 *
 * @typedef {(number|null)[]} Places
 */

/** @param {number} i @returns {string} */
export function letter(i) {
    return i < 26 ? String.fromCharCode(65 + i) :
        letter(Math.floor(i / 26) - 1) + letter(i % 26);
}

/**
 * The answers from best to worst, those that are tied together.
 * @param {Places} places
 * @returns {number[][]}
 */
export function tiers(places) {
    const levels = [...new Set(places.filter((p) => p !== null))]
        .sort((a, b) => Number(a) - Number(b));
    return levels.map((level) =>
        places.flatMap((p, i) => (p === level ? [i] : [])));
}

/** @param {Places} places */
export function isComplete(places) {
    return places.every((p) => p !== null);
}

/**
 * 1 + how many are above, null for what has no place: 1 2 2 4.
 * @param {Places} places
 * @returns {(number|null)[]}
 */
export function ranks(places) {
    return places.map((p) => p === null ? null :
        1 + places.filter((q) => q !== null && q < p).length);
}

/** @param {number} n */
export function ordinal(n) {
    const tens = n % 100;
    const end = tens >= 11 && tens <= 13 ? "th" :
        ["th", "st", "nd", "rd"][n % 10] ?? "th";
    return `${n}${end}`;
}

/**
 * "1st", "2nd=" or "" for an answer.
 * @param {Places} places
 * @param {number} i
 */
export function label(places, i) {
    // Until all have a place, the numbers are as they were given.
    const r = isComplete(places) ? ranks(places)[i] : places[i];
    if (r === null) return "";
    const tied = places.filter((p) => p === places[i]).length > 1;
    return ordinal(r) + (tied ? "=" : "");
}

/**
 * "1st B, 2nd= A and D, C not ranked yet"
 * @param {Places} places
 */
export function describe(places) {
    const parts = tiers(places).map((tier) =>
        `${label(places, tier[0])} ${tier.map(letter).join(" and ")}`);
    const rest = places.flatMap((p, i) => (p === null ? [letter(i)] : []));
    if (rest.length) parts.push(`${rest.join(", ")} not ranked yet`);
    return parts.join(", ");
}

/**
 * The ranks of tiers; who is in none has no place.
 * @param {number[][]} order
 * @param {number} K
 * @returns {Places}
 */
function fromTiers(order, K) {
    /** @type {Places} */
    const places = new Array(K).fill(null);
    let above = 0;
    for (const tier of order) {
        for (const i of tier) places[i] = above + 1;
        above += tier.length;
    }
    return places;
}

/**
 * Put an answer into a tier of the others (tie it), or between two: before
 * the others' tier `at`, or last where `at` is their number.
 * @param {Places} places
 * @param {number} i
 * @param {number} at
 * @param {boolean} isTie
 * @returns {Places}
 */
export function put(places, i, at, isTie) {
    const rest = tiers(places.map((p, k) => (k === i ? null : p)));
    if (isTie && at < rest.length) rest[at] = [...rest[at], i];
    else rest.splice(at, 0, [i]);
    return fromTiers(rest, places.length);
}

/**
 * One step up or down: out of a tie, or past the next tier.
 * @param {Places} places
 * @param {number} i
 * @param {1|-1} step -1 is up
 * @returns {Places}
 */
export function shift(places, i, step) {
    const order = tiers(places);
    const at = order.findIndex((tier) => tier.includes(i));
    if (at < 0) return put(places, i, order.length, false);
    if (order[at].length > 1)
        return put(places, i, step < 0 ? at : at + 1, false);
    const to = at + step;
    return to < 0 || to >= order.length ? places : put(places, i, to, false);
}

/**
 * No place any more.
 * @param {Places} places
 * @param {number} i
 * @returns {Places}
 */
export function remove(places, i) {
    return places.map((p, k) => (k === i ? null : p));
}
