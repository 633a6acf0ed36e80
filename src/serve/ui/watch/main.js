/**
 * main.js - the page of plumb watch.
 *
 * @import { Run, Series, Point } from "./api.js"
 * @import { Line } from "./charts.js"
 */
import { h } from "../common/dom.js";
import { icon } from "../common/icons.js";
import { isDark, setTheme, theme } from "../common/theme.js";
import * as api from "./api.js";
import { alarms } from "./alarms.js";
import { Chart, linesOf, peopleLines } from "./charts.js";
import { Replies } from "./replies.js";
import { scatter } from "./scatter.js";
import { isChosen, readState, setState, state } from "./state.js";
import { CHARTS, figure, time } from "./words.js";

const METRICS = [...new Set(CHARTS.flatMap((c) =>
    [...c.metrics, ...(c.together ?? [])]))];
const MANY = 12; // runs beyond which only the first are drawn at first

setTheme(theme());

/** @type {Run[]} */
let runs = [];
let mayQueue = false, path = "";
/** @type {Map<number, Map<string, Line>>} */
const store = new Map();
/** @type {Map<number, Point[]>} */
const held = new Map();

const app = /** @type {HTMLElement} */ (document.getElementById("app"));
const link = h("span", { class: "live", role: "status" }, "connecting …");
const where = h("span", { class: "title" });
const list = h("ul", { class: "runs" });
const board = h("div", { class: "board" });
const alarmBox = h("div");
const toast = h("p", { class: "toast", role: "status" });
const replies = new Replies();
const charts = CHARTS.map((def) => new Chart(def, zoom));
const people = new Chart({ title: "People", unit: "prefer the policy, of those " +
    "who chose", share: true, metrics: [] }, zoom);
const sqrt = h("div", { class: "contents" });

/** @param {Run} run */
const index = (run) => runs.indexOf(run);
const shownRuns = () => runs.filter((r) => !state.off.includes(r.run));

/* ---- curves ------------------------------------------------------------- */

let asked = 0;

async function loadSeries() {
    const mine = ++asked, shown = shownRuns();
    if (shown.length === 0) {
        draw();
        return;
    }
    const points = Math.max(60, Math.min(500, Math.floor(6000 / shown.length)));
    const got = await api.series({ runs: shown.map((r) => r.run),
        metrics: METRICS, points, from: state.from, to: state.to });
    if (mine !== asked) return;
    for (const r of shown) store.set(r.run, new Map());
    got.runs.forEach(keep);
    draw();
}

/** @param {Series} s */
function keep(s) {
    const mine = store.get(s.run) ?? new Map();
    for (const [name, v] of Object.entries(s.series))
        mine.set(name, { run: s.run, index: 0, label: "", x: s.step, y: v.last,
            low: v.low, high: v.high });
    store.set(s.run, mine);
}

let waiting = 0;

/** Soon, and once for all that comes together. */
function draw() {
    if (waiting) return;
    waiting = requestAnimationFrame(() => {
        waiting = 0;
        const shown = shownRuns();
        const steps = shown.filter((r) => r.rows > 0);
        /** @type {[number, number]|null} */
        const span = steps.length === 0 ? null : [
            Math.min(...steps.map((r) => Math.min(r.first, ...(held.get(r.run) ??
                []).map((p) => p.iteration)))),
            Math.max(...steps.map((r) => r.step))];
        for (const c of charts)
            c.draw(linesOf(c.def, shown, store, held, index), span);
        people.draw(peopleLines(shown, index), span);
        sqrt.replaceChildren(scatter(shown, store, held, index) ?? "");
        document.documentElement.dataset.drawn = String(
            Math.max(-1, ...shown.map((r) => last(r.run))));
    });
}

/** @param {number|null} from @param {number|null} to */
function zoom(from, to) {
    setState({ from: from === null ? null : Number(from.toPrecision(8)),
        to: to === null ? null : Number(to.toPrecision(8)) }, true);
    drawControls();
    loadSeries();
}

/** In or out around the middle. @param {number} factor */
function zoomBy(factor) {
    const shown = shownRuns();
    const low = state.from ?? Math.min(...shown.map((r) => r.first));
    const high = state.to ?? Math.max(...shown.map((r) => r.step));
    const middle = (low + high) / 2, half = (high - low) / 2 * factor;
    zoom(Math.max(0, middle - half), middle + half);
}

/** The last step of a run that is drawn. @param {number} run */
const last = (run) => Math.max(-1, ...[...(store.get(run)?.values() ?? [])]
    .map((l) => l.x.at(-1) ?? -1));

/** A row that came: behind what is drawn. @param {any} e */
function take(e) {
    const run = runs.find((r) => r.run === e.run);
    if (!run) return;
    Object.assign(run, { state: e.state, step: e.step, rows: e.rows,
        eta: e.eta, seconds: e.seconds, tokens_per_s: e.tokens_per_s,
        now: { ...run.now, ...e.values }, last_iteration: e.last_iteration });
    if (run.first < 0) run.first = e.step;
    drawRuns();
    if (e.step <= last(run.run)) return;
    if (e.new !== 1) {
        loadSeries();
        return;
    }
    if (state.to !== null && e.step > state.to) return;
    const mine = store.get(run.run) ?? new Map();
    for (const [name, value] of Object.entries(e.values)) {
        if (!METRICS.includes(name)) continue;
        const l = mine.get(name) ?? { run: run.run, index: 0, label: "", x: [],
            y: [] };
        if (l.x.at(-1) >= e.step) continue;
        mine.set(name, { ...l, x: [...l.x, e.step], y: [...l.y, value],
            low: l.low && [...l.low, value], high: l.high &&
            [...l.high, value] });
    }
    store.set(run.run, mine);
    draw();
}

/* ---- the frame ---------------------------------------------------------- */

const search = h("input", { type: "text", placeholder: "Find a run",
    "aria-label": "Find a run", oninput: () => drawRuns() });

function drawRuns() {
    const words = search.value.trim().toLowerCase();
    const focused = document.activeElement?.getAttribute("data-run");
    list.replaceChildren(...runs.filter((r) => r.name.toLowerCase()
        .includes(words)).map((r) => h("li", { data: { state: r.state } },
        h("label", { class: "check" },
            h("input", { type: "checkbox", checked: !state.off.includes(r.run),
                data: { run: r.run }, onchange: () => toggle(r.run) }),
            h("span", { class: "swatch", data: { colour: index(r) % 8 } }),
            h("span", { class: "name" }, r.name)),
        h("p", { class: "unit" }, [r.state, r.total ?
            `${r.step} of ${r.total}` : `step ${r.step}`,
        r.eta !== null && `${time(r.eta)} left`,
        r.tokens_per_s !== null && `${figure(Math.round(r.tokens_per_s))} ` +
            "tokens/s", r.skipped > 0 && `${r.skipped} lines unreadable`]
            .filter(Boolean).join(" · ")))));
    if (focused) /** @type {HTMLElement|null} */ (list.querySelector(
        `[data-run="${focused}"]`))?.focus();
}

/** @param {number} run */
function toggle(run) {
    setState({ off: state.off.includes(run) ? state.off.filter((x) => x !== run)
        : [...state.off, run] });
    if (store.has(run)) draw();
    else loadSeries();
    drawAlarms();
}

/** Of those that the search finds. @param {string} label
 * @param {boolean} isOn */
function every(label, isOn) {
    return h("button", { type: "button", class: "quiet small", onclick: () => {
        const words = search.value.trim().toLowerCase();
        const found = runs.filter((r) => r.name.toLowerCase().includes(words))
            .map((r) => r.run);
        const others = state.off.filter((x) => !found.includes(x));
        setState({ off: isOn ? others : [...others, ...found] });
        drawRuns();
        drawAlarms();
        loadSeries();
    } }, label);
}

function drawAlarms() {
    alarmBox.replaceChildren(alarms(shownRuns(), mayQueue, say) ?? "");
}

/** @param {string} text */
function say(text) {
    toast.textContent = text;
}

const controls = h("div", { class: "controls" });

function drawControls() {
    const smooth = h("input", { type: "range", min: "0", max: "0.98",
        step: "0.02", value: state.smooth, name: "smooth", oninput: () => {
            setState({ smooth: Number(smooth.value) });
            draw();
        } });
    const isZoomed = state.from !== null || state.to !== null;
    controls.replaceChildren(
        h("label", { class: "slider" }, h("span", "Smooth"), smooth),
        h("label", { class: "check" }, h("input", { type: "checkbox",
            name: "log", checked: state.log, onchange: (/** @type {Event} */ e)=>
            {
                setState({ log: /** @type {HTMLInputElement} */ (e.target)
                    .checked });
                draw();
            } }), "Log axes"),
        h("div", { class: "row" },
            h("button", { type: "button", class: "quiet", title:
                "Zoom in around the middle; or drag over a chart", onclick:
                () => zoomBy(0.5) }, "Zoom in"),
            h("button", { type: "button", class: "quiet", disabled: !isZoomed,
                onclick: () => zoomBy(2) }, "Out"),
            h("button", { type: "button", class: "quiet", disabled: !isZoomed,
                onclick: () => zoom(null, null) }, "All")));
}

function drawFrame() {
    /** @param {"curves"|"replies"} view @param {string} label */
    const tab = (view, label) => h("a", { href: `#view=${view}`,
        "aria-current": state.view === view ? "page" : null,
        onclick: (/** @type {Event} */ e) => {
            e.preventDefault();
            setState({ view }, true);
            drawFrame();
            show();
        } }, label);
    app.replaceChildren(
        h("header", { class: "top" }, h("a", { class: "brand", href: "/" },
            icon("plumb"), h("span", "plumb watch")), where,
        h("nav", { class: "links", "aria-label": "Views" },
            tab("curves", "Curves"), tab("replies", "Replies")),
        h("span", { class: "push" }), link,
        h("button", { type: "button", class: "quiet square", "aria-label":
            isDark() ? "Light" : "Dark", title: isDark() ? "Light" : "Dark",
        onclick: () => {
            setTheme(isDark() ? "light" : "dark");
            drawFrame();
            draw();
        } }, icon(isDark() ? "sun" : "moon"))),
        h("h1", { class: "sr" }, "Plumb watch"),
        h("div", { class: `body ${state.view}` },
            state.view === "curves" ? [
                h("aside", { "aria-label": "Runs" }, runs.length > 5 && [search,
                    h("div", { class: "row" }, every("Draw all", true),
                        every("Draw none", false))], list),
                h("div", { class: "main" }, alarmBox, toast, controls, board)]
                : h("div", { class: "main" }, replies.el)));
}

async function show() {
    if (state.view === "replies") {
        await replies.show(runs);
        return;
    }
    drawRuns();
    drawAlarms();
    drawControls();
    board.replaceChildren(...charts.slice(0, 2).map((c) => c.el), people.el,
        ...charts.slice(2, 4).map((c) => c.el), sqrt,
        ...charts.slice(4).map((c) => c.el));
    await loadSeries();
}

async function loadRuns() {
    const got = await api.runs();
    const isFirst = runs.length === 0;
    runs = got.runs;
    path = got.path;
    where.textContent = path;
    document.title = `${path} · plumb watch`;
    if (isFirst && !isChosen()) {
        const ppo = runs.filter((r) => r.stage === "ppo");
        const on = (ppo.length > 0 ? ppo : runs).slice(0, MANY);
        state.off = runs.filter((r) => !on.includes(r)).map((r) => r.run);
    }
    for (const r of runs.filter((x) => x.stage === "ppo").slice(0, 50))
        api.curve(r.run).then((c) => {
            held.set(r.run, c.points);
            draw();
        }, () => {});
}

let soon = 0;

/** @param {string} kind @param {any} data */
function tell(kind, data) {
    if (kind === "row") {
        take(data);
        return;
    }
    clearTimeout(soon);
    soon = setTimeout(async () => {
        await loadRuns();
        drawRuns();
        drawAlarms();
        if (kind !== "alarm" && state.view === "curves") await loadSeries();
        else draw();
    }, 100);
}

/** @param {boolean} isThere */
function connected(isThere) {
    link.textContent = isThere ? "live" : "connection lost, trying again";
    link.dataset.state = isThere ? "live" : "lost";
}

async function start() {
    readState();
    try {
        mayQueue = (await api.begin()).role === "admin";
        await loadRuns();
    } catch (e) {
        app.replaceChildren(h("div", { class: "page" }, h("h1", "Plumb watch"),
            h("p", { class: "bad", role: "alert" },
                e instanceof Error ? e.message : String(e))));
        return;
    }
    drawFrame();
    await show();
    api.listen(tell, connected);
    addEventListener("popstate", () => {
        readState();
        drawFrame();
        show();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
        drawFrame();
        draw();
    });
}

start();
