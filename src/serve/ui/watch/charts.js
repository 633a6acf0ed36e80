/**
 * charts.js - curves of several runs on one pair of axes, all charts with one
 * cursor and one range.
 *
 * @import { Run, Point } from "./api.js"
 * @import { Chart as Def } from "./words.js"
 */
import uPlot from "uplot";
import { h } from "../common/dom.js";
import { isDark } from "../common/theme.js";
import { state } from "./state.js";
import { CELLS, figure } from "./words.js";

/* Told apart by all common kinds of colour vision; runs beyond them differ by
 * dashes as well. */
const LIGHT = ["#1b5a9c", "#b85c00", "#1c6b50", "#8a3b8f", "#5b5f66",
    "#a13328", "#2b7f97", "#7a6a00"];
const DARK = ["#8dbcf0", "#f0a858", "#82cdab", "#d7a0dc", "#b6bac1",
    "#f2a196", "#7fd0e4", "#dccb62"];
const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3]];

/** @param {number} i */
export function colour(i) {
    const all = isDark() ? DARK : LIGHT;
    return all[i % all.length];
}
/** @param {number} i */
export const dash = (i) => DASHES[Math.floor(i / LIGHT.length) % DASHES.length];

/** @param {string} name */
function token(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name)
        .trim();
}

/** A weighted mean of all before, freed of its start at zero.
 * @param {(number|null)[]} y @param {number} weight */
export function smooth(y, weight) {
    let sum = 0, mass = 0;
    return y.map((x) => {
        if (x === null) return null;
        sum = sum * weight + (1 - weight) * x;
        mass = mass * weight + (1 - weight);
        return sum / mass;
    });
}

/**
 * What is drawn of one run.
 * @typedef {object} Line
 * @property {number} run
 * @property {number} index of its colour
 * @property {string} label
 * @property {number[]} x
 * @property {(number|null)[]} y
 * @property {(number|null)[]} [low]
 * @property {(number|null)[]} [high]
 * @property {{x: number, y: number, low: number, high: number}[]} [points]
 */

export class Chart {
    /** @param {Def} def @param {(from: number|null, to: number|null) => void}
     * zoom */
    constructor(def, zoom) {
        this.def = def;
        this.zoom = zoom;
        /** @type {uPlot|null} */
        this.plot = null;
        /** @type {Line[]} */
        this.lines = [];
        /** @type {[number, number]|null} steps of all runs that are shown */
        this.span = null;
        this.values = h("p", { class: "values" });
        this.place = h("div", { class: "plot", role: "img" });
        this.el = h("section", { class: "chart", data: { chart: def.title } },
            h("h3", def.title, def.unit && h("span", { class: "unit" }, def.unit)),
            this.place, this.values);
        this.size = new ResizeObserver(() => this.fit());
        this.size.observe(this.place);
    }

    fit() {
        const width = this.place.clientWidth;
        if (this.plot && width > 0 && width !== this.plot.width)
            this.plot.setSize({ width, height: 180 });
    }

    /** @param {Line[]} lines @param {[number, number]|null} span */
    draw(lines, span) {
        this.lines = lines;
        this.span = span;
        this.el.hidden = lines.length === 0;
        if (lines.length === 0) return;
        const { data, series, bands } = tables(lines);
        this.plot?.destroy();
        this.plot = new uPlot(this.options(series, bands),
            /** @type {uPlot.AlignedData} */ (data), this.place);
        this.place.setAttribute("aria-label", this.describe());
        this.tell(null);
    }

    describe() {
        return `${this.def.title}: ` + this.lines.slice(0, 8).map((l) =>
            `${l.label} from ${figure(l.y.find((v) => v !== null))} to ` +
            `${figure(l.y.filter((v) => v !== null).at(-1))}`).join("; ");
    }

    /** The values under the cursor, or the last ones.
     * @param {number|null} x */
    tell(x) {
        const shown = this.lines.slice(0, 6).map((l) => {
            let k = l.x.length - 1;
            if (x !== null) while (k > 0 && l.x[k] > x) k--;
            while (k > 0 && l.y[k] === null) k--;
            const mark = h("span", { class: "swatch", data: {
                colour: l.index % LIGHT.length } });
            return h("span", { class: "value" }, mark,
                this.lines.length > 1 && `${l.label} `, h("b", figure(l.y[k])));
        });
        const more = this.lines.length - shown.length;
        this.values.replaceChildren(...shown, more > 0 ? `+ ${more}` : "");
    }

    /** @param {uPlot.Series[]} series @param {uPlot.Band[]} bands
     * @returns {uPlot.Options} */
    options(series, bands) {
        const ink = token("--muted"), line = token("--line");
        const all = this.lines.flatMap((l) => [...l.y, ...(l.low ?? [])]);
        const isLog = state.log && !!this.def.log &&
            all.every((v) => v === null || v >= 0) && all.some((v) => v);
        const axis = { stroke: ink, font: "12px system-ui, sans-serif",
            grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
        return {
            width: Math.max(200, this.place.clientWidth), height: 180,
            legend: { show: false },
            cursor: { y: false, sync: { key: "watch", setSeries: false },
                drag: { x: true, y: false, setScale: false },
                points: { size: 7 }, focus: { prox: 24 } },
            scales: { x: { time: false, range: (_u, min, max) => {
                const [low, high] = this.span ?? [min, max];
                const room = (high - low || 1) * 0.015;
                return [state.from ?? low - room, state.to ?? high + room];
            } },
            y: { distr: isLog ? 3 : 1, range: isLog ? undefined :
                (_u, min, max) => this.range(min, max) } },
            axes: [{ ...axis, size: 26 }, { ...axis, size: 52,
                values: (_u, v) => v.map((x) => x === null ? "" : figure(x)) }],
            series: [{}, ...series], bands,
            hooks: { setSelect: [(u) => this.select(u)],
                setCursor: [(u) => this.tell(u.cursor.idx == null ? null :
                    u.data[0][u.cursor.idx])],
                draw: [(u) => this.points(u)] },
        };
    }

    /** Room for points with intervals.
     * @param {number} min @param {number} max
     * @returns {[number, number]} */
    range(min, max) {
        if (this.def.share) return [0, 1];
        for (const l of this.lines)
            for (const p of l.points ?? []) {
                if (p.x < (state.from ?? p.x) || p.x > (state.to ?? p.x))
                    continue;
                min = Math.min(min, p.low);
                max = Math.max(max, p.high);
            }
        const room = (max - min || Math.abs(max) || 1) * 0.06;
        return [min - room, max + room];
    }

    /** @param {uPlot} u */
    select(u) {
        if (u.select.width < 4) return;
        const from = u.posToVal(u.select.left, "x");
        const to = u.posToVal(u.select.left + u.select.width, "x");
        u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        this.zoom(from, to);
    }

    /** Measured points: a diamond on its interval.
     * @param {uPlot} u */
    points(u) {
        const ctx = u.ctx, unit = devicePixelRatio;
        ctx.save();
        ctx.beginPath();
        ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
        ctx.clip();
        if (this.def.share) {
            const even = u.valToPos(0.5, "y", true);
            ctx.strokeStyle = token("--edge");
            ctx.lineWidth = unit;
            ctx.setLineDash([4 * unit, 4 * unit]);
            ctx.beginPath();
            ctx.moveTo(u.bbox.left, even);
            ctx.lineTo(u.bbox.left + u.bbox.width, even);
            ctx.stroke();
            ctx.setLineDash([]);
        }
        for (const l of this.lines)
            for (const p of l.points ?? []) {
                const x = u.valToPos(p.x, "x", true);
                const [y, low, high] = [p.y, p.low, p.high].map((v) =>
                    u.valToPos(v, "y", true));
                ctx.strokeStyle = colour(l.index);
                ctx.lineWidth = 1.5 * unit;
                ctx.beginPath();
                ctx.moveTo(x, low);
                ctx.lineTo(x, high);
                ctx.stroke();
                ctx.fillStyle = token("--surface");
                ctx.beginPath();
                ctx.moveTo(x, y - 4 * unit);
                ctx.lineTo(x + 4 * unit, y);
                ctx.lineTo(x, y + 4 * unit);
                ctx.lineTo(x - 4 * unit, y);
                ctx.closePath();
                ctx.fill();
                ctx.stroke();
            }
        ctx.restore();
    }
}

/** One table of all lines for uPlot: a column each, and two more where a point
 * stands for several rows.
 * @param {Line[]} lines */
function tables(lines) {
    const weight = state.smooth;
    /** @type {uPlot.AlignedData[]} */
    const parts = [];
    /** @type {uPlot.Series[]} */
    const series = [];
    /** @type {uPlot.Band[]} */
    const bands = [];
    for (const l of lines) {
        const stroke = colour(l.index), first = series.length + 1;
        const base = { spanGaps: true, dash: dash(l.index),
            points: { show: l.x.length < 3 } };
        /** @type {(number|null)[][]} */
        const columns = [];
        if (l.low && l.high) {
            columns.push(l.high, l.low);
            series.push({ ...base, stroke: "transparent", width: 0 },
                { ...base, stroke: "transparent", width: 0 });
            bands.push({ series: [first, first + 1], fill: `${stroke}2e` });
        }
        if (weight > 0) {
            columns.push(l.y);
            series.push({ ...base, stroke: `${stroke}4d`, width: 1 });
        }
        columns.push(weight > 0 ? smooth(l.y, weight) : l.y);
        series.push({ ...base, stroke, width: 1.8 });
        parts.push(/** @type {uPlot.AlignedData} */ ([l.x, ...columns]));
    }
    const data = parts.length > 1 ? uPlot.join(parts) : parts[0];
    return { data, series, bands };
}

/**
 * The lines of a chart.
 * @param {Def} def @param {Run[]} runs that are shown, with their index
 * @param {Map<number, Map<string, Line>>} store
 * @param {Map<number, Point[]>} held
 * @param {(run: Run) => number} index
 */
export function linesOf(def, runs, store, held, index) {
    /** @type {Line[]} */
    const out = [];
    for (const run of runs) {
        const mine = store.get(run.run);
        if (!mine) continue;
        if (def.together) {
            def.together.forEach((name, k) => {
                const l = mine.get(name);
                if (l) out.push({ ...l, index: runs.length > 1 ? index(run) +
                    LIGHT.length * k : k, label: (runs.length > 1 ?
                    `${run.name}: ` : "") + (CELLS[name] ?? name) });
            });
            continue;
        }
        const name = def.metrics.find((m) => mine.has(m));
        if (!name) continue;
        const line = /** @type {Line} */ (mine.get(name));
        const points = (held.get(run.run) ?? []).flatMap((p) => {
            const e = def.held && /** @type {any} */ (p)[def.held];
            return e ? [{ x: p.iteration, y: e.estimate, low: e.low,
                high: e.high }] : [];
        });
        out.push({ ...line, index: index(run), label: run.name,
            points: points.length ? points : undefined });
    }
    return out;
}

/** What people said, as a chart of its own.
 * @param {Run[]} runs @param {(run: Run) => number} index */
export function peopleLines(runs, index) {
    /** @type {Line[]} */
    const out = [];
    for (const run of runs) {
        const told = (run.people ?? []).filter((p) => p.estimate !== null);
        if (told.length === 0) continue;
        out.push({ run: run.run, index: index(run), label: run.name,
            x: told.map((p) => p.iteration),
            y: told.map((p) => p.estimate),
            points: told.map((p) => ({ x: p.iteration,
                y: /** @type {number} */ (p.estimate), low: p.low,
                high: p.high })) });
    }
    return out;
}
