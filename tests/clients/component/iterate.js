'use strict';

// What the example of elastic.io's page "Using Snapshots" does: one count, raised by each message,
// emitted as the snapshot and as the data. Nothing is awaited, and the value handed in is changed
// in place, as there.

const { messages } = require('elasticio-node');

exports.process = function iterate(message, config, snapshot) {
    console.log('Message %j', message);
    console.log('Config %j', config);
    console.log('Snapshot %j', snapshot);

    snapshot.iteration = (snapshot.iteration || 0) + 1;

    this.emit('snapshot', snapshot);
    this.emit('data', messages.newMessageWithBody({ iteration: snapshot.iteration }));
    this.emit('end');
};
