//! Chance that a seed repeats: numbers, and the texts and values that are hard to carry.

use serde_json::{Map, Value, json};

/// Texts that something on the way could trip over.
const ODD_TEXTS: [&str; 14] = [
    "",
    " ",
    "plain",
    "Grün & weiß",
    "灯台の光 🚨👩‍🚒",
    "e\u{301} is not \u{e9}",
    "\u{202e}right to left",
    "line\nbreak\r\n\ttab",
    "quote \" back\\slash 'single' `back`",
    "{\"json\": [1, null]}",
    "null",
    "%2e%2e/../..\\",
    "<script>&amp;</script>",
    "${HOME} $(id) {{ x }}",
];

/// Numbers as a caller may spell them, which a value of a flow keeps to the letter.
const ODD_NUMBERS: [&str; 10] = [
    "0",
    "-0",
    "1.0",
    "1e2",
    "1E+2",
    "9007199254740993",
    "18446744073709551616",
    "-9223372036854775808",
    "0.1",
    "5e-324",
];

/// A source of chance. The same seed gives the same.
pub struct Dice(u64);

impl Dice {
    /// One that begins at `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number (SplitMix64).
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to one below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % end as u64).unwrap()
    }

    /// A number from `first` to `last`.
    pub fn between(&mut self, first: usize, last: usize) -> usize {
        first + self.below(last - first + 1)
    }

    /// True in so many of a hundred cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// An id that no other has: short, with each allowed character, or as long as it may be.
    pub fn id(&mut self, number: usize) -> String {
        let mut id = format!("{}{number}", self.pick(&["a", "Z-", "n._~", "x--..", "q~_"]));
        if self.chance(10) {
            id.push_str(&"-._~aZ9".repeat(40));
            id.truncate(256);
        }
        id
    }

    /// An id of a deployment that no other has: it may begin with a digit, which others may not.
    pub fn deployment_id(&mut self, number: usize, begins_with_digit: bool) -> String {
        if begins_with_digit || self.chance(25) {
            return format!("{}{number}", self.pick(&["0", "4e2-", "9._~"]));
        }
        self.id(number)
    }

    /// A JSON schema, and two values that fit it.
    pub fn schema(&mut self) -> (Value, [Value; 2]) {
        let about = self.text();
        match self.below(4) {
            0 => {
                let schema = json!({ "type": "object", "title": about, "maxProperties": 9 });
                (schema, [Value::Object(self.object(2)), Value::Object(self.object(1))])
            }
            1 => {
                let schema = json!({
                    "type": "array", "items": { "$ref": "#/$defs/any" }, "$defs": { "any": { "title": about } }
                });
                (schema, [json!([self.value(2), self.value(1)]), json!([])])
            }
            2 => {
                (json!({ "type": "string", "description": about }), [json!(self.text()), json!(self.text())])
            }
            _ => {
                // Null is no value of a secret.
                let values = [json!([self.value(1)]), json!(self.below(1000))];
                (json!({ "enum": [values[0], "never", values[1]] }), values)
            }
        }
    }

    /// A text, often an odd one.
    pub fn text(&mut self) -> String {
        if self.chance(10) {
            return "long ✓ ".repeat(self.between(1, 200));
        }
        (*self.pick(&ODD_TEXTS)).to_owned()
    }

    /// A text in which something can be read.
    pub fn name(&mut self) -> String {
        let text = self.text().replace(|c: char| c.is_control(), " ");
        format!("{} {}", text.chars().take(60).collect::<String>().trim(), self.below(1000)).trim().to_owned()
    }

    /// A text that can be the value of a label.
    pub fn label(&mut self) -> String {
        self.name().replace(['"', '\u{202e}', '\u{200d}'], "_")
    }

    /// A value that JSON parsers agree upon.
    pub fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 6 } else { 8 }) {
            0 => Value::Null,
            1 => json!(self.chance(50)),
            2 => json!(i64::from_ne_bytes(self.number().to_ne_bytes())),
            3 => json!(self.below(1000)),
            4 => json!(f64::from(u32::try_from(self.below(1 << 20)).unwrap()) / 1024.0),
            5 => json!(self.text()),
            6 => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
            _ => Value::Object(self.object(depth - 1)),
        }
    }

    /// An object of such values.
    pub fn object(&mut self, depth: usize) -> Map<String, Value> {
        // YAML takes no longer keys.
        let key = |text: String| text.chars().take(100).collect::<String>();
        (0..self.below(4))
            .map(|number| (format!("{number}{}", key(self.text())), self.value(depth)))
            .collect()
    }

    /// The text of a JSON value as only its sender would write it: spelling of numbers, keys that stand twice, blanks.
    pub fn json_text(&mut self, depth: usize) -> String {
        match self.below(if depth == 0 { 4 } else { 7 }) {
            0 => (*self.pick(&["null", "true", "false", "\"\"", "\"\\u0000\\ud83d\\ude00\"", "{}", "[]"]))
                .to_owned(),
            1 => (*self.pick(&ODD_NUMBERS)).to_owned(),
            2 | 3 => json!(self.text()).to_string(),
            4 => {
                let items: Vec<String> = (0..self.below(4)).map(|_| self.json_text(depth - 1)).collect();
                format!("[{}]", items.join(self.pick::<&str>(&[",", " , ", ",\n"])))
            }
            _ => self.object_text(depth - 1),
        }
    }

    /// The text of a JSON object of that kind.
    pub fn object_text(&mut self, depth: usize) -> String {
        let mut members: Vec<String> = (0..self.below(4))
            .map(|number| format!("{}:{}", json!(format!("{number}{}", self.text())), self.json_text(depth)))
            .collect();
        if self.chance(20) {
            members.extend(["\"twice\":1".to_owned(), "\"twice\" : 2.0".to_owned()]);
        }
        format!("{{{}}}", members.join(","))
    }
}
