/**
 * standing.js - how a pool stands: plumb.standing/1 as words, tables and
 * intervals; for viewers and administrators, never for who judges.
 */
import { h, s } from "../common/dom.js";
import { button, scrollable } from "../common/ui.js";
import { ApiError } from "./api.js";

/** @typedef {import("./main.js").App} App */
/** @typedef {import("./types.js").Estimate} Estimate */
/** @typedef {import("./types.js").Pool} Pool */

const RELOAD_MS = 1000; // not oftener, however many vote

/** @type {Record<string, string>} */
const NAMES = {
    less_direct: "Less direct", less_helpful: "Less helpful",
    too_long: "Too long", incorrect: "Incorrect",
    raw: "raw agreement", cohen: "Cohen’s κ", fleiss: "Fleiss’ κ",
    alpha_nominal: "Krippendorff’s α, nominal",
    alpha_ordinal: "Krippendorff’s α, ordinal",
    alpha_interval: "Krippendorff’s α, interval",
    overall: "which is better", ranking: "order", direct: "direct",
    helpful: "helpful", correct: "correct", length: "length",
};

/** @param {string} name */
function named(name) {
    return NAMES[name] ?? name.replaceAll("_", " ");
}

/** @param {number} x */
function pct(x) {
    return `${(100 * x).toFixed(Math.abs(x) < 0.0995 ? 1 : 0)}%`;
}

/** @param {number} x */
function plain(x) {
    return x.toFixed(2);
}

/**
 * @typedef {{from: number, to: number, zero: number, zeroName: string,
 *     text: (x: number) => string}} Scale
 * @type {Record<"share"|"excess"|"kappa"|"rate", Scale>}
 */
const SCALES = {
    share: { from: 0, to: 1, zero: 0.5, zeroName: "one half", text: pct },
    rate: { from: 0, to: 1, zero: 0, zeroName: "none", text: pct },
    excess: { from: -0.5, to: 0.5, zero: 0, zeroName: "none", text: pct },
    kappa: { from: -1, to: 1, zero: 0, zeroName: "by chance", text: plain },
};

const W = 160, H = 18;

/** A bar of the interval with a dot, over a line where nothing is.
 * @param {Estimate} e @param {Scale} scale */
function picture(e, scale) {
    /** @param {number|undefined} v */
    const x = (v) => 4 + (W - 8) * Math.max(0, Math.min(1,
        ((v ?? 0) - scale.from) / (scale.to - scale.from)));
    const low = x(e.low), high = x(e.high);
    return s("svg", { class: "interval", viewBox: `0 0 ${W} ${H}`,
        "aria-hidden": "true" },
    s("line", { class: "axis", x1: 4, x2: W - 4, y1: H / 2, y2: H / 2 }),
    s("line", { class: "zero", x1: x(scale.zero), x2: x(scale.zero), y1: 1,
        y2: H - 1 }),
    s("rect", { class: "range", x: low, width: Math.max(2, high - low),
        y: H / 2 - 4, height: 8, rx: 4 }),
    s("circle", { class: "point", cx: x(e.value), cy: H / 2, r: 4.5 }));
}

/** @param {Estimate|null|undefined} e @param {Scale} scale @returns {Node[]} */
function estimate(e, scale) {
    if (!e || e.value === undefined)
        return [h("span", { class: "muted" },
            `not known${e?.undefined ? `: ${e.undefined}` : ""}`)];
    const t = scale.text;
    return [h("span", { class: "estimate" },
        picture(e, scale), h("span", { class: "figure" },
            h("strong", t(e.value)), " ",
            h("span", { class: "muted" }, e.low === undefined ? "" :
                `${t(e.low)} to ${t(e.high ?? e.low)}, `, `n = ${e.n}`)))];
}

/** Columns that fit beside each other on a desk; with more of them, and on a
 *  phone, a row becomes a card whose cells carry their heads. */
const COLUMNS = 6;

/** @param {string} caption @param {string[]} heads
 *  @param {(HTMLElement|false)[]} rows @param {string} [note] */
function table(caption, heads, rows, note) {
    for (const tr of rows)
        for (const [i, cell] of [...(tr ? tr.children : [])].entries())
            /** @type {HTMLElement} */ (cell).dataset.head = heads[i];
    const wide = heads.length > COLUMNS ? " cards" : "";
    const box = h("div", { class: `table${wide}` }, h("table",
        h("thead", h("tr", heads.map((t) => h("th", { scope: "col" }, t)))),
        h("tbody", rows)));
    requestAnimationFrame(() => scrollable(box, caption));
    return h("section", { class: "panel" }, h("h2", caption),
        note && h("p", { class: "muted" }, note), box);
}

/** @param {string} head @param {...(Node|Node[]|string)} cells */
function row(head, ...cells) {
    return h("tr", h("th", { scope: "row" }, head),
        cells.map((c) => h("td", {}, c)));
}

/** @param {any} d */
function progress(d) {
    const p = d.progress ?? {};
    /** @type {[string, string][]} */
    const figures = [["votes", "votes"], ["wanted", "still wanted"],
        ["complete", "items complete"], ["begun", "begun"],
        ["held", "in hands now"], ["skipped", "skips"], ["flags", "flags"]];
    return h("dl", { class: "figures" }, figures
        .filter(([k]) => p[k] !== undefined)
        .map(([k, t]) => h("div", h("dt", t), h("dd", String(p[k])))));
}

/** @param {any} d @returns {(Node|false)[]} */
function spotcheck(d) {
    const seq = d.sequential;
    return [
        d.win !== undefined && table("Policy against reference",
            ["", "Share of policy"],
            [row("Win rate, ties half", estimate(d.win, SCALES.share)),
                d.win_length_controlled !== undefined &&
                row("The same at equal length",
                    estimate(d.win_length_controlled, SCALES.share)),
                seq?.win !== undefined && row("Always valid interval",
                    estimate(seq.win, SCALES.share))],
            seq && sequential(seq)),
        d.marks?.length > 0 && table("Answers by themselves",
            ["", "Policy", "Placebo", "Excess over placebo", ""],
            d.marks.map((/** @type {any} */ m) => row(named(m.name),
                estimate(m.policy, SCALES.rate),
                estimate(m.placebo, SCALES.rate),
                estimate(m.excess, SCALES.excess),
                m.measurable ? "measurable" :
                    `not measurable yet, ${m.more_pairs} more pairs`)),
            "Placebo: both answers are the reference's; what people say " +
            "there is what they would say of anything."),
    ];
}

/** @param {any} q */
function sequential(q) {
    const so = `The policy won ${q.wins} prompts, lost ${q.losses}, tied ` +
        `${q.ties}${q.waiting > 0 ? `; ${q.waiting} wait for votes` : ""}. `;
    if (q.decided && q.holds === false) {
        return `${so}Decided for the ${q.decided_for} after ${q.decided_at} ` +
            "prompts, but the votes since do not bear it out.";
    }
    if (q.decided) return `${so}Decided; looking again changes nothing.`;
    return so + `Evidence ${Number(q.evidence).toPrecision(3)} of ` +
        `${q.needed} needed: not decided` + (typeof q.more === "number" ?
        `, about ${q.more} more pairs at this rate` +
        (q.more_votes > q.more ?
            `, or ${q.more_votes} votes with all that is mixed in.` : ".") :
        ".");
}

/** How many, and how fast. @param {any} j @returns {[string, string]} */
function votes(j) {
    return [`${j.votes}` + (j.skips ? `, ${j.skips} skipped` : "") +
            (j.undone ? `, ${j.undone} undone` : "") +
            (j.unblinded_at ? ", not blind since " +
                new Date(j.unblinded_at).toLocaleString() : ""),
    (j.median_ms ? `${(j.median_ms / 1000).toFixed(1)} s` : "–") +
            (j.too_fast ? `, ${j.too_fast} too fast` : "")];
}

/** @param {any} d */
function judges(d) {
    const spot = d.win !== undefined;
    return table("Judges", ["Name", "Votes", "Median time",
        ...(spot ? ["Policy preferred"] : []), "Left side",
        "Longer text", "Own repeats alike", "Gold right",
        "Identical called equal", "Weight"],
    (d.judges ?? []).map((/** @type {any} */ j) => !j.votes ?
        row(j.name, votes(j)[0]) : row(j.name, ...votes(j),
        ...(spot ? [estimate(j.win, SCALES.share)] : []),
        estimate(j.left, SCALES.share), estimate(j.longer, SCALES.share),
        estimate(j.consistency, SCALES.rate), estimate(j.gold, SCALES.rate),
        estimate(j.identical, SCALES.rate),
        typeof j.weight === "number" ? plain(j.weight) : "–")));
}

/** What is told to who judges here: nothing that own votes would give away.
 * @param {any} d @param {() => void} look */
function bound(d, look) {
    return [
        h("section", { class: "says" },
            h("p", { class: "first" }, "Closed to you while you judge here"),
            h("p", "After each of your votes this page would tell whose side " +
                "it was for, and you could change it. Look when the pool is " +
                "closed, or ask somebody who does not judge. If you must, " +
                "look now: it goes into the audit log, and your votes count " +
                "as not blind from then on."),
            h("div", { class: "row" }, button({ label: "Show anyway",
                class: "quiet danger", click: look }))),
        progress(d),
        table("Judges", ["Name", "Votes", "Median time"],
            (d.judges ?? []).map((/** @type {any} */ j) => row(j.name,
                ...votes(j)))),
    ];
}

/** @param {any} d */
function agreement(d) {
    /** @type {any[]} */
    const all = d.agreement ?? [];
    const why = new Set(all.map((a) => a.value === undefined ?
        a.undefined : ""));
    if (why.size === 1 && !why.has(""))
        return h("section", { class: "panel" },
            h("h2", "Agreement between judges"),
            h("p", { class: "muted" }, `Not known: ${[...why][0]}.`));
    return all.length > 0 && table("Agreement between judges",
        ["Measure", "Of", ""],
        all.map((/** @type {any} */ a) => row(named(a.name),
            named(a.of), estimate(a,
                a.name === "raw" ? SCALES.rate : SCALES.kappa))));
}

/** @param {any} d @returns {(Node|false)[]} */
function document_(d) {
    /** @type {string[]} */
    const says = d.says ?? [];
    return [
        h("section", { class: "says" }, says.length ? says.map((t, i) =>
            h("p", { class: i === 0 ? "first" : "" }, t)) :
            h("p", { class: "first" }, "Nothing can be said yet.")),
        progress(d),
        ...spotcheck(d),
        d.longer !== undefined && table("Taste", ["", "Share"],
            [row("Longer text preferred", estimate(d.longer, SCALES.share))]),
        judges(d), agreement(d),
    ];
}

const FORMATS = {
    ranking: ["canonical", "rankings", "trl", "openrlhf", "alpacaeval",
        "arena"],
    spotcheck: ["canonical", "spotcheck", "alpacaeval", "arena", "comparator",
        "helpsteer", "trl", "openrlhf"],
};

/** @param {Pool} pool @param {boolean} isUnblind looks while judging here */
function exports_(pool, isUnblind) {
    const redact = h("input", { type: "checkbox", onchange: () => point() });
    const links = FORMATS[pool.task].map((f) => h("a", { download: "",
        class: "quiet button", data: { format: f } }, f));
    const point = () => links.forEach((a) => {
        a.href = `/api/pools/${pool.pool}/export?format=${a.dataset.format}` +
            (redact.checked ? "&redact=1" : "") +
            (isUnblind ? "&unblind=1" : "");
    });
    point();
    return h("section", { class: "panel" }, h("h2", "Export"),
        h("div", { class: "row wrap" }, links),
        h("label", { class: "check" }, redact, "without the judges’ names"));
}

/** @param {App} app @param {number} id 0: the first pool */
export async function standingView(app, id) {
    const pool = id ? app.pools.find((p) => p.pool === id) : app.pools[0];
    app.shell.setTitle("How it stands");
    const body = h("div", { class: "standing" });
    const when = h("p", { class: "muted when" });
    const files = h("div");
    const path = pool && `/api/pools/${pool.pool}/standing`;
    app.page(h("div", { class: "wide" },
        h("h1", { class: "big" }, pool ? pool.name : id ? "No such pool" :
            "How it stands"),
        app.pools.length > 1 && h("nav", { class: "row wrap",
            "aria-label": "Pools" }, app.pools.map((p) => h("a",
            { class: "quiet button", href: `#/standing/${p.pool}`,
                "aria-current": p === pool ? "page" : null }, p.name))),
        when, body, files));
    app.focusHeading();
    if (!path) {
        body.append(h("p", id ? "There is no pool of this number." :
            "There is no pool yet."));
        return;
    }
    let isOver = false, isLive = false, isLoading = false, isStale = false;
    let isUnblind = false;
    const look = () => {
        isUnblind = true;
        void load();
    };
    /* Files tell what the document tells, and are there with it; made once, so
     * that a box that was ticked stays so. */
    const offer = (/** @type {boolean} */ isOpen) => {
        if (!isOpen) files.replaceChildren();
        else if (pool && !files.firstChild && app.session?.role === "admin")
            files.replaceChildren(exports_(pool, isUnblind));
    };
    const load = async () => {
        if (isLoading) {
            isStale = true;
            return;
        }
        isLoading = true;
        isStale = false;
        try {
            const d = await app.api.get(path + (isUnblind ? "?unblind=1" : ""));
            if (isOver) return;
            body.replaceChildren(...(d.bound ? bound(d, look) : document_(d))
                .filter((n) => n !== false));
            offer(!d.bound);
            tell(d.at);
        } catch (error) {
            if (isOver) return;
            const e = error instanceof ApiError ? error :
                new ApiError(0, String(error));
            if (e.status === 401) app.signedOut();
            else if (e.status === 404) {
                body.replaceChildren(h("p",
                    "This server does not tell how a pool stands."));
                offer(true);
            } else tell(0);
        } finally {
            setTimeout(() => {
                isLoading = false;
                if (isStale && !isOver) void load();
            }, RELOAD_MS);
        }
    };
    let at = 0;
    const tell = (/** @type {number} */ now) => {
        at = now || at;
        when.textContent = `${isLive ? "Live" : "Not live"} · as of ` +
            new Date(at || Date.now()).toLocaleTimeString();
    };
    const events = new EventSource("/api/events");
    events.addEventListener("open", () => {
        isLive = true;
        void load();
    });
    events.addEventListener("error", () => {
        isLive = false;
        tell(0);
    });
    events.addEventListener("vote", (e) => {
        if (JSON.parse(e.data).pool === pool.pool) void load();
    });
    events.addEventListener("reset", () => void load());
    app.leave = () => {
        isOver = true;
        events.close();
    };
    await load();
}
