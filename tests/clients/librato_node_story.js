'use strict';

// The story of a program that measures itself with librato-node: increment, measure, timing, flush.
// Prints what the API holds then as one JSON object; the first argument is the API's address.

const assert = require('assert');

const Client = require('librato-node/lib/client');
const librato = require('librato-node');

const [base, email, token] = process.argv.slice(2);
// The address is the client's own, and no option changes it.
Client.prototype.endpoint = `${base}/v1`;

function flush() {
    return new Promise((resolve, reject) => {
        librato.flush((error) => (error ? reject(error) : resolve()));
    });
}

async function get(path) {
    const authorization = `Basic ${Buffer.from(`${email}:${token}`).toString('base64')}`;
    const reply = await fetch(`${base}/v1/${path}`, { headers: { authorization } });
    const text = await reply.text();
    assert.strictEqual(reply.status, 200, text);
    return JSON.parse(text);
}

async function story() {
    librato.configure({ email, token, source: 'worker-1' });
    const errors = [];
    librato.on('error', (error) => errors.push(error.message));

    librato.increment('jobs done!');
    librato.increment('jobs done!', 4);
    librato.increment('jobs.by_source', 2, { source: 'worker-2' });
    for (const value of [1, 2, 9]) librato.measure('size', value);
    librato.measure('once', 2001);
    librato.timing('sync', () => undefined);
    await new Promise((resolve) => {
        librato.timing('async', (done) => setTimeout(done, 20), { source: 'worker-2' }, resolve);
    });
    await flush();
    // Counters of this client only ever grow.
    librato.increment('jobs done!');
    await flush();

    const found = {};
    for (const name of ['jobs_done_', 'jobs.by_source', 'size', 'once', 'sync', 'async']) {
        const metric = await get(`metrics/${name}?count=10&resolution=1`);
        found[name] = { type: metric.type, measurements: metric.measurements };
    }
    assert.deepStrictEqual(errors, []);

    // A refusal is told once, and not tried again.
    librato.configure({ email, token: `${token}-not` });
    librato.measure('refused', 1);
    await assert.rejects(flush(), /statusCode: 401/);
    assert.strictEqual(errors.length, 1, errors.join());
    return found;
}

story()
    .then((found) => console.log(JSON.stringify(found)))
    .catch((error) => {
        console.error(error);
        process.exit(1);
    });
