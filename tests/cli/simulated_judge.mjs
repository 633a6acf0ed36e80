// simulated_judge.mjs BASE TOKEN [SHORTER] - a judge who is no person signs in
// as people do and votes over HTTP (docs/label-http.md) until nothing is left.
// The rule: the shorter answer is the better one, with probability SHORTER
// (0.8), and by the assignment's number, so that a run can be repeated.
const [base, token, shorter = '0.8'] = process.argv.slice(2);

async function call(path, body, session) {
    const headers = { 'Content-Type': 'application/json' };
    if (session) {
        headers['X-Plumb-CSRF'] = session.csrf;
        headers.Cookie = session.cookie;
    }
    const method = body === undefined ? 'GET' : 'POST';
    const reply = await fetch(base + path, {
        method, headers, body: body && JSON.stringify(body),
    });
    const cookie = reply.headers.get('set-cookie');
    const text = await reply.text();
    if (!reply.ok)
        throw new Error(`${path}: ${reply.status} ${text}`);
    return { ...JSON.parse(text), cookie: cookie && cookie.split(';')[0] };
}

// A number in [0, 1) that depends on n alone.
const spread = (n) => (n * 0.6180339887498949) % 1;

const session = await call('/api/session', { token });
const { pools } = await call('/api/pools', undefined, session);
let votes = 0;
for (const { pool } of pools) {
    for (;;) {
        const got = await call(`/api/pools/${pool}/next`, { want: 1 }, session);
        if (got.items.length === 0)
            break;
        const item = got.items[0];
        const [a, b] = item.answers.map((text) => text.length);
        const best = a === b ? 'both_good'
            : (a < b) === spread(item.assignment) < Number(shorter) ? 'A' : 'B';
        const mark = (own, other) => ({
            helpful: 2, direct: own < other ? 3 : 2, correct: 'unsure',
            length: own > other ? 'too_long' : 'right',
        });
        await call(`/api/items/${item.assignment}/act`, {
            key: `simulated-${item.assignment}`, act: 'vote',
            supersedes: item.standing, overall: best,
            marks: [mark(a, b), mark(b, a)],
        }, session);
        votes++;
    }
}
console.log(JSON.stringify({ judge: session.name, votes }));
