//! Spaces, charts, measurements and annotations, from a source of chance.

use serde_json::{Value, json};

use super::super::{Api, create_chart, create_space, gauge, tagged};
use super::Dice;

/// Values that a measurement can have.
const VALUES: [f64; 8] = [0.0, -0.0, 1.0, -17.25, 0.1, 1e30, 9_007_199_254_740_993.0, 1e-20];

/// Fills a tenant with `least` to `most` of each; `now` is the moment up to which was measured.
pub fn charts(api: &Api, (least, most): (usize, usize), now: i64, dice: &mut Dice) {
    let metrics: Vec<String> = (0..dice.between(least, most))
        .map(|number| format!("m{number}.{}", dice.pick(&["a", "B:c", "d-e_f"])))
        .collect();
    for metric in &metrics {
        if dice.chance(40) {
            let about = json!({
                "type": dice.pick(&["gauge", "counter"]), "display_name": dice.name(), "period": 60,
                "description": dice.text(), "attributes": { "color": "#52D74C" }
            });
            let reply =
                api.send(api.request(reqwest::Method::PUT, &format!("/v1/metrics/{metric}")).json(&about));
            reply.expect_status(201);
        }
        for _ in 0..dice.between(1, 3) {
            let points: Vec<(i64, f64)> = (0..i64::try_from(dice.between(1, 30)).unwrap())
                .map(|step| (now - 7 * step - 1, *dice.pick(&VALUES)))
                .collect();
            let place = dice.pick(&["pier", "Mole ü, = 1", "x y"]);
            if dice.chance(50) {
                gauge(api, metric, dice.chance(70).then_some(*place), &points);
            } else {
                tagged(api, metric, &json!({ "region": place, "host": "h1" }), &points);
            }
        }
    }
    for _ in 0..dice.between(least, most) {
        let space = create_space(api, &dice.name());
        for _ in 0..dice.between(least, 2) {
            create_chart(api, space, &chart(&metrics, dice));
        }
    }
    for number in 0..dice.between(least, most) {
        let start = now - i64::try_from(dice.below(3000)).unwrap() - 1;
        let mut event = json!({ "title": dice.name(), "description": dice.text(), "start_time": start });
        if dice.chance(50) {
            event["source"] = json!("pier");
            event["end_time"] = json!(start + 1);
            event["links"] = json!([{ "rel": "log", "href": "https://example.org/ü", "label": dice.name() }]);
        }
        api.post(&format!("/v1/annotations/stream{}", number % 2), &event).expect(201);
    }
}

fn chart(metrics: &[String], dice: &mut Dice) -> Value {
    let streams: Vec<Value> = (0..dice.below(3))
        .map(|_| {
            let metric = metrics.first().map_or("unknown", |_| dice.pick(metrics).as_str());
            json!({
                "metric": metric, "source": "*", "group_function": dice.pick(&["average", "sum", "breakout"]),
                "color": "#123ABC", "name": dice.name(), "transform_function": "x*2"
            })
        })
        .collect();
    let kind = dice.pick(&["line", "stacked", "bignumber"]);
    json!({ "name": dice.name(), "type": kind, "streams": streams, "min": -1.5, "label": dice.text() })
}
