//! Time: ticks where the calendar has them, and a window in words. All in UTC.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime};

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// The first second of the year 1, and the last of the year 9999: what lies beyond is drawn there.
const FIRST: i64 = -62_135_596_800;
const LAST: i64 = 253_402_300_799;

/// A tick of the time axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// Unix seconds.
    pub time: i64,
    /// The time, the day, the month or the year.
    pub label: String,
    /// The day, month or year around it, where it is the first tick or they change.
    pub around: Option<String>,
}

/// How far ticks are apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Seconds(i64),
    Days(i64),
    Months(i64),
    Years(i64),
}

impl Step {
    /// About how many seconds.
    fn seconds(self) -> i64 {
        match self {
            Self::Seconds(seconds) => seconds,
            Self::Days(days) => days * DAY,
            Self::Months(months) => months * 30 * DAY,
            Self::Years(years) => years * 365 * DAY,
        }
    }

    /// The steps that people count in, the short ones first.
    fn all() -> impl Iterator<Item = Self> {
        let seconds = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800].into_iter();
        let hours = [1, 2, 3, 6, 12].into_iter().map(|hours| hours * HOUR);
        let years = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000].into_iter();
        (seconds.chain(hours).map(Self::Seconds))
            .chain([1, 2, 7].map(Self::Days))
            .chain([1, 2, 3, 6].map(Self::Months))
            .chain(years.map(Self::Years))
    }
}

/// A window that time can be counted in: its ends within the calendar, and one second long at least.
pub fn window(start: i64, end: i64) -> (i64, i64) {
    let start = start.clamp(FIRST, LAST - 1);
    (start, end.clamp(start + 1, LAST))
}

/// At most `count` ticks of a window, all written in one style.
pub fn ticks(start: i64, end: i64, count: usize) -> Vec<Tick> {
    let count = count.max(1) as i64;
    let step = Step::all().find(|step| (end - start) / step.seconds() <= count).unwrap_or(Step::Years(5_000));
    let mut ticks: Vec<Tick> = Vec::new();
    let mut former: Option<NaiveDateTime> = None;
    for time in times(start, end, step) {
        let Some(at) = date_time(time) else { continue };
        let is_new = |part: fn(&NaiveDateTime) -> i32| former.as_ref().map(part) != Some(part(&at));
        let (label, around) = match step {
            Step::Seconds(seconds) => {
                let style = if seconds < MINUTE { "%H:%M:%S" } else { "%H:%M" };
                let is_new = is_new(|at| at.num_days_from_ce());
                (at.format(style), is_new.then(|| at.format("%a %-d %b")))
            }
            Step::Days(_) => (at.format("%-d %b"), is_new(|at| at.year()).then(|| at.format("%Y"))),
            Step::Months(_) => (at.format("%b"), is_new(|at| at.year()).then(|| at.format("%Y"))),
            Step::Years(_) => (at.format("%Y"), None),
        };
        ticks.push(Tick { time, label: label.to_string(), around: around.map(|around| around.to_string()) });
        former = Some(at);
    }
    ticks
}

fn times(start: i64, end: i64, step: Step) -> Vec<i64> {
    let every = |seconds: i64, offset: i64| {
        let first = offset + (start - offset + seconds - 1).div_euclid(seconds) * seconds;
        (0..).map(|at| first + at * seconds).take_while(|time| *time <= end).collect()
    };
    match step {
        Step::Seconds(seconds) => every(seconds, 0),
        // The first Monday of the epoch was its fifth day.
        Step::Days(days) => every(days * DAY, 4 * DAY),
        Step::Months(_) | Step::Years(_) => {
            let months = if let Step::Years(years) = step { years * 12 } else { step.seconds() / (30 * DAY) };
            let month_of = |at: NaiveDateTime| i64::from(at.year()) * 12 + i64::from(at.month0());
            let first = date_time(start).map_or(0, month_of).div_euclid(months) * months;
            (0..)
                .map_while(|at| month(first + at * months))
                .take_while(|time| *time <= end)
                .filter(|time| *time >= start)
                .collect()
        }
    }
}

/// The first second of a month, counted from the year 0.
fn month(months: i64) -> Option<i64> {
    let year = i32::try_from(months.div_euclid(12)).ok()?;
    let date = NaiveDate::from_ymd_opt(year, months.rem_euclid(12) as u32 + 1, 1)?;
    Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp())
}

fn date_time(time: i64) -> Option<NaiveDateTime> {
    Some(DateTime::from_timestamp(time, 0)?.naive_utc())
}

/// A window in words: when it was, and how long it is.
pub fn words(start: i64, end: i64) -> (String, String) {
    let (Some(from), Some(to)) = (date_time(start), date_time(end)) else {
        return (String::new(), String::new());
    };
    let clock = if start % MINUTE == 0 && end % MINUTE == 0 { "%H:%M" } else { "%H:%M:%S" };
    let day = "%-d %b %Y";
    let when = if start % DAY == 0 && end % DAY == 0 {
        // Whole days: the end is the last of them.
        let last = date_time(end - 1).unwrap_or(to);
        if from.date() == last.date() {
            from.format(day).to_string()
        } else {
            format!("{} – {}", from.format(day), last.format(day))
        }
    } else if from.date() == to.date() {
        format!("{}, {} – {}", from.format(day), from.format(clock), to.format(clock))
    } else {
        let style = format!("{day}, {clock}");
        format!("{} – {}", from.format(&style), to.format(&style))
    };
    (format!("{when} UTC"), length(end - start))
}

/// Seconds in the largest two units that they have.
fn length(seconds: i64) -> String {
    let units = [
        (365 * DAY, "year"),
        (7 * DAY, "week"),
        (DAY, "day"),
        (HOUR, "hour"),
        (MINUTE, "minute"),
        (1, "second"),
    ];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (unit, name) in units {
        let many = rest / unit;
        rest %= unit;
        if many > 0 {
            parts.push(format!("{many} {name}{}", if many == 1 { "" } else { "s" }));
        } else if !parts.is_empty() {
            break;
        }
        if parts.len() == 2 {
            break;
        }
    }
    parts.join(" ")
}

/// A time of day in words, for what lies within a window.
pub fn clock(time: i64) -> String {
    let style = if time % MINUTE == 0 { "%-d %b, %H:%M UTC" } else { "%-d %b, %H:%M:%S UTC" };
    date_time(time).map(|at| at.format(style).to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 20 February 2016, 00:18:00.
    const START: i64 = 1_455_927_480;

    fn written(start: i64, end: i64, count: usize) -> Vec<String> {
        let tick = |tick: Tick| {
            format!("{}{}", tick.label, tick.around.map_or(String::new(), |around| format!(" [{around}]")))
        };
        ticks(start, end, count).into_iter().map(tick).collect()
    }

    #[test]
    fn ticks_stand_where_the_clock_and_the_calendar_have_them() {
        assert_eq!(
            written(START, START + HOUR, 6),
            ["00:20 [Sat 20 Feb]", "00:30", "00:40", "00:50", "01:00", "01:10"]
        );
        assert_eq!(written(START, START + 1, 6), ["00:18:00 [Sat 20 Feb]", "00:18:01"]);
        assert_eq!(
            written(START, START + DAY, 4),
            ["06:00 [Sat 20 Feb]", "12:00", "18:00", "00:00 [Sun 21 Feb]"]
        );
        assert_eq!(written(START, START + 28 * DAY, 6), ["22 Feb [2016]", "29 Feb", "7 Mar", "14 Mar"]);
        assert_eq!(
            written(START, START + 365 * DAY, 6),
            ["Mar [2016]", "May", "Jul", "Sep", "Nov", "Jan [2017]"].map(|label| label)
        );
        assert_eq!(written(START, START + 3_650 * DAY, 6), ["2018", "2020", "2022", "2024", "2026"]);
    }

    #[test]
    fn a_window_is_said_in_words() {
        let said = |start, end| {
            let (when, long) = words(start, end);
            format!("{when} · {long}")
        };
        assert_eq!(said(START, START + HOUR), "20 Feb 2016, 00:18 – 01:18 UTC · 1 hour");
        assert_eq!(said(START, START + 90), "20 Feb 2016, 00:18:00 – 00:19:30 UTC · 1 minute 30 seconds");
        assert_eq!(said(START, START + DAY), "20 Feb 2016, 00:18 – 21 Feb 2016, 00:18 UTC · 1 day");
        assert_eq!(said(0, 28 * DAY), "1 Jan 1970 – 28 Jan 1970 UTC · 4 weeks");
        assert_eq!(said(0, DAY), "1 Jan 1970 UTC · 1 day");
    }

    #[test]
    fn any_window_has_few_ticks() {
        let mut seconds = 1;
        while seconds < 400_000_000_000 {
            for start in [i64::MIN, -1, 0, START, START * 50, i64::MAX] {
                let (start, end) = window(start, start.saturating_add(seconds));
                let ticks = ticks(start, end, 7);
                assert!(ticks.len() <= 9, "{seconds}: {}", ticks.len());
                assert!(ticks.iter().all(|tick| (start..=end).contains(&tick.time)));
            }
            seconds = seconds * 3 / 2 + 1;
        }
        assert_eq!(window(5, 5), (5, 6));
        assert_eq!(window(9, 5), (9, 10));
    }
}
