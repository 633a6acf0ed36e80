/**
 * view_ranking.js - K answers into an order with ties.
 *
 * The answers stay where they are; what changes is the strip below, which
 * shows the order, and the ordinal on each card.
 */
import { h } from "../common/dom.js";
import { cap } from "../common/ui.js";
import { icon } from "../common/icons.js";
import { draggable } from "./drag.js";
import * as ranking from "./ranks.js";

/** @typedef {import("./work.js").Stage} Stage */
/** @typedef {import("./types.js").Said} Said */

/** As many have buttons with numbers, more have a list. */
const BUTTONS_MAX = 8;

/** @param {Stage} stage @param {Said} [before] */
export function rankingView(stage, before) {
    const K = stage.cards.length;
    /** @type {ranking.Places} */
    let places = before?.ranks ? [...before.ranks] : new Array(K).fill(null);
    let at = Math.max(0, places.indexOf(null));
    let last = -1; // who was given a place last

    const ordinals = stage.cards.map(() => h("span", { class: "ordinal" }));
    const controls = stage.cards.map((_, i) => control(i));
    stage.cards.forEach((card, i) => {
        card.head.append(ordinals[i], controls[i].el);
        card.article.addEventListener("pointerdown", () => mind(i));
        card.article.addEventListener("focusin", () => mind(i));
        draggable(card.badge, dragging(i));
        card.badge.classList.add("grab");
    });
    const strip = h("div", { class: "strip" });
    const preview = h("p", { class: "preview" });
    const save = h("button", { type: "button", class: "primary save",
        "aria-keyshortcuts": "Enter", onclick: () => finish() },
    h("span", "Save"), cap("Enter"));
    stage.dock.append(
        h("div", { class: "dock-line" },
            h("h2", { class: "question" }, "Rank from best to worst"), preview),
        h("div", { class: "dock-line" }, strip, save));

    /** @param {number} i */
    function control(i) {
        const name = `Place of answer ${ranking.letter(i)}`;
        if (K > BUTTONS_MAX) {
            const list = h("select", { "aria-label": name, onchange: () =>
                give(i, list.value === "" ? null : Number(list.value)) },
            h("option", { value: "" }, "–"), stage.cards.map((_, n) =>
                h("option", { value: n + 1 }, String(n + 1))));
            return { el: list, show: (/** @type {number|null} */ r) => {
                list.value = r === null ? "" : String(r);
            } };
        }
        const buttons = stage.cards.map((_, n) => h("button", { type: "button",
            class: "place", "aria-label":
                `${n + 1}: place of answer ${ranking.letter(i)}`, onclick: () =>
                give(i, places[i] === n + 1 ? null : n + 1) },
        String(n + 1)));
        return { el: h("div", { class: "places", role: "group",
            "aria-label": name }, buttons),
        show: (/** @type {number|null} */ r) => buttons.forEach((b, n) =>
            b.setAttribute("aria-pressed", String(r === n + 1))) };
    }

    /** @param {number} i */
    function dragging(i) {
        return {
            ghost: () => h("span", { class: "chip" }, ranking.letter(i)),
            begin: () => {
                strip.classList.add("open");
                mind(i);
            },
            end: () => strip.classList.remove("open"),
            places: () => [.../** @type {NodeListOf<HTMLElement>} */ (
                strip.querySelectorAll("[data-at], [data-none]"))],
            drop: (/** @type {HTMLElement} */ place) => {
                if (place.dataset.none !== undefined) {
                    change(ranking.remove(places, i));
                    return;
                }
                const n = Number(place.dataset.at);
                const isTie = place.dataset.tie !== undefined;
                // The strip counts tiers with this answer in, put() without.
                const own = ranking.tiers(places)
                    .findIndex((t) => t.length === 1 && t[0] === i);
                if (isTie && own === n) return;
                last = i;
                change(ranking.put(places, i,
                    own >= 0 && own < n ? n - 1 : n, isTie));
            },
        };
    }

    /** @param {number} i */
    function chip(i) {
        const el = h("button", { type: "button", class: "chip",
            "aria-label": `Answer ${ranking.letter(i)}, ` +
                (ranking.label(places, i) || "not ranked"),
            onclick: () => go(i) }, icon("grip"), ranking.letter(i));
        draggable(el, dragging(i));
        return el;
    }

    function paint() {
        const order = ranking.tiers(places);
        /** @param {number} n */
        const gap = (n) => h("span", { class: "gap", data: { at: n } });
        const rest = places.flatMap((p, i) => (p === null ? [i] : []));
        strip.replaceChildren(
            ...order.flatMap((tier, n) => [gap(n),
                h("span", { class: "tier", data: { at: n, tie: "" } },
                    h("span", { class: "tier-label" },
                        ranking.label(places, tier[0])), tier.map(chip))]),
            h("span", { class: "gap last", data: { at: order.length } }),
            h("span", { class: "tray", data: { none: "" },
                hidden: rest.length === 0 },
            h("span", { class: "tier-label" }, "to rank"), rest.map(chip)));
        stage.cards.forEach((card, i) => {
            ordinals[i].textContent = ranking.label(places, i);
            card.article.classList.toggle("current", i === at);
            card.article.classList.toggle("placed", places[i] !== null);
            controls[i].show(places[i]);
        });
        const isFull = ranking.isComplete(places);
        save.setAttribute("aria-disabled", String(!isFull));
        preview.textContent = isFull ? "All ranked." :
            `${K - rest.length} of ${K} ranked; the same number is a tie.`;
    }

    /** @param {number} i */
    function mind(i) {
        if (i === at) return;
        at = i;
        stage.cards.forEach((card, k) =>
            card.article.classList.toggle("current", k === at));
    }

    /** @param {number} i */
    function go(i) {
        mind(i);
        const { article } = stage.cards[i];
        article.focus({ preventScroll: true });
        article.scrollIntoView({ block: "nearest" });
    }

    /** @param {ranking.Places} next */
    function change(next) {
        places = next;
        paint();
        stage.announce(ranking.describe(places));
    }

    /** @param {number} i @param {number|null} place */
    function give(i, place) {
        const was = places[i];
        const next = places.map((p, k) => (k === i ? place : p));
        last = place === null ? last : i;
        // Numbers stay as they were given until the last one: 1 2 2 3 is then
        // 1 2 2 4.
        change(ranking.isComplete(next) ? ranking.ranks(next) : next);
        if (was === null && place !== null) {
            const after = [...places.keys()].map((k) => (i + 1 + k) % K)
                .find((k) => places[k] === null);
            if (after !== undefined) {
                go(after);
                return;
            }
        }
        // Off the button that was clicked, so that Enter saves.
        go(i);
    }

    function tie() {
        const to = last >= 0 && last !== at && places[last] !== null ? last :
            ranking.tiers(places).flat().filter((i) => i !== at).pop();
        if (to === undefined) {
            stage.announce("Rank another answer first, then tie this one");
            return;
        }
        give(at, places[to]);
    }

    function finish() {
        if (!ranking.isComplete(places)) {
            go(places.indexOf(null));
            stage.announce(ranking.describe(places));
            return;
        }
        stage.vote(said());
    }

    /** @returns {Said} */
    function said() {
        return ranking.isComplete(places) ?
            { ranks: /** @type {number[]} */ (ranking.ranks(places)) } :
            /** @type {any} */ ({ ranks: [...places] });
    }

    paint();
    return {
        said,
        focus: () => go(at),
        /** @param {KeyboardEvent} e */
        key(e) {
            const digit = /^(?:Digit|Numpad)(\d)$/.exec(e.code)?.[1];
            if (digit !== undefined) {
                if (Number(digit) >= 1 && Number(digit) <= K)
                    give(at, Number(digit));
                else if (digit === "0") give(at, null);
                return true;
            }
            const by = { ArrowDown: 1, ArrowRight: 1, j: 1, J: 1,
                ArrowUp: -1, ArrowLeft: -1, k: -1, K: -1 }[e.key];
            if (by !== undefined && e.shiftKey) {
                last = at;
                change(ranking.shift(places, at, by < 0 ? -1 : 1));
                return true;
            }
            if (by !== undefined) {
                go((at + by + K) % K);
                return true;
            }
            if (e.key === "t") {
                tie();
                return true;
            }
            if (e.key === "Enter") {
                finish();
                return true;
            }
            return false;
        },
    };
}
