'use strict';

// The story of a task with elasticio-rest-node: create, start, stop, read a step, delete.
// Prints what each call gave as one JSON object.

const assert = require('assert');

const ElasticIO = require('elasticio-rest-node');

const client = ElasticIO(process.env.ELASTICIO_API_USERNAME, process.env.ELASTICIO_API_KEY);

async function refused(call, status) {
    await assert.rejects(call, (error) => {
        assert.strictEqual(error.statusCode, status, error.message);
        const body = JSON.parse(error.message);
        assert.strictEqual(typeof body.error, 'string', error.message);
        assert.strictEqual(typeof body.code, 'string', error.message);
        return true;
    });
}

async function story() {
    const nodes = [
        { function: 'iterate', config: { prefix: 'x', limit: 3 } },
        { function: 'collect', config: {} }
    ];
    const created = await client.tasks.create({ name: 'Nightly', nodes, cron: '*/5 * * * *' });
    const { id } = created;
    assert.ok(id);

    const first = await client.tasks.retrieveStep(id, 'step_1');
    const second = await client.tasks.retrieveStep(id, 'step_2');
    await refused(client.tasks.retrieveStep(id, 'step_3'), 404);

    const started = await client.tasks.start(id);
    assert.strictEqual(started.id, id);
    assert.strictEqual(started.status, 'active');
    await refused(client.tasks.delete(id), 403);
    const stopped = await client.tasks.stop(id);
    assert.strictEqual(stopped.id, id);
    assert.strictEqual(stopped.status, 'inactive');
    await client.tasks.start(id);
    const suspended = await client.tasks.suspend(id);
    assert.strictEqual(suspended.status, 'inactive');

    if (process.argv[2] !== 'keep') {
        await client.tasks.delete(id);
        await refused(client.tasks.start(id), 404);
        await refused(client.tasks.retrieveStep(id, 'step_1'), 404);
    }
    await refused(ElasticIO('admin', 'wrong').tasks.start(id), 401);
    return { created, first, second };
}

story()
    .then((answer) => console.log(JSON.stringify(answer)))
    .catch((error) => {
        console.error(error);
        process.exit(1);
    });
