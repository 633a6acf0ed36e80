/**
 * alarms.js - what asks for a look, and the button that asks people.
 *
 * @import { Run, Alarm } from "./api.js"
 */
import { h } from "../common/dom.js";
import { icon } from "../common/icons.js";
import * as api from "./api.js";
import { ALARMS, STATES } from "./words.js";

const PAIRS = 40;
const LARGE = 3, SMALL = 3; // that are shown at once

/** @param {Run[]} runs @param {boolean} mayQueue
 * @param {(text: string) => void} say */
export function alarms(runs, mayQueue, say) {
    /** @type {{run: Run, alarm: Alarm}[]} */
    const shown = runs.flatMap((run) => run.alarms.filter((a) => a.raised ||
        a.state === "cleared").map((alarm) => ({ run, alarm })));
    const isNamed = runs.length > 1;
    const quiet = runs.flatMap((r) => r.alarms.filter((a) => !a.raised &&
        a.state !== "cleared").map((alarm) => ({ run: r, alarm })));
    if (runs.every((r) => r.alarms.length === 0)) return null;
    const large = shown.filter((x) => x.alarm.alarm === "paradox");
    const small = shown.filter((x) => x.alarm.alarm !== "paradox");
    const first = large.slice(0, LARGE), lines = small.slice(0, SMALL);
    const rest = [...large.slice(LARGE), ...small.slice(SMALL)];
    return h("section", { class: "alarms", "aria-label": "Alarms" },
        shown.length === 0 && h("p", { class: "calm" }, icon("check"),
            "Nothing asks for a look."),
        first.length > 0 && h("ul", first.map(({ run, alarm }) =>
            item(run, alarm, isNamed, mayQueue, say))),
        lines.length > 0 && h("ul", { class: "lines" }, lines.map((x) =>
            line(x, isNamed))),
        h("div", { class: "folded" },
            rest.length > 0 && more(`${rest.length} more`, rest, isNamed),
            quiet.length > 0 && more(`${quiet.length} quiet`, quiet, isNamed)));
}

/** @param {string} title @param {{run: Run, alarm: Alarm}[]} all
 * @param {boolean} isNamed */
function more(title, all, isNamed) {
    return h("details", h("summary", title), h("ul", { class: "quiet-list" },
        all.slice(0, 500).map((x) => line(x, isNamed))));
}

/** @param {{run: Run, alarm: Alarm}} x @param {boolean} isNamed */
function line({ run, alarm }, isNamed) {
    return h("li", { data: { alarm: alarm.alarm } },
        alarm.raised && icon("warning"),
        h("span", h("b", ALARMS[alarm.alarm] ?? alarm.alarm), " ",
            isNamed && `${run.name}: `, alarm.text,
            alarm.state === "unknown" && ` (${STATES.unknown})`,
            alarm.since >= 0 && h("span", { class: "muted" },
                ` · since iteration ${alarm.since}`)));
}

/** What became of an alarm.  @param {Run} run @param {Alarm} a */
function state(run, a) {
    const looked = a.state === "open" && run.people?.some((p) => p.n > 0);
    return STATES[looked ? "undecided" : a.state] ?? a.state;
}

/** @param {Run} run @param {Alarm} a @param {boolean} isNamed
 * @param {boolean} mayQueue @param {(text: string) => void} say */
function item(run, a, isNamed, mayQueue, say) {
    const queue = h("button", { type: "button", class: "primary", onclick:
        async () => {
            queue.disabled = true;
            try {
                const c = await api.check(run.run, PAIRS);
                say(c.pairs + c.placebo > 0 ? `${c.pairs} pairs and ` +
                    `${c.placebo} placebo pairs of iteration ${c.step} are ` +
                    `queued. People judge them: plumb label ${c.database}` :
                    `Iteration ${c.step} is queued already. People judge ` +
                    `it: plumb label ${c.database}`);
            } catch (e) {
                say(e instanceof Error ? e.message : String(e));
            }
            queue.disabled = false;
        } }, "Queue a blind spot-check");
    return h("li", { class: `alarm ${a.state}`, data: { alarm: a.alarm } },
        icon(a.raised ? "warning" : "check"),
        h("div", h("h2", ALARMS[a.alarm] ?? a.alarm,
            h("span", { class: "state" }, state(run, a))),
        h("p", isNamed && `${run.name}: `, a.text, a.since >= 0 &&
            ` · since iteration ${a.since}`),
        run.asked > 0 && h("p", { class: "muted" },
            run.voted === undefined ?
                `${run.asked} pairs are queued; what people said of them is ` +
                "shown when they have judged all." :
                `${run.voted} of ${run.asked} pairs that were queued are ` +
                "judged; only people's votes close this alarm.")),
        mayQueue && a.state !== "cleared" && queue);
}
