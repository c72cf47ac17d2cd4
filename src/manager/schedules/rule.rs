//! Recurrence rules: the moments that a schedule means.
//!
//! Pure: knows no clock and no table. A rule is what Cloudify keeps: `{rrule}`, or `{recurrence, count, weekdays}`.

use chrono::{DateTime, NaiveDateTime, SubsecRound, TimeDelta, Utc, Weekday};
use rrule::{Frequency, NWeekday, RRule, RRuleSet, Tz, Unvalidated};
use serde_json::{Map, Value, json};

use crate::model::Timestamp;

/// How many occurrences are counted one by one at the most.
const MAX_COUNTED: u32 = 10_000;
/// How many occurrences before the one in question are passed over at the most.
const MAX_PASSED: usize = 100_000;
const WEEKDAYS: [(&str, Weekday); 7] = [
    ("MO", Weekday::Mon),
    ("TU", Weekday::Tue),
    ("WE", Weekday::Wed),
    ("TH", Weekday::Thu),
    ("FR", Weekday::Fri),
    ("SA", Weekday::Sat),
    ("SU", Weekday::Sun),
];

/// The moments of a schedule, in order.
#[derive(Clone, Debug)]
pub struct Occurrences {
    series: Vec<Series>,
}

#[derive(Clone, Debug)]
enum Series {
    /// The same distance from one to the next; a distance of 0 means once.
    Steps { since: DateTime<Utc>, seconds: i64, until: Option<DateTime<Utc>> },
    /// By the calendar.
    Calendar { since: DateTime<Utc>, rule: Box<RRule<Unvalidated>>, until: Option<DateTime<Utc>> },
}

/// A rule from what a caller says, kept where the caller says nothing of it. The messages are Cloudify's.
///
/// # Errors
/// What can't be a rule.
pub fn given(body: &Map<String, Value>, kept: Option<&Value>) -> Result<Value, String> {
    let said = |name: &str| body.get(name).filter(|value| is_said(value));
    if let Some(rrule) = said("rrule") {
        if ["recurrence", "weekdays", "count"].iter().any(|name| said(name).is_some()) {
            return Err(
                "`rrule` cannot be provided together with `recurrence`, `weekdays` or `count`.".to_owned()
            );
        }
        let text = rrule.as_str().ok_or_else(|| format!("invalid RRULE string provided: {rrule}"))?;
        parse_rrule(text).map_err(|reason| format!("invalid RRULE string provided: {reason}"))?;
        return Ok(json!({ "rrule": text }));
    }
    let of = |name: &str| said(name).or_else(|| kept?.get(name).filter(|value| is_said(value)));
    let is_changed = ["recurrence", "weekdays", "count"].iter().any(|name| said(name).is_some());
    if let (false, Some(kept)) = (is_changed, kept) {
        return Ok(kept.clone());
    }
    let count = of("count").map(read_count).transpose()?;
    let recurrence = match of("recurrence") {
        None => None,
        Some(value) => {
            let text = value.as_str().unwrap_or_default();
            parse_recurrence(text).ok_or_else(|| {
                format!(
                    "`{}` is not a legal recurrence expression. Supported format is: <number> \
                     seconds|minutes|hours|days|weeks|months|years",
                    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
                )
            })?;
            Some(text.to_owned())
        }
    };
    let weekdays =
        of("weekdays").map(|weekdays| read_weekdays(weekdays, recurrence.as_deref())).transpose()?;
    if recurrence.is_none() && count != Some(1) {
        return Err("recurrence must be specified for execution count larger than 1".to_owned());
    }
    Ok(json!({ "recurrence": recurrence, "count": count, "weekdays": weekdays }))
}

/// Empty values mean the same as none (as the clients send them).
fn is_said(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Number(number) => number.as_i64() != Some(0),
        Value::Bool(true) | Value::Object(_) => true,
    }
}

fn read_count(value: &Value) -> Result<u32, String> {
    let number = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| *number > 0)
        .ok_or_else(|| format!("invalid parameter, should be int, got: {value}"))
}

fn read_weekdays(value: &Value, recurrence: Option<&str>) -> Result<Vec<String>, String> {
    let items = value.as_array().ok_or_else(|| format!("weekdays: expected a list, but got: {value}"))?;
    let unit = recurrence.and_then(parse_recurrence).map(|(_, unit)| unit);
    let takes_positions = matches!(unit, Some(Frequency::Monthly | Frequency::Yearly));
    items
        .iter()
        .map(|item| {
            let weekday = item.as_str().unwrap_or_default().to_uppercase();
            let (position, _) = parse_weekday(&weekday).ok_or_else(|| {
                format!(
                    "weekdays list contains an invalid weekday `{weekday}`. Valid weekdays are: MO|TU|WE|TH|FR|SA|SU \
                     or their lowercase values, optionally prefixed by 1-4 or l-/L-."
                )
            })?;
            if position.is_some() && !takes_positions {
                return Err(format!(
                    "complex weekday expression {weekday} can only be used with a months|years recurrence, but got {}.",
                    recurrence.unwrap_or("none")
                ));
            }
            Ok(weekday)
        })
        .collect()
}

/// `MO`, `1MO` to `4MO`, and `L-MO` for the last one.
fn parse_weekday(text: &str) -> Option<(Option<i32>, Weekday)> {
    let (name, weekday) = WEEKDAYS.iter().find(|(name, _)| text.ends_with(name))?;
    let position = match text.strip_suffix(name)? {
        "" => None,
        "L-" => Some(-1),
        digit => Some(digit.parse().ok().filter(|digit| (1..=4).contains(digit))?),
    };
    Some((position, *weekday))
}

fn parse_recurrence(text: &str) -> Option<(u32, Frequency)> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u32 = text[..digits].parse().ok().filter(|number| *number > 0)?;
    let unit = match text[digits..].trim_start().trim_end_matches('s') {
        "sec" | "second" => Frequency::Secondly,
        "min" | "minute" => Frequency::Minutely,
        "h" | "hour" => Frequency::Hourly,
        "d" | "day" => Frequency::Daily,
        "w" | "week" => Frequency::Weekly,
        "mo" | "month" => Frequency::Monthly,
        "y" | "year" => Frequency::Yearly,
        _ => return None,
    };
    // What the calendar can't take is no recurrence.
    let is_of_calendar = step_seconds(unit).is_none();
    (!is_of_calendar || u16::try_from(number).is_ok()).then_some((number, unit))
}

/// The length of a unit that has the same length always.
fn step_seconds(unit: Frequency) -> Option<i64> {
    match unit {
        Frequency::Secondly => Some(1),
        Frequency::Minutely => Some(60),
        Frequency::Hourly => Some(3_600),
        Frequency::Daily => Some(86_400),
        Frequency::Weekly => Some(7 * 86_400),
        Frequency::Monthly | Frequency::Yearly => None,
    }
}

/// A rule of iCalendar (RFC 5545) and the end that it names.
fn parse_rrule(text: &str) -> Result<(RRule<Unvalidated>, Option<DateTime<Utc>>), String> {
    let text = text.trim();
    let text = text.get(..6).filter(|head| head.eq_ignore_ascii_case("RRULE:")).map_or(text, |_| &text[6..]);
    if text.contains(['\n', '\r', ':']) {
        return Err("it has to be one rule".to_owned());
    }
    let (mut parts, mut until) = (Vec::new(), None);
    for part in text.split(';').filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            Some((name, end)) if name.eq_ignore_ascii_case("UNTIL") => {
                until = Some(parse_until(end).ok_or_else(|| format!("`{part}` is no time"))?);
            }
            _ => parts.push(part),
        }
    }
    let rule: RRule<Unvalidated> =
        format!("RRULE:{}", parts.join(";")).parse().map_err(|error: rrule::RRuleError| error.to_string())?;
    if rule.get_interval() == 0 {
        return Err("the interval has to be at least 1".to_owned());
    }
    if !is_even(&rule) && rule.get_count().is_some_and(|count| count > MAX_COUNTED) {
        return Err(format!("a rule by the calendar may have at most {MAX_COUNTED} occurrences"));
    }
    // Judged at any moment: what follows from the beginning is only where it begins.
    rule.clone().validate(DateTime::UNIX_EPOCH.with_timezone(&Tz::UTC)).map_err(|error| error.to_string())?;
    Ok((rule, until))
}

fn parse_until(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim_end_matches(['Z', 'z']);
    NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S")
        .or_else(|_| NaiveDateTime::parse_from_str(&format!("{text}T000000"), "%Y%m%dT%H%M%S"))
        .map(|naive| naive.and_utc())
        .ok()
}

/// Whether a rule means the same distance from one occurrence to the next.
fn is_even(rule: &RRule<Unvalidated>) -> bool {
    step_seconds(rule.get_freq()).is_some() && is_plain(rule)
}

fn is_plain(rule: &RRule<Unvalidated>) -> bool {
    rule.get_by_set_pos().is_empty()
        && rule.get_by_month().is_empty()
        && rule.get_by_month_day().is_empty()
        && rule.get_by_year_day().is_empty()
        && rule.get_by_week_no().is_empty()
        && rule.get_by_weekday().is_empty()
        && rule.get_by_hour().is_empty()
        && rule.get_by_minute().is_empty()
        && rule.get_by_second().is_empty()
}

impl Occurrences {
    /// The moments of a kept rule between two times.
    ///
    /// # Errors
    /// A rule that can't be followed.
    pub fn of(rule: &Value, since: Timestamp, until: Option<Timestamp>) -> Result<Self, String> {
        let since = since.moment().trunc_subsecs(0);
        let until = until.map(Timestamp::moment);
        if let Some(text) = rule["rrule"].as_str() {
            let (rule, own_until) = parse_rrule(text)?;
            return Ok(Self { series: vec![series(since, rule, own_until.or(until))] });
        }
        let count = rule["count"].as_u64().and_then(|count| u32::try_from(count).ok());
        let Some(text) = rule["recurrence"].as_str() else {
            return match count {
                Some(1) => Ok(Self { series: vec![Series::Steps { since, seconds: 0, until }] }),
                _ => Err("it neither recurs nor happens once".to_owned()),
            };
        };
        let (interval, unit) = parse_recurrence(text).ok_or_else(|| format!("`{text}` is no recurrence"))?;
        let weekdays: Vec<(Option<i32>, Weekday)> = rule["weekdays"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|weekday| parse_weekday(weekday.as_str()?))
            .collect();
        if let (true, Some(seconds)) = (weekdays.is_empty(), step_seconds(unit)) {
            let seconds = seconds * i64::from(interval);
            return Ok(Self {
                series: vec![Series::Steps {
                    since,
                    seconds,
                    until: earlier(until, last(since, seconds, count)),
                }],
            });
        }
        let base =
            RRule::new(unit).interval(u16::try_from(interval).map_err(|_| format!("`{text}` is too long"))?);
        if weekdays.is_empty() {
            let rule = match count {
                Some(count) => base.count(count.min(MAX_COUNTED)),
                None => base,
            };
            return Ok(Self { series: vec![series(since, rule, until)] });
        }
        let of_weekday = |(position, weekday): &(Option<i32>, Weekday)| {
            let rule = base.clone().by_weekday(vec![NWeekday::Every(*weekday)]);
            let rule = match position {
                Some(position) => rule.by_set_pos(vec![*position]),
                None => rule,
            };
            series(since, rule, until)
        };
        let all = Self { series: weekdays.iter().map(of_weekday).collect() };
        let Some(count) = count else { return Ok(all) };
        // All weekdays together are counted, so the last of them ends each.
        let counted = all.from(since, false).take(count.min(MAX_COUNTED) as usize).last();
        let cap = counted.map(Timestamp::moment);
        let capped = weekdays.iter().map(of_weekday).map(|series| series.ending(cap)).collect();
        Ok(Self { series: capped })
    }

    /// The first one after a moment.
    pub fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        self.from(moment.moment(), true).next()
    }

    /// Those from a moment on, itself included.
    pub fn upcoming(&self, moment: Timestamp) -> impl Iterator<Item = Timestamp> {
        self.from(moment.moment(), false)
    }

    /// All series merged; the same moment comes once.
    fn from(&self, moment: DateTime<Utc>, is_after: bool) -> impl Iterator<Item = Timestamp> + use<> {
        let mut heads: Vec<_> =
            self.series.iter().map(|series| series.from(moment, is_after).peekable()).collect();
        std::iter::from_fn(move || {
            let first = heads.iter_mut().filter_map(|head| head.peek().copied()).min()?;
            for head in &mut heads {
                head.next_if_eq(&first);
            }
            Some(Timestamp::from(first))
        })
    }
}

fn earlier(one: Option<DateTime<Utc>>, other: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The last of so many even steps.
fn last(since: DateTime<Utc>, seconds: i64, count: Option<u32>) -> Option<DateTime<Utc>> {
    let steps = i64::from(count?) - 1;
    // What is past the end of the calendar ends nothing.
    since.checked_add_signed(TimeDelta::try_seconds(seconds.checked_mul(steps)?)?)
}

fn series(since: DateTime<Utc>, rule: RRule<Unvalidated>, until: Option<DateTime<Utc>>) -> Series {
    match step_seconds(rule.get_freq()).filter(|_| is_plain(&rule)) {
        Some(seconds) => {
            let seconds = seconds * i64::from(rule.get_interval());
            Series::Steps { since, seconds, until: earlier(until, last(since, seconds, rule.get_count())) }
        }
        None => Series::Calendar { since, rule: Box::new(rule), until },
    }
}

impl Series {
    fn ending(self, cap: Option<DateTime<Utc>>) -> Self {
        match self {
            Self::Steps { since, seconds, until } => {
                Self::Steps { since, seconds, until: earlier(until, cap) }
            }
            Self::Calendar { since, rule, until } => {
                Self::Calendar { since, rule, until: earlier(until, cap) }
            }
        }
    }

    fn from(&self, moment: DateTime<Utc>, is_after: bool) -> Box<dyn Iterator<Item = DateTime<Utc>> + Send> {
        let is_wanted = move |time: &DateTime<Utc>| if is_after { *time > moment } else { *time >= moment };
        match self {
            Self::Steps { since, seconds: 0, until } => {
                let once = until.is_none_or(|until| *since <= until).then_some(*since);
                Box::new(once.into_iter().filter(is_wanted))
            }
            Self::Steps { since, seconds, until } => {
                let (since, seconds, until) = (*since, *seconds, *until);
                let passed = (moment - since).num_seconds().max(0) / seconds;
                let at = move |step: i64| {
                    since.checked_add_signed(TimeDelta::try_seconds(seconds.checked_mul(step)?)?)
                };
                Box::new(
                    (passed..)
                        .map_while(at)
                        .take_while(move |time| until.is_none_or(|until| *time <= until))
                        .filter(is_wanted),
                )
            }
            Self::Calendar { since, rule, until } => {
                let begin = skipped_to(*since, rule, moment).with_timezone(&Tz::UTC);
                // It was judged when it was made; what can't be followed has no occurrences.
                let Ok(rule) = (**rule).clone().validate(begin) else { return Box::new(std::iter::empty()) };
                let until = *until;
                // The iterator owns what it needs of the set.
                let times = RRuleSet::new(begin).rrule(rule).limit().into_iter();
                Box::new(
                    times
                        .take(MAX_PASSED)
                        .map(|time| time.with_timezone(&Utc))
                        .take_while(move |time| until.is_none_or(|until| *time <= until))
                        .filter(is_wanted),
                )
            }
        }
    }
}

/// A later beginning from which the same occurrences follow: whole intervals before the moment in question, where none
/// of them is counted.
fn skipped_to(since: DateTime<Utc>, rule: &RRule<Unvalidated>, moment: DateTime<Utc>) -> DateTime<Utc> {
    let Some(unit) = step_seconds(rule.get_freq()) else { return since };
    if rule.get_count().is_some() {
        return since;
    }
    let interval = unit * i64::from(rule.get_interval());
    let intervals = (moment - since).num_seconds() / interval - 2;
    if intervals <= 0 { since } else { since + TimeDelta::seconds(interval * intervals) }
}

#[cfg(test)]
mod tests;
