/**
 * dom.js - elements without HTML text.
 *
 * Strings become text nodes and nothing else, so no text of a model, a person
 * or a server is ever read as HTML.
 */

/**
 * @typedef {Node|string|number|null|undefined|false|Child[]} Child
 * @typedef {Record<string, unknown>} Props
 */

/**
 * Make an element: h("button", {class: "primary", onclick: f}, "Save").
 *
 * "class" is className, "on..." a listener, "data" an object of data-*
 * attributes; true is an attribute without value, false, null and undefined
 * none.  `style` is refused: the page's policy forbids inline style.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Props|Child} [props]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, props, ...children) {
    const el = document.createElement(tag);
    if (isProps(props)) setProps(el, props);
    else append(el, [/** @type {Child} */ (props)]);
    append(el, children);
    return el;
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * The same for a picture.
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag
 * @param {Props} props
 * @param {...Child} children
 * @returns {SVGElementTagNameMap[T]}
 */
export function s(tag, props, ...children) {
    const el = document.createElementNS(SVG, tag);
    setProps(el, props);
    append(el, children);
    return el;
}

/** @param {unknown} x @returns {x is Props} */
function isProps(x) {
    return typeof x === "object" && x !== null && !(x instanceof Node) &&
        !Array.isArray(x);
}

/** @param {Element} el @param {Props} props */
function setProps(el, props) {
    for (const [key, value] of Object.entries(props)) {
        if (value === false || value === null || value === undefined) continue;
        if (key === "style") throw new Error("h: no inline style");
        if (key === "class") el.setAttribute("class", String(value));
        else if (key === "data")
            for (const [k, v] of Object.entries(/** @type {object} */ (value)))
                el.setAttribute(`data-${k}`, String(v));
        else if (key.startsWith("on"))
            el.addEventListener(key.slice(2),
                /** @type {EventListener} */ (value));
        else el.setAttribute(key, value === true ? "" : String(value));
    }
}

/** @param {Element} el @param {Child[]} children */
function append(el, children) {
    for (const child of children) {
        if (child === null || child === undefined || child === false) continue;
        if (Array.isArray(child)) append(el, child);
        else if (child instanceof Node) el.appendChild(child);
        else el.appendChild(document.createTextNode(String(child)));
    }
}
