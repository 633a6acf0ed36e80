/**
 * api.js - what the page asks of the server, and what the server tells it.
 *
 * @typedef {object} Alarm
 * @property {string} alarm
 * @property {string} state
 * @property {boolean} raised
 * @property {number} since
 * @property {string} text
 *
 * @typedef {object} People
 * @property {number} iteration
 * @property {number|null} estimate
 * @property {number} low
 * @property {number} high
 * @property {number} n
 *
 * @typedef {object} Run
 * @property {number} run
 * @property {string} name
 * @property {string} stage
 * @property {string} state
 * @property {number} step
 * @property {number} first
 * @property {number} rows
 * @property {number} skipped
 * @property {number|null} total
 * @property {number|null} eta
 * @property {number|null} seconds
 * @property {number|null} tokens_per_s
 * @property {number} last_iteration
 * @property {number} iterations
 * @property {Record<string, number>} now
 * @property {Alarm[]} alarms
 * @property {People[]} [people] absent while people judge
 * @property {number} asked
 * @property {number} [voted] absent while people judge
 *
 * @typedef {object} Series
 * @property {number} run
 * @property {number} rows rows that a point stands for, at most
 * @property {number[]} step
 * @property {Record<string, {last: (number|null)[], low?: (number|null)[],
 *     high?: (number|null)[]}>} series
 *
 * @typedef {{estimate: number, low: number, high: number}} Estimate
 * @typedef {object} Point
 * @property {number} iteration
 * @property {Estimate} [score]
 * @property {Estimate} [gold]
 * @property {Estimate} [len]
 * @property {Estimate} [kl_sequence]
 *
 * @typedef {object} Row
 * @property {number} row
 * @property {string} [source]
 * @property {string} prompt_id
 * @property {number} [step]
 * @property {number} [sample]
 * @property {string} [which]
 * @property {string} [prompt]
 * @property {string} response
 * @property {string} [finish]
 * @property {number} [score]
 * @property {number} [score_raw]
 * @property {number} [gold]
 * @property {number} [tokens]
 * @property {number} [kl]
 * @property {number} [k1]
 * @property {Record<string, unknown>} [tags]
 * @property {string[]} [pieces]
 * @property {Record<string, (number|null)[]>} [lanes]
 */

let csrf = "";

export class Refused extends Error {
    /** @param {number} status @param {string} text */
    constructor(status, text) {
        super(text);
        this.status = status;
    }
}

/** @param {string} path @param {RequestInit} [init] */
async function ask(path, init) {
    const answer = await fetch(path, init);
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok)
        throw new Refused(answer.status,
            body.error ?? `the server said ${answer.status}`);
    return body;
}

/** @param {string} path @param {object} body */
function post(path, body) {
    return ask(path, { method: "POST", body: JSON.stringify(body), headers: {
        "Content-Type": "application/json", "X-Plumb-CSRF": csrf } });
}

/** Sign in by the link that opened the page, where one was needed.
 * @returns {Promise<{role: string}>} */
export async function begin() {
    const token = /^#token=([\w-]+)$/.exec(location.hash)?.[1];
    if (token) {
        history.replaceState(null, "", "/");
        const who = await post("/api/session", { token });
        csrf = who.csrf;
        return who;
    }
    const who = await ask("/api/session");
    csrf = who.csrf;
    return who;
}

/** @returns {Promise<{path: string, runs: Run[], metrics: string[]}>} */
export const runs = () => ask("/api/watch");

/** @param {{runs: number[], metrics: string[], points: number,
 *     from?: number|null, to?: number|null}} o
 * @returns {Promise<{runs: Series[]}>} */
export function series(o) {
    const q = new URLSearchParams({ runs: o.runs.join(","),
        metrics: o.metrics.join(","), points: String(o.points) });
    if (o.from != null) q.set("from", String(Math.max(0, Math.floor(o.from))));
    if (o.to != null) q.set("to", String(Math.max(0, Math.ceil(o.to))));
    return ask(`/api/watch/series?${q}`);
}

/** @param {number} run @returns {Promise<{points: Point[]}>} */
export const curve = (run) => ask(`/api/watch/runs/${run}/curve`);

/** @param {number} run
 * @returns {Promise<{sources: {name: string, step: number}[]}>} */
export const sources = (run) => ask(`/api/watch/runs/${run}/sources`);

/** @param {number} run @param {string} source
 * @param {Record<string, string>} query
 * @returns {Promise<{total: number, skipped: number, rows: Row[]}>} */
export const rows = (run, source, query) =>
    ask(`/api/watch/runs/${run}/rows/${source}?${new URLSearchParams(query)}`);

/** @param {number} run @param {string} source @param {number} row
 * @returns {Promise<Row>} */
export const row = (run, source, row) =>
    ask(`/api/watch/runs/${run}/rows/${source}/${row}`);

/** @param {number} run @param {string} prompt
 * @returns {Promise<{rows: Row[], is_cut: boolean}>} */
export const past = (run, prompt) =>
    ask(`/api/watch/runs/${run}/history?${new URLSearchParams({ prompt })}`);

/** @param {number} run @param {number} pairs
 * @returns {Promise<{pairs: number, placebo: number, already: number,
 *     step: number, database: string}>} */
export const check = (run, pairs) =>
    post(`/api/watch/runs/${run}/check`, { pairs });

/**
 * Hear of what happens; the browser comes back by itself after a break, and
 * says what it heard last.
 * @param {(kind: string, data: any) => void} tell
 * @param {(isThere: boolean) => void} link
 */
export function listen(tell, link) {
    const source = new EventSource("/api/events");
    for (const kind of ["row", "run", "alarm", "reset"])
        source.addEventListener(kind, (e) => tell(kind,
            e.data ? JSON.parse(e.data) : null));
    source.addEventListener("open", () => link(true));
    source.addEventListener("error", () => {
        link(false);
        // A server that refuses once ends it for the browser, not for us.
        if (source.readyState === EventSource.CLOSED)
            setTimeout(() => listen(tell, link), 2000);
    });
}
