//! YAML as PyYAML reads it. The expected values were read by PyYAML 6 once.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::budget::Budget;
use super::super::error::BlueprintError;
use super::super::yaml;

fn load(text: &str) -> Result<Value, BlueprintError> {
    yaml::load(text, "a.yaml", &mut Budget::new(1 << 20))
}

#[test]
fn plain_scalars_follow_yaml_1_1() {
    for (text, expected) in [
        ("yes", json!(true)),
        ("No", json!(false)),
        ("on", json!(true)),
        ("OFF", json!(false)),
        ("y", json!("y")),
        ("~", json!(null)),
        ("null", json!(null)),
        ("0755", json!(493)),
        ("0o755", json!("0o755")),
        ("0x1f", json!(31)),
        ("0b101", json!(5)),
        ("089", json!("089")),
        ("1_000", json!(1000)),
        ("-12", json!(-12)),
        ("+12", json!(12)),
        ("1:30", json!(90)),
        ("01:30", json!("01:30")),
        ("1:60", json!("1:60")),
        ("1.5", json!(1.5)),
        (".5", json!(0.5)),
        ("-.5", json!("-.5")),
        ("1.", json!(1.0)),
        ("1e3", json!("1e3")),
        ("1.0e3", json!("1.0e3")),
        ("1.0e+3", json!(1000.0)),
        ("1.2.3", json!("1.2.3")),
        ("10.0.0.1", json!("10.0.0.1")),
        ("2020-01-01", json!("2020-01-01")),
        ("'yes'", json!("yes")),
        ("\"0755\"", json!("0755")),
        ("!!str 12", json!("12")),
        ("!!int '12'", json!(12)),
        ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
    ] {
        assert_eq!(load(&format!("a: {text}")).unwrap(), json!({"a": expected}), "{text}");
    }
}

#[test]
fn keys_become_text_and_the_last_of_equals_wins() {
    assert_eq!(load("80: a\ntrue: b\nx: 1\nx: 2").unwrap(), json!({"80": "a", "true": "b", "x": 2}));
}

#[test]
fn merge_keys_fill_in_and_the_earlier_source_wins() {
    let text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}\nd: {<<: *b}";
    let value = load(text).unwrap();
    assert_eq!(value["c"], json!({"x": 3, "y": 1, "z": 2}));
    assert_eq!(value["d"], json!({"y": 2, "z": 2}));
}

#[test]
fn an_alias_bomb_is_refused_with_a_clear_word() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let alias = format!("*a{}", level - 1);
        text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![alias; 10].join(", ")));
    }
    let message = load(&text).unwrap_err().to_string();
    assert!(message.contains("aliases of aliases") && message.contains("`a.yaml`"), "{message}");
}

#[test]
fn an_alias_of_a_long_text_counts_its_length() {
    let text = format!("a: &a {}\nb: [{}]", "x".repeat(10_000), vec!["*a"; 1000].join(", "));
    assert!(load(&text).is_err());
}

#[test]
fn deep_nesting_and_loops_are_refused() {
    let nested = |levels: usize| format!("a: {}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(load(&nested(60)).is_ok());
    let message = load(&nested(100)).unwrap_err().to_string();
    assert!(message.contains("nested deeper"), "{message}");
    assert!(load(&nested(50_000)).is_err());
    assert!(load("a: &a [*a]").unwrap_err().to_string().contains("contains it"));
}

#[test]
fn what_is_no_yaml_names_the_line() {
    for (text, line) in
        [("a: 1\nb: [", 2), ("a: *nobody", 1), ("a: !!python/object:os.system x", 1), ("a: 1\n---\nb: 2", 0)]
    {
        let message = load(text).unwrap_err().to_string();
        assert!(message.contains("`a.yaml`"), "{message}");
        assert!(line == 0 || message.contains("line "), "{message}");
    }
    assert!(load("a: 99999999999999999999").unwrap_err().to_string().contains("too large"));
}

#[test]
fn an_empty_text_is_an_empty_mapping() {
    assert_eq!(load("").unwrap(), json!({}));
    assert_eq!(load("# nothing\n").unwrap(), json!({}));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _ = load(&text);
    }

    #[test]
    fn yaml_like_text_is_read_or_refused(text in "[-a-c0-9:&*!<>|{}\\[\\],'\"# \n]{0,200}") {
        let _ = load(&text);
    }

    #[test]
    fn text_that_json_quotes_comes_back(text in any::<String>()) {
        let quoted = serde_json::to_string(&text).unwrap();
        if let Ok(value) = load(&format!("a: {quoted}")) {
            prop_assert_eq!(value, json!({"a": text}));
        }
    }
}
