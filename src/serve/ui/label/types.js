/**
 * types.js - the shapes of docs/label-http.md, for the type checker only.
 *
 * @typedef {{judge: number, name: string, role: "viewer"|"judge"|"admin",
 *     csrf: string, now?: number}} Session
 * @typedef {{pool: number, name: string, task: "ranking"|"spotcheck",
 *     guide: string, closed: boolean,
 *     mine: {voted: number, skipped: number},
 *     votes: number, wanted: number}} Pool
 * @typedef {{role: string, content: string}} Message
 * @typedef {{assignment: number, pool: number, task: "ranking"|"spotcheck",
 *     prompt: string, messages?: Message[], answers: string[],
 *     commitment: string, expires: number,
 *     state: "leased"|"expired"|"voted"|"skipped", standing: number}} Item
 * @typedef {{helpful: number, direct: number,
 *     correct: "yes"|"no"|"unsure",
 *     length: "too_short"|"right"|"too_long"}} Marks
 * @typedef {"A"|"B"|"both_good"|"both_bad"} Overall
 * @typedef {{ranks?: number[], strength?: number, overall?: Overall,
 *     marks?: Marks[], reason?: string}} Said what a vote says
 * @typedef {{assignment: number, pool: number, task: string, prompt: string,
 *     act: "vote"|"skip"|"undo", at: number, standing: number,
 *     state: string}} Past
 * @typedef {{value?: number, low?: number, high?: number, n?: number,
 *     undefined?: string}} Estimate
 */
export {};
