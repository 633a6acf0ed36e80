/**
 * drag.js - drag a chip onto a drop place, with mouse, pen or finger.
 *
 * Everything that can be dragged can be done by buttons and keys as well.
 */

/**
 * @param {HTMLElement} handle where the pointer takes hold
 * @param {object} o
 * @param {() => HTMLElement} o.ghost what moves along
 * @param {() => HTMLElement[]} o.places where it may be dropped
 * @param {(place: HTMLElement) => void} o.drop
 * @param {() => void} [o.begin]
 * @param {() => void} [o.end]
 */
export function draggable(handle, o) {
    handle.addEventListener("pointerdown", (down) => {
        if (down.button !== 0 || !down.isPrimary) return;
        const x0 = down.clientX, y0 = down.clientY;
        /** @type {HTMLElement|null} */
        let ghost = null;
        /** @type {HTMLElement|null} */
        let over = null;

        /** @param {PointerEvent} e */
        const move = (e) => {
            if (!ghost) {
                if (Math.hypot(e.clientX - x0, e.clientY - y0) < 6) return;
                ghost = o.ghost();
                ghost.classList.add("ghost");
                ghost.setAttribute("aria-hidden", "true");
                document.body.append(ghost);
                document.documentElement.classList.add("dragging");
                o.begin?.();
            }
            e.preventDefault();
            ghost.style.transform =
                `translate(${e.clientX}px, ${e.clientY}px)`;
            const now = nearest(o.places(), e.clientX, e.clientY);
            if (now === over) return;
            over?.classList.remove("over");
            now?.classList.add("over");
            over = now;
        };
        /** @param {boolean} isDropped */
        const end = (isDropped) => {
            handle.removeEventListener("pointermove", move);
            handle.removeEventListener("pointerup", up);
            handle.removeEventListener("pointercancel", cancel);
            document.removeEventListener("keydown", key, true);
            document.documentElement.classList.remove("dragging");
            over?.classList.remove("over");
            if (!ghost) return;
            ghost.remove();
            // The click that follows the release is not one.
            const swallow = (/** @type {Event} */ e) => {
                e.stopPropagation();
                e.preventDefault();
            };
            handle.addEventListener("click", swallow, { capture: true,
                once: true });
            setTimeout(() => handle.removeEventListener("click", swallow,
                { capture: true }), 50);
            o.end?.();
            if (isDropped && over) o.drop(over);
        };
        const up = () => end(true);
        const cancel = () => end(false);
        /** @param {KeyboardEvent} e */
        const key = (e) => {
            if (e.key !== "Escape") return;
            e.preventDefault();
            e.stopPropagation();
            end(false);
        };
        handle.setPointerCapture(down.pointerId);
        handle.addEventListener("pointermove", move);
        handle.addEventListener("pointerup", up);
        handle.addEventListener("pointercancel", cancel);
        document.addEventListener("keydown", key, true);
    });
}

/**
 * The place under the pointer, or the nearest one within a finger's reach.
 * @param {HTMLElement[]} places @param {number} x @param {number} y
 */
function nearest(places, x, y) {
    let best = null, least = 48;
    for (const el of places) {
        const r = el.getBoundingClientRect();
        const dx = Math.max(r.left - x, 0, x - r.right);
        const dy = Math.max(r.top - y, 0, y - r.bottom);
        const d = Math.hypot(dx, dy);
        if (d < least) {
            least = d;
            best = el;
        }
    }
    return best;
}
