/**
 * api.js - requests to the server that the page came from.
 */

/** How long an answer may take before the request counts as lost. */
const PATIENCE_MS = 15000;

/** A request that was refused (its status) or lost (status 0). */
export class ApiError extends Error {
    /**
     * @param {number} status
     * @param {string} message
     * @param {Record<string, unknown>} [body]
     * @param {number} [after] seconds that the server asks to wait
     */
    constructor(status, message, body = {}, after = 0) {
        super(message);
        this.status = status;
        this.body = body;
        this.after = after;
    }
}

export class Api {
    constructor() {
        this.csrf = "";
        /** Milliseconds that the server's clock is ahead of ours. */
        this.ahead = 0;
    }

    /** The time by the server's clock. */
    now() {
        return Math.round(Date.now() + this.ahead);
    }

    /** @param {string} path */
    get(path) {
        return this.ask("GET", path);
    }

    /** @param {string} path @param {unknown} body */
    post(path, body) {
        return this.ask("POST", path, body);
    }

    /** @param {string} path */
    remove(path) {
        return this.ask("DELETE", path);
    }

    /**
     * @param {string} method
     * @param {string} path
     * @param {unknown} [body]
     * @returns {Promise<any>}
     */
    async ask(method, path, body) {
        /** @type {Record<string, string>} */
        const headers = {};
        if (method !== "GET" && this.csrf) headers["X-Plumb-CSRF"] = this.csrf;
        if (body !== undefined) headers["Content-Type"] = "application/json";
        const sent = Date.now();
        let answer, text;
        try {
            answer = await fetch(path, {
                method,
                headers,
                body: body === undefined ? undefined : JSON.stringify(body),
                credentials: "same-origin",
                cache: "no-store",
                signal: AbortSignal.timeout(PATIENCE_MS),
            });
            text = await answer.text();
        } catch {
            throw new ApiError(0, "the server cannot be reached");
        }
        /** @type {any} */
        let json = {};
        try {
            if (text !== "") json = JSON.parse(text);
        } catch {
            if (answer.ok)
                throw new ApiError(0, "the server's answer was cut short");
        }
        if (!answer.ok)
            throw new ApiError(answer.status,
                String(json.error ?? `the server said ${answer.status}`),
                json, Number(answer.headers.get("Retry-After") ?? 0));
        if (typeof json.now === "number")
            this.ahead = json.now - (sent + Date.now()) / 2;
        return json;
    }
}
