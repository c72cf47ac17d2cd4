'use strict';

// Collects the items 1 to `until` of a batch. What was emitted is all it remembers: the batch is
// named once by `snapshot`, each item is added by `updateSnapshot`. With `die_at` it ends its
// process when that item is emitted, without a goodbye; the message comes again to the next
// process, which goes on after that item.

exports.process = async function collect(message, config, snapshot) {
    const { batch, until, die_at: dieAt } = message.body;
    let collected = snapshot.collected || 0;
    const lives = [...(snapshot.lives || []), collected];
    if (snapshot.batch !== batch) {
        collected = 0;
        await this.emit('snapshot', { batch, greeting: 'ahoy', collected });
    }
    await this.emit('updateSnapshot', { lives });
    while (collected < until) {
        collected += 1;
        await this.emit('updateSnapshot', { collected, [`item_${collected}`]: config.prefix });
        if (collected === dieAt) {
            process.exit(9);
        }
    }
    await this.emit('updateSnapshot', { done: true });
};
