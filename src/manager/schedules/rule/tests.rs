//! A rule means the moments that Cloudify means by it, and is judged as Cloudify does.

use super::*;

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn first(rule: Value, since: &str, until: Option<&str>, from: &str, count: usize) -> Vec<String> {
    let given = given(rule.as_object().unwrap(), None).unwrap();
    let occurrences = Occurrences::of(&given, time(since), until.map(time)).unwrap();
    occurrences.upcoming(time(from)).take(count).map(|moment| moment.to_string()[..16].to_owned()).collect()
}

#[test]
fn a_rule_means_the_moments_that_cloudify_means() {
    let since = "2026-01-05T10:00:00Z"; // a Monday
    let cases: [(Value, Option<&str>, &[&str]); 9] = [
        (json!({ "count": 1 }), None, &["2026-01-05T10:00"]),
        (
            json!({ "recurrence": "2 days", "count": 3 }),
            None,
            &["2026-01-05T10:00", "2026-01-07T10:00", "2026-01-09T10:00"],
        ),
        (
            json!({ "recurrence": "1 month" }),
            Some("2026-03-01T00:00:00Z"),
            &["2026-01-05T10:00", "2026-02-05T10:00"],
        ),
        (
            json!({ "recurrence": "2 weeks", "weekdays": ["mo", "WE"], "count": 4 }),
            None,
            &["2026-01-05T10:00", "2026-01-07T10:00", "2026-01-19T10:00", "2026-01-21T10:00"],
        ),
        (
            json!({ "recurrence": "1 month", "weekdays": ["1TU", "L-FR"], "count": 3 }),
            None,
            &["2026-01-06T10:00", "2026-01-30T10:00", "2026-02-03T10:00"],
        ),
        (
            json!({ "rrule": "RRULE:FREQ=DAILY;INTERVAL=3;COUNT=2" }),
            None,
            &["2026-01-05T10:00", "2026-01-08T10:00"],
        ),
        (
            json!({ "rrule": "FREQ=WEEKLY;BYDAY=FR,MO;UNTIL=20260112T100000Z" }),
            None,
            &["2026-01-05T10:00", "2026-01-09T10:00", "2026-01-12T10:00"],
        ),
        // Its own end before that of the schedule.
        (
            json!({ "rrule": "FREQ=DAILY;UNTIL=20260106" }),
            Some("2027-01-01T00:00:00Z"),
            &["2026-01-05T10:00"],
        ),
        (
            json!({ "rrule": "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=2" }),
            None,
            &["2026-01-31T10:00", "2026-02-28T10:00"],
        ),
    ];
    for (rule, until, expected) in cases {
        assert_eq!(first(rule.clone(), since, until, "2026-01-01T00:00:00Z", 6), expected, "{rule}");
    }
}

#[test]
fn what_is_long_past_is_passed_over_at_once() {
    let now = "2026-06-01T12:00:30Z";
    for (rule, expected) in [
        (json!({ "recurrence": "7 seconds" }), "2026-06-01T12:00"),
        (json!({ "rrule": "FREQ=MINUTELY;INTERVAL=5;BYDAY=MO" }), "2026-06-01T12:05"),
        (json!({ "rrule": "FREQ=HOURLY;INTERVAL=7;BYHOUR=3" }), "2026-06-03T03:00"),
    ] {
        assert_eq!(first(rule.clone(), "1970-01-01T00:00:00Z", None, now, 1), [expected], "{rule}");
    }
}

#[test]
fn what_follows_from_a_later_beginning_is_the_same() {
    for rule in [
        "FREQ=WEEKLY;INTERVAL=3;BYDAY=TU,SU",
        "FREQ=HOURLY;INTERVAL=5;BYHOUR=1,2,3,4;BYMINUTE=7,8",
        "FREQ=DAILY;INTERVAL=4;BYMONTH=2,6,7",
        "FREQ=MINUTELY;INTERVAL=77;BYDAY=MO,TH",
    ] {
        let given = given(json!({ "rrule": rule }).as_object().unwrap(), None).unwrap();
        let occurrences = Occurrences::of(&given, time("2025-01-01T09:30:00Z"), None).unwrap();
        let from = time("2026-02-11T03:04:05Z");
        let all: Vec<Timestamp> = occurrences
            .upcoming(time("2025-01-01T00:00:00Z"))
            .filter(|moment| *moment > from)
            .take(20)
            .collect();
        let skipped: Vec<Timestamp> = occurrences.upcoming(from).take(20).collect();
        assert_eq!(all, skipped, "{rule}");
        assert_eq!(occurrences.after(from), Some(all[0]), "{rule}");
        assert_eq!(occurrences.after(all[0]), Some(all[1]), "{rule}");
    }
}

#[test]
fn what_can_be_no_rule_is_told() {
    for (rule, reason) in [
        (json!({}), "recurrence must be specified for execution count larger than 1"),
        (json!({ "count": 2 }), "recurrence must be specified for execution count larger than 1"),
        (json!({ "recurrence": "often" }), "`often` is not a legal recurrence expression"),
        (json!({ "recurrence": "0 days" }), "`0 days` is not a legal recurrence expression"),
        (json!({ "recurrence": "1 day", "weekdays": ["XX"] }), "contains an invalid weekday `XX`"),
        (json!({ "recurrence": "1 week", "weekdays": ["2MO"] }), "complex weekday expression 2MO"),
        (json!({ "recurrence": "1 day", "weekdays": "MO" }), "weekdays: expected a list"),
        (json!({ "rrule": "FREQ=DAILY", "count": 3 }), "`rrule` cannot be provided together with"),
        (json!({ "rrule": "FREQ=SOMETIMES" }), "invalid RRULE string provided"),
        (json!({ "rrule": "FREQ=DAILY;INTERVAL=0" }), "invalid RRULE string provided"),
        (json!({ "rrule": "FREQ=DAILY;BYMONTH=13" }), "invalid RRULE string provided"),
        (json!({ "rrule": "FREQ=DAILY\nRRULE:FREQ=DAILY" }), "invalid RRULE string provided"),
        (json!({ "rrule": "FREQ=DAILY;UNTIL=soon" }), "invalid RRULE string provided"),
        (json!({ "rrule": "FREQ=SECONDLY;BYHOUR=1;COUNT=4000000" }), "at most 10000 occurrences"),
        (json!({ "recurrence": "1 day", "count": "many" }), "invalid parameter, should be int"),
    ] {
        let error = given(rule.as_object().unwrap(), None).unwrap_err();
        assert!(error.contains(reason), "{rule}: {error}");
    }
}

#[test]
fn what_is_not_said_of_a_rule_stays() {
    let kept = json!({ "recurrence": "1 day", "count": 5, "weekdays": null });
    let changed = given(json!({ "count": 7, "rrule": null }).as_object().unwrap(), Some(&kept)).unwrap();
    assert_eq!(changed, json!({ "recurrence": "1 day", "count": 7, "weekdays": null }));
    assert_eq!(
        given(&Map::new(), Some(&json!({ "rrule": "FREQ=DAILY" }))).unwrap(),
        json!({ "rrule": "FREQ=DAILY" })
    );
}

#[test]
fn a_rule_that_never_occurs_is_given_up() {
    let never = json!({ "rrule": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30" });
    assert_eq!(first(never, "2026-01-01T00:00:00Z", None, "2026-01-01T00:00:00Z", 1), Vec::<String>::new());
}
