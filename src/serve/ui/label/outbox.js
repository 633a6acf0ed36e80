/**
 * outbox.js - what was said and is not yet known to be on the server's disk.
 *
 * Entries are sent one by one in the order in which they came, each under a
 * key of its own, so an entry whose answer was lost is sent again and counts
 * once.  They are also kept in sessionStorage: a reload of the tab loses
 * nothing.  What the server refuses for good leaves the outbox and is told.
 */
import { ApiError } from "./api.js";

/**
 * @typedef {{key: string, path: string, assignment: number, pool: number,
 *     what: string, body: Record<string, unknown>}} Entry
 * @typedef {"saved"|"saving"|"offline"|"signed-out"} State
 * @typedef {{getItem(k: string): string|null,
 *     setItem(k: string, v: string): void,
 *     removeItem(k: string): void}} Storage_
 */

const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 8000;

/** Is it an act, not a remark? @param {{what: string}} entry */
export function isAct(entry) {
    return entry.what !== "flag" && entry.what !== "comment";
}

/** A key that no other act has. */
export function newKey() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

export class Outbox {
    /**
     * @param {object} o
     * @param {(entry: Entry) => Promise<any>} o.send
     * @param {Storage_} o.storage
     * @param {string} o.name where in the storage
     * @param {(box: Outbox) => void} o.changed
     * @param {(entry: Entry, answer: any) => void} o.done
     * @param {(entry: Entry, error: ApiError) => void} o.refused
     * @param {() => void} o.signedOut
     */
    constructor(o) {
        this.o = o;
        /** @type {Entry[]} */
        this.entries = this.read();
        /** @type {State} */
        this.state = this.entries.length ? "saving" : "saved";
        this.trouble = "";
        this.tries = 0;
        this.isSending = false;
        this.isStopped = false;
        /** @type {ReturnType<typeof setTimeout>|undefined} */
        this.timer = undefined;
    }

    /** @returns {Entry[]} */
    read() {
        try {
            const kept = JSON.parse(this.o.storage.getItem(this.o.name) ?? "[]");
            return Array.isArray(kept) ? kept : [];
        } catch {
            return [];
        }
    }

    /** A full or forbidden storage loses the copy, not what is in memory. */
    write() {
        try {
            if (this.entries.length)
                this.o.storage.setItem(this.o.name,
                    JSON.stringify(this.entries));
            else this.o.storage.removeItem(this.o.name);
        } catch {
            // Nothing better can be done; leaving the page warns.
        }
    }

    /** @param {State} state */
    become(state) {
        this.state = state;
        this.o.changed(this);
    }

    /** How many have not been acknowledged. */
    get waiting() {
        return this.entries.length;
    }

    /** Does an act wait? @param {number} assignment */
    has(assignment) {
        return this.entries.some((e) => e.assignment === assignment &&
            isAct(e));
    }

    /** @param {Omit<Entry, "key">} entry */
    add(entry) {
        const key = newKey();
        this.entries.push({ ...entry, key, body: { key, ...entry.body } });
        this.write();
        this.become(this.state === "saved" ? "saving" : this.state);
        void this.run();
    }

    /**
     * Take back the last act that has not been sent; null when there is none
     * or it may have reached the server already.  Remarks stay: what was
     * flagged or written is not undone with the vote.
     * @param {number} assignment
     * @returns {Entry|null}
     */
    takeBack(assignment) {
        const i = this.entries.map((e) => isAct(e) ? e.assignment : 0)
            .lastIndexOf(assignment);
        // The first one is in flight, or was and its answer was lost.
        if (i < 0 || (i === 0 && (this.isSending || this.tries > 0)))
            return null;
        const [entry] = this.entries.splice(i, 1);
        this.write();
        if (!this.entries.length) this.become("saved");
        else this.o.changed(this);
        return entry;
    }

    /** Try now: the network is back, or somebody signed in. */
    retry() {
        clearTimeout(this.timer);
        this.isStopped = false;
        void this.run();
    }

    /** Send nothing more. */
    stop() {
        clearTimeout(this.timer);
        this.isStopped = true;
    }

    async run() {
        if (this.isSending || this.isStopped) return;
        clearTimeout(this.timer);
        this.isSending = true;
        try {
            while (this.entries.length && !this.isStopped)
                if (!await this.sendFirst()) break;
        } finally {
            this.isSending = false;
        }
        if (!this.entries.length) this.become("saved");
    }

    /** False: not now. */
    async sendFirst() {
        const entry = this.entries[0];
        let answer;
        try {
            answer = await this.o.send(entry);
        } catch (error) {
            return this.fail(entry, error instanceof ApiError ? error :
                new ApiError(0, String(error)));
        }
        this.leave(entry);
        this.o.done(entry, answer);
        return true;
    }

    /** @param {Entry} entry */
    leave(entry) {
        this.entries = this.entries.filter((e) => e !== entry);
        this.tries = 0;
        this.trouble = "";
        this.write();
        this.become(this.entries.length ? "saving" : "saved");
    }

    /**
     * An entry did not get through; true: go on with the next one.
     * @param {Entry} entry
     * @param {ApiError} e
     */
    fail(entry, e) {
        if (e.status === 401) {
            this.isStopped = true;
            this.become("signed-out");
            this.o.signedOut();
            return false;
        }
        const again = e.status === 0 || e.status === 429 || e.status >= 500;
        if (!again) {
            this.leave(entry);
            this.o.refused(entry, e);
            return true;
        }
        const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.tries);
        this.tries++;
        this.trouble = e.status === 0 ? "" : e.message;
        this.timer = setTimeout(() => void this.run(),
            Math.max(e.after * 1000, wait * (0.8 + 0.4 * Math.random())));
        this.become(e.status === 429 ? "saving" : "offline");
        return false;
    }
}
