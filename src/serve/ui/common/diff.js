/**
 * diff.js - which words of two texts the other does not have in this order.
 */

const CELLS_MAX = 4_000_000; // of the table of the longest common sequence

/** @param {string} text */
function words(text) {
    return text.match(/\s+|[\p{L}\p{N}'’]+|[^\s\p{L}\p{N}]/gu) ?? [];
}

/**
 * Runs of the two texts, in order; `own` says it is only in this one.  Null
 * when they are too long to compare.
 * @param {string} a
 * @param {string} b
 * @returns {[{text: string, own: boolean}[], {text: string, own: boolean}[]]
 *     | null}
 */
export function diff(a, b) {
    const x = words(a), y = words(b);
    if ((x.length + 1) * (y.length + 1) > CELLS_MAX) return null;
    const w = y.length + 1;
    const best = new Uint16Array((x.length + 1) * w);
    for (let i = x.length - 1; i >= 0; i--)
        for (let j = y.length - 1; j >= 0; j--)
            best[i * w + j] = x[i] === y[j] ? best[(i + 1) * w + j + 1] + 1 :
                Math.max(best[(i + 1) * w + j], best[i * w + j + 1]);
    const both = [new Set(), new Set()];
    for (let i = 0, j = 0; i < x.length && j < y.length;) {
        if (x[i] === y[j]) {
            both[0].add(i++);
            both[1].add(j++);
        } else if (best[(i + 1) * w + j] >= best[i * w + j + 1]) i++;
        else j++;
    }
    return [runs(x, both[0]), runs(y, both[1])];
}

/** @param {string[]} list @param {Set<number>} shared */
function runs(list, shared) {
    /** @type {{text: string, own: boolean}[]} */
    const out = [];
    list.forEach((text, i) => {
        const own = !shared.has(i);
        const last = out[out.length - 1];
        if (last && (last.own === own || /^\s+$/.test(text))) last.text += text;
        else out.push({ text, own });
    });
    return out;
}
