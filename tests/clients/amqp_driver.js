'use strict';

// What the platform does around a sailor, and publishers that emit faster than one:
//
//   amqp_driver.js URI queue NAME                            makes a durable queue
//   amqp_driver.js URI depth NAME                            says how many messages wait in it
//   amqp_driver.js URI input QUEUE PASSWORD IV BODIES        sends encrypted messages to a sailor
//   amqp_driver.js URI publish EXCHANGE MESSAGES             publishes messages as they are
//   amqp_driver.js URI count EXCHANGE FLOW STEP LAST WINDOW  emits {"n":1} to {"n":LAST}, come what may
//
// Everything is persistent and waits for the broker's confirmation. All but `count` print JSON.

const crypto = require('crypto');

const amqp = require('amqplib');

const [uri, command, ...parameters] = process.argv.slice(2);

const commands = { queue, depth, input, publish, count };

commands[command](...parameters)
    .then((answer) => {
        console.log(JSON.stringify(answer));
        process.exit(0);
    })
    .catch((error) => {
        console.error(error);
        process.exit(1);
    });

async function queue(name) {
    const { channel } = await open();
    const { messageCount, consumerCount } = await channel.assertQueue(name, { durable: true });
    return { messages: messageCount, consumers: consumerCount };
}

async function depth(name) {
    const { channel } = await open();
    const { messageCount, consumerCount } = await channel.checkQueue(name);
    return { messages: messageCount, consumers: consumerCount };
}

async function input(name, password, iv, bodies) {
    const { channel } = await open();
    const key = crypto.createHash('sha256').update(password, 'utf-8').digest();
    for (const body of JSON.parse(bodies)) {
        const cipher = crypto.createCipheriv('aes-256-cbc', key, iv);
        const text = JSON.stringify({ id: crypto.randomUUID(), body, headers: {}, metadata: {} });
        const encrypted = Buffer.concat([cipher.update(text), cipher.final()]).toString('base64');
        const headers = { messageId: crypto.randomUUID(), threadId: crypto.randomUUID() };
        channel.sendToQueue(name, Buffer.from(encrypted), { persistent: true, mandatory: true, headers });
    }
    await channel.waitForConfirms();
    return {};
}

async function publish(exchange, messages) {
    const { channel } = await open();
    for (const { key = 'any.step.snapshot', headers = {}, text, base64 } of JSON.parse(messages)) {
        const body = base64 === undefined ? Buffer.from(text) : Buffer.from(base64, 'base64');
        channel.publish(exchange, key, body, { persistent: true, mandatory: true, headers });
    }
    await channel.waitForConfirms();
    return {};
}

/** Emits in order; after a lost connection it begins again with the first that was not confirmed. */
async function count(exchange, flow, step, last, window) {
    const state = { confirmed: 0 };
    while (state.confirmed < Number(last)) {
        try {
            const { connection, channel } = await open();
            await countOver(connection, channel, state, { exchange, flow, step, last: Number(last), window: Number(window) });
        } catch (error) {
            console.log(`lost after ${state.confirmed}: ${error.message}`);
            await new Promise((resolve) => setTimeout(resolve, 100));
        }
    }
    return state;
}

function countOver(connection, channel, state, { exchange, flow, step, last, window }) {
    // A sailor gives all emits of one call of a component the same two.
    const headers = {
        taskId: flow,
        stepId: step,
        execId: 'exec-of-the-counter',
        messageId: 'the-same-each-time',
        start: 1700000000000,
        snapshotEvent: 'snapshot'
    };
    const options = { persistent: true, mandatory: true, contentType: 'application/json', headers };
    const unconfirmed = new Set();
    let next = state.confirmed + 1;
    return new Promise((resolve, reject) => {
        connection.on('close', () => reject(new Error('the connection was closed')));
        const confirm = (number) => (error) => {
            if (error) {
                reject(error);
                return;
            }
            unconfirmed.delete(number);
            const [first = next] = unconfirmed;
            state.confirmed = first - 1;
            fill();
        };
        const fill = () => {
            try {
                while (next <= last && unconfirmed.size < window) {
                    const number = next;
                    next += 1;
                    unconfirmed.add(number);
                    const body = Buffer.from(JSON.stringify({ n: number }));
                    channel.publish(exchange, `${flow}.${step}.snapshot`, body, options, confirm(number));
                }
            } catch (error) {
                reject(error);
            }
            if (state.confirmed === last) {
                resolve();
            }
        };
        fill();
    });
}

async function open() {
    const connection = await amqp.connect(uri);
    connection.on('error', (error) => console.log(`connection: ${error.message}`));
    const channel = await connection.createConfirmChannel();
    channel.on('error', (error) => console.log(`channel: ${error.message}`));
    channel.on('return', ({ fields }) => {
        console.error(`nobody takes \`${fields.routingKey}\``);
        process.exit(2);
    });
    return { connection, channel };
}
